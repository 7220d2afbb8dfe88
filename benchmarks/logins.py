# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B4: a thousand passwords of a server that cannot list its users, proven by logins; nothing to change."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.accounts import make_users, peer_settings, seed_users
from benchmarks.ansible_process import OUTGOING_USERS, ModuleProcess
from benchmarks.measure import BenchmarkError, Figure, alternate, at_least, bounded, run_process
from tests import ROOT
from tests.support.emulator import Emulator

_USERS = 1000
_LATENCY = 0.05
_PYTHON = Path(sys.executable)


def measure(runs: int) -> list[Figure]:
    """50 ms before the answer to each AUTH; the rest of a session is as fast as this machine.

    Of three logins that may be refused in a run one is left to whoever proves what is changed, so two are under way.
    """
    users = make_users(_USERS, 10)
    wanted = [{name: user[name] for name in ("domain", "username", "password")} for user in users]
    peaks = [0]
    with Emulator("documented") as emulator, peer_settings(emulator, users) as settings:
        seed_users(emulator, users)
        options = {**emulator.connection, **emulator.smarthost_options}
        with ModuleProcess(_PYTHON, OUTGOING_USERS, options, users=wanted) as module:
            emulator.faults({"match": "smtp:auth", "kind": "latency", "seconds": _LATENCY})

            def ours() -> float:
                emulator.reset_counters()
                run = module.run()
                counters = emulator.counters()
                if run.result["totals"]["unchanged"] != _USERS or counters["auths"] != _USERS or counters["writes"]:
                    raise BenchmarkError(f"not one login for each user, and nothing else: {counters}")
                peaks.append(counters["connections_peak"])
                return run.seconds

            def theirs() -> float:
                run = run_process([str(_PYTHON), str(ROOT / "benchmarks/peers/check_logins.py"), str(settings)])
                if run.result["accepted"] != _USERS:
                    raise BenchmarkError("not every login was accepted")
                return run.seconds

            mine, peers = alternate(ours, theirs, runs)
    return [
        at_least("B4 1000 passwords proven by logins / smtplib in sequence", mine, peers, 1.9),
        bounded("B4 connections at once", max(peaks), 10, ""),
    ]
