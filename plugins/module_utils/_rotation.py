# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `spamexperts_rotation` may hold, and what the playbook decides from what it has seen. Pure, no I/O.

A credential here is one entry of the result of credential_store: name, login, rotating, and next_login, switched and
locked while it is rotating.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.smarthost.spamexperts.plugins.module_utils._description import spec_problems
from ansible_collections.smarthost.spamexperts.plugins.module_utils._outgoing_user import (
    DOMAIN,
    ENVELOPE_SENDER,
    LOCK_SETTINGS,
    USER,
    InputError,
    normalise_domain,
    parse_wanted,
)

NAME = "spamexperts_rotation"
IN_PLACE = "in_place"
ALTERNATE = "alternate"
NEXT = "next_login"
LOCK = "lock"
COMMITTED, ROLLED_BACK, PENDING, NOT_CHANGED = "committed", "rolled_back", "pending", "not_changed"

ROTATION_OPTIONS: dict[str, Any] = {
    "logins": {"type": "list", "elements": "str"},
    "domains": {"type": "list", "elements": "str"},
    "hosts": {"type": "list", "elements": "str"},
    "everything": {"type": "bool"},
    "strategy": {"type": "str", "choices": [IN_PLACE, ALTERNATE]},
    "alternates": {"type": "dict"},
    "emergency": {"type": "bool"},
    "emergency_action": {"type": "str", "choices": ["change", LOCK]},
    "leave_out_broken_hosts": {"type": "bool"},
    "roll_back": {"type": "bool"},
    "password_length": {"type": "int", "no_log": False},
    "password_alphabet": {"type": "str", "no_log": False},
    "report": {"type": "str"},
    "store_is_kept": {"type": "bool"},
    "store_tasks": {"type": "str"},
    "account": {"type": "str"},
}
_SELECTORS = ("logins", "domains", "hosts", "everything")


def problems(rotation: object, accounts: Optional[Container[str]] = None) -> list[str]:
    """Everything that is wrong with a rotation before anything else is known, one sentence each.

    accounts: the names in `spamexperts_accounts`; None where they are not known.
    """
    if not isinstance(rotation, Mapping):
        return [f'{NAME} is missing; say what to rotate, as in: -e \'{{"{NAME}": {{"everything": true}}}}\'.']
    misfits = spec_problems(NAME, rotation, ROTATION_OPTIONS, accounts)
    if misfits:
        return misfits
    found = []
    if not any(rotation.get(selector) for selector in _SELECTORS):
        found.append(f"{NAME} selects nothing; give logins, domains or hosts, or everything: true.")
    if rotation.get("everything") and any(rotation.get(selector) for selector in _SELECTORS[:3]):
        found.append(f"{NAME} has everything and a choice as well; give one of the two.")
    if rotation.get("roll_back") and rotation.get("emergency"):
        found.append(f"{NAME}: roll_back would bring a leaked password back; leave out roll_back or emergency.")
    if rotation.get("emergency_action") and not rotation.get("emergency"):
        found.append(f"{NAME} has emergency_action without emergency: true; add it, or leave out emergency_action.")
    for name, pair in (rotation.get("alternates") or {}).items():
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(set(pair)) != 2 or len(pair) != 2:
            found.append(f"{NAME}.alternates: {name} needs a list of two different logins.")
    if rotation.get("strategy") == ALTERNATE and not rotation.get("alternates"):
        found.append(f"{NAME}: the strategy alternate needs alternates, the two logins of each credential.")
    return found


def identity(login: str) -> dict[str, str]:
    """The outgoing user that logs in so, as outgoing_users names it. Raises InputError for what cannot log in."""
    local, at, domain = login.rpartition("@")
    method = USER if local else DOMAIN
    user = {"domain": normalise_domain(domain if at else login), "authentication_method": method}
    if local:
        user["username"] = local
    return user


