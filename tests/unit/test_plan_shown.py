# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan shows: its order, its results, its diff, the reasons it gives, and where it refuses."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import methods as _methods
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.current import Current, Proof
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.plan import Change, Planner, Rules, diff
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import (
    Key,
    OutgoingUser,
    State,
    Wanted,
    parse_wanted,
)

from tests.support import wire
from tests.support.wire import DOCUMENTED, PASSWORD

LISTING = wire.methods("list", "set_limits", "unlock")
FULL = wire.methods("list", "set_limits", "unlock", "set_password")
ALICE = Key("a.example", "alice")


def want(username: Optional[str] = "alice", when: str = "on_mismatch", **entry: Any) -> Wanted:
    return parse_wanted({"domain": "a.example", "username": username, "password": PASSWORD, **entry}, 0, when)


def listed(*names: str, state: Optional[State] = None, **proofs: Proof) -> Current:
    """A server that lists these users; no name stands for the domain user."""
    users = {
        Key("a.example", name): OutgoingUser(Key("a.example", name), "user" if name else "domain", dict(state or {}))
        for name in names
    }
    return Current(users, frozenset({"a.example"}), {Key("a.example", name): proof for name, proof in proofs.items()})


def plan(current: Current, *wanted: Wanted, methods: _methods.Methods = FULL, **rules: Any) -> list[Change]:
    return Planner(current, wanted, methods, Rules(**rules)).plan()


def operations(change: Change) -> list[str]:
    return [step.operation for step in change.steps]


# Order and results


def test_removals_come_first_and_the_rest_keeps_its_order() -> None:
    """An address that moves from one domain to another is free before it is given."""
    wanted = [want("zoe"), want("alice", state="absent"), want("bob")]
    assert [(change.key.username, change.action) for change in plan(listed("alice"), *wanted)] == [
        ("alice", "removed"),
        ("zoe", "created"),
        ("bob", "created"),
    ]


def test_a_result_names_what_there_is_to_say_and_nothing_else() -> None:
    (created,) = plan(listed(), want(limits={"per_hour": 5}))
    assert created.to_result() == {
        "domain": "a.example",
        "username": "alice",
        "authentication_method": "user",
        "action": "created",
        "login": "alice@a.example",
        "password": "set",
        "state": {"limits": {"per_hour": 5}},
    }
    (ignored,) = plan(listed(), want(ignore=True))
    assert ignored.to_result() == {
        "domain": "a.example",
        "username": "alice",
        "authentication_method": "user",
        "action": "ignored",
    }
    (sender,) = plan(listed(), want("192.0.2.1", authentication_method="ip", password=None))
    assert "login" not in sender.to_result(), "an IP user logs in nowhere"


@pytest.mark.parametrize("action", ["failed", "not_attempted"])
def test_what_was_planned_only_is_not_told_as_done(action: str) -> None:
    (change,) = plan(listed(), want(limits={"per_hour": 5}))
    change.action, change.reason = action, "why"
    assert change.to_result() == {
        "domain": "a.example",
        "username": "alice",
        "authentication_method": "user",
        "action": action,
        "login": "alice@a.example",
        "reason": "why",
    }


@pytest.mark.parametrize(("form", "login"), [("domain", "a.example"), ("at_domain", "@a.example")])
def test_how_a_domain_user_logs_in(form: str, login: str) -> None:
    (change,) = plan(listed(), want(None, authentication_method="domain"), domain_login=form)
    assert change.to_result()["login"] == login


def test_what_is_planned_is_not_attempted_when_another_user_is_impossible() -> None:
    created, failed, unchanged = plan(listed("bob"), want(), want("carol", password=None), want("bob", "on_create"))
    for change in (created, failed, unchanged):
        change.stop()
    assert (created.action, created.changed) == ("not_attempted", False)
    assert created.reason == "another user cannot be brought to the wanted state"
    assert (failed.action, unchanged.action) == ("failed", "unchanged")
    assert failed.reason == "carol@a.example does not exist, and creating it needs a password; give one"
    failed.steps = created.steps
    failed.stop()
    assert failed.action == "failed", "what is impossible stays so, whatever was planned for it"


