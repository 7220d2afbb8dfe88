# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls about outgoing users: the three that are public, and our own extensions."""

from __future__ import annotations

from .names import ascii_domain, local_part, network, network_text
from .panel import Arguments, Call, Panel, switch
from .replies import RefusedError, Reply
from .state import LIMITS, NEW_USER, Domain, User

_BOUNDS = {"lock_timeout": (1, 10080), "maximum_unlocks": (1, 100)}


def _outgoing_domain(panel: Panel, arguments: Arguments) -> Domain:
    """The domain of a write; it needs the outgoing product."""
    domain = panel.own_domain(arguments["domain"])
    if not domain.products["outgoing"]:
        raise RefusedError(f"The outgoing product is not enabled for the domain '{arguments['domain']}'")
    return domain


def _user(panel: Panel, arguments: Arguments) -> User:
    """The addressed user; without a username the domain's own."""
    domain = _outgoing_domain(panel, arguments)
    user = panel.state.user(domain.name, arguments.get("username", "").lower())
    if user is None:
        raise RefusedError(f"Unable to find the outgoing user '{arguments.get('username', domain.name)}'")
    return user


def _number(name: str, text: str) -> int:
    low, high = _BOUNDS.get(name, (0, 2**31 - 1))
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise RefusedError(f"The value of '{name}' must be a number from {low} to {high}")
    return int(text)


def _add(panel: Panel, arguments: Arguments) -> Reply:
    domain = _outgoing_domain(panel, arguments)
    username = local_part(arguments["username"]) if "username" in arguments else ""
    shown = username or arguments["domain"]
    user = panel.state.user(domain.name, username)
    if user is None:
        user = User(domain.name, username, "user" if username else "domain")
        panel.state.put_user(user)
    elif panel.quirks.add_existing == "error":
        raise RefusedError("Outgoing user already exists.", f"Failed to add the outgoing user '{shown}'")
    panel.state.set_password(user, arguments["password"])
    return Reply(success=[f"Outgoing user '{shown}' has been added"])


def _add_ip(panel: Panel, arguments: Arguments) -> Reply:
    domain = _outgoing_domain(panel, arguments)
    username = network_text(network(arguments["ip"], arguments.get("mask")))
    if panel.state.user(domain.name, username):
        raise RefusedError("Outgoing user already exists.", f"Failed to add the outgoing user '{username}'")
    panel.state.put_user(User(domain.name, username, "ip"))
    return Reply(success=[f"Outgoing user '{username}' has been added"])


def _remove(panel: Panel, arguments: Arguments) -> Reply:
    if "username" in arguments or panel.quirks.remove_without_username == "domain_user":
        users = [_user(panel, arguments)]
    else:
        domain = _outgoing_domain(panel, arguments)
        users = list(panel.state.users.get(domain.name, {}).values())
        if not users:
            raise RefusedError(f"Unable to find the outgoing user '{arguments['domain']}'")
    for user in users:
        panel.state.remove_user(user)
    return Reply(success=[f"Outgoing user '{user.username or arguments['domain']}' has been removed" for user in users])


def _list(panel: Panel, arguments: Arguments) -> Reply:
    domain = panel.own_domain(arguments["domain"]).name if "domain" in arguments else None
    return Reply(result=panel.state.listed_users(domain))


def _set_password(panel: Panel, arguments: Arguments) -> Reply:
    panel.state.set_password(_user(panel, arguments), arguments["password"])
    return Reply(success=["Outgoing user has been saved"])


def limit_values(arguments: Arguments) -> dict[str, int | str]:
    """The limits among these parameters: numbers, or "inherit"."""
    return {
        name: "inherit" if arguments[name] == "inherit" else _number(name, arguments[name])
        for name in LIMITS
        if name in arguments
    }


def _set_limits(panel: Panel, arguments: Arguments) -> Reply:
    values = limit_values(arguments)
    if "limits_enabled" in arguments:
        values["limits_enabled"] = switch(arguments, "limits_enabled")
    if not values:
        raise RefusedError("Incorrect usage of API")
    panel.state.change_user(_user(panel, arguments), values)
    return Reply(success=["Outgoing user has been saved"])


def _set_settings(panel: Panel, arguments: Arguments) -> Reply:
    values: dict[str, int | str] = {}
    for name, text in arguments.items():
        if name in ("domain", "username"):
            continue
        if name in (*LIMITS, "limits_enabled", "locked", "authentication_method", "password"):
            raise RefusedError("Incorrect usage of API")
        if name == "automatic_lock":
            values[name] = switch(arguments, name)
        else:
            values[name] = _number(name, text) if name in _BOUNDS else text
    if not values:
        raise RefusedError("Incorrect usage of API")
    panel.state.change_user(_user(panel, arguments), values)
    return Reply(success=["Outgoing user has been saved"])


def _lock(panel: Panel, arguments: Arguments) -> Reply:
    panel.state.change_user(_user(panel, arguments), {"locked": 1})
    return Reply(success=["Outgoing user has been locked"])


def _unlock(panel: Panel, arguments: Arguments) -> Reply:
    panel.state.change_user(_user(panel, arguments), {"locked": 0})
    return Reply(success=["Outgoing user has been unlocked"])


PUBLIC_CALLS = {
    "outgoingusers/add": Call(_add, ("domain", "password"), ("username",), write=True),
    "outgoingusers/addip": Call(_add_ip, ("domain", "ip"), ("mask",), write=True),
    "outgoingusers/remove": Call(_remove, ("domain",), ("username",), write=True),
}
EXTENSIONS = {
    "outgoingusers/list": Call(_list, (), ("domain",)),
    "outgoingusers/setpassword": Call(_set_password, ("domain", "password"), ("username",), write=True),
    "outgoingusers/setlimits": Call(_set_limits, ("domain",), ("username", "limits_enabled", *LIMITS), write=True),
    "outgoingusers/setsettings": Call(
        _set_settings,
        ("domain",),
        ("username", "automatic_lock", "lock_timeout", "maximum_unlocks"),
        write=True,
        open_names=True,
    ),
    "outgoingusers/lock": Call(_lock, ("domain",), ("username",), write=True),
    "outgoingusers/unlock": Call(_unlock, ("domain",), ("username",), write=True),
}


def seeded_user(panel: Panel, entry: dict[str, object]) -> User:
    """A user of the control interface's bulk creation; a username that is a network makes an IP user."""
    values = {name: value for name, value in entry.items() if name not in ("domain", "username", "password")}
    values.pop("authentication_method", None)
    domain, username = ascii_domain(str(entry["domain"])), str(entry.get("username") or "")
    method = "user" if username else "domain"
    if username:
        try:
            address, _separator, mask = username.partition("/")
            username, method = network_text(network(address, mask or None)), "ip"
        except RefusedError:
            username = local_part(username)
    password = entry.get("password")
    return User(
        domain,
        username,
        method,
        panel.state.hashed(str(password)) if password is not None else "",
        {**NEW_USER, **{name: value for name, value in values.items() if isinstance(value, (int, str))}},
    )
