# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Current state + desired state -> plan. The only place that decides what to do; it sends nothing."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from .._names import InputError, unicode_domain
from .current import Current, Proof
from .methods import LIST, REMOVE, SET_PASSWORD, MethodError, Methods
from .steps import PURPOSES, Step, add_step, attribute_steps, offered, password_step, removal_step, without_defaults
from .user import DOMAIN, IP, Key, OutgoingUser, Wanted, counted

CREATED = "created"
UPDATED = "updated"
REMOVED = "removed"
UNCHANGED = "unchanged"
UNKNOWN = "unknown"
IGNORED = "ignored"
FAILED = "failed"
SKIPPED = "not_attempted"
ACTIONS = (CREATED, UPDATED, REMOVED, UNCHANGED, UNKNOWN, IGNORED, FAILED, SKIPPED)

PASSWORD_PLACEHOLDER = "(hidden)"  # noqa: S105 - shown in diffs instead of one
PASSWORD_SET = "set"  # noqa: S105 - a word of the result
PASSWORD_KEPT = "kept"  # noqa: S105 - a word of the result
#: The code of what may do harm, unless an option allows it.
NEEDS_CONSENT = "needs_consent"
#: The code of a password that the smarthost does not take.
LOGIN_REFUSED = "login_refused"
ALWAYS = "always"
ON_CREATE = "on_create"
ON_MISMATCH = "on_mismatch"


@dataclass
class Change:
    """What happens to one outgoing user.

    steps are sent in order. Where the first one is an add that the server refuses because the user exists,
    steps_if_exists are sent instead of the rest; where it exists with another password and no call sets one,
    steps_if_other, unless error_if_other says why not. unknown names what could not be compared.
    """

    key: Key
    authentication: str
    action: str
    before: Optional[OutgoingUser] = None
    after: Optional[OutgoingUser] = None
    steps: list[Step] = field(default_factory=list)
    steps_if_exists: list[Step] = field(default_factory=list)
    steps_if_other: list[Step] = field(default_factory=list)
    error_if_other: Optional[MethodError] = None
    password: str = ""  # what becomes of it: "" (not given), set, kept or unknown
    unknown: list[str] = field(default_factory=list)
    reason: str = ""
    code: str = ""  # why it failed, in a word for programs
    login: str = ""
    wanted: Optional[Wanted] = field(default=None, repr=False)
    refused: bool = False  # whether the smarthost has refused the wanted password, or nobody can know it yet
    other_password: bool = False  # whether that has shown that the user has another password
    removed: bool = False  # whether a call has been sent that removes it, to be added anew or for good
    added: bool = False  # whether the server says that it has been added
    works: Optional[bool] = None  # whether the login works since a call was sent, where somebody has looked
    written: bool = False  # whether a call has been carried out, so a failure leaves a part of the work behind

    @property
    def changed(self) -> bool:
        """Whether this changes something, or may change something that nobody can know before."""
        if self.action == FAILED:
            return self.written
        return self.action in (CREATED, UPDATED, REMOVED) or (self.action == UNKNOWN and bool(self.steps))

    @property
    def secret(self) -> Optional[str]:
        """The wanted password."""
        return self.wanted.password if self.wanted else None

    def is_unproven(self, reason: str) -> None:
        """Note that a password was set, as the server says, and that no login has proven it.

        What was done besides that is still said; where the password was all of it, nothing is known to be done.
        """
        self.password, self.reason = UNKNOWN, f"no login has proven that its password is the wanted one: {reason}"
        if self.action == UPDATED and all(step.operation == SET_PASSWORD for step in self.steps):
            self.action = UNKNOWN

    def fail(self, reason: str, code: str) -> None:
        """Note why the user is not as it is wanted."""
        self.action, self.reason, self.code = FAILED, reason, code

    def stop(self) -> None:
        """Mark what was planned but is not sent, because another user's plan is impossible."""
        if self.steps and self.action != FAILED:
            self.action, self.reason = SKIPPED, "another user cannot be brought to the wanted state"

    def to_result(self) -> dict[str, Any]:
        """The change as results show it. No secret."""
        shown: dict[str, Any] = {
            "domain": unicode_domain(self.key.domain),
            "username": self.key.username,
            "authentication_method": self.authentication,
            "action": self.action,
        }
        if self.login:
            shown["login"] = self.login
        reached = self.action not in (FAILED, SKIPPED)  # otherwise password and after are only what was planned
        if self.password and reached:
            shown["password"] = self.password
        if self.unknown and reached:
            shown["unknown"] = self.unknown
        if self.reason:
            shown["reason"] = self.reason
        if self.code:
            shown["code"] = self.code
        if self.after is not None and self.after.state and reached:
            shown["state"] = {name: value for name, value in self.after.to_result().items() if name not in shown}
        return shown


