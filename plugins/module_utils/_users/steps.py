# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls that bring a user to a state, as steps of a plan; nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from .methods import (
    ADD,
    ADD_IP,
    LIST,
    LOCK,
    REMOVE,
    SET_LIMITS,
    SET_PASSWORD,
    SET_SETTINGS,
    UNLOCK,
    Method,
    MethodError,
    Methods,
)
from .user import IP, OutgoingUser, State, Value, Wanted

#: Operation -> what it is for, for messages.
PURPOSES = {
    LIST: "list outgoing users",
    ADD: "add outgoing users",
    ADD_IP: "add IP users",
    REMOVE: "remove outgoing users",
    SET_PASSWORD: "set the password of an outgoing user",
    SET_LIMITS: "set limits",
    SET_SETTINGS: "change settings of an outgoing user",
    LOCK: "lock an outgoing user",
    UNLOCK: "unlock an outgoing user",
}


@dataclass(frozen=True)
class Step:
    """One call to send. arguments may hold the password, so they are never shown."""

    method: Method
    arguments: Mapping[str, Value] = field(repr=False)

    @property
    def operation(self) -> str:
        return self.method.operation


def _address(user: OutgoingUser) -> dict[str, Value]:
    address: dict[str, Value] = {"domain": user.key.domain}
    if user.key.username:
        address["username"] = user.listed_name or user.key.username
    return address


def _step(methods: Methods, operation: str, arguments: Mapping[str, Value]) -> Step:
    """A call. Raises MethodError for what is not offered, or cannot be told to the server."""
    method = methods.require(operation, PURPOSES[operation])
    method.encode(arguments)  # an argument without a name on the wire fails now, before anything is written
    return Step(method, arguments)


def add_step(entry: Wanted, methods: Methods) -> Optional[Step]:
    """The call that creates the user; None where it needs a password and none is given."""
    if entry.user.authentication == IP:
        network, _slash, prefix = entry.key.username.partition("/")
        arguments: dict[str, Value] = {"domain": entry.key.domain, "ip": network}
        if prefix:
            arguments["mask"] = prefix
        return _step(methods, ADD_IP, arguments)
    if entry.password is None:
        return None
    return _step(methods, ADD, {**_address(entry.user), "password": entry.password})


def password_step(user: OutgoingUser, password: str, methods: Methods) -> Step:
    """The call that sets the password of a user."""
    return _step(methods, SET_PASSWORD, {**_address(user), "password": password})


def removal_step(user: OutgoingUser, methods: Methods) -> Step:
    """The call that removes a user."""
    return _step(methods, REMOVE, _address(user))


def without_defaults(state: State) -> State:
    """What a new user has anyway is not sent: nobody is created locked."""
    return {name: value for name, value in state.items() if (name, value) != ("locked", False)}


def _groups(state: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """The operations that set these attributes, and their arguments, in the order in which they are sent."""
    groups: dict[str, dict[str, Value]] = {}
    if state.get("locked") is True:
        groups[LOCK] = {}
    for name, value in state.items():
        if name.startswith("limits."):
            groups.setdefault(SET_LIMITS, {})[name.rpartition(".")[2]] = value
        elif name != "locked":
            groups.setdefault(SET_SETTINGS, {})[name.rpartition(".")[2]] = value
    if state.get("locked") is False:
        groups[UNLOCK] = {}
    return groups


def attribute_steps(user: OutgoingUser, state: Mapping[str, Value], methods: Methods) -> list[Step]:
    """The calls that give a user these attributes. Raises MethodError for what is not offered or cannot be told."""
    address = _address(user)
    return [_step(methods, operation, {**address, **given}) for operation, given in _groups(state).items()]


def offered(user: OutgoingUser, state: State, methods: Methods) -> State:
    """The part of this state that the server has calls for."""
    kept: State = {}
    for name, value in state.items():
        try:
            attribute_steps(user, {name: value}, methods)
        except MethodError:
            continue
        kept[name] = value
    return kept
