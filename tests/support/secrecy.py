# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds secrets, in every form in which a program may have written them, in all that a run of Ansible leaves behind."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Optional
from urllib.parse import quote, quote_plus

#: Stands before the standard library on the path of every Python that the run starts. It takes what would be logged.
SITE = """
import os, sys, types

class _Log(types.ModuleType):
    LOG_INFO, LOG_USER, LOG_DAEMON = 6, 8, 24

    def __getattr__(self, name):
        if name.startswith("LOG_"):
            return 0
        raise AttributeError(name)

    def openlog(self, ident="", *arguments):
        self.ident = ident

    def closelog(self):
        pass

    def syslog(self, *arguments):
        with open(os.environ["CAPTURED_SYSLOG"], "ab") as log:
            log.write(f"{getattr(self, 'ident', '')}: {arguments[-1]}\\n".encode("utf-8", "surrogateescape"))

sys.modules["syslog"] = _Log("syslog")
"""
#: A callback that writes every result as JSON and as Python shows it.
CALLBACK = """
import json, os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "everything"
    CALLBACK_NEEDS_ENABLED = False

    def v2_on_any(self, *arguments, **named):
        with open(os.environ["CAPTURED_RESULTS"], "ab") as log:
            for argument in (*arguments, *named.values()):
                result = getattr(argument, "_result", None)
                if result is not None:
                    text = json.dumps(result, default=str, ensure_ascii=False) + json.dumps(result, default=str)
                    log.write(f"{text}\\n{result!r}\\n".encode("utf-8", "surrogateescape"))
"""


def forms(secret: str) -> set[bytes]:
    """The secret raw, percent-encoded, base64-encoded, and escaped as in JSON, Python, HTML and shells."""
    texts = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    texts |= {quote(text, safe="") for text in list(texts)}
    texts |= {text.lower() for text in list(texts) if "%" in text}
    for _level in range(2):
        texts |= {json.dumps(text)[1:-1] for text in list(texts)}
        texts |= {json.dumps(text, ensure_ascii=False)[1:-1] for text in list(texts)}
        texts |= {repr(text)[1:-1] for text in list(texts)} | {ascii(text)[1:-1] for text in list(texts)}
        texts |= {repr(text.encode())[2:-1] for text in list(texts)}
    texts |= {secret.replace("'", "''"), secret.replace("'", "'\"'\"'"), secret.replace("&", "&amp;")}
    texts |= {secret[:10], secret[-10:]}  # a part that a mask has left over
    found = {text.encode() for text in texts}
    found |= {text.encode("latin-1") for text in texts if all(ord(character) < 256 for character in text)}
    for offset in range(3):  # in base64 the same bytes look different in each of three places
        encoded = base64.b64encode(b"\0" * offset + secret.encode())
        found.add(encoded[(offset * 8 + 5) // 6 : -4])
        found.add(encoded.translate(bytes.maketrans(b"+/", b"-_"))[(offset * 8 + 5) // 6 : -4])
    return found


def leaks(material: Mapping[str, bytes], secrets: Iterable[str]) -> list[str]:
    """Where one of the secrets is found; never repeats it."""
    found = []
    for number, secret in enumerate(secrets):
        for form in forms(secret):
            for name, content in material.items():
                place = content.find(form)
                if place >= 0:
                    before = content[max(0, place - 120) : place]
                    found.append(f"secret {number} in {name} after {before!r}")
    return found


def files_in(*folders: Path) -> dict[str, bytes]:
    """Everything below these folders: names and contents."""
    return {
        str(file): str(file).encode() + b"\n" + (file.read_bytes() if file.is_file() else b"")
        for folder in folders
        for file in folder.rglob("*")
    }


class ProcessArguments:
    """Looks at the arguments of all processes of the machine, again and again, as anybody on it may."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._seen: set[bytes] = set()

    def __enter__(self) -> ProcessArguments:
        self._thread.start()
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._stop.set()
        self._thread.join()

    def seen(self) -> bytes:
        """The arguments of every process that was seen, with blanks between."""
        return b"\n".join(sorted(self._seen)).replace(b"\0", b" ")

    def _watch(self) -> None:
        while not self._stop.wait(0.03):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    self._seen.add((process / "cmdline").read_bytes())
                except OSError:  # it has ended
                    continue
