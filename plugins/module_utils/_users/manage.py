# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outgoing_user and outgoing_users do: options -> wanted -> current -> plan -> apply -> result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._api.client import ApiError, Client
from .._api.options import checked_concurrency, connection_from
from .._api.session import api_session, help_page
from .._module import TaskFailedError
from .._names import InputError, normalise_domain, unicode_domain
from .._passwords import PasswordFileError, check_password, read_or_generate, write_new
from .._smarthost.connection import Smarthost
from .._smarthost.login import Refusals
from .._smarthost.server import refusals_from, smarthost_from
from .apply import Applier
from .current import KEPT_FOR_PROOF, Current, is_without_list, prove_passwords, read_lists
from .duplicates import check_duplicates
from .known import check_domains, missing_users
from .methods import MethodError, Methods
from .plan import FAILED, ON_CREATE, ON_MISMATCH, PASSWORD_SET, UNCHANGED, Change, Planner, Rules
from .proof import note_invisible, prove_nothing, prove_written
from .report import failure, result, warnings
from .user import Wanted, parse_wanted


def check_options(params: Mapping[str, Any]) -> None:
    """Raise InputError for a number that cannot be. What needs no connection is checked before there is one."""
    checked_concurrency(params)
    for name in ("wait_timeout", "purge_limit"):
        if params.get(name, 0) < 0:
            raise InputError(f"{name} is {params[name]}; it must be 0 or more")
    for option in ("new_domains", "others_in"):
        _domains(params, option)
    smarthost_from(params)
    refusals_from(params)
    connection_from(params)


def _domains(params: Mapping[str, Any], option: str) -> frozenset[str]:
    try:
        return frozenset(map(normalise_domain, params.get(option) or ()))
    except InputError as problem:
        raise InputError(f"{option}: {problem}") from None


def parse_entries(entries: Sequence[Mapping[str, Any]], update_password: str, place: str) -> list[Wanted]:
    """Check all entries. Raises InputError that names everything that is wrong, each with its position."""
    wanted, problems = [], []
    for position, entry in enumerate(entries):
        try:
            wanted.append(parse_wanted(entry, position, update_password))
        except InputError as problem:
            problems.append(f"{place.format(position)}{problem}")
    problems += check_duplicates(wanted)
    if problems:
        raise InputError("; ".join(problems) + ". Nothing was changed.")
    return wanted


def with_passwords(wanted: Sequence[Wanted], place: str, *, write: bool) -> list[Wanted]:
    """Give each user that names a password file the password in it; a missing one is generated.

    Raises InputError that names every file that cannot be used.
    """
    complete, problems = [], []
    for entry in wanted:
        if not entry.password_file or not entry.present or entry.ignore:
            complete.append(entry)
            continue
        try:
            # With on_create nobody knows yet whether the user is new; see _write_passwords.
            password, new = read_or_generate(entry.password_file, write=write and entry.update_password != ON_CREATE)
            check_password(password, entry.login("domain"))
            complete.append(replace(entry, password=password, password_is_new=new))
        except (InputError, PasswordFileError) as problem:
            problems.append(f"{place.format(entry.position)}{problem}")
    if problems:
        raise InputError("; ".join(problems) + ". Nothing was changed at the API.")
    return complete


def rules_from(params: Mapping[str, Any], wanted: Sequence[Wanted]) -> Rules:
    """The options that apply to the whole plan."""
    domains: frozenset[str] = frozenset()
    if params.get("purge"):
        domains = _domains(params, "purge_domains")
        unnamed = sorted({entry.key.domain for entry in wanted} - domains)
        if unnamed:
            raise InputError(f"users of {', '.join(unnamed)} are wanted, but purge_domains does not name it; add it")
    return Rules(
        recreate_for_password=params["recreate_for_password"],
        allow_domain_user_removal=params["allow_domain_user_removal"],
        purge_domains=domains,
        purge_protect=tuple(params.get("purge_protect") or ()),
        purge_limit=params.get("purge_limit", 0),
        domain_login=params["domain_login"],
    )


def manage(
    module: AnsibleModule,
    entries: Sequence[Mapping[str, Any]],
    place: str,
    *,
    continue_on_error: bool,
    return_unchanged: bool,
) -> dict[str, Any]:
    """Bring the outgoing users to the wanted state, and give the result: changed, users, totals and, asked for, diff.

    place: how an entry is named in a message about it, with its position, such as `users[{}]: `.
    Raises TaskFailedError, without a result where nothing could be planned.
    """
    params = module.params
    try:
        check_options(params)
        wanted = parse_entries(entries, params["update_password"], place)
        rules = rules_from(params, wanted)
        wanted = with_passwords(wanted, place, write=not module.check_mode)
        refusals = refusals_from(params)
        server = smarthost_from(params)
        with api_session(module) as client:
            methods = Methods(params["api_methods"], params["use_discovered_methods"], help_page(client))
            far_end = FarEnd(client, methods, server, refusals)
            outcome = reconcile(module, far_end, wanted, rules, continue_on_error=continue_on_error)
    except (InputError, MethodError, ApiError) as problem:
        raise TaskFailedError(str(problem), problem.code, {}) from problem
    changes, unproven = outcome.changes, outcome.unproven
    for warning in warnings(wanted, changes, unproven and f"{server.host}: {unproven}"):
        module.warn(warning)
    text, code = failure(changes, stopped=refusals.spent(KEPT_FOR_PROOF))
    shown = result(changes, failed=bool(text), everything=return_unchanged, with_diff=module._diff)
    shown["refused_logins"] = refusals.used
    if params.get("others_in"):
        shown["others"] = others(outcome.current, wanted, _domains(params, "others_in"))
    if text:
        raise TaskFailedError(text, code, shown)
    return shown


