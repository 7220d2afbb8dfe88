# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B9 and B14: the playbook apply, as a site grows. There is no peer, but limits."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import BenchmarkError, Figure, Run, bounded, run_process, without_limit
from tests.fleet import AUTHORITY, SMARTHOST_NAME, Fleet, fleet_emulator, why_impossible
from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment, inventory_file
from tests.support.site import VAULT_PASSWORD

_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
#: B9.
_COUNTS, _MOST_SECONDS, _MOST_MEGABYTES = (5, 30, 300), 4, 80
#: B14.
DOMAINS, SENDERS, _HOSTS, LATENCY = 300, 30, 10, 0.02
_MOST_FIRST, _MOST_AGAIN, _MOST_MEGABYTES_AGAIN = 360, 90, 300
#: Smaller sites, as (domains, senders of each), and how much more than linear what comes with senders may grow.
_SMALLER, _MOST_GROWTH = ((1, 5), (1, 30), (10, 30), (100, 30)), 1.2


class ProviderSite:
    """A folder with an inventory, descriptions and a vault password."""

    def __init__(self, folder: Path, emulator: Emulator, inventory: Path) -> None:
        self.folder, self.emulator, self._inventory = folder, emulator, inventory
        self._vault_password = folder / "vault-password"
        self._vault_password.write_text(f"{VAULT_PASSWORD}\n", encoding="utf-8")
        self._variables = folder / "variables.json"
        variables = {
            "spamexperts_accounts": {"default": {**emulator.connection, "use_discovered_methods": True}},
            "spamexperts_credential_store": str(folder / "credentials.yml"),
            "spamexperts_domains_path": str(folder / "domains"),
            "spamexperts_result_file": str(folder / "result.json"),
            "spamexperts_smarthost_ca_path": emulator.ca_file,
            "spamexperts_store_is_kept": True,
        }
        self._variables.write_text(json.dumps(variables), encoding="utf-8")

    def describe(self, domain: str, senders: list[dict[str, Any]]) -> None:
        """Write the description of a domain."""
        path = self.folder / "domains" / f"{domain}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump({"domain": domain, "senders": senders}), encoding="utf-8")

    def apply(self, *options: str, environment: Mapping[str, str] | None = None, playbook: str = "apply") -> Run:
        """Run the playbook. Raises BenchmarkError where it fails."""
        files = [f"--vault-password-file={self._vault_password}", "-e", f"@{self._variables}"]
        command = [_PLAYBOOK, f"smarthost.spamexperts.{playbook}", "-i", str(self._inventory), *files, *options]
        return run_process(command, {**ansible_environment(self.folder), **(environment or {})})

    def result(self) -> dict[str, Any]:
        """What the last run has written into its result file."""
        found: dict[str, Any] = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
        return found

    def check_clean(self) -> None:
        """Raise BenchmarkError unless the last run has found everything as it is declared, and left it."""
        writes, found = self.emulator.counters()["writes"], self.result()
        if writes or found["status"] != "clean" or found["to_do"] or found["unknown"]:
            raise BenchmarkError(f"{writes} writes were sent, and not all is as declared: {json.dumps(found)[:2000]}")


def senders(runs: int) -> list[Figure]:
    """B9: one domain, no mail servers, nothing to change."""
    figures: list[Figure] = []
    with Emulator("full") as emulator, tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        for count in _COUNTS:
            folder = Path(directory) / str(count)
            folder.mkdir()
            emulator.reset()
            site = ProviderSite(folder, emulator, inventory_file(folder / "inventory.yml", emulator))
            site.describe("example.com", people(count))
            site.apply()
            emulator.reset_counters()
            measured = [site.apply() for _number in range(runs)]
            site.check_clean()
            name = f"B9 apply, nothing to change, {count} senders"
            seconds = [run.seconds for run in measured]
            if count == max(_COUNTS):
                megabytes = max(run.megabytes for run in measured)
                figures.append(bounded(name, statistics.median(seconds), _MOST_SECONDS, "s"))
                figures.append(bounded(f"{name}: peak memory", megabytes, _MOST_MEGABYTES, "MB"))
            else:
                figures.append(without_limit(name, seconds))
    return figures


def people(count: int) -> list[dict[str, Any]]:
    return [{"username": f"user{number}", "limits": {"per_hour": 100 + number % 7}} for number in range(count)]


