# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What domain and domains do: options -> wanted -> current -> plan -> apply -> result."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._api.client import ApiError, Client, ErrorKind
from .._api.options import CONCURRENCY, checked_concurrency, connection_from
from .._api.parallel import first_alone
from .._api.session import HOPELESS, api_session, help_page
from .._names import InputError
from .._users.methods import MethodError, Methods
from .._users.plan import CREATED, FAILED, REMOVED, SKIPPED, UNCHANGED, UNKNOWN, UPDATED
from .apply import apply
from .current import NOT_OFFERED, PARTS, read_account, read_domain, read_users
from .domain import GET_PRODUCTS, PRODUCTS, Domain, parse_wanted_domain, plan
from .report import Change, failure, foreign, has_users, result, warnings

DOMAIN_OPTIONS: dict[str, Any] = {
    "domain": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "destinations": {"type": "list", "elements": "str"},
    **{product: {"type": "bool"} for product in PRODUCTS},
    "abuse_contact": {"type": "str"},
    "remove_outgoing_users": {"type": "bool", "default": False},
}
MANAGE_OPTIONS: dict[str, Any] = {"concurrency": CONCURRENCY}


def parse_entries(entries: Sequence[Mapping[str, Any]], place: str) -> list[Change]:
    """Check all entries. Raises InputError that names everything that is wrong, each with its position."""
    changes: list[Change] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for position, entry in enumerate(entries):
        try:
            wanted = parse_wanted_domain(entry)
        except InputError as problem:
            problems.append(f"{place.format(position)}{problem}")
            continue
        first = seen.setdefault(wanted.name, position)
        if first != position:
            problems.append(f"domains[{position}] and domains[{first}] are both {wanted}; keep one of them")
        changes.append(Change(wanted, entry["state"] == "present", entry["remove_outgoing_users"]))
    if problems:
        raise InputError("; ".join(problems) + ". Nothing was changed.")
    return changes