def test_a_failure_has_changed_something_only_if_a_call_was_carried_out() -> None:
    (change,) = plan(listed(), want(password=None))
    assert (change.action, change.changed) == ("failed", False)
    change.written = True
    assert change.changed


# What is not known


def test_a_new_user_has_a_new_users_defaults_and_one_that_may_exist_has_not() -> None:
    (created,) = plan(listed(), want(locked=False))
    assert (created.unknown, operations(created)) == ([], ["add"])
    (uncertain,) = plan(Current(), want(locked=False))
    assert (uncertain.unknown, operations(uncertain)) == (["existence"], ["add", "unlock"])


def test_one_that_turns_out_to_exist_gets_its_password_before_it_is_unlocked() -> None:
    (change,) = plan(Current(), want(limits={"per_hour": 5}, locked=False))
    assert [step.operation for step in change.steps_if_exists] == ["set_password", "set_limits", "unlock"]


@pytest.mark.parametrize(
    ("entry", "advice"),
    [
        ({"password": None}, "; give its password, or name the list under api_methods"),
        ({"when": "on_create"}, "; use update_password: on_mismatch, or name the list under api_methods"),
    ],
)
def test_who_may_not_be_added_says_what_to_do(entry: dict[str, Any], advice: str) -> None:
    (change,) = plan(Current(), want(**entry))
    assert (change.action, change.unknown, change.steps, change.changed) == ("unknown", ["existence"], [], False)
    assert change.reason.endswith(advice)


def test_limits_of_a_user_that_may_exist_are_set_without_adding_it() -> None:
    (change,) = plan(Current(), want(when="on_create", limits={"per_hour": 5}))
    assert (change.action, operations(change), change.changed) == ("unknown", ["set_limits"], True)


def test_a_removal_knows_whether_the_user_exists_or_says_so() -> None:
    assert plan(listed(), want(state="absent"))[0].action == "unchanged"
    (known,) = plan(listed("alice"), want(state="absent"))
    (unknown,) = plan(Current(), want(state="absent"))
    assert [(change.action, change.unknown, operations(change)) for change in (known, unknown)] == [
        ("removed", [], ["remove"]),
        ("unknown", ["existence"], ["remove"]),
    ]


@pytest.mark.parametrize("why", ["", "smtp.example could not be reached"])
def test_a_password_that_is_not_known_says_why(why: str) -> None:
    current = listed("alice", alice=Proof.UNKNOWN)
    current.unreachable = why
    (change,) = plan(current, want(), methods=LISTING)
    assert (change.action, change.password, change.changed) == ("unknown", "unknown", False)
    assert "update_password: always" in change.reason, "the way on"
    assert f"({why or 'no login was tried'})" in change.reason


@pytest.mark.parametrize("methods", [FULL, LISTING])
def test_a_password_that_is_right_needs_no_reason(methods: _methods.Methods) -> None:
    (change,) = plan(listed("alice", alice=Proof.RIGHT), want(), methods=methods)
    assert (change.action, change.password, change.reason) == ("unchanged", "kept", "")


# Made anew for a password


def test_a_password_that_is_set_leaves_everything_else_alone() -> None:
    (change,) = plan(listed("alice", state={"limits.per_hour": 5}, alice=Proof.REFUSED), want())
    assert (change.action, operations(change)) == ("updated", ["set_password"])


def test_a_plan_cannot_change_its_own_rules() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Rules().purge_limit = 1000  # type: ignore[misc]  # that is the test


def test_a_user_is_removed_for_a_password_only_where_that_was_allowed() -> None:
    refused = listed("alice", alice=Proof.REFUSED)
    (change,) = plan(refused, want(), methods=LISTING)
    assert (change.action, change.steps) == ("failed", [])
    assert "recreate_for_password: true" in change.reason
    (change,) = plan(refused, want(), methods=LISTING, recreate_for_password=True)
    assert (change.action, operations(change)) == ("updated", ["remove", "add"])


