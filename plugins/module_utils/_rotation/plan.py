# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is rotated, and where. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Optional

from .._names import ENVELOPE_SENDER, InputError
from .._users.user import Identity, identity
from .description import LOCK, NAME
from .entry import ByLogin, identities, key_of, logins_of
from .objections import dangers, login_conflicts
from .selection import Uses, chosen, next_login, unreadable


def plan(
    rotation: Mapping[str, Any],
    credentials: Sequence[Mapping[str, Any]],
    uses: Mapping[str, Uses],
    works: Mapping[str, bool],
    senders: Iterable[tuple[str, Sequence[str]]] = (),
    clients: Optional[Mapping[str, Mapping[str, Any]]] = None,
    described: Optional[Mapping[str, str]] = None,
) -> dict[str, Any]:
    """What is rotated, and where.

    credentials: all of the store, as the result of credential_store shows them. uses: host -> the logins in its
    variables, False where these cannot be read. works: as api_info gives it. senders: pairs of a login and the envelope
    senders that the mail servers use it for. clients: hosts with Thunderbird -> their logins, or nothing likewise.
    described: logins whose passwords stand in descriptions, and not in the store -> where. Gives problems (sentences),
    credentials (see `entry_of`), hosts, mixed (those that use a login of another rotation, which is not to be finished
    now), and clients (those that use one of these logins).
    """
    profiles = {host: client.get("logins", False) for host, client in (clients or {}).items()}
    used: dict[str, Sequence[str]] = {host: logins or () for host, logins in uses.items()}
    by_login = {identity(login): entry for entry in credentials for login in logins_of(entry)}
    hosts, declared = hosts_of(used, by_login), senders_of(senders, by_login)
    selected, refused = chosen(rotation, credentials, hosts, used, described or {})
    known = {*by_login, *map(identity, described or ())}
    found = [*unreadable(uses, profiles), *_unknown(rotation, used, known), *_no_lock(rotation, works), *refused]
    if not selected and not found:
        found = ["There is nothing to do: no credential of the store is selected."]
    entries = []
    for credential in selected:
        name = credential["name"]
        try:
            entries.append(entry_of(rotation, credential, hosts.get(name, ()), declared.get(name, ()), works))
        except InputError as problem:
            found.append(f"{problem}.")
    found += dangers(rotation, entries) + login_conflicts(entries, by_login, [*used.items(), *profiles.items()])
    rotated, names = identities(entries), {entry["name"] for entry in selected}
    waiting = [
        entry["name"]
        for entry in credentials
        if entry["rotating"] and not entry["switched"] and entry["name"] not in names
    ]
    return {
        "problems": found,
        "credentials": entries,
        "hosts": sorted({host for entry in entries for host in entry["hosts"]}),
        "clients": sorted(host for host, logins in profiles.items() if rotated & set(map(identity, logins or ()))),
        "mixed": sorted({host for name in waiting for host in hosts.get(name, ())}),
    }


def hosts_of(used: Mapping[str, Sequence[str]], by_login: ByLogin) -> dict[str, list[str]]:
    """The mail servers that use each credential of the store, by its name."""
    found: dict[str, list[str]] = {}
    for host, logins in used.items():
        keys = [identity(login) for login in logins]
        for name in dict.fromkeys(by_login[key]["name"] for key in keys if key in by_login):
            found.setdefault(name, []).append(host)
    return found


def senders_of(senders: Iterable[tuple[str, Sequence[str]]], by_login: ByLogin) -> dict[str, list[str]]:
    """The envelope senders for which mail servers use each credential of the store, by its name."""
    found: dict[str, list[str]] = {}
    for login, addresses in senders:
        credential = by_login.get(identity(login))
        if credential:
            # @example.com, for all of a domain, cannot be offered.
            found.setdefault(credential["name"], []).extend(filter(ENVELOPE_SENDER.match, addresses))
    return found


def entry_of(
    rotation: Mapping[str, Any],
    credential: Mapping[str, Any],
    hosts: Sequence[str],
    declared: Sequence[str],
    works: Mapping[str, bool],
) -> dict[str, Any]:
    """What is done with one credential. Raises InputError where it cannot be rotated so.

    hosts: the mail servers that use it. declared: the envelope senders for which they do. Gives name, login,
    next_login, domain, hosts, whether its rotation has begun before (resumed), whether a second login takes over
    (moves), the senders that this one must be able to send for, whether its login is locked first (locks), is locked
    until it is done (locked), and whether its password has leaked (leaked), or nobody knows which one has (doubtful).
    """
    login, following = credential["login"], next_login(rotation, credential, works)
    moves = following != login
    emergency = bool(rotation.get("emergency"))
    lock_first = _locks_first(rotation)
    # Without a declaration, the name of a credential is the address whose mail it is, if it is one.
    addresses = [text for text in (credential["name"], login) if ENVELOPE_SENDER.match(text)]
    # A login with its next password needs no lock; the first of two does until it is removed, also where an earlier run
    # could not lock it.
    locks_now = lock_first and (moves or not credential.get("switched"))
    locks_still = moves and bool(credential.get("locked")) and bool(works.get("lock_users"))
    return {
        "name": credential["name"],
        "login": login,
        "next_login": following,
        "domain": key_of(credential).domain,
        "hosts": sorted(hosts),
        "resumed": bool(credential["rotating"]),
        "moves": moves,
        "senders": sorted(set(declared or addresses[:1])),
        "locks": locks_now or locks_still,
        "locked": lock_first or bool(credential.get("locked")),
        "leaked": emergency or bool(credential.get("leaked")),
        # Is it the password from before that has leaked, or the one that everybody uses already?
        "doubtful": emergency and bool(credential.get("switched")) and not credential.get("leaked"),
    }


def _locks_first(rotation: Mapping[str, Any]) -> bool:
    return bool(rotation.get("emergency")) and rotation.get("emergency_action") == LOCK


def _unknown(rotation: Mapping[str, Any], used: Mapping[str, Sequence[str]], known: Container[Identity]) -> list[str]:
    """One sentence for each login of a mail server of this rotation that the store does not have."""
    return [
        f"{host} uses the login {login}, which is not in the credential store; take it in with "
        "smarthost.spamexperts.import_site, or give the host a credential of the store."
        for host, logins in used.items()
        if rotation.get("everything") or host in (rotation.get("hosts") or ())
        for login in logins
        if identity(login) not in known
    ]


def _no_lock(rotation: Mapping[str, Any], works: Mapping[str, bool]) -> list[str]:
    if not _locks_first(rotation) or works.get("lock_users"):
        return []
    return [
        "This server offers no calls to lock and unlock a user, so the logins cannot be locked first; name the calls "
        f"in api_methods, or leave out {NAME}.emergency_action."
    ]