def plan(
    rotation: Mapping[str, Any],
    credentials: Sequence[Mapping[str, Any]],
    uses: Mapping[str, Sequence[str]],
    works: Mapping[str, bool],
    senders: Iterable[tuple[str, Sequence[str]]] = (),
) -> dict[str, Any]:
    """What is rotated, and where.

    credentials: all of the store. uses: host -> the logins in its variables. works: as api_info gives it.
    senders: pairs of a login and the envelope senders that the mail servers use it for.
    Gives problems (sentences), credentials (with next_login, hosts, the senders that a second login must be able to
    send for, and whether the login is locked first), stage (the option `credentials` of credential_store), hosts, and
    tell (logins that no host uses).
    """
    found: list[str] = []
    by_login = {login: entry for entry in credentials for login in _logins(entry)}
    unknown = [
        f"{host} uses the login {login}, which is not in the credential store; adopt it with "
        "smarthost.spamexperts.adopt_credentials, or give the host a credential of the store."
        for host, logins in uses.items()
        for login in logins
        if login not in by_login and (rotation.get("everything") or host in (rotation.get("hosts") or ()))
    ]
    found += unknown
    hosts_of: dict[str, list[str]] = {}
    for host, logins in uses.items():
        for login in dict.fromkeys(logins):
            if login in by_login:
                hosts_of.setdefault(by_login[login]["name"], []).append(host)
    declared: dict[str, list[str]] = {}
    for login, addresses in senders:
        if login in by_login:
            # @example.com, for all of a domain, cannot be offered.
            declared.setdefault(by_login[login]["name"], []).extend(filter(ENVELOPE_SENDER.match, addresses))
    lock_first = bool(rotation.get("emergency")) and rotation.get("emergency_action") == LOCK
    if lock_first and not works.get("lock_users"):
        found.append(
            "This server offers no calls to lock and unlock a user, so the logins cannot be locked first; name the "
            f"calls in api_methods, or leave out {NAME}.emergency_action."
        )
    chosen = _chosen(rotation, credentials, hosts_of, uses, found)
    entries = []
    for entry in chosen:
        try:
            next_login = _next_login(rotation, entry, works)
        except InputError as problem:
            found.append(f"{problem}.")
            continue
        hosts = sorted(hosts_of.get(entry["name"], []))
        # Without a declaration, the name of a credential is the address whose mail it is, if it is one.
        address = entry["name"] if ENVELOPE_SENDER.match(entry["name"]) else entry["login"]
        entries.append(
            {
                "name": entry["name"],
                "login": entry["login"],
                "next_login": next_login,
                "domain": identity(entry["login"])["domain"],
                "hosts": hosts,
                "resumed": bool(entry["rotating"]),
                "moves": next_login != entry["login"],
                "senders": sorted(set(declared.get(entry["name"]) or [address])),
                # A login with its next password needs no lock; the first of two does until it is removed.
                "locks": lock_first and (next_login != entry["login"] or not entry.get("switched")),
                "locked": lock_first or bool(entry.get("locked")),
            }
        )
    return {
        "problems": found,
        "credentials": entries,
        "stage": [{name: entry[name] for name in ("name", "next_login", "locked")} for entry in entries],
        "hosts": sorted({host for entry in entries for host in entry["hosts"]}),
        "tell": sorted(entry["login"] for entry in entries if not entry["hosts"]),
    }


def _logins(entry: Mapping[str, Any]) -> list[str]:
    return [entry["login"], *([entry["next_login"]] if entry["rotating"] else [])]


def _chosen(
    rotation: Mapping[str, Any],
    credentials: Sequence[Mapping[str, Any]],
    hosts_of: Mapping[str, Sequence[str]],
    uses: Mapping[str, Sequence[str]],
    found: list[str],
) -> list[Mapping[str, Any]]:
    """The credentials that the rotation selects; what it names and nobody knows is a problem."""
    logins = list(rotation.get("logins") or ())
    hosts = set(rotation.get("hosts") or ())
    domains = set()
    for domain in rotation.get("domains") or ():
        try:
            domains.add(normalise_domain(domain))
        except InputError as problem:
            found.append(f"{NAME}.domains: {problem}.")
    chosen = []
    for entry in credentials:
        names = {entry["name"], *_logins(entry)}
        in_domain = {_domain(login) for login in _logins(entry)} & domains
        on_host = hosts & set(hosts_of.get(entry["name"], ()))
        if rotation.get("everything") or names & set(logins) or in_domain or on_host:
            chosen.append(entry)
    known = {name for entry in credentials for name in (entry["name"], *_logins(entry))}
    found += [f"{NAME}.logins: {login} is not in the credential store." for login in logins if login not in known]
    found += [f"{NAME}.hosts: {host} is not among the mail servers." for host in sorted(hosts - set(uses))]
    if rotation.get("roll_back"):
        chosen = [entry for entry in chosen if entry["rotating"]]
    if not chosen and not found:
        found.append("There is nothing to do: no credential of the store is selected.")
    return chosen


