# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen without a monitor (Xvfb): typing into it, and pictures of it."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
import time
import zlib
from pathlib import Path
from types import TracebackType

WAIT_SECONDS = 30.0


class Display:
    """A running Xvfb; a context manager that ends it by its own process."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        self._size = f"{width}x{height}x24"
        self.name = ""

    def __enter__(self) -> Display:
        self._directory = tempfile.TemporaryDirectory(prefix="display-")
        reading, writing = os.pipe()
        options = ["-displayfd", str(writing), "-screen", "0", self._size, "-fbdir", self._directory.name]
        command = ["Xvfb", *options, "-nolisten", "tcp", "-noreset"]
        self._process = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading) as answer:
            self.name = ":" + answer.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._directory.cleanup()

    def _xdotool(self, *arguments: str, text: str | None = None) -> str:
        environment = {**os.environ, "DISPLAY": self.name}
        command = ["xdotool", *arguments]
        # A search that finds nothing is not an error.
        done = subprocess.run(command, check=False, env=environment, input=text, capture_output=True, text=True)
        return done.stdout.strip()

    def wait_for_window(self, title: str) -> str:
        """The number of the window whose title matches this pattern, once it is there."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            found = self._xdotool("search", "--onlyvisible", "--name", title).split()
            if found:
                return found[-1]
            time.sleep(0.1)
        raise TimeoutError(f"no window {title!r} on {self.name}; there are: {self.titles()}")

    def titles(self) -> list[str]:
        """The titles of all windows that can be seen."""
        windows = self._xdotool("search", "--onlyvisible", "--name", ".").split()
        return [self._xdotool("getwindowname", window) for window in windows]

    def type(self, window: str, text: str) -> None:
        """Type a line into the window; the text reaches xdotool by its standard input."""
        self._xdotool("windowfocus", "--sync", window)
        self._xdotool("type", "--delay", "5", "--file", "-", text=text)
        self._xdotool("key", "Return")

    def picture(self, target: Path) -> None:
        """Write what the screen shows as a PNG file."""
        dump = (Path(self._directory.name) / "Xvfb_screen0").read_bytes()
        # The header of a window dump (X11's XWDFile.h): sizes in 32-bit words, most significant byte first.
        header = struct.unpack(">25I", dump[:100])
        header_size, width, height, line_size, colours = header[0], header[4], header[5], header[12], header[19]
        start = header_size + 12 * colours
        rows = []
        for row in range(height):
            line = dump[start + row * line_size : start + row * line_size + 4 * width]
            pixels = bytearray(3 * width)
            pixels[0::3], pixels[1::3], pixels[2::3] = line[2::4], line[1::4], line[0::4]
            rows.append(b"\0" + bytes(pixels))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + _chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
            + _chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
            + _chunk(b"IEND", b"")
        )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
