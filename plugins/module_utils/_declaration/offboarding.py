# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `spamexperts_offboarding` may hold, and what the playbook makes of it. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, Optional

from .._names import InputError, normalise_domain
from .._users.user import Key, identity, normalise_local_part, options_of
from .check import spec_problems

NAME = "spamexperts_offboarding"
REMOVE = "remove"
LOCK = "lock"
OFFBOARDING_OPTIONS: dict[str, Any] = {
    "domain": {"type": "str", "required": True},
    "usernames": {"type": "list", "elements": "str", "required": True},
    "action": {"type": "str", "choices": [REMOVE, LOCK]},
    "account": {"type": "str"},
}


def _keys(offboarding: Mapping[str, Any]) -> list[Key]:
    domain = normalise_domain(offboarding["domain"])
    return [Key(domain, normalise_local_part(name, domain)) for name in offboarding["usernames"]]


def problems(offboarding: object, accounts: Optional[Container[str]] = None) -> list[str]:
    """Everything that is wrong with an offboarding, one sentence each.

    accounts: the names in `spamexperts_accounts`; None where they are not known.
    """
    if not isinstance(offboarding, Mapping):
        return [f"{NAME} is missing; give it as in: -e @leaving.yml."]
    misfits = spec_problems(NAME, offboarding, OFFBOARDING_OPTIONS, accounts)
    if misfits:
        return misfits
    try:
        keys = _keys(offboarding)
    except InputError as problem:
        return [f"{NAME}: {problem}."]
    return [] if keys else [f"{NAME}.usernames is empty; name who leaves."]


def users(offboarding: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that removes or locks these users."""
    change = {"locked": True} if offboarding.get("action") == LOCK else {"state": "absent"}
    return [{**options_of(key), **change} for key in _keys(offboarding)]


def uses(offboarding: Mapping[str, Any], found: Iterable[Mapping[str, Any]]) -> list[str]:
    """The keys under which a mail server uses these logins. found: `logins` of postfix_relay_info."""
    leaving = set(_keys(offboarding))
    return sorted(entry["key"] for entry in found if Key.of_login(entry["login"]) in leaving)


def unnamed(
    offboarding: Mapping[str, Any], found: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]
) -> list[str]:
    """The logins for senders that a mail server has, that stay, and that its variables do not name.

    found: `logins` of postfix_relay_info. wanted: its outgoing_mail_logins.
    """
    leaving, named = set(_keys(offboarding)), {identity(entry["login"]) for entry in wanted}
    senders = {entry["login"] for entry in found if "@" in entry["key"] and Key.of_login(entry["login"]) not in leaving}
    return sorted(login for login in senders if identity(login) not in named)


def remaining(offboarding: Mapping[str, Any], wanted: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries of outgoing_mail_logins that stay."""
    leaving = set(_keys(offboarding))
    return [entry for entry in wanted if Key.of_login(entry["login"]) not in leaving]
