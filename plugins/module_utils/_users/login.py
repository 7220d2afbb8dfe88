# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose login it is. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .._names import InputError, normalise_domain
from .user import DOMAIN, USER, Key, normalise_local_part


def key_of(login: object) -> Optional[Key]:
    """Whose login this is, whichever way its domain is written; None where it is no user's."""
    username, _at, domain = str(login).rpartition("@")
    try:
        domain = normalise_domain(domain)
        return Key(domain, normalise_local_part(username, domain))
    except InputError:
        return None


def identity(login: str) -> dict[str, str]:
    """The outgoing user that logs in so, as outgoing_users names it. Raises InputError for what cannot log in."""
    local, at, domain = login.rpartition("@")
    method = USER if local else DOMAIN
    user = {"domain": normalise_domain(domain if at else login), "authentication_method": method}
    if local:
        user["username"] = normalise_local_part(local, user["domain"])
    return user


def login_key(login: str) -> tuple[str, str]:
    """The domain and the username of a login, as `user_key` gives them."""
    wanted = identity(login)
    return wanted["domain"], wanted.get("username", "")


def written_key(login: str) -> tuple[str, str]:
    """As login_key, for a login that nobody has checked and that may be none."""
    try:
        return login_key(login)
    except InputError:
        return login, ""


def user_key(user: Mapping[str, Any]) -> tuple[str, str]:
    """The domain and the username in a result, which shows domains for people."""
    return normalise_domain(user["domain"]), user["username"]
