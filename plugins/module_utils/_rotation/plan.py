# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is rotated, and where. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from .._names import ENVELOPE_SENDER, InputError
from .._users.user import identity
from .description import LOCK, NAME
from .entry import identities, key_of, logins_of
from .objections import refusals, taken_logins
from .selection import Uses, chosen, next_login, unreadable


def plan(
    rotation: Mapping[str, Any],
    credentials: Sequence[Mapping[str, Any]],
    uses: Mapping[str, Uses],
    works: Mapping[str, bool],
    senders: Iterable[tuple[str, Sequence[str]]] = (),
    clients: Optional[Mapping[str, Mapping[str, Any]]] = None,
) -> dict[str, Any]:
    """What is rotated, and where.

    credentials: all of the store, as the result of credential_store shows them. uses: host -> the logins in its
    variables, False where these cannot be read. works: as api_info gives it. senders: pairs of a login and the envelope
    senders that the mail servers use it for. clients: hosts with Thunderbird -> their logins, or nothing likewise.
    Gives problems (sentences), credentials (with next_login, hosts, the senders that a second login must be able to
    send for, and whether the login is locked first), hosts, mixed (those that use a login of another rotation, which is
    not to be finished now), and clients (those that use one of these logins).
    """
    profiles = {host: client.get("logins", False) for host, client in (clients or {}).items()}
    found = unreadable(uses, profiles)
    used: dict[str, Sequence[str]] = {host: logins or () for host, logins in uses.items()}
    by_login = {identity(login): entry for entry in credentials for login in logins_of(entry)}
    unknown = [
        f"{host} uses the login {login}, which is not in the credential store; adopt it with "
        "smarthost.spamexperts.adopt_credentials, or give the host a credential of the store."
        for host, logins in used.items()
        for login in logins
        if identity(login) not in by_login and (rotation.get("everything") or host in (rotation.get("hosts") or ()))
    ]
    found += unknown
    hosts_of: dict[str, list[str]] = {}
    for host, logins in used.items():
        for name in dict.fromkeys(by_login[identity(login)]["name"] for login in logins if identity(login) in by_login):
            hosts_of.setdefault(name, []).append(host)
    declared: dict[str, list[str]] = {}
    for login, addresses in senders:
        if identity(login) in by_login:
            # @example.com, for all of a domain, cannot be offered.
            declared.setdefault(by_login[identity(login)]["name"], []).extend(filter(ENVELOPE_SENDER.match, addresses))
    emergency = bool(rotation.get("emergency"))
    lock_first = emergency and rotation.get("emergency_action") == LOCK
    if lock_first and not works.get("lock_users"):
        found.append(
            "This server offers no calls to lock and unlock a user, so the logins cannot be locked first; name the "
            f"calls in api_methods, or leave out {NAME}.emergency_action."
        )
    selected = chosen(rotation, credentials, hosts_of, used, found)
    entries = []
    for entry in selected:
        try:
            to = next_login(rotation, entry, works)
        except InputError as problem:
            found.append(f"{problem}.")
            continue
        hosts = sorted(hosts_of.get(entry["name"], []))
        moves = to != entry["login"]
        # Without a declaration, the name of a credential is the address whose mail it is, if it is one.
        addresses = [text for text in (entry["name"], entry["login"]) if ENVELOPE_SENDER.match(text)]
        entries.append(
            {
                "name": entry["name"],
                "login": entry["login"],
                "next_login": to,
                "domain": key_of(entry).domain,
                "hosts": hosts,
                "resumed": bool(entry["rotating"]),
                "moves": moves,
                "senders": sorted(set(declared.get(entry["name"]) or addresses[:1])),
                # A login with its next password needs no lock; the first of two does until it is removed, also where
                # an earlier run could not lock it.
                "locks": (lock_first and (moves or not entry.get("switched")))
                or (moves and bool(entry.get("locked")) and bool(works.get("lock_users"))),
                "locked": lock_first or bool(entry.get("locked")),
                "leaked": emergency or bool(entry.get("leaked")),
                # Is it the password from before that has leaked, or the one that everybody uses already?
                "doubtful": emergency and bool(entry.get("switched")) and not entry.get("leaked"),
            }
        )
    found += refusals(rotation, entries) + taken_logins(entries, by_login, [*used.items(), *profiles.items()])
    keys, chosen_names = identities(entries), {entry["name"] for entry in selected}
    waiting = {
        entry["name"]
        for entry in credentials
        if entry["rotating"] and not entry["switched"] and entry["name"] not in chosen_names
    }
    return {
        "problems": found,
        "credentials": entries,
        "hosts": sorted({host for entry in entries for host in entry["hosts"]}),
        "clients": sorted(host for host, logins in profiles.items() if keys & set(map(identity, logins or ()))),
        "mixed": sorted({host for name in waiting for host in hosts_of.get(name, ())}),
    }
