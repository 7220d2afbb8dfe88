# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: for any current and wanted state it reaches the wanted one, and a second plan is empty."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import duplicates, plan
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import methods as _methods
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.current import Current, Proof, attribute_name
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.steps import Step
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import (
    LIMIT_NAMES,
    Key,
    OutgoingUser,
    State,
    Wanted,
    parse_wanted,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.support import wire
from tests.support.wire import ADDRESS, CALLS, DOCUMENTED, FULL, PASSWORD

DEFAULTS: State = {"locked": False, "limits.enabled": True, **{f"limits.{n}": "inherit" for n in LIMIT_NAMES}}

KEYS = [
    Key(domain, name) for domain in ("a.example", "b.example") for name in ("alice", "bob", "info", "", "192.0.2.1")
]


def authentication_of(key: Key) -> str:
    return "domain" if not key.username else "ip" if key.username[0].isdigit() else "user"


class Server:
    """What a server makes of the steps of a plan."""

    def __init__(self, users: dict[Key, State]) -> None:
        self.users = {key: dict(state) for key, state in users.items()}

    def current(self) -> Current:
        users = {key: OutgoingUser(key, authentication_of(key), dict(state)) for key, state in self.users.items()}
        return Current(users, frozenset({"a.example", "b.example"}))

    def apply(self, changes: list[plan.Change]) -> None:
        for change in changes:
            for step in change.steps:
                self._step(change.key, step)

    def _step(self, key: Key, step: Step) -> None:
        if step.operation in ("add", "add_ip"):
            assert key not in self.users
            self.users[key] = dict(DEFAULTS)
        elif step.operation == "remove":
            del self.users[key]
        elif step.operation in ("lock", "unlock"):
            self.users[key]["locked"] = step.operation == "lock"
        elif step.operation != "set_password":
            for name, value in step.arguments.items():
                if name not in ADDRESS:
                    self.users[key][attribute_name(name)] = value


limits = st.fixed_dictionaries(
    {},
    optional={"enabled": st.booleans(), **{name: st.integers(0, 5) for name in ("per_minute", "per_hour", "per_day")}},
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "limits": limits,
        "locked": st.booleans(),
        "automatic_lock": st.booleans(),
        "lock_timeout": st.integers(1, 10),
        "settings": st.fixed_dictionaries({}, optional={"dkim_selector": st.sampled_from(["a", "b"])}),
    },
)
states = st.builds(
    lambda given: {
        **DEFAULTS,
        **parse_wanted({"domain": "a.example", "username": "x", **given}, 0, "on_create").user.state,
    },
    attributes,
)
currents = st.dictionaries(st.sampled_from(KEYS), states)
entries = st.dictionaries(
    st.sampled_from(KEYS), st.tuples(attributes, st.sampled_from(["present", "absent", "ignore"])), max_size=8
)


def wanted_from(chosen: dict[Key, tuple[dict[str, Any], str]]) -> list[Wanted]:
    result = []
    for position, (key, (given_attributes, kind)) in enumerate(chosen.items()):
        entry = {
            "domain": key.domain,
            "username": key.username,
            "authentication_method": authentication_of(key),
            **given_attributes,
        }
        if authentication_of(key) != "ip":
            entry["password"] = PASSWORD
        entry.update({"ignore": True} if kind == "ignore" else {"state": kind})
        result.append(parse_wanted(entry, position, "on_create"))
    return result


@given(currents, entries, st.booleans())
def test_a_plan_reaches_what_is_wanted_and_a_second_one_is_empty(
    current: dict[Key, State], chosen: dict[Key, tuple[dict[str, Any], str]], purge: bool
) -> None:
    domains = frozenset({"a.example"}) if purge else frozenset()
    rules = plan.Rules(allow_domain_user_removal=True, purge_domains=domains, purge_limit=100, purge_protect=("bob@*",))
    server = Server(current)
    wanted = wanted_from(chosen)
    changes = plan.Planner(server.current(), wanted, FULL, rules).plan()
    assert not [change for change in changes if change.action in ("failed", "unknown")]
    server.apply(changes)

    for entry in wanted:
        listed: Optional[State] = server.users.get(entry.key)
        if entry.ignore:
            assert listed == current.get(entry.key)
        elif entry.present:
            assert listed is not None
            assert entry.user.state.items() <= listed.items()
        else:
            assert listed is None
    named = {entry.key for entry in wanted}
    for key, state in current.items():
        if key not in named and (not purge or key.domain != "a.example" or key.username == "bob"):
            assert server.users[key] == state
    again = plan.Planner(server.current(), wanted, FULL, rules).plan()
    assert not [change for change in again if change.changed or change.steps]


@given(currents, entries)
def test_what_check_mode_shows_is_what_the_server_has_afterwards(
    current: dict[Key, State], chosen: dict[Key, tuple[dict[str, Any], str]]
) -> None:
    server = Server(current)
    rules = plan.Rules(allow_domain_user_removal=True)
    changes = plan.Planner(server.current(), wanted_from(chosen), FULL, rules).plan()
    server.apply(changes)
    for change in changes:
        if change.action in ("created", "updated") and change.after is not None:
            assert change.after.state.items() <= server.users[change.key].items()
        assert PASSWORD not in str(change.to_result())
        assert PASSWORD not in repr(change)
    assert PASSWORD not in str(plan.diff(changes))


def want(when: str = "on_mismatch", **entry: Any) -> Wanted:
    return parse_wanted({"domain": "a.example", "username": "alice", "password": PASSWORD, **entry}, 0, when)


def plan_one(current: Current, wanted: Wanted, methods: _methods.Methods, **rules: Any) -> plan.Change:
    return plan.Planner(current, [wanted], methods, plan.Rules(**rules)).plan()[0]


