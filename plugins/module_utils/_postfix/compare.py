# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what is wanted with what is there, and with what we remember; write the difference into the plan.

Who wins: for state=present what is wanted, but a value that was changed by hand becomes the new original. For
state=absent the administrator: a value that is not ours any more is left alone. Both with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

from . import conflicts, delivery_filter, files, maps
from .changes import Plan
from .commands import Instance, PostfixError
from .originals import Remembered, Service
from .parameters import OUR_TRANSPORTS, PASSWORDS_FILE, ROUTES, SENDERS_FILE, SYSTEM_FILE, is_right, normal, shown
from .tables import split

NOT_SET = "(not set)"
_FILES = (delivery_filter.FILE, PASSWORDS_FILE, SENDERS_FILE, SYSTEM_FILE)
# A parameter that the value of another one names: $name, ${name} or $(name).
_NAMED = re.compile(r"\$[({]?(\w+)")


def administrators(instance: Instance, plan: Plan, name: str) -> str:
    """The part of a list of maps in main.cf that is the administrator's, without our map."""
    known = plan.remembered_before.parameters.get(name)
    current = instance.explicit().get(name, "")
    if known and normal(current) == normal(known.ours):
        return known.original or ""
    paths = "|".join(re.escape(instance.path(file)) for file in _FILES)
    # What is left keeps its spelling: a table that stands in main.cf itself may hold blanks and commas.
    return re.sub(rf"[\s,]*[^\s,]+:(?:{paths})(?![^\s,])", "", current).strip(" ,")


def plan_parameters(instance: Instance, plan: Plan, wanted: Mapping[str, str]) -> None:
    """Plan every parameter of main.cf that differs."""
    explicit, before = instance.explicit(), plan.remembered_before.parameters
    for name, known_before in before.items():
        if name not in wanted:
            _bring_back(instance, plan, name, known_before)
    wrong = _wrong_afterwards(instance, {**plan.routes, **plan.dropped}, wanted)
    for name, value in wanted.items():
        known, current = before.get(name), explicit.get(name)
        if name not in wrong:
            if known:
                # After a run that was killed an earlier value of ours may be the one that stands there.
                ours = next((old for old in known.earlier if _same(current or "", old)), known.ours)
                plan.originals.parameters[name] = Remembered(known.original, ours)
            continue
        original = known.original if known else current
        if known and _edited(known, current):
            original = current
            plan.warnings.append(
                f"{name} was changed by hand from '{known.ours}' to '{_shown(name, current)}'; it is set again, and "
                f"'{_shown(name, current)}' is what state=absent will bring back."
            )
        if name == "smtp_sasl_password_maps":
            conflicts.check_no_password_in_main(original or "")
        plan.originals.parameters[name] = Remembered(original, value)
        (plan.routes if name in ROUTES else plan.rules)[name] = value
        plan.before[name], plan.after[name] = _shown(name, current), value


def _wrong_afterwards(instance: Instance, gone: Mapping[str, Optional[str]], wanted: Mapping[str, str]) -> set[str]:
    """The parameters that would not have the wanted value at the end of this run if they were left as they are.

    A default that follows another parameter may be right now and wrong when that one is set, by us or by somebody.
    `gone` is what is brought back.
    """
    if not wanted:
        return set()
    explicit, defaults = instance.explicit(), instance.defaults()
    expected = {**wanted, **instance.effective(wanted, {**gone, **wanted})}
    wrong = {name for name in wanted if name not in explicit and "$" in defaults.get(name, "")}
    wrong |= {name for name in wanted if wanted.keys() & set(_NAMED.findall(explicit.get(name, "")))}
    now = instance.effective(wanted)
    wrong |= {name for name in wanted if name not in now or not is_right(name, expected[name], now[name])}
    while True:
        found = instance.effective(wanted, {**gone, **{name: wanted[name] for name in wrong}})
        more = {name for name in wanted if name not in found or not is_right(name, expected[name], found[name])} - wrong
        if not more:
            return wrong
        wrong |= more


def check_ways(instance: Instance, plan: Plan) -> None:
    """Refuse to take the logins away where a way that somebody has changed since still leads to the smarthost."""
    for name in ("relayhost", "default_transport"):
        known, current = plan.remembered_before.parameters.get(name), instance.explicit().get(name)
        if known is None or not _edited(known, current) or current is None:
            continue
        host = known.ours.partition("[")[2].partition("]")[0]
        if current.partition(":")[0] in OUR_TRANSPORTS or host in re.split(r"[\[\]:]+", current):
            raise PostfixError(
                f"{name} was changed by hand to '{current}', which still leads to the smarthost; without its login "
                "that mail would be lost. Set it to where mail should go now, or take it out, then run again."
            )


def plan_services(instance: Instance, plan: Plan, wanted: Mapping[str, Service]) -> None:
    """Plan every service of ours in master.cf that differs."""
    present = instance.services()
    before = plan.remembered_before.services
    for name in sorted({*wanted, *before}):
        current = Service(present[name][:8], instance.overrides(name)) if name in present else None
        # A run that was killed may have left another definition of ours.
        by_hand = (
            name in before and current is not None and current != before[name] and not plan.remembered_before.unfinished
        )
        if name in wanted:
            plan.originals.services[name] = wanted[name]
            if current == wanted[name]:
                continue
            if by_hand:
                plan.warnings.append(f"master.cf: the service {name} was changed by hand; it is set again.")
            plan.services[name] = wanted[name]
        elif current is None:
            continue
        elif by_hand:
            plan.warnings.append(f"master.cf: the service {name} was changed by hand; it stays.")
            continue
        else:
            plan.dropped_services.append(name)
        plan.before[name] = _service_shown(current) if current else NOT_SET
        plan.after[name] = wanted[name].definition if name in wanted else NOT_SET


