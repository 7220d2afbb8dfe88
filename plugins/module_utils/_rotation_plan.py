# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `spamexperts_rotation` may hold, and what is rotated, and where. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Literal, Optional, Union

from ._description import spec_problems
from ._outgoing_user import ENVELOPE_SENDER, USER, InputError, normalise_domain, parse_wanted
from ._rotation import identity, keys_of, written_key

NAME = "spamexperts_rotation"
IN_PLACE = "in_place"
ALTERNATE = "alternate"
LOCK = "lock"
CONTROLLER = "localhost"
#: The logins in the variables of a host; False where they cannot be read.
Uses = Union[Sequence[str], Literal[False]]

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
        logins = pair if isinstance(pair, Sequence) and all(isinstance(login, str) for login in pair) else []
        if isinstance(pair, str) or len(logins) != 2 or len(set(logins)) != 2:
            found.append(f"{NAME}.alternates: {name} needs a list of two different logins.")
    if rotation.get("strategy") == ALTERNATE and not rotation.get("alternates"):
        found.append(f"{NAME}: the strategy alternate needs alternates, the two logins of each credential.")
    return found


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
    send for, and whether the login is locked first), stage (the option `credentials` of credential_store), hosts, mixed
    (those that use a login of another rotation, which is not to be finished now), and clients (those that use one of
    these logins).
    """
    profiles = {host: client.get("logins", False) for host, client in (clients or {}).items()}
    found = _unreadable(uses, profiles)
    used: dict[str, Sequence[str]] = {host: logins or () for host, logins in uses.items()}
    by_login = {written_key(login): entry for entry in credentials for login in _logins(entry)}
    unknown = [
        f"{host} uses the login {login}, which is not in the credential store; adopt it with "
        "smarthost.spamexperts.adopt_credentials, or give the host a credential of the store."
        for host, logins in used.items()
        for login in logins
        if written_key(login) not in by_login and (rotation.get("everything") or host in (rotation.get("hosts") or ()))
    ]
    found += unknown
    hosts_of: dict[str, list[str]] = {}
    for host, logins in used.items():
        for name in dict.fromkeys(
            by_login[written_key(login)]["name"] for login in logins if written_key(login) in by_login
        ):
            hosts_of.setdefault(name, []).append(host)
    declared: dict[str, list[str]] = {}
    for login, addresses in senders:
        if written_key(login) in by_login:
            # @example.com, for all of a domain, cannot be offered.
            declared.setdefault(by_login[written_key(login)]["name"], []).extend(
                filter(ENVELOPE_SENDER.match, addresses)
            )
    emergency = bool(rotation.get("emergency"))
    lock_first = emergency and rotation.get("emergency_action") == LOCK
    if lock_first and not works.get("lock_users"):
        found.append(
            "This server offers no calls to lock and unlock a user, so the logins cannot be locked first; name the "
            f"calls in api_methods, or leave out {NAME}.emergency_action."
        )
    chosen = _chosen(rotation, credentials, hosts_of, used, found)
    entries = []
    for entry in chosen:
        try:
            next_login = _next_login(rotation, entry, works)
        except InputError as problem:
            found.append(f"{problem}.")
            continue
        hosts = sorted(hosts_of.get(entry["name"], []))
        moves = next_login != entry["login"]
        # Without a declaration, the name of a credential is the address whose mail it is, if it is one.
        addresses = [text for text in (entry["name"], entry["login"]) if ENVELOPE_SENDER.match(text)]
        entries.append(
            {
                "name": entry["name"],
                "login": entry["login"],
                "next_login": next_login,
                "domain": identity(entry["login"])["domain"],
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
                # Is it the password from before that is out, or the one that everybody uses already?
                "doubtful": emergency and bool(entry.get("switched")) and not entry.get("leaked"),
            }
        )
    found += _refusals(rotation, entries) + _taken_logins(entries, by_login, [*used.items(), *profiles.items()])
    keys, chosen_names = keys_of(entries), {entry["name"] for entry in chosen}
    waiting = {
        entry["name"]
        for entry in credentials
        if entry["rotating"] and not entry["switched"] and entry["name"] not in chosen_names
    }
    return {
        "problems": found,
        "credentials": entries,
        "stage": [{name: entry[name] for name in ("name", "next_login", "locked", "leaked")} for entry in entries],
        "hosts": sorted({host for entry in entries for host in entry["hosts"]}),
        "clients": sorted(host for host, logins in profiles.items() if keys & set(map(written_key, logins or ()))),
        "mixed": sorted({host for name in waiting for host in hosts_of.get(name, ())}),
    }


def strays(plan: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One sentence for each mail server that has one of these logins and would keep its old password.

    seen: mail servers that are not among the hosts of the plan, each with the result of postfix_relay_info, or without
    what nobody could see. A login whose rotation has begun is finished, whoever has it.
    """
    keys = keys_of([entry for entry in plan["credentials"] if not entry["resumed"]])
    found = []
    for host, relay in seen.items():
        logins = [*(entry["login"] for entry in relay.get("logins", ())), *relay.get("other_logins", ())]
        found += [
            f"{host} sends with {login}, which its variables do not name, so it would keep the old password; give it "
            "outgoing_mail_login and outgoing_mail_password (or outgoing_mail_logins) there, or take the login away "
            "from it, and run again."
            for login in sorted({login for login in logins if written_key(login) in keys})
        ]
    return found


