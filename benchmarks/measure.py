# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time processes side by side, and the figures that come of it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class BenchmarkError(Exception):
    """A measured run did not do its work, so that its time means nothing."""


class SkippedError(Exception):
    """A row cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Run:
    """One finished process. seconds: wall time. megabytes: the most memory that it had at once. output: its stdout."""

    seconds: float
    megabytes: float
    output: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object in the last line, as modules and the peers print it."""
        decoded: dict[str, Any] = json.loads(self.output.strip().splitlines()[-1])
        return decoded


@dataclass(frozen=True)
class Figure:
    """One row of the table. goal: what the ratio, or where there is no peer our own value, must keep to."""

    name: str
    ours: float
    theirs: float | None
    goal: str
    holds: bool
    unit: str = "s"
    ratio: float | None = None
    note: str = ""
    runs: dict[str, list[float]] = field(default_factory=dict)

    @property
    def skipped(self) -> bool:
        """Whether this says why a row could not be measured, and nothing else."""
        return self.note.startswith("skipped: ")


def run_process(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a program to its end. Raises BenchmarkError with its output where it fails."""
    inherited = os.environ if environment is None else environment
    # `requests` would prefer the environment's authorities to those that a session was given.
    given = {name: value for name, value in inherited.items() if not name.endswith("_CA_BUNDLE")}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=given, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output = process.stdout.read() if process.stdout else ""
    # wait4 tells the memory of this one child; getrusage would tell the largest of all.
    _pid, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkError(f"{command[0]} ended with {process.returncode}:\n{output[-3000:]}")
    return Run(seconds, usage.ru_maxrss / 1024, output)


def in_turn(sides: Sequence[Callable[[], float]], runs: int) -> list[list[float]]:
    """Seconds of each side, measured in turn, so that whatever else the machine does meets all alike."""
    rounds = [[side() for side in sides] for _number in range(runs)]
    return [list(each) for each in zip(*rounds)]


def alternate(ours: Callable[[], float], theirs: Callable[[], float], runs: int) -> tuple[list[float], list[float]]:
    """Seconds of both, measured in turn."""
    mine, peers = in_turn([ours, theirs], runs)
    return mine, peers


def at_most(name: str, ours: list[float], theirs: list[float], most: float | None, note: str = "") -> Figure:
    """The figure for "our time is at most so many times theirs"; without a goal where there is none."""
    ratio = statistics.median(ours) / statistics.median(theirs)
    goal, holds = (f"<= {most:g}", ratio <= most) if most is not None else ("", True)
    return _figure(name, ours, theirs, ratio, goal, holds, note)


def at_least(name: str, ours: list[float], theirs: list[float], least: float | None, note: str = "") -> Figure:
    """The figure for "we are at least so many times faster"; without a goal where there is none."""
    ratio = statistics.median(theirs) / statistics.median(ours)
    goal, holds = (f">= {least:g} x faster", ratio >= least) if least is not None else ("", True)
    return _figure(name, ours, theirs, ratio, goal, holds, note)


def own_part(ours: list[float], core: list[float]) -> list[float]:
    """What each of our runs took beyond the run of ansible-core alone beside it."""
    return [mine - share for mine, share in zip(ours, core)]


def bounded(name: str, value: float, most: float, unit: str) -> Figure:
    """The figure for a value of ours that has a limit and no peer."""
    return Figure(name, value, None, f"<= {most:g} {unit}".strip(), value <= most, unit)


def without_limit(name: str, values: list[float], unit: str = "s") -> Figure:
    """The figure for a value of ours that is only to be known."""
    return Figure(name, statistics.median(values), None, "", True, unit=unit, runs={"ours": values})


def _figure(
    name: str, ours: list[float], theirs: list[float], ratio: float, goal: str, holds: bool, note: str
) -> Figure:
    return Figure(
        name,
        statistics.median(ours),
        statistics.median(theirs),
        goal,
        holds,
        ratio=ratio,
        note=note,
        runs={"ours": ours, "theirs": theirs},
    )
