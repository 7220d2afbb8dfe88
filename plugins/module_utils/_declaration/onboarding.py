# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `spamexperts_onboarding` may hold, and what the playbook makes of it. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, Callable, Optional

from .._names import InputError, normalise_domain
from .._users.duplicates import check_duplicates
from .._users.options import OUTGOING_USER_OPTIONS
from .._users.user import IP, USER, Key, Wanted, identity, parse_limits, parse_wanted
from .check import spec_problems
from .description import SHARED_LIMITS, merged

NAME = "spamexperts_onboarding"
#: What only the onboarding knows; everything else of a sender is an option of an outgoing user.
SENDER_OPTIONS: dict[str, Any] = {"shared": {"type": "bool"}, "relay": {"type": "bool"}}

_USER_OPTIONS = {name: option for name, option in OUTGOING_USER_OPTIONS.items() if name not in ("domain", "state")}
ONBOARDING_OPTIONS: dict[str, Any] = {
    "domain": {"type": "str", "required": True},
    "account": {"type": "str"},
    "abuse_contact": {"type": "str"},
    "destinations": {"type": "list", "elements": "str"},
    "senders": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {**_USER_OPTIONS, **SENDER_OPTIONS},
    },
    "shared_limits": OUTGOING_USER_OPTIONS["limits"],
    "spf_include": {"type": "str"},
    "check_spf": {"type": "bool"},
}


def problems(onboarding: object, accounts: Optional[Container[str]] = None) -> list[str]:
    """Everything that is wrong with an onboarding, one sentence each; none of them holds a password.

    accounts: the names in `spamexperts_accounts`; None where they are not known.
    """
    if not isinstance(onboarding, Mapping):
        return [f"{NAME} is missing; give a file with it, as in: -e @example.com.yml."]
    misfits = spec_problems(NAME, onboarding, ONBOARDING_OPTIONS, accounts)
    if misfits:
        return misfits
    found = []
    wanted: list[Wanted] = []
    try:
        normalise_domain(onboarding["domain"])
        parse_limits(onboarding.get("shared_limits") or {})
        for position, user in enumerate(users(onboarding)):
            try:
                wanted.append(parse_wanted(user, position, "on_mismatch"))
            except InputError as problem:
                found.append(f"{NAME}.senders[{position}]: {problem}.")
    except InputError as problem:
        found.append(f"{NAME}: {problem}.")
    found += [f"{NAME}.senders: {problem.replace('users[', 'senders[')}." for problem in check_duplicates(wanted)]
    marked = [sender for sender in onboarding["senders"] if sender.get("relay")]
    if len(marked) > 1:
        found.append(f"{NAME}.senders marks more than one sender with relay; mark one.")
    elif any(sender.get("authentication_method") != IP and not _can_log_in(sender) for sender in marked):
        found.append(
            f"{NAME}.senders marks a sender with relay that has no password to log in with; give it a password or a "
            "password_file."
        )
    return found


def users(onboarding: Mapping[str, Any], limits_offered: bool = True) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users for these senders; without limits where the server cannot set them."""
    result = []
    for sender in onboarding["senders"]:
        user = {name: value for name, value in sender.items() if name not in SENDER_OPTIONS and value is not None}
        if sender.get("shared"):
            user["limits"] = merged(onboarding.get("shared_limits") or {}, sender.get("limits") or {}) or SHARED_LIMITS
        if not limits_offered:
            user.pop("limits", None)
        result.append({**user, "domain": onboarding["domain"]})
    return result


def relay_sender(onboarding: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """The sender marked relay, with its `login`, which is empty when the mail servers send by their address.

    None where none is marked: a person's login is never taken for that of a server.
    """
    for sender in onboarding["senders"]:
        if sender.get("relay"):
            wanted = parse_wanted({**sender, "domain": onboarding["domain"]}, 0, "on_mismatch")
            return {**sender, "login": "" if wanted.user.authentication == IP else wanted.login("domain")}
    return None


def left_alone(onboarding: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Why a mail server, to which the inventory gives no login, keeps what it has; "" where it gets the sender's login.

    found: what postfix_relay_info says of it. One domain's description does not take a server away from another's.
    """
    sender, domain = relay_sender(onboarding), onboarding["domain"]
    logins = sorted({entry["login"] for entry in found.get("logins", ()) if entry["key"].startswith("[")})
    is_set_up = bool(found.get("managed")) and not found.get("unfinished")
    if not logins and not is_set_up:
        logins = list(found.get("other_logins", ()))  # somebody has set it up by hand
    without = ", sends by its address or for named senders only" if is_set_up else ""
    now = f", sends as {' and '.join(logins)}" if logins else without
    if sender is None:
        return f"left alone{now}: no sender of {domain} is marked relay: true"
    wanted = sender["login"]
    if identity(wanted) in map(identity, logins) if logins else not (wanted and is_set_up):
        return ""
    return (
        f"left alone{now}: its inventory variable outgoing_mail_logins can give it a login for mail of {domain}, and "
        "outgoing_mail_login one for all other mail"
    )


def _can_log_in(sender: Mapping[str, Any]) -> bool:
    return bool(sender.get("password") or sender.get("password_file"))


def people(
    onboarding: Mapping[str, Any], wanted: Iterable[Mapping[str, Any]], read: Callable[[str], str]
) -> list[dict[str, Any]]:
    """The option `people` of Thunderbird's tasks, for those people of a host who are senders of this domain.

    wanted: each with the `user` of the host and, where it differs, the `username` of the sender. read: gives the
    password in a file. Everything else of an entry, such as a primary password, is passed on. Raises InputError for an
    entry of nobody.
    """
    senders: dict[Optional[Key], tuple[str, Mapping[str, Any]]] = {}
    for sender in onboarding["senders"]:
        entry = parse_wanted({**sender, "domain": onboarding["domain"]}, 0, "on_mismatch")
        if entry.user.authentication == USER:
            senders[entry.key] = (entry.login("domain"), sender)
    result = []
    for person in wanted:
        rest = {name: value for name, value in person.items() if name != "username"}
        name = person.get("username") or person.get("user")
        if not name:
            raise InputError("spamexperts_people has somebody without user and username; say which sender it is")
        key = Key.of_login(name if "@" in str(name) else f"{name}@{onboarding['domain']}")
        if key not in senders:
            continue
        login, sender = senders[key]
        password = sender.get("password") or (read(sender["password_file"]) if sender.get("password_file") else None)
        given = {} if password is None else {"password": password}
        result.append({"identities": [login], **rest, "login": login, **given})
    return result
