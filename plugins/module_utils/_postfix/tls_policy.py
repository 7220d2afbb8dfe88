# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tables say of the TLS level on the way to a next hop. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Optional

from .commands import Instance
from .password_maps import hop_server
from .tables import split

# What beats the TLS level for a destination; the second, which Postfix 3.11 lacks, counts where the first is empty.
POLICY_TABLES = ("smtp_tls_policy_maps", "smtp_tls_per_site")
# `must` is how smtp_tls_per_site says `verify`, and `must_nopeermatch` how it says `encrypt`.
VERIFYING_LEVELS = ("secure", "verify", "fingerprint", "dane-only", "must")
ENCRYPTING_LEVELS = ("encrypt", "must_nopeermatch", *VERIFYING_LEVELS)


def policy_tables(client: Mapping[str, str]) -> str:
    """The tables that count for an SMTP client with these settings."""
    return client.get(POLICY_TABLES[0], "") or client.get(POLICY_TABLES[1], "")


def levels(instance: Instance, tables: str, next_hop: str) -> Iterator[tuple[str, Optional[dict[str, str]]]]:
    """Each table with the levels that it has for this next hop, by their keys; None where it cannot be asked."""
    host = hop_server(next_hop)
    labels = host.split(".")
    keys = [next_hop, f"[{host}]", host, *("." + ".".join(labels[n:]) for n in range(1, len(labels)))]
    for table in split(tables):
        found = instance.lookup(table, keys)
        if found is None:
            yield table, None
            continue
        yield table, {key: next(iter(split(policy)), "").lower() for key, policy in found.items()}
