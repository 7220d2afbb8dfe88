# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: ten thousand users of a server that can list them, and nothing to change."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.accounts import User, make_users, peer_settings, seed_users
from benchmarks.ansible_process import OUTGOING_USERS, ModuleProcess
from benchmarks.cores import core_python
from benchmarks.measure import BenchmarkError, Figure, Run, SkippedError, alternate, at_most, bounded, run_process
from tests import ROOT
from tests.support.emulator import Emulator

_DOMAINS = 100
_LIST = {"list": {"call": "outgoingusers/list", "parameters": {"domain": "domain"}}}
CORES = ("2.19", "2.21")


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
    growth = statistics.median(long[0]) / statistics.median(short[0])
    name = f"B3 {core}: 10,000 users, nothing to change"
    requests, megabytes = long[2], long[3]
    return [
        at_most(f"{name} / script, 20 ms a request", *long[:2], 3),
        at_most(f"{name} / script, no latency", *bare[:2], 3),
        bounded(f"{name}: requests per domain", requests / _DOMAINS, 1, ""),
        bounded(f"{name}: time(10,000) / time(1,000)", growth, 11, ""),
        bounded(f"{name}: peak memory", megabytes, 250, "MB"),
    ]


def _side_by_side(
    python: Path, emulator: Emulator, users: list[User], runs: int, latency: float
) -> tuple[list[float], list[float], int, float]:
    """Seconds of both, and the most requests and megabytes of ours."""
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

        mine, peers = alternate(ours, theirs, runs)
    return mine, peers, max(requests), max(memory)


def _check(unchanged: int, users: list[User]) -> None:
    if unchanged != len(users):
        raise BenchmarkError(f"{unchanged} of {len(users)} users were found to be unchanged")
