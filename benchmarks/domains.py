# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B13: three hundred domains, beside a loop over the module for one."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.ansible_process import run_playbook, write_playbook
from benchmarks.measure import BenchmarkError, Figure, alternate, at_least, bounded
from tests.support.emulator import Emulator

_DOMAINS = 300
_MEASURED = (3, 8)  # domains of the loop, which would take a quarter of an hour for all
_LATENCY = 0.02
_PYTHON = Path(sys.executable)
_WANTED = {"outgoing": True, "destinations": ["mail.example.net"], "abuse_contact": "abuse@example.com"}
#: Whole plays: (seconds, how many times faster than the loop).
_GOALS = {"nothing to change": (10, 15), "created": (30, 8)}


def measure(runs: int) -> list[Figure]:
    """Nothing to change, and all created, whole runs of ansible-playbook with 20 ms for each request."""
    figures = []
    with Emulator("full") as emulator:
        for name, (seconds, times) in _GOALS.items():
            ours, theirs = _beside_the_loop(emulator, runs, new=name == "created")
            title = f"B13 {_DOMAINS} domains, {name}"
            note = f"the loop was measured at {_MEASURED[0]} and {_MEASURED[1]} domains and extrapolated linearly"
            figures.append(at_least(f"{title} / loop over domain", ours, theirs, times, note))
            figures.append(bounded(f"{title}: seconds", statistics.median(ours), seconds, "s"))
    return figures


def _beside_the_loop(emulator: Emulator, runs: int, *, new: bool) -> tuple[list[float], list[float]]:
    """Seconds of both; the loop's are extrapolated."""
    entries = [{"domain": f"customer{number}.example", **_WANTED} for number in range(_DOMAINS)]
    whole = {
        "name": "All at once",
        "smarthost.spamexperts.domains": {**emulator.connection, "domains": "{{ entries }}"},
    }
    one = {name: f"{{{{ item.{name} }}}}" for name in entries[0]}
    loop = {"name": "Loop", "smarthost.spamexperts.domain": {**emulator.connection, **one}, "loop": "{{ entries }}"}

    def ours() -> float:
        return _play(emulator, whole, entries, new=new)

    def theirs() -> float:
        fewer, more = (_play(emulator, loop, entries[:count], new=new) for count in _MEASURED)
        return more + (more - fewer) / (_MEASURED[1] - _MEASURED[0]) * (_DOMAINS - _MEASURED[1])

    return alternate(ours, theirs, runs)


def _play(emulator: Emulator, task: dict[str, Any], entries: list[dict[str, Any]], *, new: bool) -> float:
    """Seconds of a play with this task."""
    emulator.reset()
    if not new:
        contact = {"administrator_contact": _WANTED["abuse_contact"], "destinations": ["mail.example.net::25"]}
        emulator.seed(domains=[{"name": entry["domain"], "outgoing": 1, **contact} for entry in entries])
    emulator.faults({"match": "*", "kind": "latency", "seconds": _LATENCY})
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        run = run_playbook(_PYTHON, write_playbook(Path(directory), [task], {"entries": entries}))
    writes = emulator.counters()["writes"]
    if len(emulator.state()["domains"]) != len(entries) or bool(writes) is not new:
        raise BenchmarkError(f"{writes} writes were sent, and not all domains are as they were wanted")
    return run.seconds
