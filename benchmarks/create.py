# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B1 and B2: create a thousand users with limits."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.accounts import User, domains_of, make_users, peer_settings
from benchmarks.ansible_process import OUTGOING_USERS, ModuleProcess, run_playbook, write_playbook
from benchmarks.measure import BenchmarkError, Figure, alternate, at_least, at_most, run_process
from tests import ROOT
from tests.support.emulator import Emulator

_USERS, _DOMAINS = 1000, 10
_MEASURED = (100, 200)  # users of the uri loop, which would take ten minutes for a thousand
_LATENCY = 0.02
_PYTHON = Path(sys.executable)


def _empty_account(emulator: Emulator, users: list[User], latency: float) -> None:
    emulator.reset()
    emulator.seed(domains=domains_of(users))
    if latency:
        emulator.faults({"match": "*", "kind": "latency", "seconds": latency})


def _check(emulator: Emulator, users: list[User]) -> None:
    """Every user is there with its limit, and each write was sent once."""
    limits = {(user["domain"], user["username"]): user["limit_per_hour"] for user in emulator.users()}
    if limits != {(user["domain"], user["username"]): user["limits"]["per_hour"] for user in users}:
        raise BenchmarkError("not all users were created as they were wanted")
    writes = emulator.counters()["writes"]
    if writes != 2 * len(users):
        raise BenchmarkError(f"{writes} writes were sent for {len(users)} users with limits")


def loop_of_uri(runs: int) -> list[Figure]:
    """B1: whole runs of ansible-playbook, without latency, which would only slow down both."""
    users = make_users(_USERS, _DOMAINS)
    seconds: dict[int, list[float]] = {count: [] for count in _MEASURED}
    with Emulator("full") as emulator, peer_settings(emulator, users) as settings:
        task = {
            "name": "Outgoing users with limits",
            OUTGOING_USERS: {
                **emulator.connection,
                **emulator.smarthost_options,
                "use_discovered_methods": True,
                "users": "{{ users }}",
            },
        }
        playbook = write_playbook(settings.parent, [task], {"users": users})

        def ours() -> float:
            _empty_account(emulator, users, 0)
            run = run_playbook(_PYTHON, playbook)
            _check(emulator, users)
            return run.seconds

        def theirs() -> float:
            for count in _MEASURED:
                some = users[:count]
                _empty_account(emulator, some, 0)
                with peer_settings(emulator, some) as peer:
                    run = run_playbook(_PYTHON, ROOT / "benchmarks/peers/create_users.yml", f"--extra-vars=@{peer}")
                _check(emulator, some)
                seconds[count].append(run.seconds)
            fewer, more = (seconds[count][-1] for count in _MEASURED)
            slope = (more - fewer) / (_MEASURED[1] - _MEASURED[0])
            return more + slope * (_USERS - _MEASURED[1])

        mine, peers = alternate(ours, theirs, runs)
    note = f"the loop was measured at {_MEASURED[0]} and {_MEASURED[1]} users and extrapolated linearly to {_USERS}"
    return [at_least("B1 create 1000 users with limits / uri loop", mine, peers, 100, note)]


def script_with_threads(runs: int) -> list[Figure]:
    """B2: the module's process beside a script with the same number of threads, 20 ms for each request."""
    users = make_users(_USERS, _DOMAINS)
    with Emulator("full") as emulator, peer_settings(emulator, users) as settings:
        options = {**emulator.connection, **emulator.smarthost_options, "use_discovered_methods": True}
        _empty_account(emulator, users, 0)
        with ModuleProcess(_PYTHON, OUTGOING_USERS, options, users=users) as module:

            def ours() -> float:
                _empty_account(emulator, users, _LATENCY)
                seconds = module.run().seconds
                _check(emulator, users)
                return seconds

            def theirs() -> float:
                _empty_account(emulator, users, _LATENCY)
                command = [str(_PYTHON), str(ROOT / "benchmarks/peers/create_users.py"), str(settings)]
                seconds = run_process(command).seconds
                _check(emulator, users)
                return seconds

            return [at_most("B2 the same writes / script with threads", *alternate(ours, theirs, runs), 1.25)]
