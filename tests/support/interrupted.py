# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of ansible-playbook that stands still at chosen events, to be killed there or to go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

CALLBACKS = Path(__file__).with_name("rotation_callbacks")
_SECONDS = 120.0


def with_timeline(environment: Mapping[str, str], timeline: Path) -> dict[str, str]:
    """An environment in which ansible-playbook writes its timeline; that of an earlier run is forgotten."""
    timeline.unlink(missing_ok=True)
    callbacks = [str(CALLBACKS), environment.get("ANSIBLE_CALLBACK_PLUGINS", "")]
    return {**environment, "ANSIBLE_CALLBACK_PLUGINS": ":".join(filter(None, callbacks)), "TIMELINE": str(timeline)}


def read_timeline(timeline: Path) -> list[dict[str, Any]]:
    """The lines of a timeline, {"at", "event"} each."""
    return [json.loads(line) for line in timeline.read_text(encoding="utf-8").splitlines()]


def descendants(ancestor: int) -> list[int]:
    """The processes that this one has started, and those that they have."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            # The name, in parentheses, may hold blanks.
            parent = int(status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(status.parent.name))
    found, left = [], [ancestor]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


class InterruptedRun:
    """A context manager around the process; whatever is left of it ends with the block.

    stops: events as the callback `timeline` names them, or numbers of its lines.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, stops: Sequence[str | int]
    ) -> None:
        self.log = log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                command,
                env={**environment, "STOP_AT": json.dumps(list(stops))},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def __enter__(self) -> InterruptedRun:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.kill()

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for_stop(self) -> None:
        """Wait until it stands still at the next of its stops."""
        assert self._wait(os.WUNTRACED) is None, f"it has ended before it got there:\n{self.output[-3000:]}"

    def go_on(self, seconds: float = 0.0) -> None:
        """Let it go on; return after so many seconds, or when it has ended."""
        os.kill(self.pid, signal.SIGCONT)
        deadline = time.monotonic() + seconds
        while self._process.returncode is None and time.monotonic() < deadline:
            self._reap(os.WNOHANG)
            time.sleep(0.005)

    def wait(self) -> int:
        """Wait until it has ended; its exit code."""
        code = self._wait(0)
        assert code is not None
        return code

    def kill(self, *, alone: bool = False) -> bool:
        """SIGKILL it, with everything that it has started unless `alone`; whether it was still running.

        Alone, what runs on a host, or in a process for one task, goes on for a moment, as after a real kill.
        """
        if self._process.returncode is not None:
            return False
        # From ansible-core 2.19 on, the process of each task has a session of its own.
        for pid in [self.pid] if alone else [self.pid, *descendants(self.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._wait(0)
        return True

    def _wait(self, options: int) -> Optional[int]:
        """The exit code, or None when it stands still."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            if self._reap(options | os.WNOHANG):
                return None
            if self._process.returncode is not None:
                return int(self._process.returncode)
            time.sleep(0.005)
        raise AssertionError(f"it neither stops nor ends:\n{self.output[-3000:]}")

    def _reap(self, options: int) -> bool:
        """Look whether the process has ended; true when it stands still instead."""
        if self._process.returncode is not None:
            return False
        pid, status = os.waitpid(self.pid, options)
        if pid and os.WIFSTOPPED(status):
            return True
        if pid:
            self._process.returncode = os.waitstatus_to_exitcode(status)
        return False
