# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An entry: one of the credentials that `plan.plan` gives. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from .._users.user import Identity, Key, identity

NEXT = "next_login"
#: The credentials of the store, each under its logins.
ByLogin = Mapping[Identity, Mapping[str, Any]]


def logins_of(entry: Mapping[str, Any]) -> list[str]:
    """The logins of one credential of the store: while it is rotated, the next one too."""
    return [entry["login"], *([entry["next_login"]] if entry["rotating"] else [])]


def listed(login: str, present: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What outgoing_user_info shows of this login; empty where it does not know it."""
    wanted = identity(login)
    return next((user for user in present if Key.of_result(user) == wanted), {})


def key_of(entry: Mapping[str, Any], which: str = "login") -> Key:
    """Whose login it is; a plan has no entry whose login is nobody's."""
    return cast(Key, Key.of_login(entry[which]))


def identities(entries: Sequence[Mapping[str, Any]]) -> set[Identity]:
    """The logins of these entries, before and after."""
    return {identity(entry[which]) for entry in entries for which in ("login", NEXT)}


def tried_first(entry: Mapping[str, Any], which: str) -> bool:
    """Whether the vendor may know this password already, so it is tried before it is set."""
    if which == NEXT:
        return bool(entry["resumed"] and not entry.get("renewed"))
    return bool(entry["moves"])