def plan_files(instance: Instance, plan: Plan, tables: Mapping[str, maps.Table]) -> None:
    """Plan our maps and our filter, and find the files that nothing needs any more."""
    wanted = list(tables)
    if plan.kind is not None:
        wanted.append(delivery_filter.FILE)
        path = instance.path(delivery_filter.FILE)
        there = files.read(path)
        if there != delivery_filter.CONTENT.encode() or not files.is_private(path, 0o644):
            plan.write_filter = True
            plan.before[path] = NOT_SET if there is None else there.decode("utf-8", "replace")
            plan.after[path] = delivery_filter.CONTENT
    plan.originals.files = sorted(wanted)
    for name, table in tables.items():
        if not maps.is_right(instance, table):
            plan.tables.append(table)
            # texthash is read once; and a daemon that could not open a map does not try again.
            in_use = name in plan.remembered_before.files
            if in_use and (table.kind == "texthash" or not maps.can_be_opened(instance, table)):
                plan.reopen_tables = True
            plan.before[table.path], plan.after[table.path] = _described(table)
        plan.unused_files += maps.leftovers(table.path, table.kind)
    for name in plan.remembered_before.files:
        path = instance.path(name)
        if name in wanted:
            continue
        user = _user_of(instance, path, plan)
        if user:
            plan.warnings.append(f"{path} stays, because {user} still names it.")
        else:
            plan.unused_files += maps.leftovers(path, None)
    for path in plan.unused_files:
        plan.before[path], plan.after[path] = "(unused)", NOT_SET


def _bring_back(instance: Instance, plan: Plan, name: str, known: Remembered) -> None:
    """Plan the way back of one parameter, unless the administrator has changed it since."""
    current = instance.explicit().get(name)
    # Postfix does not show the parameters of our own transport when its service is gone.
    hidden = current is None and name.startswith(tuple(f"{transport}_" for transport in OUR_TRANSPORTS))
    if hidden or (not _edited(known, current) and not _same(current, known.original)):
        (plan.routes if name in ROUTES else plan.dropped)[name] = known.original
        plan.before[name], plan.after[name] = _shown(name, current), _shown(name, known.original)
    elif _edited(known, current):
        stays = current
        if name == "sender_dependent_default_transport_maps" and current is not None:
            # Our map names a transport that goes.
            stays = administrators(instance, plan, name) or None
            if stays != current:
                plan.routes[name] = stays
                plan.before[name], plan.after[name] = current, _shown(name, stays)
        plan.warnings.append(
            f"{name} was changed by hand from '{known.ours}' to '{_shown(name, current)}'; "
            f"'{_shown(name, stays)}' stays, and '{_shown(name, known.original)}', which was there before, is not "
            "brought back."
        )


def _same(one: Optional[str], other: Optional[str]) -> bool:
    """Whether two values, or their absence, are equal to Postfix."""
    if one is None or other is None:
        return one is other
    return normal(one) == normal(other)


def _edited(known: Remembered, current: Optional[str]) -> bool:
    """Whether somebody else has set the parameter since we did; a killed run may have left the original."""
    ours = [known.ours, *known.earlier]
    return not any(_same(current or "", value) for value in ours) and not _same(current, known.original)


def _shown(name: str, value: Optional[str]) -> str:
    return NOT_SET if value is None else shown(name, value)


def _service_shown(service: Service) -> str:
    """The entry of master.cf as diffs show it; somebody may have added a parameter to it."""
    return Service(service.words, {name: shown(name, value) for name, value in service.options.items()}).definition


def _described(table: maps.Table) -> tuple[dict[str, str], dict[str, str]]:
    """A map before and after, with the logins but without the passwords."""
    old = maps.parse(files.read(table.path))
    if table.mode == 0o644:
        return old, dict(table.entries)
    before = {key: _login(value) for key, value in old.items()}
    after = {
        key: f"{_login(value)}, new password" if key in old and old[key] != value else _login(value)
        for key, value in table.entries.items()
    }
    return before, after


def _login(value: str) -> str:
    name, colon, _rest = value.partition(":")
    return f"login {name}" if colon else "no login"


def _user_of(instance: Instance, path: str, plan: Plan) -> Optional[str]:
    """The parameter that still names a file of ours after this plan, because somebody else has set it."""
    gone = {*plan.routes, *plan.rules, *plan.dropped}
    uses = {name: value for name, value in instance.explicit().items() if name not in gone}
    for service in instance.services():
        if service not in plan.dropped_services and service not in plan.services:
            uses.update({f"{service} {name}": value for name, value in instance.overrides(service).items()})
    words = {name: split(value) for name, value in uses.items()}
    return next((name for name, parts in words.items() if any(part.endswith(f":{path}") for part in parts)), None)
