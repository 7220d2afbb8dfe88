# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B10 to B12: what grew with the size of a site, and what only waited. There is no peer, but a limit for each."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible.parsing.vault import VaultLib, VaultSecret

from benchmarks.ansible_process import ModuleProcess
from benchmarks.measure import BenchmarkError, Figure, SkippedError, bounded, run_process, without_limit
from tests.fleet import Fleet, fleet_emulator, why_impossible
from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment, run_playbook
from tests.support.rotation import RotationSite

_APPLY_HOSTS, _MOST_APPLY = 2, 2.6
_LOOKUP_HOSTS, _LOOKUPS, _MOST_LOOKUPS = 50, 3, 8
_STORES = (100, 10_000)
_MOST_REQUESTS = 7
_PYTHON = Path(sys.executable)
_PLAYBOOK = str(_PYTHON.with_name("ansible-playbook"))
_PASSWORD = "Correct-Horse-42"  # noqa: S105 - of an emulator


def first_apply(runs: int) -> list[Figure]:
    """B10: the role on mail servers that it has never seen, which takes everything back in between."""
    impossible = why_impossible()
    if impossible:
        raise SkippedError(impossible)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as directory,
        Fleet(_APPLY_HOSTS) as fleet,
        fleet_emulator(fleet) as emulator,
    ):
        site = RotationSite(fleet, emulator, Path(directory))
        site.set_up()
        play = [{"hosts": "mail_relays", "gather_facts": False, "roles": ["smarthost.spamexperts.outgoing_mail"]}]
        playbook = Path(directory) / "role.yml"
        playbook.write_text(json.dumps(play), encoding="utf-8")

        def apply(state: str) -> float:
            started = time.perf_counter()
            arguments = [*site.arguments, "-e", f"outgoing_mail_state={state}"]
            run = run_playbook(str(playbook), arguments, site.environment)
            if run.returncode or run.changed() < _APPLY_HOSTS:
                raise BenchmarkError(f"the role failed, or changed nothing:\n{run.output[-3000:]}")
            return time.perf_counter() - started

        seconds = []
        for _number in range(runs):
            apply("absent")
            seconds.append(apply("present"))
    return [bounded(f"B10 role, first apply, {_APPLY_HOSTS} hosts", statistics.median(seconds), _MOST_APPLY, "s")]


def lookups(runs: int) -> list[Figure]:
    """B11: tasks that do nothing but look up a password; each host and task has a process of its own."""
    figures: list[Figure] = []
    secret = VaultSecret(b"the vault's own password")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        folder = Path(directory)
        password, store, playbook = folder / "password", folder / "store.yml", folder / "playbook.yml"
        password.write_bytes(secret.bytes)
        hosts = [f"mail{number}" for number in range(_LOOKUP_HOSTS)]
        look: dict[str, Any] = {
            "name": "Look",
            "ansible.builtin.assert": {
                "that": "lookup('smarthost.spamexperts.credential', inventory_hostname) | length == 16",
                "quiet": True,
            },
        }
        variables = {"spamexperts_credential_store": str(store)}
        play = {"hosts": "all", "gather_facts": False, "vars": variables, "tasks": [look] * _LOOKUPS}
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        inventory = ",".join([*hosts, ""])
        command = [_PLAYBOOK, str(playbook), "-i", inventory, "--vault-password-file", str(password)]
        for count in _STORES:
            names = [*hosts, *(f"user{number}@example.com" for number in range(count - len(hosts)))]
            credentials = {name: {"login": name, "current": _PASSWORD} for name in names}
            text = json.dumps({"format": 1, "credentials": credentials})
            store.write_bytes(VaultLib().encrypt(text, secret=secret))
            seconds = [run_process(command, ansible_environment()).seconds for _number in range(runs)]
            name = f"B11 {_LOOKUP_HOSTS} hosts, {_LOOKUPS} lookups each, {count} credentials"
            if count == max(_STORES):
                figures.append(bounded(name, statistics.median(seconds), _MOST_LOOKUPS, "s"))
            else:
                figures.append(without_limit(name, seconds))
    return figures


def new_domain(_runs: int) -> list[Figure]:
    """B12: the requests of a new domain of which everything is given."""
    options = {
        "domain": "example.com",
        **dict.fromkeys(("incoming", "outgoing", "archiving"), True),
        "destinations": ["mail.example.net"],
        "abuse_contact": "abuse@example.com",
    }
    with (
        Emulator("full") as emulator,
        ModuleProcess(_PYTHON, "smarthost.spamexperts.domain", {**emulator.connection, **options}) as module,
    ):
        emulator.reset()
        if not module.run().result["changed"]:
            raise BenchmarkError("the domain was there already")
        requests = sum(emulator.counters()["requests"].values())
    return [bounded("B12 requests for a new domain", requests, _MOST_REQUESTS, "")]
