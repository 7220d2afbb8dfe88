# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan in the order in which no mail is lost, whenever it is interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from . import chroot, daemons, delivery_filter, files, mail_log, maps, originals
from .changes import Plan
from .commands import Instance, PostfixError
from .maps import Table
from .originals import Originals, Remembered, Service
from .parameters import SENDERS_FILE, shown

# Differ with every start of postconf.
_OF_POSTCONF_ITSELF = ("process_id", "process_name")


@dataclass
class Outcome:
    """What was done beyond the plan: whether the daemons were running and were reloaded."""

    running: bool
    reloaded: bool = False


def apply(instance: Instance, plan: Plan) -> Outcome:
    """Carry out the plan; raise PostfixError, with main.cf and master.cf as before, when Postfix refuses it."""
    mail_log.explained(instance, Instance.check)
    outcome = Outcome(instance.is_running())
    originals.save(instance, _while_under_way(plan))
    if plan.chroot_files:
        chroot.fill(instance)
    with _undone_on_failure(instance, plan, outcome):
        if plan.write_filter:
            files.replace(instance.path(delivery_filter.FILE), delivery_filter.CONTENT.encode(), 0o644)
        # It names a transport, and where that is another one than before, it is not there yet.
        ways = [table for table in plan.tables if plan.dropped_services and table.path == instance.path(SENDERS_FILE)]
        carrying = [table for table in plan.tables if table not in ways and _install(instance, plan, table)]
        _configure(instance, plan, outcome, ways)
        # regexp is read once, when a daemon starts.
        unnoticed = plan.write_filter or plan.reopen_tables or plan.remembered_before.unfinished
        if unnoticed and not plan.changes_configuration:
            _take_over(instance, outcome, more_follows=False)
    for table in carrying:
        maps.install(instance, table, {})
    for path in plan.unused_files:
        files.remove(path)
    if plan.originals.is_empty:
        originals.forget(instance)
    else:
        originals.save(instance, plan.originals)
    return outcome


def _install(instance: Instance, plan: Plan, table: Table) -> bool:
    """Put a table in use; gives whether it still holds keys of before, as running daemons ask for them until a reload.

    These are the keys of the old next hop.
    """
    old = maps.parse(files.read(table.path)) if plan.changes_configuration else {}
    maps.install(instance, table, old)
    return not old.keys() <= table.entries.keys()


def _configure(instance: Instance, plan: Plan, outcome: Outcome, ways: Sequence[Table]) -> None:
    """Change main.cf and master.cf, and between them the tables of `ways`.

    First the rules that make the way safe, then the routes, each with a reload, so that no client that does not know
    the login ever gets mail for the smarthost. On the way back the routes go first.
    """
    for name, service in plan.services.items():
        _set_service(instance, name, service)
    _write(instance, plan.rules)
    if plan.rules or plan.services:
        _take_over(instance, outcome, more_follows=bool(plan.routes))
    for table in ways:
        maps.install(instance, table, {})
    _write(instance, plan.routes)
    if plan.routes:
        _take_over(instance, outcome, more_follows=bool(plan.dropped or plan.dropped_services))
    _write(instance, plan.dropped)
    for name in plan.dropped_services:
        with _changing(instance, "master.cf"):
            instance.unset_service(name)
    if plan.originals.is_empty:
        for name, digest in plan.unended.items():
            files.unend_last_line(instance.path(name), digest)
    if plan.dropped or plan.dropped_services:
        _take_over(instance, outcome, more_follows=False)


def _while_under_way(plan: Plan) -> Originals:
    """What to remember during the run: the old and the new, so that a kill at any point forgets neither."""
    old, new = plan.remembered_before, plan.originals
    parameters = {**old.parameters}
    for name, wanted in new.parameters.items():
        known = old.parameters.get(name)
        earlier = [known.ours, *known.earlier] if known else []
        parameters[name] = Remembered(wanted.original, wanted.ours, earlier)
    return Originals(
        parameters=parameters,
        services={**old.services, **new.services},
        files=sorted({*old.files, *new.files}),
        unended=plan.unended,
        digests={**new.digests, **old.digests},
        unfinished=True,
    )


def _write(instance: Instance, values: Mapping[str, Optional[str]]) -> None:
    """Set and unset parameters of main.cf.

    Raises PostfixError where Postfix then does not see these values, or sees others changed that do not follow them.
    """
    kept = {name: value for name, value in values.items() if value is not None}
    gone = [name for name, value in values.items() if value is None]
    if not values:
        return
    expected = instance.everything(values)
    with _changing(instance, "main.cf"):
        if kept:
            instance.set_parameters(kept)
        if gone:
            instance.unset_parameters(gone)
    found = instance.everything()
    wrong = [
        name for name, value in expected.items() if found.get(name, value) != value and name not in _OF_POSTCONF_ITSELF
    ]
    for name in values:
        if name in wrong:
            raise PostfixError(
                f"main.cf was written, and then {name} is '{shown(name, found[name])}' and not '{expected[name]}'; "
                "look at what main.cf holds there.",
                "command_failed",
            )
    if wrong:
        raise PostfixError(
            f"main.cf was written, and then others have changed too: {', '.join(wrong)}; look at them.",
            "command_failed",
        )


def _set_service(instance: Instance, name: str, service: Service) -> None:
    """Write one service to master.cf; raise PostfixError where Postfix then does not see it so."""
    with _changing(instance, "master.cf"):
        instance.set_service(name, service.definition)
    words = instance.services().get(name, [])[:8]
    if Service(words, instance.overrides(name)) != service:
        raise PostfixError(
            f"master.cf was written, and then the service {name} is not what was written; look at it.",
            "command_failed",
        )


@contextmanager
def _changing(instance: Instance, name: str) -> Iterator[None]:
    """Make a file fit for `postconf` to change; its owner and mode stay."""
    path = instance.path(name)
    files.end_last_line(path)
    with files.kept_mode(path):
        yield


def _take_over(instance: Instance, outcome: Outcome, *, more_follows: bool) -> None:
    """Let Postfix look at what was written, and the running daemons use it, before the next step begins.

    `postfix reload` reads what was written as `postfix check` does, before it tells the daemons. All else that the
    latter looks at, such as the queue, is not changed by us, and was looked at before.
    """
    if outcome.running:
        names = ("qmgr", "smtp") if more_follows else ("qmgr",)
        mail_log.explained(instance, lambda it: daemons.reload_and_wait(it, names))
        outcome.reloaded = True
    elif not more_follows:
        mail_log.explained(instance, Instance.check)


@contextmanager
def _undone_on_failure(instance: Instance, plan: Plan, outcome: Outcome) -> Iterator[None]:
    """Put everything back as it was when Postfix does not accept what was written."""
    names = [instance.path(name) for name in ("main.cf", "master.cf")]
    before = {name: Path(name).read_bytes() for name in names}
    try:
        yield
    except (PostfixError, OSError) as error:
        for name, content in before.items():
            if files.read(name) != content:
                files.rewrite(name, content)
        if outcome.reloaded:
            instance.reload()
        if plan.remembered_before.is_empty:
            for name in plan.originals.files:
                for path in maps.leftovers(instance.path(name), None):
                    files.remove(path)
            originals.forget(instance)
        if isinstance(error, OSError):
            error = PostfixError(f"{error.filename or 'A file'} cannot be written: {error.strerror}.", "file_error")
        raise PostfixError(f"{error} main.cf and master.cf are as they were before.", error.code) from None
