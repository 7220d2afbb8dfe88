# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that outlive a loss of power."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have on disk what was created, replaced or removed in this folder. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Write this text into the file, all of it or, after an error or a kill, nothing. Raises OSError."""
    with _written(path, text, mode) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def create_file(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write a file that is not there yet, all of it or nothing; False where it is there. Raises OSError."""
    with _written(path, text, mode) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
    sync_folder(path.parent)
    return True


@contextmanager
def _written(path: Path, text: str, mode: int) -> Iterator[Path]:
    """A temporary file beside this one, with this text on disk; gone at the end, unless it has another name by then."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