def _domain(login: str) -> str:
    """The domain of a login of the store, which nobody has checked; empty where it is none."""
    try:
        return identity(login)["domain"]
    except InputError:
        return ""


def _next_login(rotation: Mapping[str, Any], entry: Mapping[str, Any], works: Mapping[str, bool]) -> str:
    """The login that the next password will belong to. Raises InputError where the strategy cannot be used for it."""
    name, login = entry["name"], entry["login"]
    user = identity(login)
    parse_wanted(user, 0, "on_create")
    pair = (rotation.get("alternates") or {}).get(name)
    if entry["rotating"]:
        wanted = str(entry["next_login"])  # what has begun is finished as it was begun
    elif rotation.get("strategy", IN_PLACE) == ALTERNATE:
        if pair is None or login not in pair:
            raise InputError(
                f"{name}: the strategy alternate needs {NAME}.alternates.{name} with {login} and a second login"
            )
        wanted = str(pair[1] if pair[0] == login else pair[0])
    else:
        wanted = str(login)
    if wanted != login:
        other = identity(wanted)
        if not user["authentication_method"] == other["authentication_method"] == USER:
            raise InputError(f"{name}: the strategy alternate is for logins of users only; rotate this one in_place")
        parse_wanted(other, 0, "on_create")
        if not works.get("create_users") or not works.get("remove_users"):
            raise InputError(f"{name}: this server offers no call to add and remove users, which alternate needs")
    elif not works.get("change_passwords"):
        raise InputError(
            f"{name}: this server offers no call to set a password, so it cannot be rotated in_place; "
            "name the call in api_methods, or declare a second login and use the strategy alternate"
        )
    return wanted


def users(
    entries: Sequence[Mapping[str, Any]],
    passwords: Sequence[str],
    which: str,
    present: Sequence[Mapping[str, Any]] = (),
    works: Optional[Mapping[str, bool]] = None,
) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that makes the vendor take these passwords, in the same order.

    which: next_login or login. A password that the vendor may know already is tried before it is set.
    present: of outgoing_user_info; a second login gets the limits and lock settings of the first, as far as the server
    shows and takes them (works, as api_info gives it).
    """
    return [
        {
            **identity(entry[which]),
            **(_copied(entry["login"], present, works or {}) if which == NEXT and entry["moves"] else {}),
            "password": password,
            "update_password": "on_mismatch" if which == NEXT and entry["resumed"] else "always",
        }
        for entry, password in zip(entries, passwords)
    ]


def _copied(login: str, present: Sequence[Mapping[str, Any]], works: Mapping[str, bool]) -> dict[str, Any]:
    names = [
        *(("limits",) if works.get("change_limits") else ()),
        *(LOCK_SETTINGS if works.get("change_settings") else ()),
    ]
    user = _listed(login, present)
    copied = {name: user[name] for name in names if name in user}
    # A new user inherits whatever is not set.
    limits = {name: value for name, value in copied.pop("limits", {}).items() if name != "inherit"}
    return {**copied, **({"limits": limits} if limits else {})}


def _listed(login: str, present: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What outgoing_user_info shows of this login; empty where it does not know it."""
    return next((user for user in present if user_key(user) == login_key(login)), {})


def login_key(login: str) -> tuple[str, str]:
    """The domain and the username of a login, as `user_key` gives them."""
    wanted = identity(login)
    return wanted["domain"], wanted.get("username", "")


def user_key(user: Mapping[str, Any]) -> tuple[str, str]:
    """The domain and the username in a result, which shows domains for people."""
    return normalise_domain(user["domain"]), user["username"]


