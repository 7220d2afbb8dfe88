# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the smarthost as main.cf, master.cf and their tables have it now, and what goes past it. Reads only."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, Optional

from .._names import IMPLICIT, STARTTLS
from . import files, maps
from .commands import Instance
from .originals import Originals
from .other_ways import leads_elsewhere, other_ways, smtp_clients
from .parameters import OUR_TRANSPORTS, ROUTES, SENDERS_FILE, normal
from .password_maps import hop_server
from .tls_policy import POLICY_TABLES, VERIFYING_LEVELS, levels, policy_tables

_RULES = (
    "smtp_sasl_tls_security_options",
    "smtp_sasl_tls_verified_security_options",
    "smtp_tls_security_level",
    "smtp_sasl_auth_enable",
    "smtp_tls_wrappermode",
    "tls_required_enable",
)
_LEVEL = _RULES[2]
_LOCKS = ("password_only_for_verified_servers", "tls_required_header_ignored")
_ADDRESS = re.compile(r"\binet6? ([0-9a-fA-F.:]+(?:/\d+)?)")
_MOST_SHOWN = 5


def way_to_the_smarthost(instance: Instance, remembered: Originals) -> dict[str, Any]:
    """Where mail goes by what was set up, and what its SMTP clients may do there by main.cf and master.cf now."""
    found = ways(instance, remembered)
    hop = _next_hop(found)
    if not hop:
        return {"next_hop": "", "smarthost_tls": "", "tls_level": "", "authentication": "", **dict.fromkeys(_LOCKS)}
    clients = [_client(instance, name) for name in _clients(instance, found)]
    known = clients[0]
    return {
        "next_hop": hop,
        "smarthost_tls": IMPLICIT if known["smtp_tls_wrappermode"] == "yes" else STARTTLS,
        "tls_level": known[_LEVEL],
        "authentication": "login" if known["smtp_sasl_auth_enable"] == "yes" else "ip",
        _LOCKS[0]: all(_gives_to_verified_only(client) for client in clients),
        _LOCKS[1]: all(client.get("tls_required_enable", "no") == "no" for client in clients),
    }


def exceptions_from_the_way(instance: Instance, remembered: Originals) -> dict[str, Any]:
    """What somebody has changed of it, what lowers its TLS level, and which mail goes past it."""
    found = ways(instance, remembered)
    hop = _next_hop(found)
    if not hop:
        return {"changed_routes": None, "lowered_tls": None, "past": None, "tables_not_read": []}
    lowered, unknown = _lowered(instance, [_client(instance, name) for name in _clients(instance, found)], hop)
    past, unlisted = _past(instance, hop)
    return {
        "changed_routes": list(_changed(instance, remembered)),
        "lowered_tls": lowered,
        "past": past,
        "tables_not_read": list(dict.fromkeys([*unknown, *unlisted])),
    }


def ways(instance: Instance, remembered: Originals) -> list[str]:
    """The values of ours, in main.cf and in our map of senders, that lead to the smarthost."""
    found = [remembered.parameters[name].ours for name in ROUTES if name in remembered.parameters]
    if SENDERS_FILE in remembered.files:
        found += maps.parse(files.read(instance.path(SENDERS_FILE))).values()
    return found


def own_networks(instance: Instance) -> Optional[list[str]]:
    """The networks of this host's interfaces; None where nothing tells them."""
    found = set()
    for address in _ADDRESS.findall(instance.addresses()):
        try:
            found.add(str(ipaddress.ip_interface(address).network))
        except ValueError:
            continue
    return sorted(found) or None


def _next_hop(found: list[str]) -> str:
    return next(iter(re.findall(r"\[[^\]]+\]:\d+", " ".join(found))), "")


def _clients(instance: Instance, found: list[str]) -> list[str]:
    """The SMTP clients by which mail goes to the smarthost."""
    ours = {way.partition(":")[0] for way in found} & set(OUR_TRANSPORTS)
    return sorted(ours) or ["smtp", *(["relay"] if instance.explicit().get("relay_domains") else [])]


def _client(instance: Instance, name: str) -> dict[str, str]:
    """The settings of an SMTP client, and its name."""
    known = instance.effective([*_RULES, *POLICY_TABLES])
    overrides = instance.overrides(f"{name}/unix")
    own = {key: value for key, value in overrides.items() if key in (*_RULES, *POLICY_TABLES)}
    return {**known, **{key: instance.expand(each) if "$" in each else each for key, each in own.items()}, "": name}


def _gives_to_verified_only(client: dict[str, str]) -> bool:
    elsewhere, verified = (normal(client[name]).split() for name in _RULES[:2])
    return "noplaintext" in elsewhere and "noplaintext" not in verified


def _lowered(instance: Instance, clients: list[dict[str, str]], hop: str) -> tuple[list[dict[str, str]], list[str]]:
    """Where the level is lowered for the smarthost, and the tables that cannot be asked."""
    found, unknown = [], []
    level = instance.effective([_LEVEL])[_LEVEL]
    for client in clients:
        own = client[_LEVEL]
        if own != level and own not in VERIFYING_LEVELS:
            found.append({"place": f"-o {_LEVEL} of {client['']} in master.cf", "level": own or "none"})
        for table, known in levels(instance, policy_tables(client), hop):
            unknown += [f"{POLICY_TABLES[0]} ({table})"] if known is None else []
            found += [
                {"place": f"{table} for {key}", "level": each or "none"}
                for key, each in (known or {}).items()
                if each not in VERIFYING_LEVELS
            ]
    return [each for number, each in enumerate(found) if each not in found[:number]], unknown


def _changed(instance: Instance, remembered: Originals) -> Iterator[dict[str, str]]:
    """What somebody has made of the routes since they were set up."""
    explicit = instance.explicit()
    for name in ROUTES:
        if name in remembered.parameters:
            ours, now = normal(remembered.parameters[name].ours), normal(explicit.get(name, ""))
            if ours != now and not (name == ROUTES[2] and ours in now):
                yield {"name": name, "value": now}


def _past(instance: Instance, hop: str) -> tuple[list[dict[str, Any]], list[str]]:
    """What the administrator's own tables send to other servers, and the tables that cannot be listed."""
    found, clients = other_ways(instance), smtp_clients(instance)
    keys: dict[str, list[str]] = {}
    for way in found.ways:
        if leads_elsewhere(way, clients, hop) and not _is_here(way.next_hop):
            keys.setdefault(way.place, []).append(way.key or way.next_hop)
    shown = [{"place": place, "names": sorted(all_)[:_MOST_SHOWN], "number": len(all_)} for place, all_ in keys.items()]
    return shown, found.unknown


def _is_here(next_hop: str) -> bool:
    """Whether it is this host itself, such as a filter."""
    try:
        return ipaddress.ip_address(hop_server(next_hop)).is_loopback
    except ValueError:
        return hop_server(next_hop) == "localhost"
