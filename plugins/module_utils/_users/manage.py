# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outgoing_user and outgoing_users do: options -> wanted -> current -> plan -> apply -> result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._api.client import ApiError, Client
from .._api.options import checked_concurrency, connection_from
from .._api.session import api_session, help_page
from .._names import InputError, normalise_domain
from .._passwords import PasswordFileError, check_password, read_or_generate, write_new
from .._smarthost.login import Refusals, Smarthost
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
    for domain in params["new_domains"]:
        normalise_domain(domain)
    smarthost_from(params)
    refusals_from(params)
    connection_from(params)


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
    if not params.get("purge"):
        domains: frozenset[str] = frozenset()
    elif params.get("purge_domains"):
        domains = frozenset(normalise_domain(domain) for domain in params["purge_domains"])
        strays = sorted({entry.key.domain for entry in wanted} - domains)
        if strays:
            raise InputError(f"users of {', '.join(strays)} are wanted, but purge_domains does not name it; add it")
    else:
        raise InputError("purge needs purge_domains, the domains in which users that are not wanted are removed")
    return Rules(
        recreate_for_password=params["recreate_for_password"],
        allow_domain_user_removal=params["allow_domain_user_removal"],
        purge_domains=domains,
        purge_protect=tuple(params.get("purge_protect") or ()),
        purge_limit=params.get("purge_limit", 0),
        domain_login=params["domain_login"],
    )


def manage(module: AnsibleModule, entries: Sequence[Mapping[str, Any]], place: str) -> tuple[dict[str, Any], str]:
    """Bring the outgoing users to the wanted state. Ends the module with a failure where nothing could be planned.

    place: how an entry is named in a message about it, with its position, such as `users[{}]: `.
    Returns the result (changed, users, totals and, where asked for, diff), and one sentence about what failed, or "".
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
            changes, unproven = reconcile(module, client, methods, server, wanted, rules, refusals)
    except (InputError, MethodError, ApiError) as problem:
        module.fail_json(msg=str(problem))
    for warning in warnings(wanted, changes, unproven and f"{server.host}: {unproven}"):
        module.warn(warning)
    said = failure(changes, stopped=refusals.spent(KEPT_FOR_PROOF))
    shown = result(changes, failed=bool(said), everything=params["return_unchanged"], with_diff=module._diff)
    return {**shown, "refused_logins": refusals.used}, said


def reconcile(
    module: AnsibleModule,
    client: Client,
    methods: Methods,
    server: Smarthost,
    wanted: Sequence[Wanted],
    rules: Rules,
    refusals: Refusals,
) -> tuple[list[Change], str]:
    """Learn the current state, plan, send, and see at the far end what has come of it.

    Returns the changes, and why not every password could be proven, or "".
    """
    params = module.params
    active = [entry for entry in wanted if not entry.ignore]
    domains = {entry.key.domain for entry in active} | rules.purge_domains
    current = _read(module, client, methods, domains)
    current.new = frozenset(normalise_domain(domain) for domain in params["new_domains"])
    check_domains(client, current, domains - current.new)
    connections = min(params["concurrency"] * 2, 8)
    prove_passwords(
        current,
        [entry for entry in active if entry.present and entry.update_password == ON_MISMATCH],
        server,
        domain_login=rules.domain_login,
        connections=connections,
        refusals=refusals,
    )
    changes = Planner(current, wanted, methods, rules).plan()
    unproven = current.unreachable
    hopeless = any(change.action == FAILED for change in changes) and not params["continue_on_error"]
    if hopeless:
        for change in changes:
            change.stop()
    invisible: list[Change] = []
    if not module.check_mode and not hopeless:
        _write_passwords(active, changes)
        applier = Applier(client, methods, server, module.warn, refusals)
        applier.apply(changes, params["concurrency"], params["continue_on_error"])
        invisible = applier.settle(changes, params["wait_timeout"], params["concurrency"])
    if current.is_mute:
        prove_nothing(changes, current.unreachable)
    elif not module.check_mode and not hopeless:
        patience = params["wait_timeout"]
        reason = prove_written(changes, server, refusals=refusals, patience=patience, connections=connections)
        unproven = unproven or reason
    leaving = {entry.key for entry in active if not entry.present}
    missing = missing_users(current, [c.key for c in changes if c.key in leaving and c.action == UNCHANGED])
    for warning in filter(None, (note_invisible(invisible, params["wait_timeout"]), missing)):
        module.warn(warning)
    return changes, unproven


def _write_passwords(wanted: Sequence[Wanted], changes: Sequence[Change]) -> None:
    """Write the generated passwords of those who are made with on_create, before anything is sent."""
    used = {change.key for change in changes if change.password == PASSWORD_SET and change.action != FAILED}
    for entry in wanted:
        if entry.password_is_new and entry.update_password == ON_CREATE and entry.key in used:
            try:
                _password, new = write_new(entry.password_file, entry.password or "")
            except PasswordFileError as problem:
                raise InputError(f"{problem}. Nothing was changed at the API.") from None
            if not new:
                raise InputError(
                    f"password_file {entry.password_file} was made by another run at this moment, and nothing was "
                    "changed at the API; run again."
                )


def _read(module: AnsibleModule, client: Client, methods: Methods, domains: Iterable[str]) -> Current:
    """The current state. A list that nobody has named, and that is of no use, is done without."""
    try:
        return read_lists(client, methods, domains, module.params["concurrency"])
    except (ApiError, MethodError) as problem:
        if not is_without_list(methods, problem):
            raise
        module.warn(f"The list on this server's help page cannot be used, so that there is none: {problem}")
        return Current()
