# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which saved logins have to change so that an outgoing server finds its password. Decides; writes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .logins import Login
from .server import OutgoingServer, SavedLogin

Decrypt = Callable[[Sequence[str]], list[str]]


class LoginChange(NamedTuple):
    """One login to write: `origin` empty means that it goes; `username` or `password` None stays encrypted as it is."""

    guid: str
    origin: str = ""
    username: str | None = None
    password: str | None = None
    is_new: bool = False

    @property
    def is_new_password_only(self) -> bool:
        """Does the login keep its host and name?"""
        return bool(self.origin) and self.username is None and self.password is not None


class LoginPlan(NamedTuple):
    """What to write, the login to remember as ours, and words (no secrets) for the diff."""

    changes: list[LoginChange]
    ours: SavedLogin | None
    before: str
    after: str


class _Found(NamedTuple):
    guid: str
    origin: str
    username: str
    password: str


def plan_saved(
    logins: Sequence[Login],
    decrypt: Decrypt,
    server: OutgoingServer,
    password: str | None,
    *,
    ours: SavedLogin | None,
) -> LoginPlan:
    """Let `server` find `password` (None: whatever is saved stays).

    `ours` is the login that was added by an earlier run. A password that is already saved for this host and name stays
    the person's.
    """
    origins = {server.origin, ours.origin} if ours else {server.origin}
    found = _related(logins, decrypt, origins, needed=password is not None)
    mine = _mine(found, ours)
    match = next((login for login in found if (login.origin, login.username) == (server.origin, server.login)), None)
    if match is not None:
        leftover = [LoginChange(mine.guid)] if mine and mine != match else []
        remembered = SavedLogin(match.guid, match.origin, match.username) if mine == match else None
        if password is None:
            return LoginPlan(leftover, remembered, "saved", "saved")
        if match.password == password:
            return LoginPlan(leftover, remembered, "as wanted", "as wanted")
        change = LoginChange(match.guid, server.origin, None, password)
        return LoginPlan([*leftover, change], remembered, "another", "as wanted")
    if password is None and mine and mine.username == server.login:
        # The same login at another name of the smarthost: its password goes with it.
        moved = SavedLogin(mine.guid, server.origin, server.login)
        return LoginPlan([LoginChange(mine.guid, server.origin)], moved, "saved for another host", "saved")
    if password is None:
        return LoginPlan([LoginChange(mine.guid)] if mine else [], None, "none", "none")
    change = LoginChange(mine.guid if mine else f"{{{uuid.uuid4()}}}", server.origin, server.login, password, not mine)
    remembered = SavedLogin(change.guid, server.origin, server.login)
    return LoginPlan([change], remembered, "saved for another host or login" if mine else "none", "as wanted")


def plan_gone(logins: Sequence[Login], decrypt: Decrypt, ours: SavedLogin | None) -> LoginPlan:
    """Take away the login that was added by an earlier run; one that the person had before stays."""
    if ours is None:
        return LoginPlan([], None, "none", "none")
    if any(login["guid"] == ours.guid for login in logins):
        return LoginPlan([LoginChange(ours.guid)], None, "saved", "none")
    # Thunderbird has saved it anew, under another guid.
    mine = _mine(_related(logins, decrypt, {ours.origin}, needed=False), ours)
    return LoginPlan([LoginChange(mine.guid)] if mine else [], None, "saved" if mine else "none", "none")


def _mine(found: list[_Found], ours: SavedLogin | None) -> _Found | None:
    if ours is None:
        return None
    by_name = (login for login in found if (login.origin, login.username) == (ours.origin, ours.username))
    return next((login for login in found if login.guid == ours.guid), None) or next(by_name, None)


def _related(logins: Sequence[Login], decrypt: Decrypt, origins: set[str], *, needed: bool) -> list[_Found]:
    """The logins of these servers, decrypted; `needed`: prove the keys also where there is nothing to decrypt."""
    of_servers = (login for login in logins if login["hostname"] in origins)
    related = [login for login in of_servers if login.get("httpRealm") == login["hostname"]]
    if not related and not needed:
        return []
    encrypted = [login[name] for login in related for name in ("encryptedUsername", "encryptedPassword")]
    plain = decrypt(encrypted)
    return [
        _Found(login["guid"], login["hostname"], username, password)
        for login, username, password in zip(related, plain[::2], plain[1::2])
    ]