@dataclass(frozen=True)
class Rules:
    """The options that apply to a whole plan."""

    recreate_for_password: bool = False
    allow_domain_user_removal: bool = False
    purge_domains: frozenset[str] = frozenset()
    purge_protect: tuple[str, ...] = ()
    purge_limit: int = 5
    domain_login: str = "domain"


class Planner:
    """Decides what is to be done for the wanted users, and for those that are to be purged."""

    def __init__(self, current: Current, wanted: Sequence[Wanted], methods: Methods, rules: Rules) -> None:
        self._current = current
        self._wanted = wanted
        self._methods = methods
        self._rules = rules

    def plan(self) -> list[Change]:
        """Decide for each wanted user, and for what is to be purged, in this order: removals, then the rest.

        Raises MethodError where a purge is not possible here.
        """
        changes = [self._one(entry) for entry in self._wanted]
        changes += self._purge()
        return sorted(changes, key=lambda change: change.action != REMOVED)

    def _one(self, entry: Wanted) -> Change:
        if entry.ignore:
            return Change(entry.key, entry.user.authentication, IGNORED)
        try:
            if not entry.present:
                return self._removal(entry.user)
            change = self._present(entry)
            change.login = "" if entry.user.authentication == IP else entry.login(self._rules.domain_login)
        except (MethodError, InputError) as problem:
            change = Change(entry.key, entry.user.authentication, FAILED, reason=str(problem), code=problem.code)
        change.wanted = entry
        change.refused = self._current.proofs.get(entry.key) is Proof.REFUSED
        change.other_password = change.refused and not entry.password_is_new and self._current.exists(entry.key) is True
        return change

    def _present(self, entry: Wanted) -> Change:
        exists = self._current.exists(entry.key)
        if exists:
            return self._existing(entry)
        add = add_step(entry, self._methods)
        if exists is False and add is None:
            only_locked = entry.user.state == {"locked": True}
            what = "so there is nothing to lock" if only_locked else "and creating it needs a password; give one"
            raise InputError(f"{entry.key.name} does not exist, {what}")
        overwriting_is_right = (
            entry.user.authentication == IP or entry.update_password != ON_CREATE or entry.is_for_a_new_user
        )
        if add is None or (exists is None and not overwriting_is_right):
            return self._unknowable(entry, add)
        change = Change(entry.key, entry.user.authentication, UNKNOWN if exists is None else CREATED, after=entry.user)
        change.unknown = ["existence"] if exists is None else []
        # A server that overwrites does not say so: only who is known to be new has a new user's defaults.
        state = entry.user.state if exists is None else without_defaults(entry.user.state)
        settle = attribute_steps(entry.user, state, self._methods)
        change.steps = [add, *settle]
        change.steps_if_exists = attribute_steps(entry.user, entry.user.state, self._methods)
        if entry.password is None:
            return change
        change.password = PASSWORD_SET
        if entry.update_password == ON_CREATE:
            return change  # whoever exists after all keeps the password
        if self._methods.find(SET_PASSWORD):
            change.steps_if_exists.insert(0, password_step(entry.user, entry.password, self._methods))
            return change
        if self._rules.recreate_for_password:
            try:
                self._check_domain_user(entry.user)
            except MethodError as problem:
                change.error_if_other = problem
            change.steps_if_other = [removal_step(entry.user, self._methods), add, *settle]
        else:
            change.error_if_other = self._no_password_call(entry)
        refused = self._current.proofs.get(entry.key) is Proof.REFUSED
        if exists is None and (change.error_if_other or not (refused or entry.update_password == ALWAYS)):
            change.password = UNKNOWN  # set only if it is new
        return change

    def _unknowable(self, entry: Wanted, add: Optional[Step]) -> Change:
        """Nobody knows whether the user exists, and no add may be sent, since it might overwrite a password."""
        change = Change(entry.key, entry.user.authentication, UNKNOWN, after=entry.user, unknown=["existence"])
        change.reason = (
            "this server does not list its users, so nobody knows whether this one exists; "
            + ("give its password" if add is None else "use update_password: on_mismatch")
            + ", or name the list under api_methods"
        )
        change.steps = attribute_steps(entry.user, entry.user.state, self._methods)
        return change

    def _existing(self, entry: Wanted) -> Change:
        before = self._current.user(entry.user)
        missing = {name: value for name, value in entry.user.state.items() if before.state.get(name) != value}
        after = OutgoingUser(entry.key, entry.user.authentication, {**before.state, **entry.user.state})
        change = Change(entry.key, entry.user.authentication, UNCHANGED, before=before, after=after)
        change.unknown = sorted(name for name in missing if name not in before.state)
        change.password, change.steps = self._password(entry, before)
        if any(step.operation == REMOVE for step in change.steps):  # the user is made anew, with what it had
            self._check_domain_user(entry.user)
            others = {name: value for name, value in before.state.items() if name not in entry.user.state}
            missing = {**offered(entry.user, others, self._methods), **entry.user.state}
            change.after = OutgoingUser(entry.key, entry.user.authentication, missing)
            missing = without_defaults(missing)
            before = entry.user
        change.steps += attribute_steps(before, missing, self._methods)
        if change.password == UNKNOWN:
            change.action, change.reason = UNKNOWN, password_unknown(self._current.unreachable)
        if change.steps:
            change.action = UPDATED
        return change

    def _password(self, entry: Wanted, before: OutgoingUser) -> tuple[str, list[Step]]:
        """What becomes of the password of a user that exists, and the steps for it."""
        if entry.password is None:
            return "", []
        proof = self._current.proofs.get(entry.key, Proof.UNKNOWN)
        if entry.password_is_new and entry.password_file and entry.update_password == ON_CREATE:
            raise InputError(
                f"{entry.key.name} exists, but password_file {entry.password_file} does not; with update_password: "
                "on_create the password stays, so put it into that file, or use on_mismatch, which sets a new one"
            )
        if entry.update_password == ON_CREATE or (entry.update_password == ON_MISMATCH and proof is Proof.RIGHT):
            return PASSWORD_KEPT, []
        if self._methods.find(SET_PASSWORD):
            return PASSWORD_SET, [password_step(before, entry.password, self._methods)]
        if entry.update_password == ON_MISMATCH and proof is Proof.UNKNOWN:
            return UNKNOWN, []
        if not self._rules.recreate_for_password:
            raise self._no_password_call(entry)
        steps = [removal_step(before, self._methods), add_step(entry, self._methods)]
        return PASSWORD_SET, [step for step in steps if step]

    def _no_password_call(self, entry: Wanted) -> MethodError:
        always = entry.update_password == ALWAYS
        return MethodError(
            f"{entry.key.title} exists{', and its password is to be set' if always else ' with another password'}. "
            f"{self._methods.missing(SET_PASSWORD, PURPOSES[SET_PASSWORD])} "
            "Or set recreate_for_password: true, which removes the user and adds it again: "
            "its lock, its limits and its settings are lost where they are not given here or not listed."
        )

    def _removal(self, user: OutgoingUser) -> Change:
        exists = self._current.exists(user.key)
        if exists is False:
            return Change(user.key, user.authentication, UNCHANGED)
        self._check_domain_user(user)
        change = Change(user.key, user.authentication, REMOVED if exists else UNKNOWN)
        change.before = self._current.users.get(user.key)
        change.steps = [removal_step(self._current.user(user), self._methods)]
        change.unknown = [] if exists else ["existence"]
        return change

    def _check_domain_user(self, user: OutgoingUser) -> None:
        """Raise MethodError where other users may go with this one, and must not."""
        if user.authentication != DOMAIN or self._rules.allow_domain_user_removal:
            return
        domain = user.key.domain
        others = {*self._current.users, *(entry.key for entry in self._wanted if entry.present)} - {user.key}
        if domain in self._current.listed and not any(key.domain == domain for key in others):
            return
        raise MethodError(
            f"Removing {user.key.name} was asked for. It is not known whether the vendor's call, which names only the "
            "domain, also removes its other outgoing users; try it on a domain without others, or set "
            "allow_domain_user_removal: true.",
            NEEDS_CONSENT,
        )

    def _purge(self) -> list[Change]:
        if not self._rules.purge_domains:
            return []
        if self._methods.find(LIST) is None:
            raise MethodError(f"Purging was asked for. {self._methods.missing(LIST, PURPOSES[LIST])}")
        named = {entry.key for entry in self._wanted}
        surplus = [
            user
            for key, user in sorted(self._current.users.items())
            if key.domain in self._rules.purge_domains
            and key not in named
            and not _protected(key, self._rules.purge_protect)
        ]
        if len(surplus) > self._rules.purge_limit:
            raise MethodError(
                f"Purging would remove {counted(len(surplus), 'outgoing user')}, more than purge_limit: "
                f"{self._rules.purge_limit}; nothing was changed. Check the list, then raise purge_limit: "
                f"{', '.join(str(user.key) for user in surplus)}.",
                NEEDS_CONSENT,
            )
        changes = []
        for user in surplus:
            try:
                changes.append(self._removal(user))
            except MethodError as problem:
                changes.append(Change(user.key, user.authentication, FAILED, reason=str(problem), code=problem.code))
        return changes


