# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has to do on each host: as what it sends, who its people are, and where the passwords are. Pure, no I/O.

Nothing here holds a password; a host gets it from where it is in the task that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from typing import Any

from .._users.user import Key
from .description import ABSENT, Sender
from .identities import Identity
from .relays import HostLogins

#: Gives what a sender logs in as now: a rotation may have given it a second login in place of its own.
InUse = Callable[[Sender], str]


def is_stored(sender: Sender) -> bool:
    """Whether its password is in the store: it logs in, and no description names a password."""
    given = sender.wanted.password is not None or sender.wanted.password_file
    return bool(sender.login) and not given and sender.state != ABSENT


def secret_of(sender: Sender) -> dict[str, Any]:
    """Where its password is: the name of a credential, or a place in a description; {} for one that has none."""
    if not sender.login:
        return {}
    return {"credential": sender.login} if is_stored(sender) else _place(sender)


def _place(sender: Sender) -> dict[str, Any]:
    return {"place": sender.source, "sender": sender.wanted.position, "login": sender.login}


def server_of(logins: HostLogins, in_use: InUse) -> dict[str, Any]:
    """As what one mail server sends, as the role has it, with the places of the passwords."""
    by_login: dict[str, tuple[Sender, list[str]]] = {}
    for domain, sender in sorted(logins.by_domain.items()):
        by_login.setdefault(sender.login, (sender, []))[1].append(f"@{domain}")
    return {
        "authentication": "login" if logins.default.login else "ip",
        "login": in_use(logins.default),
        "secret": secret_of(logins.default),
        "logins": [
            {"login": in_use(sender), "senders": domains, "secret": secret_of(sender)}
            for _login, (sender, domains) in sorted(by_login.items())
        ],
    }


def people_of_hosts(
    senders: Iterable[Sender],
    leavers: Iterable[Identity],
    former: Mapping[Key, Sequence[Mapping[str, str]]],
    in_use: InUse,
    groups: Mapping[str, Collection[str]],
) -> dict[str, list[dict[str, Any]]]:
    """Each computer with the people whose Thunderbird is to be set up there, or set back, as the role takes them.

    leavers: who is to be removed. former: of senders who stay, whose Thunderbird is to send as them no more.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for sender in senders:
        for number, person in enumerate(sender.people):
            rest = {name: value for name, value in person.items() if name not in ("host", "primary_password")}
            # Its address stays, also where a rotation has given it a second login.
            entry = {"identities": [sender.login], **rest, "login": in_use(sender), "secret": secret_of(sender)}
            if "primary_password" in person:
                entry["primary"] = {**_place(sender), "person": number}
            _enter(found, groups.get(person["host"], ()), entry)
        for gone in former.get(sender.wanted.key, ()):
            entry = {**_without_host(gone), "login": in_use(sender), "state": "absent"}
            _enter(found, hosts_left(sender, gone, groups), entry)
    for one in leavers:
        for person in one.people:
            entry = {**_without_host(person), "login": one.login, "state": "absent"}
            _enter(found, groups.get(person["host"], ()), entry)
    return found


def hosts_left(sender: Sender, former: Mapping[str, str], groups: Mapping[str, Collection[str]]) -> list[str]:
    """The computers of a former person of this sender, without those where the same one sends as it under another name.

    Whoever was named by a group is still there where a host of it is named.
    """
    still = {
        host
        for person in sender.people
        if any(person.get(part) and person.get(part) == former.get(part) for part in ("user", "profile"))
        for host in groups.get(person["host"], ())
    }
    return sorted(set(groups.get(former["host"], ())) - still)


def name_of(person: Mapping[str, str]) -> str:
    """How a person, or a profile, is called on a computer."""
    return person.get("user") or person.get("profile", "")


def _without_host(person: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in person.items() if name != "host"}


def _enter(found: dict[str, list[dict[str, Any]]], hosts: Collection[str], entry: dict[str, Any]) -> None:
    for host in hosts:
        found.setdefault(host, []).append(entry)


def still_used(
    one: Identity, keys: Collection[Key], hosts: Mapping[str, Mapping[str, Any]], declared: Container[str]
) -> str:
    """Why a sender cannot be removed yet, or "": a mail server sends as it, or may do so.

    keys: whom it may be at the vendor. hosts: what became of each mail server: whether it was `seen`, the `logins` that
    it still has, and whether it sends `by_address`. declared: the mail servers of which is said as what they send.
    """
    for host, state in hosts.items():
        if any(Key.of_login(login) in keys for login in state.get("logins", ())):
            mend = f"mend what {host} has met" if host in declared else f"say as what {host} is to send"
            return f"{host} still sends as it; {mend}, and run again"
        if one.relay and not one.login and state.get("by_address") and host not in declared:
            return f"{host} sends by its address, and may be known by this one; say as what it sends, and run again"
        if one.relay and not state.get("seen"):
            return f"{host} was not looked at, and may send as it; run again when it can be reached"
    return ""
