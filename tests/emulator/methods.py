# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which calls a server offers, and how the `odd` dialect names our extensions."""

from __future__ import annotations

from collections.abc import Mapping

from . import domain_calls
from .panel import Arguments, Call, Panel
from .replies import Reply
from .state import LIMITS
from .user_calls import EXTENSIONS, PUBLIC_CALLS

_ODD_CALLS = {
    "outgoingusers/list": "senders/enumerate",
    "outgoingusers/setpassword": "senders/passwd",
    "outgoingusers/setlimits": "senders/quota",
    "outgoingusers/setsettings": "senders/options",
    "outgoingusers/lock": "senders/freeze",
    "outgoingusers/unlock": "senders/thaw",
}
_ODD_NAMES = {
    "domain": "zone",
    "username": "name",
    "password": "secret",
    "authentication_method": "kind",
    "locked": "frozen",
    "limits_enabled": "on",
    **dict(zip(LIMITS, ("min", "hour", "day", "week", "month", "rcpt"))),
    "automatic_lock": "auto",
    "lock_timeout": "minutes",
    "maximum_unlocks": "unlocks",
}
_PLAIN_NAMES = {odd: plain for plain, odd in _ODD_NAMES.items()}


def _odd(call: Call) -> Call:
    """The same call under other names, with `default` where the plain dialect says `inherit`."""

    def handler(panel: Panel, arguments: Arguments) -> Reply:
        plain = {_PLAIN_NAMES.get(name, name): value for name, value in arguments.items()}
        for limit in LIMITS:
            if limit in plain:
                plain[limit] = {"default": "inherit", "inherit": "?"}.get(plain[limit], plain[limit])
        reply = call.handler(panel, plain)
        if isinstance(reply.result, list):
            reply.result = [_odd_user(user) for user in reply.result]
        return reply

    required = tuple(_ODD_NAMES[name] for name in call.required)
    optional = tuple(_ODD_NAMES[name] for name in call.optional)
    return Call(handler, required, optional, call.write, call.open_names)


def _odd_user(user: Mapping[str, int | str]) -> dict[str, int | str]:
    return {
        _ODD_NAMES.get(name, name): "default" if name in LIMITS and value == "inherit" else value
        for name, value in user.items()
    }


def offered(methods: str, dialect: str) -> dict[str, Call]:
    """The calls of a server with these `--methods` and this `--dialect`."""
    calls = {**domain_calls.CALLS, **PUBLIC_CALLS}
    if methods == "full":
        for name, call in EXTENSIONS.items():
            calls.update({name: call} if dialect == "plain" else {_ODD_CALLS[name]: _odd(call)})
    return calls
