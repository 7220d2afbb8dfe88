# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: ten thousand users of a server that can list them, and nothing to change."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accounts import User, make_users, peer_settings, seed_users
from benchmarks.ansible_process import OUTGOING_USERS, ModuleProcess
from benchmarks.cores import core_python
from benchmarks.measure import (
    BenchmarkError,
    Figure,
    Run,
    SkippedError,
    at_most,
    bounded,
    in_turn,
    own_part,
    run_process,
)
from tests import ROOT
from tests.support.emulator import Emulator

_DOMAINS = 100
_LIST = {"list": {"call": "outgoingusers/list", "parameters": {"domain": "domain"}}}
CORES = ("2.19", "2.21")
#: The peer that is ansible-core alone, and how many times the script what is left of ours may be.
_CHECKED_OPTIONS, _MOST_OWN = "checked_options", 2.5


@dataclass(frozen=True)
class _Measured:
    """Seconds of the three; the most requests and megabytes of ours."""

    ours: list[float]
    script: list[float]
    core: list[float]
    requests: int
    megabytes: float


def measure(runs: int) -> list[Figure]:
    """All figures, on each core that a Python is here for."""
    figures: list[Figure] = []
    for core in CORES:
        try:
            python = core_python(core)
        except SkippedError as reason:
            figures.append(Figure(f"B3 {core}", 0, None, "", False, note=f"skipped: {reason}"))
            continue
        with Emulator("full") as emulator:
            figures += _measure_core(core, python, emulator, runs)
    return figures


def _measure_core(core: str, python: Path, emulator: Emulator, runs: int) -> list[Figure]:
    few, many = make_users(1000, _DOMAINS), make_users(10_000, _DOMAINS)
    short = _side_by_side(python, emulator, few, runs, 0.02)
    long = _side_by_side(python, emulator, many, runs, 0.02)
    bare = _side_by_side(python, emulator, many, runs, 0)
    growth = statistics.median(long.ours) / statistics.median(short.ours)
    name = f"B3 {core}: 10,000 users, nothing to change"
    share = f"ansible-core's share, its checks and imports for as many options: {statistics.median(bare.core):.2f} s"
    return [
        at_most(f"{name} / script, 20 ms a request", long.ours, long.script, 3),
        at_most(f"{name} / script, no latency", bare.ours, bare.script, None, share),
        at_most(f"{name} / script, no latency, our own part", own_part(bare.ours, bare.core), bare.script, _MOST_OWN),
        bounded(f"{name}: requests per domain", long.requests / _DOMAINS, 1, ""),
        bounded(f"{name}: time(10,000) / time(1,000)", growth, 11, ""),
        bounded(f"{name}: peak memory", long.megabytes, 250, "MB"),
    ]


def _side_by_side(python: Path, emulator: Emulator, users: list[User], runs: int, latency: float) -> _Measured:
    seed_users(emulator, users)
    options = {
        **emulator.connection,
        **emulator.smarthost_options,
        "update_password": "on_create",  # like the script, which knows of no passwords
        "api_methods": _LIST,
    }
    requests, memory = [0], [0.0]
    with (
        peer_settings(emulator, users) as settings,
        ModuleProcess(python, OUTGOING_USERS, options, users=users) as module,
        ModuleProcess(python, _CHECKED_OPTIONS, options, users=users) as checked,
    ):
        if latency:
            emulator.faults({"match": "*", "kind": "latency", "seconds": latency})

        def ours() -> float:
            emulator.reset_counters()
            run = module.run()
            _check(run.result["totals"]["unchanged"], users)
            requests.append(sum(emulator.counters()["requests"].values()))
            memory.append(run.megabytes)
            return run.seconds

        def theirs() -> float:
            run: Run = run_process([str(python), str(ROOT / "benchmarks/peers/compare_users.py"), str(settings)])
            _check(run.result["unchanged"], users)
            return run.seconds

        mine, script, core = in_turn([ours, theirs, lambda: checked.run().seconds], runs)
    return _Measured(mine, script, core, max(requests), max(memory))


def _check(unchanged: int, users: list[User]) -> None:
    if unchanged != len(users):
        raise BenchmarkError(f"{unchanged} of {len(users)} users were found to be unchanged")
