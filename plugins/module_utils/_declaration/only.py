# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `spamexperts_only` leaves of a run. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._names import InputError, normalise_domain
from .._users.user import Key
from .description import Description
from .form import nearest
from .identities import Known
from .relays import HostLogins

NAME = "spamexperts_only"
_KEYS = ("domains", "logins", "hosts")


@dataclass(frozen=True)
class Only:
    """Which part of all that is declared a run is about. None: all of it."""

    domains: frozenset[str] = frozenset()
    keys: frozenset[Key] = frozenset()
    hosts: frozenset[str] | None = None
    everybody: bool = True

    def takes(self, key: Key) -> bool:
        """Whether this sender is a part of it."""
        return self.everybody or key.domain in self.domains or key in self.keys

    def takes_domain(self, domain: str) -> bool:
        """Whether the domain itself is a part of it, and not only some of its senders."""
        return self.everybody or domain in self.domains

    def visits(self, host: str, logins: HostLogins | None) -> bool:
        """Whether it is about this mail server."""
        if self.hosts is not None:
            return host in self.hosts
        if self.everybody:
            return True
        senders = [] if logins is None else [logins.default, *logins.by_domain.values()]
        return any(self.takes(sender.wanted.key) for sender in senders)


def read_only(
    given: object, descriptions: Sequence[Description], known: Known, groups: Mapping[str, Collection[str]]
) -> tuple[Only, list[str]]:
    """The option, and what is wrong with it, one sentence each. What nobody has ever declared is a slip."""
    if given is None or given == {}:
        return Only(), []
    if not isinstance(given, dict) or set(given) - set(_KEYS):
        return Only(), [f"{NAME} has to be a dictionary with {', '.join(_KEYS[:-1])} or {_KEYS[-1]}."]
    wrong = [
        f"{NAME}.{name} has to be a list of names."
        for name, value in given.items()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value)
    ]
    if wrong:
        return Only(), wrong
    keys = {sender.wanted.key for one in descriptions for sender in one.senders} | set(known)
    domains = {one.domain for one in descriptions} | {key.domain for key in known}
    chosen, problems = _named(given.get("domains", ()), domains, "domain")
    logins = {login_of(key): key for key in keys}
    names, more = _named(given.get("logins", ()), set(logins), "login")
    problems += more
    hosts = set()
    for name in given.get("hosts", ()):
        if name not in groups:
            near = nearest(name, list(groups)) or "; correct the name"
            problems.append(f"{NAME}.hosts names {name}, which is no host and no group of the inventory{near}.")
        hosts |= set(groups.get(name, ()))
    only = Only(
        frozenset(chosen),
        frozenset(logins[name] for name in names),
        frozenset(hosts) if "hosts" in given else None,
        everybody=False,
    )
    return only, problems


def login_of(key: Key) -> str:
    """How a login is written here; a sender that is recognised by its address, as `192.0.2.1@example.com`."""
    return f"{key.username}@{key.domain}" if key.username else key.domain


def _named(given: Iterable[str], known: Collection[str], noun: str) -> tuple[list[str], list[str]]:
    found, problems = [], []
    for name in given:
        local, at, domain = name.strip().rpartition("@")
        try:
            written = f"{local.lower()}{at}{normalise_domain(domain)}"
        except InputError:
            written = name
        if written in known:
            found.append(written)
            continue
        near = nearest(written, list(known)) or "; correct the name, or describe it first"
        problems.append(f"{NAME}.{noun}s names {name}, which no description has and the store does not know{near}.")
    return found, problems