def password_unknown(why: str) -> str:
    """Why the password of a user that exists is not known, where no call sets one, and the way on."""
    return (
        f"it exists, and whether its password is the wanted one is not known ({why or 'no login was tried'}); "
        "this server offers no call to set it, but update_password: always with recreate_for_password: true sets it in "
        "any case"
    )


def _protected(key: Key, patterns: Iterable[str]) -> bool:
    names = (f"{key.username}@{key.domain}", f"{key.username}@{unicode_domain(key.domain)}", key.username or "@")
    return any(fnmatch.fnmatchcase(name, pattern.lower()) for name in names for pattern in patterns)


def diff(changes: Sequence[Change]) -> dict[str, Any]:
    """What has changed, or would change, before and after; passwords only as a placeholder."""
    sides: dict[str, Any] = {"before": {}, "after": {}}
    for change in changes:
        if not change.changed or change.action == FAILED:  # what a failure has left behind is not known
            continue
        name = str(change.key)
        if change.action != CREATED:
            known = change.before.to_result() if change.before else {"state": UNKNOWN}
            sides["before"][name] = known
        if change.action != REMOVED and change.after is not None:
            sides["after"][name] = change.after.to_result()
            if change.password == UNKNOWN:
                sides["after"][name]["password"] = UNKNOWN
            if change.password == PASSWORD_SET:
                sides["after"][name]["password"] = f"{PASSWORD_PLACEHOLDER}, new"
                if change.before:
                    sides["before"][name]["password"] = f"{PASSWORD_PLACEHOLDER}, old"
    return sides