def known(proof: Optional[Proof] = None, state: Optional[State] = None, listed: bool = True) -> Current:
    key = Key("a.example", "alice")
    current = Current({key: OutgoingUser(key, "user", state or {})}, frozenset({"a.example"})) if listed else Current()
    if proof:
        current.proofs[key] = proof
    return current


@pytest.mark.parametrize(
    ("when", "proof", "methods", "expected"),
    [
        ("on_mismatch", Proof.RIGHT, FULL, ("unchanged", "kept", [])),
        ("on_mismatch", Proof.REFUSED, FULL, ("updated", "set", ["set_password"])),
        ("on_mismatch", Proof.UNKNOWN, FULL, ("updated", "set", ["set_password"])),
        ("on_mismatch", Proof.UNKNOWN, DOCUMENTED, ("unknown", "unknown", [])),
        ("on_mismatch", Proof.REFUSED, DOCUMENTED, ("failed", "", [])),
        ("on_create", Proof.REFUSED, FULL, ("unchanged", "kept", [])),
        ("always", Proof.RIGHT, FULL, ("updated", "set", ["set_password"])),
        ("always", Proof.RIGHT, DOCUMENTED, ("failed", "", [])),
    ],
)
def test_passwords_of_users_that_exist(
    when: str, proof: Proof, methods: _methods.Methods, expected: tuple[str, str, list[str]]
) -> None:
    change = plan_one(known(proof), want(when), methods)
    assert (change.action, change.password, [step.operation for step in change.steps]) == expected


def test_a_generated_password_needs_a_user_that_gets_it() -> None:
    generated = dataclasses.replace(want("on_create"), password_is_new=True, password_file="/x")
    assert plan_one(known(), generated, FULL).action == "failed"
    assert plan_one(Current({}, frozenset({"a.example"})), generated, FULL).action == "created"
    mismatch = dataclasses.replace(want("on_mismatch"), password_is_new=True)
    assert plan_one(known(Proof.REFUSED), mismatch, FULL).password == "set"


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        ({"locked": True}, "so there is nothing to lock"),
        ({"locked": False}, "needs a password"),
        ({}, "needs a password"),
    ],
)
def test_somebody_who_does_not_exist_and_has_no_password(wanted: dict[str, Any], what: str) -> None:
    change = plan_one(Current({}, frozenset({"a.example"})), want(password=None, **wanted), FULL)
    assert change.action == "failed"
    assert what in change.reason


def test_a_user_is_made_anew_with_what_it_had_and_what_is_wanted() -> None:
    methods = wire.methods(*set(CALLS) - {"set_password"})
    current = known(Proof.REFUSED, {"locked": True, "limits.per_hour": 5, "limits.per_day": 7, "settings.other": "x"})
    change = plan_one(current, want(limits={"per_day": 9}), methods, recreate_for_password=True)
    assert [step.operation for step in change.steps] == ["remove", "add", "lock", "set_limits"]
    assert change.steps[-1].arguments == {"domain": "a.example", "username": "alice", "per_hour": 5, "per_day": 9}


@pytest.mark.parametrize(
    ("when", "proof", "methods", "if_exists", "password", "error"),
    [
        ("on_mismatch", Proof.REFUSED, FULL, ["set_password"], "set", ""),
        ("on_mismatch", Proof.UNKNOWN, FULL, ["set_password"], "set", ""),
        ("on_mismatch", Proof.REFUSED, DOCUMENTED, [], "unknown", "alice@a.example exists with another password. "),
        ("on_mismatch", Proof.UNKNOWN, DOCUMENTED, [], "unknown", "alice@a.example exists with another password. "),
        ("always", Proof.UNKNOWN, DOCUMENTED, [], "unknown", "alice@a.example exists, and its password is to be set. "),
    ],
)
def test_users_that_may_exist_are_added(
    when: str, proof: Proof, methods: _methods.Methods, if_exists: list[str], password: str, error: str
) -> None:
    """Check mode does not say that a password is set where the run may fail."""
    change = plan_one(known(proof, listed=False), want(when), methods)
    assert change.action == "unknown"
    assert change.changed
    assert [step.operation for step in change.steps] == ["add"]
    assert [step.operation for step in change.steps_if_exists] == if_exists
    assert change.password == password
    assert str(change.error_if_other or "").startswith(error)
    assert bool(change.error_if_other) is bool(error)


def test_nobody_is_added_without_a_password() -> None:
    change = plan_one(known(), want(username="carol", password=None), FULL)
    assert (change.action, change.steps) == ("failed", [])
    assert "needs a password" in change.reason


def test_an_attribute_that_the_list_does_not_show_is_unknown_and_set() -> None:
    change = plan_one(known(Proof.RIGHT), want(limits={"per_hour": 1}), FULL)
    assert (change.action, change.unknown) == ("updated", ["limits.per_hour"])


def test_a_login_proves_existence_but_no_limits() -> None:
    change = plan_one(known(Proof.RIGHT, listed=False), want(limits={"per_hour": 1}), FULL)
    assert (change.action, change.unknown) == ("updated", ["limits.per_hour"])


def test_duplicates_are_named_with_both_positions() -> None:
    wanted = [
        parse_wanted({"domain": d, "username": u, "authentication_method": m}, i, "on_create")
        for i, (d, u, m) in enumerate(
            [
                ("a.example", "alice", "user"),
                ("A.example", "Alice@a.example", "user"),
                ("a.example", "192.0.2.1", "ip"),
                ("b.example", "192.0.2.1/32", "ip"),
            ]
        )
    ]
    problems = duplicates.check_duplicates(wanted)
    assert problems == [
        "users[1] and users[0] are both alice@a.example; keep one of them",
        "users[3] and users[2] give 192.0.2.1 to two domains; an address belongs to one domain only",
    ]
