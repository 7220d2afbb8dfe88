# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B15: the playbook audit at the size of a provider, and its page in a browser. There is no peer, but limits."""

from __future__ import annotations

import json
import statistics

from benchmarks.apply import DOMAINS, LATENCY, SENDERS, ProviderSite, people, provider_site
from benchmarks.measure import BenchmarkError, Figure, bounded
from tests.support.browser import seconds_to_open
from tests.support.dns_server import dns_server
from tests.support.site import VAULT_PASSWORD
from tests.support.store import write_store

_MOST_SECONDS, _MOST_MEGABYTES, _MOST_TO_OPEN = 60, 6, 2


def measure(runs: int) -> list[Figure]:
    """B15: everybody is at the vendor and in the store; the mail servers are not set up, and DNS knows nobody; once."""
    with provider_site() as (site, fleet, environment), dns_server() as names:
        _fill(site)
        site.emulator.faults({"match": "*", "kind": "latency", "seconds": LATENCY})
        site.emulator.reset_counters()
        folder = site.folder / "audit"
        dns = {"spamexperts_nameservers": [names.host], "spamexperts_nameserver_port": names.port}
        options = ["-e", json.dumps({**dns, "spamexperts_audit_folder": str(folder)})]
        run = site.apply(*options, environment=environment, playbook="audit")
        if site.emulator.counters()["writes"]:
            raise BenchmarkError("an audit has written something")
        found = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
        if len(found["senders"]) != DOMAINS * SENDERS:
            raise BenchmarkError(f"{len(found['senders'])} senders were seen: {found['not_looked_at']}")
        text = (folder / "audit.html").read_text(encoding="utf-8")
        opened = statistics.median(seconds_to_open(site.folder, text) for _number in range(runs))
    hosts = len(fleet.hosts) if fleet else 0
    title = f"B15 audit, {DOMAINS} domains, {SENDERS} senders each, {hosts} mail servers"
    return [
        bounded(title, run.seconds, _MOST_SECONDS, "s"),
        bounded(f"{title}: the page", len(text.encode()) / 1e6, _MOST_MEGABYTES, "MB"),
        bounded(f"{title}: the page opens, processor time", opened, _MOST_TO_OPEN, "s"),
    ]


def _fill(site: ProviderSite) -> None:
    users, credentials = [], {}
    for number in range(DOMAINS):
        domain = f"customer{number}.example"
        for one in [{"username": "server"}, *people(SENDERS - 1)]:
            name, limits = one["username"], {f"limit_{key}": value for key, value in one.get("limits", {}).items()}
            password = f"Correct-Horse-{number}-{name}"
            users.append({"domain": domain, "username": name, "password": password, **limits})
            credentials[f"{name}@{domain}"] = {"current": password}
    site.emulator.seed(users=users)
    write_store(site.folder / "credentials.yml", VAULT_PASSWORD, credentials)
