# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""outgoing_users against a server that lists its users, and against one that offers the public calls only."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import OTHER, PASSWORD

USERS: list[dict[str, Any]] = [
    {"domain": "example.com", "username": "alice", "password": PASSWORD},
    {"domain": "example.com", "authentication_method": "domain", "password": PASSWORD},
    {"domain": "example.com", "username": "192.0.2.0/28", "authentication_method": "ip", "acknowledge_ip_risk": True},
]
LIMITED: list[dict[str, Any]] = [
    {"domain": "example.com", "username": "info", "password": PASSWORD, "limits": {"enabled": False, "per_hour": 0}},
    {
        "domain": "example.com",
        "username": "bob",
        "password": PASSWORD,
        "locked": True,
        "automatic_lock": True,
        "lock_timeout": 5,
        "maximum_unlocks": 7,
        "settings": {"dkim_selector": "mail"},
    },
]
Run = Callable[..., ModuleRun]

SETTINGS_METHOD = {
    "call": "outgoingusers/setsettings",
    "parameters": {
        "domain": "domain",
        "username": "username",
        "automatic_lock": "automatic_lock",
        "lock_timeout": "lock_timeout",
        "maximum_unlocks": "maximum_unlocks",
        "dkim_selector": "dkim_selector",
    },
}
LIMITS_METHOD = {
    "call": "outgoingusers/setlimits",
    "parameters": {
        "domain": "domain",
        "username": "username",
        "enabled": "limits_enabled",
        "per_hour": "limit_per_hour",
        "per_day": "limit_per_day",
    },
    "values": {"inherit": "inherit"},
}


def runner(emulator: Emulator, **fixed: Any) -> Run:
    """Run outgoing_users against this server."""

    def run(users: list[dict[str, Any]], *, check: bool = False, diff: bool = False, **options: Any) -> ModuleRun:
        arguments = {**emulator.connection, **emulator.smarthost_options, "users": users, **fixed, **options}
        result = run_module("outgoing_users", arguments, check=check, diff=diff)
        assert PASSWORD not in result.raw
        assert OTHER not in result.raw
        return result

    return run


@pytest.fixture
def full(emulator: Emulator) -> Run:
    emulator.seed(domains=["example.com", "example.org"])
    return runner(emulator, use_discovered_methods=True, api_methods={"set_settings": SETTINGS_METHOD})


@pytest.fixture
def documented(documented_emulator: Emulator) -> Run:
    documented_emulator.seed(domains=["example.com", "example.org"])
    return runner(documented_emulator)


def actions(run: ModuleRun) -> dict[str, str]:
    return {f"{user['username']}@{user['domain']}": user["action"] for user in run.result["users"]}


def names(emulator: Emulator) -> set[str]:
    return {f"{user['username']}@{user['domain']}" for user in emulator.users()}


def user(emulator: Emulator, username: str) -> dict[str, Any]:
    return next(entry for entry in emulator.users() if entry["username"] == username)


def test_three_authentication_methods_are_created_and_a_second_run_changes_nothing(
    full: Run, emulator: Emulator
) -> None:
    first = full(USERS)
    assert not first.failed, first.message
    assert actions(first) == {
        "alice@example.com": "created",
        "@example.com": "created",
        "192.0.2.0/28@example.com": "created",
    }
    assert names(emulator) == set(actions(first))
    emulator.reset_counters()
    second = full(USERS)
    assert not second.changed
    assert second.result["users"] == []
    assert second.result["totals"]["unchanged"] == 3
    counters = emulator.counters()
    assert counters["writes"] == 0
    assert counters["auths"] == 2


def test_check_mode_predicts_and_writes_nothing(full: Run, emulator: Emulator) -> None:
    predicted = full(USERS + LIMITED, check=True, diff=True)
    assert predicted.changed
    assert emulator.counters()["writes"] == 0
    real = full(USERS + LIMITED, diff=True)
    assert predicted.result["users"] == real.result["users"]
    assert predicted.result["diff"] == real.result["diff"]
    assert real.result["diff"]["after"]["alice@example.com"]["password"] == "(hidden), new"


