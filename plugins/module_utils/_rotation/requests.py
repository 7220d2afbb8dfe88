# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation asks of the vendor and of the smarthost. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._users.user import LOCK_SETTINGS, options_of
from .entry import NEXT, key_of, listed, tried_first


def users(
    entries: Sequence[Mapping[str, Any]],
    passwords: Sequence[str],
    which: str,
    present: Sequence[Mapping[str, Any]] = (),
    works: Optional[Mapping[str, bool]] = None,
) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that makes the vendor take these passwords, in the same order.

    which: next_login, or login for the way back. A password that the vendor may know already is tried before it is set.
    present: of outgoing_user_info; a second login gets the limits and lock settings of the first, and the first one, if
    it has been removed, those of the second, as far as the server shows and takes them (works, as api_info gives it).
    """

    def user(entry: Mapping[str, Any], password: str) -> dict[str, Any]:
        forward = which == NEXT
        new = entry["moves"] and (forward or not listed(entry[which], present))
        return {
            **options_of(key_of(entry, which)),
            **(_copied(entry["login" if forward else NEXT], present, works or {}) if new else {}),
            "password": password,
            "update_password": "on_mismatch" if tried_first(entry, which) else "always",
        }

    return [user(entry, password) for entry, password in zip(entries, passwords)]


def _copied(login: str, present: Sequence[Mapping[str, Any]], works: Mapping[str, bool]) -> dict[str, Any]:
    names = [
        *(("limits",) if works.get("change_limits") else ()),
        *(LOCK_SETTINGS if works.get("change_settings") else ()),
    ]
    user = listed(login, present)
    copied = {name: user[name] for name in names if name in user}
    # A new user inherits whatever is not set.
    limits = {name: value for name, value in copied.pop("limits", {}).items() if name != "inherit"}
    return {**copied, **({"limits": limits} if limits else {})}


def logins(entries: Sequence[Mapping[str, Any]], passwords: Sequence[str], which: str) -> list[dict[str, Any]]:
    """The option `logins` of smtp_login_info that tries these passwords, in the same order.

    A second login must be able to send what the first one sends, before anybody moves.
    """
    return [
        {"login": entry[which], "password": password, **({"senders": entry["senders"]} if entry["moves"] else {})}
        for entry, password in zip(entries, passwords)
    ]


def locks(entries: Sequence[Mapping[str, Any]], locked: bool) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that locks or unlocks the present logins."""
    return [{**options_of(key_of(entry)), "locked": locked} for entry in entries]