def locked(entries: Sequence[Mapping[str, Any]], present: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each second login that is there and locked: a login works, but its mail is refused.

    present: of outgoing_user_info.
    """
    return [
        f"{entry['name']}: the second login {entry['next_login']} is locked at the vendor, so its mail would be "
        "refused; unlock it, or remove it."
        for entry in entries
        if entry["moves"] and _listed(entry[NEXT], present).get("locked")
    ]


def logins(entries: Sequence[Mapping[str, Any]], passwords: Sequence[str], which: str) -> list[dict[str, Any]]:
    """The option `logins` of smtp_login_info that tries these passwords, in the same order.

    A second login must be able to send what the first one sends, before anybody moves.
    """
    return [
        {"login": entry[which], "password": password, **({"senders": entry["senders"]} if entry["moves"] else {})}
        for entry, password in zip(entries, passwords)
    ]


def old_users(
    entries: Sequence[Mapping[str, Any]], which: str, hosts: Optional[Mapping[str, Mapping[str, Any]]] = None
) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that removes one login of each pair; none where the login stays.

    hosts: host -> state; given, a login stays whose mail servers have not all been rolled back, as one may use it.
    """
    return [
        {**identity(entry[which]), "state": "absent"}
        for entry in entries
        if entry["moves"] and (hosts is None or all(hosts[host]["state"] == ROLLED_BACK for host in entry["hosts"]))
    ]


def locks(entries: Sequence[Mapping[str, Any]], locked: bool) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that locks or unlocks the present logins."""
    return [{**identity(entry["login"]), "locked": locked} for entry in entries]


def undone(entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[str]:
    """The names of the credentials whose present login outgoing_users has not brought to the wanted state."""
    done = {user_key(user) for user in result.get("users", ()) if user["action"] in ("updated", "unchanged")}
    return [entry["name"] for entry in entries if login_key(entry["login"]) not in done]


def taken(
    entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any], proofs: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The names of the credentials whose next password the vendor takes.

    result: of outgoing_users with all of them. proofs: of smtp_login_info, for those about which it was not sure.
    A second login that works is not enough: where a call has failed, it may be without the limits of the first.
    """
    accepted = {proof["login"] for proof in proofs if proof["accepted"] and proof.get("may_send", True)}
    doubtful = {entry["name"] for entry in unproven(entries, result)}
    failed = {
        user_key(user) for user in result.get("users", ()) if user["action"] not in ("created", "updated", "unchanged")
    }
    return [
        entry["name"]
        for entry in entries
        if not (entry["moves"] and login_key(entry[NEXT]) in failed)
        and (entry["name"] not in doubtful or entry[NEXT] in accepted)
    ]


def unproven(entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The credentials whose next login has to be tried.

    That are those of which outgoing_users did not say that the password is set or right, and every other login, since
    the mail servers shall not move before it works.
    """
    good = {
        user_key(user)
        for user in result.get("users", ())
        if user["action"] in ("created", "updated", "unchanged") and user.get("password") in ("set", "kept")
    }
    return [entry for entry in entries if entry["moves"] or login_key(entry[NEXT]) not in good]


def outcome(
    entries: Sequence[Mapping[str, Any]],
    switched: Sequence[str],
    hosts: Mapping[str, Mapping[str, Any]],
    emergency: bool = False,
    roll_back: bool = False,
) -> list[dict[str, Any]]:
    """The credentials, each with `outcome`, what becomes of it.

    switched: the names of those whose next password the vendor takes.
    hosts: host -> state, which is active, failed or anything else for a host that was not reached.
    emergency: never roll back, as the old password is known to strangers. roll_back: all of them.
    """
    taken_over = set(switched)

    def decided(entry: Mapping[str, Any]) -> str:
        states = {str(hosts.get(host, {}).get("state")) for host in entry["hosts"]}
        if roll_back:
            return ROLLED_BACK
        if entry["name"] not in taken_over:
            return NOT_CHANGED
        if states <= {"active"}:
            return COMMITTED
        return ROLLED_BACK if "failed" in states and not emergency else PENDING

    return [{**entry, "outcome": decided(entry)} for entry in entries]
