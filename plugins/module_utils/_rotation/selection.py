# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials a rotation selects, and which login each gets next. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

from .._names import InputError, normalise_domain
from .._users.user import Identity, Key, identity
from .description import ALTERNATE, IN_PLACE, NAME
from .entry import logins_of

CONTROLLER = "localhost"
#: The logins in the variables of a host; False where they cannot be read.
Uses = Union[Sequence[str], Literal[False]]


def unreadable(uses: Mapping[str, Uses], profiles: Mapping[str, Uses]) -> list[str]:
    """One sentence for each host whose logins nobody knows, or that is the controller under its own name."""
    found = []
    for hosts, kind in ((uses, "mail server"), (profiles, "host with Thunderbird")):
        if CONTROLLER in hosts:
            found.append(
                f"A {kind} is called {CONTROLLER}, which is where the rotation itself works; give it another name in "
                "the inventory, as in: mail1 ansible_connection=local."
            )
        found += [
            f"{host}: its logins could not be read, see the task that failed above; mend its variables."
            for host, logins in hosts.items()
            if logins is False and host != CONTROLLER
        ]
    return found


def chosen(
    rotation: Mapping[str, Any],
    credentials: Sequence[Mapping[str, Any]],
    hosts_of: Mapping[str, Sequence[str]],
    uses: Mapping[str, Sequence[str]],
    described: Mapping[str, str],
) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The credentials that the rotation selects, and one sentence for all that it names and nobody knows, or has not.

    described: logins whose passwords stand in descriptions -> where.
    """
    found = []
    logins = list(rotation.get("logins") or ())
    named = set(logins) | set(map(identity, logins))
    hosts = set(rotation.get("hosts") or ())
    domains = set()
    for domain in rotation.get("domains") or ():
        try:
            domains.add(normalise_domain(domain))
        except InputError as problem:
            found.append(f"{NAME}.domains: {problem}.")

    def selects(name: str, keys: set[Identity], on_host: bool) -> bool:
        in_domain = any(isinstance(key, Key) and key.domain in domains for key in keys)
        return bool(rotation.get("everything") or named & (keys | {name}) or in_domain or on_host)

    chosen = []
    known: set[object] = set(map(identity, described))
    for entry in credentials:
        keys = set(map(identity, logins_of(entry)))
        known |= keys | {entry["name"]}
        if selects(entry["name"], keys, bool(hosts & set(hosts_of.get(entry["name"], ())))):
            chosen.append(entry)
    on_hosts = {identity(login) for host in hosts for login in uses.get(host, ())}
    found += [
        f"{login} cannot be rotated, as its password stands in {place}, where a rotation would not change it; leave "
        f"it to the credential store (smarthost.spamexperts.credential_store) and take it out there, or name the other "
        f"logins in {NAME}.logins."
        for login, place in described.items()
        if selects(login, {identity(login)}, identity(login) in on_hosts)
    ]
    found += [
        f"{NAME}.logins: {login} is not in the credential store."
        for login in logins
        if not known & {login, identity(login)}
    ]
    found += [f"{NAME}.hosts: {host} is not among the mail servers." for host in sorted(hosts - set(uses))]
    if rotation.get("roll_back"):
        chosen = [entry for entry in chosen if entry["rotating"]]
    return chosen, found


def next_login(rotation: Mapping[str, Any], entry: Mapping[str, Any], works: Mapping[str, bool]) -> str:
    """The login that the next password will belong to. Raises InputError where the strategy cannot be used for it."""
    name, login = entry["name"], entry["login"]
    user = _user(name, login)
    pair = (rotation.get("alternates") or {}).get(name)
    if entry["rotating"]:
        wanted = str(entry["next_login"])  # what has begun is finished as it was begun
    elif rotation.get("strategy", IN_PLACE) == ALTERNATE:
        others = [str(other) for other in pair or () if identity(other) != identity(login)]
        if len(others) != 1:
            raise InputError(
                f"{name}: the strategy alternate needs {NAME}.alternates.{name} with {login} and a second login"
            )
        wanted = others.pop()
    else:
        wanted = str(login)
    if wanted != login:
        other = _user(name, wanted)
        if not (user.username and other.username):
            raise InputError(f"{name}: the strategy alternate is for logins of users only; rotate this one in_place")
        if not works.get("create_users") or not works.get("remove_users"):
            raise InputError(f"{name}: this server offers no call to add and remove users, which alternate needs")
    elif not works.get("change_passwords"):
        raise InputError(
            f"{name}: this server offers no call to set a password, so it cannot be rotated in_place; "
            "name the call in api_methods, or declare a second login and use the strategy alternate"
        )
    return wanted


def _user(name: str, login: str) -> Key:
    key = Key.of_login(login)
    if key is None:
        raise InputError(
            f"{name}: no outgoing user can have the login {login!r}; take it out of the credential store "
            "(credential_store, state: absent), or correct it in alternates"
        )
    return key