def _unreadable(uses: Mapping[str, Uses], profiles: Mapping[str, Uses]) -> list[str]:
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


def _logins(entry: Mapping[str, Any]) -> list[str]:
    return [entry["login"], *([entry["next_login"]] if entry["rotating"] else [])]


def _refusals(rotation: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each entry with which this rotation would lose mail, or leave a stranger's way in."""
    found = []
    for entry in entries:
        name, login = entry["name"], entry["login"]
        if entry["moves"] and not entry["hosts"] and not entry["resumed"]:
            found.append(
                f"{name}: no mail server uses {login}, so nobody can see when a second login has taken over from it; "
                f"rotate it {IN_PLACE}."
            )
        if entry["moves"] and rotation.get("emergency") and not entry["locks"]:
            found.append(
                f"{name}: {login} would work with the password that is out until every mail server uses "
                f"{entry['next_login']}; add emergency_action: {LOCK}, or rotate it {IN_PLACE}."
            )
        if entry["leaked"] and rotation.get("roll_back"):
            found.append(
                f"{name}: its password from before is out, as it was rotated with emergency: true, so it is not rolled "
                "back; finish its rotation, and choose the others by their logins."
            )
    return found


def _taken_logins(
    entries: Sequence[Mapping[str, Any]],
    by_login: Mapping[tuple[str, str], Mapping[str, Any]],
    uses: Sequence[tuple[str, Uses]],
) -> list[str]:
    """One sentence for each login that two credentials have, or that would be taken from somebody who uses it."""
    found = []
    second: dict[tuple[str, str], str] = {}
    for entry in entries:
        twin = by_login[written_key(entry["login"])]["name"]
        if twin != entry["name"]:
            found.append(
                f"{entry['name']} and {twin} are the same login in the credential store, which can have one password "
                "only; remove one of the two (credential_store, state: absent)."
            )
        key = written_key(entry["next_login"])
        if not entry["moves"] or (entry["resumed"] and by_login[key]["name"] == entry["name"]):
            continue
        user = next((host for host, logins in uses if key in map(written_key, logins or ())), "")
        owner = by_login[key]["name"] if key in by_login else second.get(key, "")
        if owner or user:
            whose = f"the credential {owner} has" if owner else f"the host {user} uses"
            found.append(
                f"{NAME}.alternates: {entry['name']} cannot move to {entry['next_login']}, which {whose} already; "
                "give it a second login of its own."
            )
        second.setdefault(key, entry["name"])
    return found


def _chosen(
    rotation: Mapping[str, Any],
    credentials: Sequence[Mapping[str, Any]],
    hosts_of: Mapping[str, Sequence[str]],
    uses: Mapping[str, Sequence[str]],
    found: list[str],
) -> list[Mapping[str, Any]]:
    """The credentials that the rotation selects; what it names and nobody knows is a problem."""
    logins = list(rotation.get("logins") or ())
    named = set(logins) | set(map(written_key, logins))
    hosts = set(rotation.get("hosts") or ())
    domains = set()
    for domain in rotation.get("domains") or ():
        try:
            domains.add(normalise_domain(domain))
        except InputError as problem:
            found.append(f"{NAME}.domains: {problem}.")
    chosen = []
    known: set[object] = set()
    for entry in credentials:
        keys = set(map(written_key, _logins(entry)))
        known |= keys | {entry["name"]}
        in_domain = {domain for domain, _username in keys} & domains
        on_host = hosts & set(hosts_of.get(entry["name"], ()))
        if rotation.get("everything") or named & (keys | {entry["name"]}) or in_domain or on_host:
            chosen.append(entry)
    found += [
        f"{NAME}.logins: {login} is not in the credential store."
        for login in logins
        if not known & {login, written_key(login)}
    ]
    found += [f"{NAME}.hosts: {host} is not among the mail servers." for host in sorted(hosts - set(uses))]
    if rotation.get("roll_back"):
        chosen = [entry for entry in chosen if entry["rotating"]]
    if not chosen and not found:
        found.append("There is nothing to do: no credential of the store is selected.")
    return chosen


def _next_login(rotation: Mapping[str, Any], entry: Mapping[str, Any], works: Mapping[str, bool]) -> str:
    """The login that the next password will belong to. Raises InputError where the strategy cannot be used for it."""
    name, login = entry["name"], entry["login"]
    user = identity(login)
    parse_wanted(user, 0, "on_create")
    pair = (rotation.get("alternates") or {}).get(name)
    if entry["rotating"]:
        wanted = str(entry["next_login"])  # what has begun is finished as it was begun
    elif rotation.get("strategy", IN_PLACE) == ALTERNATE:
        others = [str(other) for other in pair or () if written_key(other) != written_key(login)]
        if len(others) != 1:
            raise InputError(
                f"{name}: the strategy alternate needs {NAME}.alternates.{name} with {login} and a second login"
            )
        wanted = others[0]
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
