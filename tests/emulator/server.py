# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One emulated server: its panel, its records, its faults, and where its state is kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from .faults import Faults
from .meter import Meter
from .panel import Call, Panel
from .record import Record
from .spam import SpamLocks


class StateFile:
    """Keeps the state in a JSON file, replaced as a whole.

    A small state is written before the reply to each write. Once writing takes more than 5 ms (some hundred users),
    writes are gathered, so that saving never takes more than a tenth of the time.
    """

    def __init__(self, path: Path | None, panel: Panel) -> None:
        self._path = path
        self._panel = panel
        self._seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None
        if path and path.exists():
            panel.state.load(json.loads(path.read_text(encoding="utf-8")))
        self._saved = panel.state.version

    def save(self) -> None:
        """Save if there is something new."""
        if self._path is None or self._timer or self._saved == self._panel.state.version:
            return
        if self._seconds > 0.005:
            self._timer = asyncio.get_running_loop().call_later(self._seconds * 10, self.flush)
        else:
            self.flush()

    def flush(self) -> None:
        """Save now."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._path is None or self._saved == self._panel.state.version:
            return
        started = time.monotonic()
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        text = json.dumps(self._panel.state.dump())
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            temporary.replace(self._path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        self._saved = self._panel.state.version
        self._seconds = time.monotonic() - started


@dataclass
class Server:
    """What the API, the SMTP side and the control interface share; all run on one event loop, so there are no locks."""

    panel: Panel
    calls: dict[str, Call]
    password: str
    state_file: StateFile
    record: Record = field(default_factory=Record)
    faults: Faults = field(default_factory=Faults)
    meter: Meter = field(default_factory=Meter)
    spam: SpamLocks = field(default_factory=SpamLocks)
    #: How often everything has begun anew.
    resets: int = 0

    async def is_reset_within(self, seconds: float) -> bool:
        """Wait; whether everything has begun anew meanwhile, so that who waits belongs to what is over."""
        before = self.resets
        await asyncio.sleep(seconds)
        return self.resets != before