def test_a_user_made_anew_keeps_what_can_be_set_and_shows_what_it_will_have() -> None:
    state: State = {"limits.per_hour": 5, "locked": False, "settings.footer": "none"}
    current = listed("alice", state=state, alice=Proof.REFUSED)
    (change,) = plan(current, want(), methods=LISTING, recreate_for_password=True)
    assert operations(change) == ["remove", "add", "set_limits"]
    assert change.before is not None
    assert change.after is not None
    assert change.before.state == state
    assert change.after.state == {"limits.per_hour": 5, "locked": False}, "there is no call for the footer"


def test_one_that_may_exist_is_made_anew_if_its_add_is_refused() -> None:
    (change,) = plan(
        Current(proofs={ALICE: Proof.REFUSED}),
        want(),
        methods=DOCUMENTED,
        recreate_for_password=True,
    )
    assert [step.operation for step in change.steps_if_other] == ["remove", "add"]
    assert (change.error_if_other, change.password) == (None, "set"), "either it is new, or it is made anew"
    (change,) = plan(Current(proofs={ALICE: Proof.UNKNOWN}), want(), methods=DOCUMENTED, recreate_for_password=True)
    assert change.steps_if_exists == []
    assert change.password == "unknown", "nothing shows that its password is another"


def test_a_domain_user_that_may_exist_is_not_removed_for_a_password() -> None:
    entry = want(None, authentication_method="domain")
    current = Current(proofs={entry.key: Proof.REFUSED})
    (change,) = plan(current, entry, methods=DOCUMENTED, recreate_for_password=True)
    assert change.error_if_other is not None
    assert change.error_if_other.code == "needs_consent"
    assert change.password == "unknown"
    (change,) = plan(current, entry, methods=DOCUMENTED, recreate_for_password=True, allow_domain_user_removal=True)
    assert change.error_if_other is None


# Removal of a domain user, and purge


@pytest.mark.parametrize(
    ("current", "others", "allowed", "action"),
    [
        (listed(""), [], False, "removed"),
        (listed("", "alice"), [], False, "failed"),
        (listed("", "alice"), [], True, "removed"),
        (listed(""), [want("bob")], False, "failed"),
        (listed(""), [want("bob", state="absent")], False, "removed"),
        (listed(""), [parse_wanted({"domain": "b.example", "username": "bob"}, 1, "on_create")], False, "removed"),
        (Current({Key("a.example", ""): OutgoingUser(Key("a.example", ""), "domain")}), [], False, "failed"),
        (Current(), [], False, "failed"),
    ],
)
def test_a_domain_user_is_removed_only_where_nobody_can_go_with_it(
    current: Current, others: list[Wanted], allowed: bool, action: str
) -> None:
    leaving = want(None, authentication_method="domain", password=None, state="absent")
    changes = plan(current, leaving, *others, allow_domain_user_removal=allowed)
    (change,) = [each for each in changes if each.key == leaving.key]
    assert change.action == action
    assert ("also removes its other outgoing users" in change.reason) is (action == "failed")
    assert (change.code == "needs_consent") is (action == "failed")


def test_a_purge_removes_as_many_as_its_limit_and_names_all_of_more() -> None:
    names = [f"user{number}" for number in range(6)]
    purge: dict[str, Any] = {"purge_domains": frozenset({"a.example"})}
    assert [change.action for change in plan(listed(*names[:5]), **purge)] == ["removed"] * 5
    with pytest.raises(_methods.MethodError) as problem:
        plan(listed(*names), **purge)
    assert problem.value.code == "needs_consent"
    assert str(problem.value) == (
        "Purging would remove 6 outgoing users, more than purge_limit: 5; nothing was changed. Check the list, then "
        f"raise purge_limit: {', '.join(f'{name}@a.example' for name in names)}."
    )
    assert len(plan(listed(*names), **purge, purge_limit=6)) == 6
    with pytest.raises(_methods.MethodError, match=r"remove 1 outgoing user, .*: user0@a\.example\.\Z"):
        plan(listed(*names[:1]), **purge, purge_limit=0)


def test_a_purge_needs_a_list() -> None:
    with pytest.raises(_methods.MethodError, match=r"^Purging was asked for\. This server offers no known API method"):
        plan(Current(), methods=DOCUMENTED, purge_domains=frozenset({"a.example"}))
    assert plan(listed("alice"), methods=LISTING) == [], "and happens only where it was asked for"