def test_limits_lock_and_settings(full: Run, emulator: Emulator) -> None:
    run = full(LIMITED)
    assert not run.failed, run.message
    assert (user(emulator, "info")["limits_enabled"], user(emulator, "info")["limit_per_hour"]) == (0, 0)
    bob = user(emulator, "bob")
    assert [bob[name] for name in ("locked", "automatic_lock", "lock_timeout", "maximum_unlocks", "dkim_selector")] == [
        1,
        1,
        5,
        7,
        "mail",
    ]
    emulator.reset_counters()
    assert not full(LIMITED).changed
    assert emulator.counters()["writes"] == 0
    unlocked = full([{**LIMITED[1], "locked": False, "limits": {"per_day": 9}}])
    assert actions(unlocked) == {"bob@example.com": "updated"}
    assert (user(emulator, "bob")["locked"], user(emulator, "bob")["limit_per_day"]) == (0, 9)


def test_a_limit_goes_back_to_being_inherited(full: Run, emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.com", "username": "info", "password": PASSWORD, "limit_per_hour": 10}])
    entry = {"domain": "example.com", "username": "info", "limits": {"inherit": ["per_hour"]}}
    refused = full([entry])
    assert refused.failed
    assert refused.code == "not_offered"
    assert emulator.counters()["writes"] == 0
    run = full([entry], api_methods={"set_limits": LIMITS_METHOD})
    assert actions(run) == {"info@example.com": "updated"}
    assert user(emulator, "info")["limit_per_hour"] == "inherit"
    assert not full([entry], api_methods={"set_limits": LIMITS_METHOD}).changed


def test_a_password_is_set_only_when_the_login_is_refused(full: Run, emulator: Emulator) -> None:
    full(USERS)
    emulator.set_password("example.com", "alice", OTHER)
    emulator.reset_counters()
    run = full(USERS)
    assert actions(run) == {"alice@example.com": "updated"}
    assert run.result["users"][0]["password"] == "set"
    assert emulator.counters()["writes"] == 1
    assert not full(USERS).changed


def test_on_create_keeps_and_always_sets(full: Run, emulator: Emulator) -> None:
    full(USERS)
    emulator.set_password("example.com", "alice", OTHER)
    emulator.reset_counters()
    kept = full(USERS, update_password="on_create")
    assert not kept.changed
    assert emulator.counters()["auths"] == 0
    assert full(USERS, update_password="always").result["totals"]["updated"] == 2


def test_a_password_that_cannot_be_proven_is_set_and_called_unknown(full: Run, emulator: Emulator) -> None:
    full(USERS)
    emulator.faults({"match": "smtp:connect", "kind": "smtp_down", "times": None})
    predicted, run = full(USERS, check=True), full(USERS)
    assert predicted.result["users"] == run.result["users"]
    assert run.result["totals"]["unknown"] == 2, "the server's word is no proof"
    assert run.changed
    assert emulator.counters()["requests"]["outgoingusers/setpassword"] == 2
    assert {user["password"] for user in run.result["users"]} == {"unknown"}
    assert "no login has proven" in run.result["users"][0]["reason"]
    assert "Not every password could be proven" in predicted.warnings
    assert "Not every password could be proven" in run.warnings


def test_absent_removes_and_a_second_run_changes_nothing(full: Run, emulator: Emulator) -> None:
    full(USERS)
    gone = [{**entry, "state": "absent"} for entry in USERS if entry.get("authentication_method") != "domain"]
    assert actions(full(gone)) == {"alice@example.com": "removed", "192.0.2.0/28@example.com": "removed"}
    assert names(emulator) == {"@example.com"}
    emulator.reset_counters()
    assert not full(gone).changed
    assert emulator.counters()["writes"] == 0


def test_a_domain_user_beside_others_is_removed_only_when_allowed(full: Run, emulator: Emulator) -> None:
    full(USERS)
    gone = [{"domain": "example.com", "authentication_method": "domain", "state": "absent"}]
    refused = full(gone)
    assert refused.failed
    assert refused.code == "needs_consent"
    assert full(gone, allow_domain_user_removal=True).changed
    assert names(emulator) == {"alice@example.com", "192.0.2.0/28@example.com"}


def test_an_address_moves_to_another_domain(full: Run, emulator: Emulator) -> None:
    full(USERS)
    moved = [{**USERS[2], "state": "absent"}, {**USERS[2], "domain": "example.org"}]
    run = full(moved)
    assert not run.failed, run.message
    assert "192.0.2.0/28@example.org" in names(emulator)


def test_an_address_that_another_domain_has_is_an_error(full: Run, emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.org", "username": "192.0.2.0/28", "authentication_method": "ip"}])
    run = full(USERS)
    assert run.failed
    assert run.result["totals"]["failed"] == 1
    assert "192.0.2.0/28 of example.com" in run.message


def test_purge_keeps_what_is_wanted_ignored_protected_and_out_of_scope(full: Run, emulator: Emulator) -> None:
    extra = [
        {"domain": domain, "username": name, "password": OTHER}
        for domain, name in [
            ("example.com", "old"),
            ("example.com", "backup-1"),
            ("example.com", "legacy"),
            ("example.org", "other"),
        ]
    ]
    emulator.seed(users=extra)
    wanted = [*USERS, {"domain": "example.com", "username": "legacy", "ignore": True}]
    run = full(wanted, purge=True, purge_domains=["example.com"], purge_protect=["backup-*@*"])
    assert not run.failed, run.message
    assert actions(run)["old@example.com"] == "removed"
    assert names(emulator) == {
        "alice@example.com",
        "@example.com",
        "192.0.2.0/28@example.com",
        "backup-1@example.com",
        "legacy@example.com",
        "other@example.org",
    }


def test_who_else_is_in_a_domain_is_read_with_the_same_list(full: Run, emulator: Emulator) -> None:
    """Also in a domain of which nobody is named; whoever is left out on purpose is no other."""
    more = [{"domain": domain, "username": name} for domain in ("example.com", "example.net") for name in ("a", "b")]
    emulator.seed(domains=["bücher.example"], users=[*more, {"domain": "bücher.example"}])
    emulator.reset_counters()
    users = [{"domain": "example.com", "username": "A"}, {"domain": "example.net", "username": "b", "ignore": True}]
    run = full(users=users, others_in=["Example.com", "example.net", "bücher.example"])
    assert not run.failed
    assert run.result["others"] == [
        {"domain": "example.com", "username": "b", "authentication_method": "user"},
        {"domain": "example.net", "username": "a", "authentication_method": "user"},
        {"domain": "bücher.example", "username": "", "authentication_method": "domain"},
    ]
    assert emulator.counters()["requests"]["outgoingusers/list"] == 3
    assert full(users=[], others_in=["example.net"]).result["others"] == [
        {"domain": "example.net", "username": name, "authentication_method": "user"} for name in ("a", "b")
    ]
    assert "others" not in full(users=users).result
    assert "others_in: 'x' is not a domain name" in full(users=[], others_in=["x"]).message


def test_purge_refuses_more_than_its_limit(full: Run, emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.com", "username": f"user{number}"} for number in range(6)])
    run = full(USERS, purge=True, purge_domains=["example.com"])
    assert run.failed
    assert "purge_limit: 5" in run.message
    assert emulator.counters()["writes"] == 0
    assert full(USERS, purge=True, purge_domains=["example.com"], purge_limit=6).result["totals"]["removed"] == 6


@pytest.mark.parametrize(
    ("options", "word"),
    [({"purge": True}, "purge_domains"), ({"purge": True, "purge_domains": ["example.org"]}, "example.com")],
)
def test_purge_needs_its_scope(full: Run, emulator: Emulator, options: dict[str, Any], word: str) -> None:
    run = full(USERS, **options)
    assert run.failed
    assert word in run.message
    assert emulator.counters()["writes"] == 0


def test_all_input_errors_are_reported_with_their_positions(full: Run, emulator: Emulator) -> None:
    bad = [*USERS, {"domain": "bad domain"}, USERS[0], {"domain": "example.com", "username": "a/b"}]
    run = full(bad)
    assert run.failed
    for word in ("users[3]: ", "users[4] and users[0] are both", "users[5]: "):
        assert word in run.message
    counters = emulator.counters()
    assert counters["writes"] + counters["reads"] == 0


def test_a_failure_is_named_and_the_rest_goes_on(full: Run, emulator: Emulator) -> None:
    emulator.faults({"match": "outgoingusers/addip", "kind": "body", "text": "ERROR: Nobody knows why\n", "times": 1})
    run = full(USERS)
    assert run.failed
    assert run.result["totals"] | {"created": 2, "failed": 1} == run.result["totals"]
    assert "192.0.2.0/28 of example.com" in run.message
    assert "Nobody knows why" in run.message
    assert actions(full(USERS)) == {"192.0.2.0/28@example.com": "created"}


def test_an_impossible_part_stops_the_plan_when_asked_for(full: Run, emulator: Emulator) -> None:
    impossible = {"domain": "example.com", "username": "newcomer"}
    run = full([*USERS, impossible], continue_on_error=False)
    assert run.failed
    assert run.result["totals"]["not_attempted"] == 3
    assert emulator.counters()["writes"] == 0
    assert full([*USERS, impossible]).result["totals"]["created"] == 3


def test_a_lost_reply_is_not_an_error_and_nothing_is_done_twice(full: Run, emulator: Emulator) -> None:
    for call in ("outgoingusers/add", "outgoingusers/addip", "outgoingusers/setlimits", "outgoingusers/lock"):
        emulator.reset()
        emulator.seed(domains=["example.com"])
        emulator.faults({"match": call, "kind": "reset_after", "times": 1})
        run = full([*USERS, *LIMITED])
        assert not run.failed, (call, run.message)
        assert run.result["totals"]["created"] == 5
        emulator.faults()
        assert not full([*USERS, *LIMITED]).changed


def test_a_write_that_did_not_arrive_is_sent_again(full: Run, emulator: Emulator) -> None:
    emulator.faults({"match": "outgoingusers/add", "kind": "reset_before", "times": 1})
    run = full(USERS)
    assert not run.failed, run.message
    assert run.result["totals"]["created"] == 3


def test_the_list_may_lag(full: Run, emulator: Emulator) -> None:
    emulator.faults(lag=0.6)
    run = full(USERS, wait_timeout=5)
    assert not run.failed
    assert not run.warnings
    emulator.faults(lag=5)
    late = full([{**USERS[0], "username": "late"}], wait_timeout=1)
    assert "not visible" in late.warnings


def test_a_generated_password_is_written_once_and_used(full: Run, emulator: Emulator, tmp_path: Any) -> None:
    file = tmp_path / "alice"
    entry = [{"domain": "example.com", "username": "alice", "password_file": str(file)}]
    assert full(entry, check=True).changed
    assert not file.exists()
    run = full(entry)
    password = file.read_text().strip()
    assert len(password) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert password not in run.raw
    assert not full(entry).changed
    emulator.reset_counters()
    full([{**entry[0], "password_file": str(tmp_path / "again")}])
    counters = emulator.counters()
    assert counters["auths_refused"] == 0, "nobody can know a password that was generated now"
    assert counters["auths"] == 1, "the proof that it is set"
    missing = full([{**entry[0], "password_file": "/nonexistent/alice"}])
    assert missing.code == "invalid_options"


# The world of the public calls


def test_without_a_list_users_are_created_and_a_second_run_has_no_effect(
    documented: Run, documented_emulator: Emulator
) -> None:
    first = documented(USERS)
    assert not first.failed, first.message
    assert actions(first) == {
        "alice@example.com": "created",
        "@example.com": "created",
        "192.0.2.0/28@example.com": "created",
    }
    documented_emulator.reset_counters()
    second = documented(USERS)
    assert not second.changed
    counters = documented_emulator.counters()
    assert counters["effective_writes"] == 0
    assert counters["requests"].get("outgoingusers/add", 0) == 0  # two logins have proven the users
    assert counters["requests"]["outgoingusers/addip"] == 1  # an address can only answer for itself


def test_without_a_list_check_mode_says_unknown_and_writes_nothing(
    documented: Run, documented_emulator: Emulator
) -> None:
    run = documented(USERS, check=True)
    assert set(actions(run).values()) == {"unknown"}
    assert documented_emulator.counters()["writes"] == 0
    assert "is known" in run.warnings
    documented(USERS)
    again = documented(USERS, check=True)
    assert actions(again) == {"192.0.2.0/28@example.com": "unknown"}


def test_after_two_refusals_nobody_is_asked_any_more_before_a_write(
    documented: Run, documented_emulator: Emulator
) -> None:
    many = [{"domain": "example.com", "username": f"user{number}", "password": PASSWORD} for number in range(12)]
    run = documented(many)
    assert run.result["totals"]["created"] == 12
    counters = documented_emulator.counters()
    assert counters["auths_refused"] == run.result["refused_logins"] == 2
    assert counters["auths"] == 2 + 12, "and each new login is proven"
    assert {user["password"] for user in run.result["users"]} == {"set"}
    assert run.warnings == "", "nothing is left unknown"


def test_without_a_call_for_it_another_password_is_an_error_that_says_what_to_do(
    documented: Run, documented_emulator: Emulator
) -> None:
    documented(USERS)
    documented_emulator.set_password("example.com", "alice", OTHER)
    run = documented(USERS)
    assert run.failed
    assert run.code == "not_offered"
    again = documented(USERS, recreate_for_password=True)
    assert not again.failed, again.message
    assert actions(again)["alice@example.com"] == "updated"
    assert not documented(USERS).changed


def test_limits_that_cannot_be_set_are_refused_before_anything_is_written(
    documented: Run, documented_emulator: Emulator
) -> None:
    run = documented(LIMITED, continue_on_error=False)
    assert run.failed
    assert run.code == "not_offered"
    assert documented_emulator.counters()["writes"] == 0


def test_without_a_list_absent_answers_for_itself(documented: Run) -> None:
    documented(USERS)
    gone = [{"domain": "example.com", "username": "alice", "state": "absent"}]
    assert actions(documented(gone, check=True)) == {"alice@example.com": "unknown"}
    assert actions(documented(gone)) == {"alice@example.com": "removed"}
    again = documented(gone, return_unchanged=True)
    assert not again.changed
    assert actions(again) == {"alice@example.com": "unchanged"}


def test_without_a_list_purge_is_refused(documented: Run, documented_emulator: Emulator) -> None:
    run = documented(USERS, purge=True, purge_domains=["example.com"])
    assert run.failed
    assert "to list outgoing users" in run.message
    assert documented_emulator.counters()["writes"] == 0


def test_on_create_writes_no_password_that_nobody_has(full: Run, emulator: Emulator, tmp_path: Any) -> None:
    full(USERS[:1])
    file = tmp_path / "alice"
    entry = [{"domain": "example.com", "username": "alice", "password_file": str(file)}]
    for check in (True, False):
        run = full(entry, update_password="on_create", check=check)
        assert f"exists, but password_file {file} does not; with update_password: on_create the password" in run.message
        assert not file.exists()
    new = [{**entry[0], "username": "new"}]
    assert full(new, update_password="on_create").changed
    emulator.reset_counters()
    assert not full(new).changed, "what is in the file works"
    assert (emulator.counters()["auths"], emulator.counters()["auths_refused"]) == (1, 0)
    missing = full([{**new[0], "username": "newer", "password_file": "/nonexistent/x"}], update_password="on_create")
    assert missing.code == "invalid_options"
    assert "Nothing was changed at the API" in missing.message


def test_on_create_without_a_list_is_unknown_since_an_add_may_overwrite(
    documented: Run, documented_emulator: Emulator
) -> None:
    run = documented(USERS[:1], update_password="on_create")
    assert actions(run) == {"alice@example.com": "unknown"}
    assert not run.changed
    assert "use update_password: on_mismatch" in run.result["users"][0]["reason"]
    assert documented_emulator.counters()["writes"] == 0


@pytest.mark.parametrize("call", ["outgoingusers/add", "outgoingusers/addip", "outgoingusers/remove"])
def test_without_a_list_a_lost_reply_is_settled(documented: Run, documented_emulator: Emulator, call: str) -> None:
    if call == "outgoingusers/remove":
        documented(USERS)
        wanted = [{"domain": "example.com", "username": "alice", "state": "absent"}]
    else:
        wanted = USERS
    documented_emulator.faults({"match": call, "kind": "reset_after", "times": 1})
    run = documented(wanted)
    assert not run.failed, run.message
    assert run.result["totals"]["failed"] == 0
    assert run.changed


def test_overwriting_servers_are_handled_too(documented: Run, documented_emulator: Emulator) -> None:
    documented_emulator.quirks(add_existing="overwrite")
    documented(USERS)
    documented_emulator.set_password("example.com", "alice", OTHER)
    assert not documented(USERS).failed
    assert not documented(USERS).changed
