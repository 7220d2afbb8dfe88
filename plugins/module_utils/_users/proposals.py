# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a help page with unusual names may mean. For people to check: no run ever uses a proposal. Pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .methods import (
    ADDRESS,
    CALL_ALIASES,
    LIST,
    LOCK,
    SET_LIMITS,
    SET_PASSWORD,
    SET_SETTINGS,
    UNLOCK,
    Method,
    Methods,
    Source,
    known_name,
)
from .user import LIMIT_NAMES, LOCK_SETTINGS

#: Words in a name on the wire -> what it may stand for, the tellingest first.
_MEANINGS: tuple[tuple[str, frozenset[str]], ...] = (
    ("domain", frozenset({"domain", "domainname", "zone"})),
    ("password", frozenset({"password", "newpassword", "pass", "passwd", "pwd", "secret"})),
    ("recipients_per_day", frozenset({"recipient", "recipients", "rcpt", "rcpts"})),
    ("per_minute", frozenset({"minute", "min", "minutely"})),
    ("per_hour", frozenset({"hour", "hourly"})),
    ("per_day", frozenset({"day", "daily"})),
    ("per_week", frozenset({"week", "weekly"})),
    ("per_month", frozenset({"month", "monthly"})),
    ("maximum_unlocks", frozenset({"unlock", "unlocks"})),
    ("lock_timeout", frozenset({"timeout", "minutes"})),
    ("automatic_lock", frozenset({"auto", "automatic", "autolock"})),
    ("enabled", frozenset({"on", "enabled", "enable", "active"})),
    ("username", frozenset({"username", "user", "name", "login", "sender", "account", "local", "localpart"})),
)
#: What the action of a call has to look like, and not, for an operation.
_ACTIONS = {
    LIST: re.compile(r"list|enumerate|all|show|index|get(?!.*count)"),
    SET_PASSWORD: re.compile(r"pass|pwd|secret"),
    SET_LIMITS: re.compile(r"limit|quota|rate"),
    SET_SETTINGS: re.compile(r"setting|option|preference"),
    LOCK: re.compile(r"^(?!un)(?!.*unlock).*(?:lock|freeze|suspend|disable)"),
    UNLOCK: re.compile(r"unlock|unfreeze|thaw|unsuspend|resume|enable"),
}
#: What an operation may be told, besides whom it is about.
_MORE: dict[str, tuple[str, ...]] = {
    SET_PASSWORD: ("password",),
    SET_LIMITS: ("enabled", *LIMIT_NAMES),
    SET_SETTINGS: LOCK_SETTINGS,
}
#: Controllers that are known to be about something else (https://github.com/SpamExperts/aps2-addon and others).
_OTHERS = frozenset(
    (
        "admin",
        "auth",
        "authticket",
        "domain",
        "domainadmincontact",
        "domainalias",
        "domaincontact",
        "domainslist",
        "domainuser",
        "emailusers",
        "log",
        "productslist",
        "reseller",
        "user",
        "version",
    )
)
#: Calls that other modules of this collection use.
_USED = frozenset(
    (
        "auth/getrole",
        "domain/add",
        "domain/edit",
        "domain/exists",
        "domain/getproducts",
        "domain/getroute",
        "domain/remove",
        "domain/setproducts",
        "domainadmincontact/get",
        "domainadmincontact/set",
        "domainslist/get",
        "version/get",
    )
)


def propose(methods: Methods) -> dict[str, Method]:
    """For each operation of which nothing is known, the call that most looks like it, by parameters and by name."""
    known = methods.known()
    used = {method.call for method in known.values()} | _USED
    free = {call: names for call, names in methods.links().items() if call not in used}
    found: dict[str, Method] = {}
    for operation in CALL_ALIASES:
        rated = [
            (rating, call, parameters)
            for call, names in sorted(free.items())
            for rating, parameters in [_rate(operation, call, names)]
            if rating is not None
        ]
        if operation not in known and rated:
            _rating, call, parameters = max(rated, key=lambda row: row[0] or 0)
            found[operation] = Method(operation, call, parameters, source=Source.PROPOSED)
    return found


def _rate(operation: str, call: str, names: Sequence[str]) -> tuple[Optional[int], dict[str, str]]:
    """How much a call looks like an operation, None for not at all, and how its parameters are named."""
    controller, _slash, action = call.partition("/")
    parameters = _meanings(operation, names)
    more = sum(name in _MORE.get(operation, ()) for name in parameters)
    by_name = bool(_ACTIONS[operation].search(action))
    is_address_complete = operation == LIST or all(name in parameters for name in ADDRESS)
    fits = by_name and (more > 0 or operation not in _MORE)
    fits = fits or (operation in (SET_LIMITS, SET_SETTINGS) and more > 0)
    if operation == LIST and any(_meaning(name) != "domain" for name in names):
        fits = False  # it shows one user, or something else
    if controller in _OTHERS or not is_address_complete or not fits:
        return None, {}
    return 10 * by_name + 2 * more - len(names) + len(parameters), parameters


def _meanings(operation: str, names: Sequence[str]) -> dict[str, str]:
    allowed = ("domain",) if operation == LIST else (*ADDRESS, *_MORE.get(operation, ()))
    found: dict[str, str] = {}
    for wire_name in names:
        name = _meaning(wire_name)
        if name in allowed:
            found.setdefault(name, wire_name)
    return found


def _meaning(wire_name: str) -> str:
    words = set(re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", wire_name).lower().replace("_", " ")))
    return known_name(wire_name) or next((name for name, hints in _MEANINGS if words & hints), "")


def not_understood(methods: Methods) -> list[dict[str, Any]]:
    """The calls on the help page that are in use nowhere in this collection, those about other things last."""
    used = {method.call for method in methods.known().values()} | _USED
    calls = [call for call in methods.links() if call not in used]
    calls.sort(key=lambda call: (call.partition("/")[0] in _OTHERS, call))
    return [{"call": call, "parameters": list(methods.links()[call])} for call in calls]


_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")
#: So many rows are looked at, as some may lack what others have.
_MOST_ROWS = 20


def field_names(result: object, method: Method) -> list[dict[str, str]]:
    """The names of the fields in a list's answer, each with what it is taken for; never a value."""
    rows = list(result.values()) if isinstance(result, Mapping) else result if isinstance(result, list) else []
    given = {wire.lower(): name for name, wire in method.fields.items()}
    names: dict[str, str] = {}
    for row in rows[:_MOST_ROWS]:
        for wire in row if isinstance(row, Mapping) else ():
            if _FIELD.match(str(wire)):
                names[str(wire)] = given.get(str(wire).lower()) or known_name(str(wire)) or ""
    return [{"field": wire, "meaning": meaning} for wire, meaning in sorted(names.items())]