def test_a_purge_spares_other_domains_and_whom_the_list_names() -> None:
    other = Key("b.example", "bob")
    current = listed("alice", "carol")
    current.users[other] = OutgoingUser(other, "user")
    changes = plan(current, want("carol", "on_create"), purge_domains=frozenset({"a.example"}))
    assert [(change.key.username, change.action) for change in changes] == [
        ("alice", "removed"),
        ("carol", "unchanged"),
    ]


# The diff


def test_the_diff_shows_both_sides_of_each_change_and_no_password() -> None:
    state: State = {"limits.per_hour": 5}
    current = listed("bob", "carol", "dave", state=state, bob=Proof.REFUSED, dave=Proof.RIGHT)
    changes = plan(
        current,
        want("dave"),
        want("eve", password=None),
        want("alice", limits={"per_hour": 1}),
        want("bob", limits={"per_hour": 2}),
        want("carol", state="absent"),
    )
    shown = {
        name: {"domain": "a.example", "username": name, "authentication_method": "user"}
        for name in ["alice", "bob", "carol"]
    }
    assert diff(changes) == {
        "before": {
            "bob@a.example": {**shown["bob"], "limits": {"per_hour": 5}, "password": "(hidden), old"},
            "carol@a.example": {**shown["carol"], "limits": {"per_hour": 5}},
        },
        "after": {
            "alice@a.example": {**shown["alice"], "limits": {"per_hour": 1}, "password": "(hidden), new"},
            "bob@a.example": {**shown["bob"], "limits": {"per_hour": 2}, "password": "(hidden), new"},
        },
    }


@pytest.mark.parametrize(
    ("entry", "action", "now"),
    [({}, "updated", "unknown"), ({"limits": {"per_hour": 5}}, "updated", "updated"), ({}, "created", "created")],
)
def test_a_password_that_nobody_has_proven_is_not_known(entry: dict[str, Any], action: str, now: str) -> None:
    (change,) = plan(listed("alice", alice=Proof.REFUSED), want(**entry))
    assert (change.secret, change.login) == (PASSWORD, "alice@a.example")
    change.action = action
    change.is_unproven("it is down")
    assert (change.action, change.password, "it is down" in change.reason) == (now, "unknown", True)
    sides = diff([change])
    assert sides["after"]["alice@a.example"]["password"] == "unknown"
    (nothing,) = plan(listed("alice"), want(password=None, limits={"per_hour": 5}))
    assert nothing.secret is None
    assert "password" not in diff([nothing])["after"]["alice@a.example"]


@pytest.mark.parametrize(
    ("current", "is_new", "other"),
    [
        (listed("alice", alice=Proof.REFUSED), False, True),
        (listed("alice", alice=Proof.REFUSED), True, False),
        (listed("alice", alice=Proof.UNKNOWN), False, False),
        (Current(proofs={ALICE: Proof.REFUSED}), False, False),
    ],
)
def test_a_refused_login_shows_another_password_only_of_a_user_that_exists(
    current: Current, is_new: bool, other: bool
) -> None:
    """Nobody can know a password that was made in this run."""
    (change,) = plan(current, dataclasses.replace(want(), password_is_new=is_new))
    assert change.other_password is other


def test_of_a_removal_nothing_is_known_before_it_is_sent() -> None:
    (change,) = plan(listed("alice", alice=Proof.REFUSED), want(state="absent"))
    assert not any((change.refused, change.other_password, change.removed, change.added, change.written))


def test_the_diff_of_a_removal_that_may_remove_nobody() -> None:
    (change,) = plan(Current(), want(state="absent"))
    assert diff([change]) == {"before": {"alice@a.example": {"state": "unknown"}}, "after": {}}


def test_the_diff_says_what_is_not_known() -> None:
    (change,) = plan(Current(), want("alice"))
    assert diff([change]) == {
        "before": {"alice@a.example": {"state": "unknown"}},
        "after": {
            "alice@a.example": {
                "domain": "a.example",
                "username": "alice",
                "authentication_method": "user",
                "password": "(hidden), new",
            }
        },
    }