@dataclass(frozen=True)
class FarEnd:
    """The vendor: its API, what that offers, its smarthost, and how many refused logins that one bears."""

    client: Client
    methods: Methods
    server: Smarthost
    refusals: Refusals


@dataclass(frozen=True)
class Outcome:
    """What was known before, what was done, and why not every password could be proven, or ""."""

    current: Current
    changes: list[Change]
    unproven: str


def reconcile(
    module: AnsibleModule, far_end: FarEnd, wanted: Sequence[Wanted], rules: Rules, *, continue_on_error: bool
) -> Outcome:
    """Learn the current state, plan, send, and see at the far end what has come of it."""
    params = module.params
    active = [entry for entry in wanted if not entry.ignore]
    connections = min(params["concurrency"] * 2, 8)
    current = _learn(module, far_end, active, rules, connections)
    changes = Planner(current, wanted, far_end.methods, rules).plan()
    hopeless = any(change.action == FAILED for change in changes) and not continue_on_error
    if hopeless:
        for change in changes:
            change.stop()
    sends = not module.check_mode and not hopeless
    invisible: list[Change] = []
    if sends:
        _write_passwords(active, changes)
        applier = Applier(far_end.client, far_end.methods, far_end.server, module.warn, far_end.refusals)
        applier.apply(changes, params["concurrency"], continue_on_error)
        invisible = applier.settle(changes, params["wait_timeout"], params["concurrency"])
    unproven = current.unreachable
    if current.is_mute:
        prove_nothing(changes, unproven)
    elif sends:
        patience, refusals = params["wait_timeout"], far_end.refusals
        reason = prove_written(changes, far_end.server, refusals=refusals, patience=patience, connections=connections)
        unproven = unproven or reason
    leaving = {entry.key for entry in active if not entry.present}
    missing = missing_users(current, [c.key for c in changes if c.key in leaving and c.action == UNCHANGED])
    for warning in filter(None, (note_invisible(invisible, params["wait_timeout"]), missing)):
        module.warn(warning)
    return Outcome(current, changes, unproven)


def others(current: Current, wanted: Sequence[Wanted], domains: frozenset[str]) -> list[dict[str, str]]:
    """Who is in the lists of these domains, and in no entry."""
    named = {entry.key for entry in wanted}
    return [
        {
            "domain": unicode_domain(key.domain),
            "username": key.username,
            "authentication_method": user.authentication,
        }
        for key, user in sorted(current.users.items())
        if key.domain in domains and key not in named
    ]


def _learn(module: AnsibleModule, far_end: FarEnd, active: Sequence[Wanted], rules: Rules, connections: int) -> Current:
    """What is known before anything is sent: from the list where there is one, and by logins."""
    domains = {entry.key.domain for entry in active} | rules.purge_domains | _domains(module.params, "others_in")
    current = _read(module, far_end, domains)
    current.new = _domains(module.params, "new_domains")
    check_domains(far_end.client, current, domains - current.new)
    prove_passwords(
        current,
        [entry for entry in active if entry.present and entry.update_password == ON_MISMATCH],
        far_end.server,
        domain_login=rules.domain_login,
        connections=connections,
        refusals=far_end.refusals,
    )
    return current


def _write_passwords(wanted: Sequence[Wanted], changes: Sequence[Change]) -> None:
    """Write the generated passwords of those who are made with on_create, before anything is sent."""
    used = {change.key for change in changes if change.password == PASSWORD_SET and change.action != FAILED}
    for entry in wanted:
        if entry.password_is_new and entry.password_file and entry.update_password == ON_CREATE and entry.key in used:
            try:
                _password, new = write_new(entry.password_file, entry.password or "")
            except PasswordFileError as problem:
                raise InputError(f"{problem}. Nothing was changed at the API.") from None
            if not new:
                raise InputError(
                    f"password_file {entry.password_file} was made by another run at this moment, and nothing was "
                    "changed at the API; run again."
                )


def _read(module: AnsibleModule, far_end: FarEnd, domains: Iterable[str]) -> Current:
    """The current state. A list that nobody has named, and that is of no use, is ignored."""
    try:
        return read_lists(far_end.client, far_end.methods, domains, module.params["concurrency"])
    except (ApiError, MethodError) as problem:
        if not is_without_list(far_end.methods, problem):
            raise
        module.warn(f"The list on this server's help page cannot be used, so there is none: {problem}")
        return Current()