class NotManagedError(Exception):
    """The domains are not as they are wanted; one text. code: for programs. result: what was done after all."""

    def __init__(self, text: str, code: str, result: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.code = code
        self.result = result


def manage(
    module: AnsibleModule,
    entries: Sequence[Mapping[str, Any]],
    place: str,
    *,
    continue_on_error: bool,
    return_unchanged: bool,
) -> dict[str, Any]:
    """Bring the domains to the wanted state, and give the result: changed, domains, totals and, asked for, diff.

    place: how an entry is named in a message about it, with its position, such as `domains[{}]: `.
    Raises NotManagedError, without a result where nothing could be planned.
    """
    params = module.params
    try:
        checked_concurrency(params)
        connection_from(params)
        changes = parse_entries(entries, place)
        with api_session(module) as client:
            methods = Methods(params["api_methods"], params["use_discovered_methods"], help_page(client))
            account = reconcile(module, client, methods, changes, continue_on_error=continue_on_error)
    except (InputError, MethodError, ApiError) as problem:
        raise NotManagedError(str(problem), problem.code, {}) from problem
    for warning in warnings(changes, account):
        module.warn(warning)
    text, code = failure(changes)
    shown = result(changes, failed=bool(text), everything=return_unchanged, with_diff=module._diff)
    if text:
        raise NotManagedError(text, code, shown)
    return shown


def reconcile(
    module: AnsibleModule, client: Client, methods: Methods, changes: Sequence[Change], *, continue_on_error: bool
) -> Collection[str]:
    """Learn the current state, plan, and send. Returns the domains of the account, where they were read.

    Raises ApiError and MethodError for what concerns all domains, while nothing was sent.
    """
    check, concurrency = module.check_mode, module.params["concurrency"]
    account = read_account(client) if len(changes) > 1 else frozenset()  # for one domain, one question is less

    def learn(change: Change) -> None:
        try:
            _learn(client, change, account, check=check)
        except ApiError as problem:
            if problem.kind in HOPELESS:
                raise
            change.fail(problem, problem.code)

    first_alone(learn, changes, concurrency)
    if len(changes) == 1 and changes[0].is_absent:
        account = _account_for_names(client)
    leaving = [change for change in changes if change.action == REMOVED and (check or change.remove_users)]
    _learn_users(client, methods, leaving, concurrency)
    if check:
        for change in leaving:
            _predict_removal(change, methods)
    pending = [change for change in changes if change.action not in (UNCHANGED, FAILED)]
    if any(change.action == FAILED for change in changes) and not continue_on_error:
        for change in pending:
            change.action, change.reason = SKIPPED, "another domain cannot be brought to the wanted state"
    elif not check:
        apply(pending, client, methods, concurrency, continue_on_error=continue_on_error)
    return account


def _learn(client: Client, change: Change, account: Container[str], *, check: bool) -> None:
    """What the domain is like, as far as it has to be compared, and what is to be done.

    Of one that leaves everything is read, to show what goes. In check mode it is also asked whose domain it is that is
    to be added. Raises ApiError.
    """
    wanted = change.wanted if change.present else Domain(change.wanted.name)
    calls = {call for call in PARTS if not change.present or wanted.needs(call)}
    change.before = read_domain(client, wanted, calls, account)
    if not change.present:
        change.action = REMOVED if change.before else UNCHANGED
        return
    change.after = (change.before or wanted).merged(wanted)
    if change.before is None:
        change.action = CREATED
        if check:
            _ask_whose(client, change)
    else:
        change.action = UPDATED if plan(change.before, wanted) else UNCHANGED


def _account_for_names(client: Client) -> frozenset[str]:
    """The domains of the account, to say which one may have been meant; none where that cannot be read."""
    try:
        return read_account(client)
    except ApiError:
        return frozenset()


def _learn_users(client: Client, methods: Methods, leaving: Sequence[Change], concurrency: int) -> None:
    """Read the outgoing users of those that leave, all at once. Where that fails, none of them is touched.

    Raises ApiError where no other call can succeed either.
    """
    if not leaving:
        return
    try:
        users = read_users(client, methods, [change.wanted.name for change in leaving], concurrency)
    except (ApiError, MethodError) as problem:
        if getattr(problem, "kind", None) in HOPELESS:
            raise
        for change in leaving:
            change.fail(problem, problem.code)
        return
    for change in leaving:
        change.users = users.get(change.wanted.name)


def _ask_whose(client: Client, change: Change) -> None:
    """In check mode, what domain/add would answer, as far as a call that reads tells it. Raises ApiError.

    "You are not allowed to manage the domain" is said of somebody else's (https://github.com/SpamExperts/aps2-addon),
    "does not belong to the admin" also of one that is not there (https://github.com/SpamExperts/plesk-extension).
    """
    try:
        client.call(GET_PRODUCTS, [("domain", change.wanted.name)], write=False)
    except ApiError as error:
        if error.kind is ErrorKind.FOREIGN:
            change.fail(foreign(change.wanted), error.kind.value)
        elif error.kind is ErrorKind.NOT_YOURS:
            change.action = UNKNOWN
            change.reason = (
                "not in this account, and this server does not tell a domain that is missing, and would be added, from "
                "one of somebody else, which would be refused"
            )
        elif error.kind not in (ErrorKind.NOT_FOUND, *NOT_OFFERED):
            raise


def _predict_removal(change: Change, methods: Methods) -> None:
    if change.action == FAILED:
        return
    if change.users and not change.remove_users:
        change.fail(has_users(change, methods), ErrorKind.HAS_OUTGOING_USERS.value)
        return
    change.removed_users = [str(user.key) for user in change.users or ()]
    if change.users is None:
        change.action = UNKNOWN
        change.reason = "whether it has outgoing users, which keep a domain from being removed, is not known here"
