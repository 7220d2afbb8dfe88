# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users that a list names twice. Apart from the plan, so that filters do not load the HTTP client for it. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from .user import IP, Key, Wanted


def check_duplicates(wanted: Sequence[Wanted]) -> list[str]:
    """One sentence for each user, and each address, that stands twice in the list."""
    problems = []
    seen: dict[Key, int] = {}
    for entry in wanted:
        first = seen.setdefault(entry.key, entry.position)
        if first != entry.position:
            problems.append(f"users[{entry.position}] and users[{first}] are both {entry.key.name}; keep one of them")
    return problems + _check_owners([entry for entry in wanted if entry.user.authentication == IP and entry.present])


def _check_owners(senders: Sequence[Wanted]) -> list[str]:
    """One sentence for each IP user whose addresses another domain's IP user has as well."""
    problems = []
    around: list[tuple[Any, Wanted]] = []  # the networks around the present one, the widest first
    networks = [(ipaddress.ip_network(entry.key.username), entry) for entry in senders]
    for network, entry in sorted(
        networks, key=lambda pair: (pair[0].version, pair[0].network_address, pair[0].prefixlen, pair[1].position)
    ):
        while around and not (network.version == around[-1][0].version and network.subnet_of(around[-1][0])):
            around.pop()
        for _wider, owner in around[-1:]:
            if owner.key.domain != entry.key.domain:
                first, second = sorted((entry, owner), key=lambda one: one.position)
                problems.append(
                    f"users[{second.position}] and users[{first.position}] give {entry.key.username} to two domains; "
                    "an address belongs to one domain only"
                )
        around.append((network, entry))
    return problems