def provider(_runs: int) -> list[Figure]:
    """B14: all domains of a provider: from nothing, then with nothing to do, then with four that differ; once.

    And with nothing to do on smaller sites, which says how it grows.
    """
    seconds = {}
    for domains, senders_of_each in _SMALLER:
        count = domains * senders_of_each
        with provider_site(domains, senders_of_each) as (site, _fleet, environment):
            seconds[count] = _first_and_again(site, environment, count)[1].seconds
    with provider_site() as (site, fleet, environment):
        first, again = _first_and_again(site, environment, DOMAINS * SENDERS)
        seconds[DOMAINS * SENDERS] = again.seconds
        expected = _make_drift(site.emulator, fleet)
        looked = site.apply("--check", "--diff", environment=environment)
        found = sorted(site.result()["drift"])
        if found != sorted(expected):
            raise BenchmarkError(f"other things differ than {expected}: {found}")
    hosts = len(fleet.hosts) if fleet else 0
    title = f"B14 apply, {DOMAINS} domains, {SENDERS} senders each, {hosts} mail servers"
    return [
        *(
            without_limit(f"B14 apply, {count} senders, {hosts} mail servers: nothing to do", [value])
            for count, value in list(seconds.items())[:-1]
        ),
        bounded(f"{title}: nothing to do, growth beyond linear", growth(seconds), _MOST_GROWTH, ""),
        bounded(f"{title}: from nothing", first.seconds, _MOST_FIRST, "s"),
        bounded(f"{title}: nothing to do", again.seconds, _MOST_AGAIN, "s"),
        bounded(f"{title}: nothing to do, peak memory", again.megabytes, _MOST_MEGABYTES_AGAIN, "MB"),
        without_limit(f"{title}: four things that differ, found", [looked.seconds]),
        without_limit(f"{title}: from nothing, peak memory", [first.megabytes], "MB"),
    ]


def growth(seconds: Mapping[int, float]) -> float:
    """What a sender costs between the largest two sites, as a multiple of what one costs below; 1 is linear."""
    (few, quick), (more, longer), (most, longest) = sorted(seconds.items())[-3:]
    return (longest - longer) / (most - more) / ((longer - quick) / (more - few))


def _first_and_again(site: ProviderSite, environment: Mapping[str, str], count: int) -> tuple[Run, Run]:
    """A run that makes so many senders, and one with nothing to do."""
    site.emulator.faults({"match": "*", "kind": "latency", "seconds": LATENCY})
    first = site.apply(environment=environment)
    if len(site.emulator.users()) != count:
        raise BenchmarkError(f"{len(site.emulator.users())} users are there, not {count}")
    site.emulator.reset_counters()
    again = site.apply(environment=environment)
    site.check_clean()
    return first, again


@contextmanager
def provider_site(
    domains: int = DOMAINS, senders_of_each: int = SENDERS
) -> Iterator[tuple[ProviderSite, Fleet | None, dict[str, str]]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        fleet, environment = None, {}
        if why_impossible():
            emulator = stack.enter_context(Emulator("full"))
            inventory = inventory_file(folder / "inventory.yml", emulator)
        else:
            fleet = stack.enter_context(Fleet(_HOSTS))
            emulator = stack.enter_context(fleet_emulator(fleet))
            fleet.trust(emulator.ca_file)
            fleet.write_inventory(
                {
                    "outgoing_mail_smarthost": SMARTHOST_NAME,
                    "outgoing_mail_smarthost_port": emulator.smtp_port,
                    "outgoing_mail_smarthost_ca_path": AUTHORITY,
                    "spamexperts_smarthost": fleet.emulator_address,
                }
            )
            inventory, environment = fleet.inventory, {**fleet.ansible_environment, "ANSIBLE_FORKS": str(_HOSTS)}
        site = ProviderSite(folder, emulator, inventory)
        relay: dict[str, Any] = {"username": "server", "relay": True}
        for number in range(domains):
            default = {"default_for": ["mail_relays"]} if fleet and not number else {}
            site.describe(f"customer{number}.example", [{**relay, **default}, *people(senders_of_each - 1)])
        yield site, fleet, environment


def _make_drift(emulator: Emulator, fleet: Fleet | None) -> list[str]:
    """Change four things behind its back, and say how each is to be reported."""
    emulator.call("outgoingusers/setlimits", domain="customer7.example", username="user3", limit_per_hour="1")
    emulator.call("outgoingusers/remove", domain="customer120.example", username="user5")
    emulator.seed(users=[{"domain": "customer299.example", "username": "mallory", "password": "Correct-Horse-42"}])
    found = [
        "user3@customer7.example: would be updated",
        "user5@customer120.example: would be created",
        "mallory@customer299.example may send, and nobody has ever declared it (a stranger)",
    ]
    if fleet:
        host = fleet.hosts[-1]
        host.run("postconf", "-e", "relayhost = [old.example.net]:25")
        sends = f"sends as server@customer0.example and {DOMAINS - 1} more"
        return [*found, f"mail server {host.name}: would be changed, {sends}"]
    emulator.call("domain/remove", domain="customer40.example")
    again = [f"user{number}" for number in range(SENDERS - 1)]
    return [
        *found,
        "domain customer40.example: would be created",
        *(f"{name}@customer40.example: would be created" for name in (*again, "server")),
    ]
