# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail that the administrator's own tables send elsewhere: it must go on going there. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Optional

from . import parameters
from .commands import Instance, PostfixError
from .settings import RelaySettings
from .tables import split

TRANSPORTS = "transport_maps"
RELAYS_BY_SENDER = "sender_dependent_relayhost_maps"
TRANSPORTS_BY_SENDER = "sender_dependent_default_transport_maps"
#: Tables by which mail can leave over other servers than the smarthost.
TABLES = (TRANSPORTS, RELAYS_BY_SENDER, TRANSPORTS_BY_SENDER)
#: Parameters that can hand mail to another server.
SINGLE = ("virtual_transport", "local_transport", "mailbox_transport", "fallback_transport", "relay_transport")
_SHOWN = 5


class Way(NamedTuple):
    """Where one entry of a table sends mail; `key` is a sender, a recipient or a domain, `*` is all other mail.

    An empty transport is the one that the mail has anyway; an empty next hop is the domain's own server.
    """

    place: str
    key: str
    transport: str
    next_hop: str

    @property
    def shown(self) -> str:
        """The entry as messages show it."""
        return f"'{self.key} {self.transport}:{self.next_hop}'" if self.transport else f"'{self.key} {self.next_hop}'"


class OtherWays(NamedTuple):
    """The ways that could be listed, and the tables that could not, as `parameter (table)`."""

    ways: list[Way]
    unknown: list[str]


def other_ways(instance: Instance) -> OtherWays:
    """Every way that leads elsewhere, except those into our own transport."""
    found = OtherWays([], [])
    effective = instance.effective([*TABLES, *SINGLE])
    for name in TABLES:
        for table in split(effective[name]):
            entries = instance.entries(table)
            if entries is None:
                found.unknown.append(f"{name} ({table})")
            for key, target in sorted((entries or {}).items()):
                transport, _colon, next_hop = ("", "", target) if name == RELAYS_BY_SENDER else target.partition(":")
                if transport not in parameters.OUR_TRANSPORTS and target.upper() != "DUNNO":
                    found.ways.append(Way(name, key, transport.strip(), next_hop.strip()))
    for name in SINGLE:
        transport, _colon, next_hop = effective[name].partition(":")
        found.ways.append(Way(name, "", transport, next_hop))
    return found


def bound(instance: Instance, settings: RelaySettings, ways: Sequence[Way]) -> list[Way]:
    """The ways that the rules of main.cf bind: by a client of SMTP that has no rule of its own, to somebody else."""
    rules = set(parameters.binding_rules(settings))
    clients = {name for name in smtp_clients(instance) if not rules <= instance.overrides(f"{name}/unix").keys()}
    return [way for way in ways if leads_elsewhere(way, clients, settings.next_hop)]


def smtp_clients(instance: Instance) -> set[str]:
    """The transports that speak SMTP."""
    return {service.removesuffix("/unix") for service, words in instance.services().items() if words[7] == "smtp"}


def leads_elsewhere(way: Way, clients: Collection[str], next_hop: str) -> bool:
    """Whether one of these clients sends this mail to another server than this next hop."""
    return bool(
        way.next_hop != next_hop
        and (way.transport in clients if way.transport else way.next_hop)
        # A transport alone, such as relay_transport, takes the way of relayhost.
        and (way.next_hop or way.place == TRANSPORTS)
    )


def without_policy(instance: Instance, tables: str, ways: Sequence[Way]) -> list[Way]:
    """The ways for whose next hop the administrator has set no TLS level."""
    keys = {way: _policy_keys(way.next_hop or way.key.rpartition("@")[2].lstrip(".")) for way in ways}
    known: set[str] = set()
    for table in split(tables):
        known |= (instance.lookup(table, sorted({key for several in keys.values() for key in several})) or {}).keys()
    return [way for way in ways if not known.intersection(keys[way])]


def check_own_transport(instance: Instance, settings: RelaySettings, found: OtherWays) -> list[str]:
    """Refuse where our transport would take mail that is somebody else's; return warnings of what is not known."""
    relays = [way for way in found.ways if way.place == RELAYS_BY_SENDER]
    covered = _covered(instance, [way.key for way in relays])
    # With only_named_senders other senders keep their way, and whoever is named is meant.
    named = {key.rpartition("@")[2] for key in settings.named_senders if key.startswith("@")}
    affected = [
        way
        for way in relays
        if way.key not in covered
        and way.key not in settings.named_senders
        and (not settings.only_named_senders or way.key.rpartition("@")[2] in named)
    ]
    if affected:
        first = affected[0]
        raise PostfixError(
            f"{RELAYS_BY_SENDER}: a transport of its own would take the mail of {_listed(affected)} to the smarthost. "
            f"Write '{first.key} smtp:{first.next_hop}' into a table of {TRANSPORTS_BY_SENDER}, and so for each of "
            "them; then run again."
        )
    affected = [way for way in found.ways if way.place == TRANSPORTS and not way.transport and way.next_hop]
    if affected:
        first = affected[0]
        raise PostfixError(
            f"{TRANSPORTS}: the entries for {_listed(affected)} name no transport, so a transport of its own would "
            "take this mail, with the TLS rules and the logins for the smarthost. Write "
            f"'{first.key} smtp:{first.next_hop}' instead of '{first.key} :{first.next_hop}', and so for each of them; "
            "then run again."
        )
    return [
        f"{name} cannot be listed. Look whether it "
        + (
            "names a sender: that mail would now go to the smarthost; its way belongs into "
            f"{TRANSPORTS_BY_SENDER}, as in 'boss@example.com smtp:[other.example]:587'."
            if name.startswith(RELAYS_BY_SENDER)
            else "has a result such as ':[host]', without a transport: that mail would get the TLS rules and the "
            "logins for the smarthost; write 'smtp:[host]'."
        )
        for name in found.unknown
        if not name.startswith((TRANSPORTS_BY_SENDER, *([RELAYS_BY_SENDER] if settings.only_named_senders else [])))
    ]


def listed(ways: Sequence[Way]) -> str:
    """The entries of several ways, for a message."""
    return _some([way.shown for way in ways])


def _listed(ways: Sequence[Way]) -> str:
    return _some([way.key for way in ways])


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _covered(instance: Instance, senders: Sequence[str]) -> set[str]:
    """The senders that have a transport by a table of the administrator."""
    found: dict[str, Optional[str]] = {}
    for table in split(instance.effective([TRANSPORTS_BY_SENDER])[TRANSPORTS_BY_SENDER]) if senders else ():
        for key, target in (instance.lookup(table, senders) or {}).items():
            found.setdefault(key, target.partition(":")[0].strip())
    return {key for key, transport in found.items() if transport and transport not in parameters.OUR_TRANSPORTS}


def _policy_keys(next_hop: str) -> list[str]:
    """Under which keys Postfix looks for the policy of a next hop: a domain's also under those above it."""
    if "[" in next_hop or ":" in next_hop:
        return [next_hop]
    labels = next_hop.split(".")
    return [next_hop, *("." + ".".join(labels[n:]) for n in range(1, len(labels)))]
