# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module domains: many domains in one plan, and a server that fails for some of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains import apply

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module

Entry = dict[str, Any]
NAMES = [f"customer{number}.example" for number in range(5)]
PASSWORD = "Correct-Horse-42"
DESCRIBED: Entry = {"outgoing": True, "abuse_contact": "abuse@example.com"}


def run(emulator: Emulator, entries: list[Entry], *, check: Any = False, **options: Any) -> ModuleRun:
    arguments = {**emulator.connection, "domains": entries, **options}
    return run_module("domains", arguments, check=check, diff=True)


def described(*names: str) -> list[Entry]:
    return [{"domain": name, **DESCRIBED} for name in names or NAMES]


def actions(done: ModuleRun) -> dict[str, str]:
    return {entry["domain"]: entry["action"] for entry in done.result["domains"]}


def stored(emulator: Emulator) -> list[str]:
    return sorted(domain["name"] for domain in emulator.state()["domains"])


def writes(emulator: Emulator) -> int:
    return int(emulator.counters()["writes"])


@pytest.fixture(params=["full", "documented"])
def server(request: pytest.FixtureRequest) -> Emulator:
    """Both kinds of server: what a domain is about is documented in public."""
    found: Emulator = request.getfixturevalue({"full": "emulator", "documented": "documented_emulator"}[request.param])
    return found


def test_all_that_is_wanted_is_one_plan_and_a_second_run_changes_nothing(
    server: Emulator, request: pytest.FixtureRequest
) -> None:
    server.seed(
        domains=[
            {"name": "right.example", "outgoing": 1, "administrator_contact": "abuse@example.com"},
            {"name": "wrong.example", "outgoing": 0, "administrator_contact": "abuse@example.com"},
            "leaving.example",
        ]
    )
    entries = [
        *described("new.example", "right.example", "wrong.example"),
        {"domain": "leaving.example", "state": "absent", "remove_outgoing_users": True},
    ]
    predicted = run(server, entries, check=True)
    assert writes(server) == 0
    done = run(server, entries)
    expected = {"new.example": "created", "wrong.example": "updated", "leaving.example": "removed"}
    assert actions(done) == expected
    totals = {"created": 1, "updated": 1, "removed": 1, "unchanged": 1, "unknown": 0, "failed": 0, "not_attempted": 0}
    assert done.result["totals"] == totals
    assert done.changed
    assert done.result["diff"]["before"].keys() == {"wrong.example", "leaving.example"}
    assert done.result["diff"]["before"]["wrong.example"]["products"]["outgoing"] is False
    assert done.result["diff"]["after"]["wrong.example"]["products"]["outgoing"] is True
    assert done.result["diff"]["after"].keys() == {"wrong.example", "new.example"}
    if request.node.callspec.params["server"] == "documented":  # nobody lists the users that may keep a domain
        expected = {**expected, "leaving.example": "unknown"}
    assert actions(predicted) == expected
    assert predicted.result["diff"] == done.result["diff"]
    assert stored(server) == ["new.example", "right.example", "wrong.example"]
    server.reset_counters()
    for check in (True, False):
        again = run(server, entries, check=check)
        assert not again.changed
        assert again.result["domains"] == []
        assert again.result["totals"]["unchanged"] == 4
        assert again.result["diff"] == {"before": {}, "after": {}}
    assert writes(server) == 0


def test_unchanged_domains_are_returned_when_asked(server: Emulator) -> None:
    server.seed(domains=NAMES)
    done = run(server, [{"domain": name} for name in NAMES], return_unchanged=True)
    assert actions(done) == dict.fromkeys(NAMES, "unchanged")
    assert done.result["domains"][0] == {"domain": NAMES[0], "action": "unchanged", "exists": True}


def test_no_domains_are_no_request(server: Emulator) -> None:
    done = run(server, [])
    assert not done.changed
    assert sum(done.result["totals"].values()) == 0
    assert server.requests() == []


def test_those_that_leave_make_room_for_those_that_come(server: Emulator) -> None:
    server.seed(domains=NAMES)
    entries = [{"domain": "new.example"}, *({"domain": name, "state": "absent"} for name in NAMES)]
    assert run(server, entries, concurrency=8).changed
    calls = [request["path"].split("/")[3] for request in server.requests()]
    assert calls.index("add") > max(number for number, call in enumerate(calls) if call == "remove")


# Bad input


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_asked(server: Emulator) -> None:
    entries: list[Entry] = [
        {"domain": "müller.example"},
        {"domain": "a/b.example"},
        {"domain": "xn--mller-kva.example.", "state": "absent"},
        {"domain": "example.com", "destinations": ["https://mail.example.com"], "abuse_contact": "abuse"},
        {"domain": "MÜLLER.example"},
    ]
    done = run(server, entries)
    assert done.failed
    for part in (
        "domains[1]: domain: ",
        "domains[2] and domains[0] are both müller.example; keep one of them",
        "domains[3]: destinations[0]: ",
        "abuse_contact: 'abuse' is not an address",
        "domains[4] and domains[0] are both müller.example",
        ". Nothing was changed.",
    ):
        assert part in done.message
    assert server.requests() == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"domain": "example.org", "outgoing": "perhaps"}, "domains[1] (example.org)"),
        ({"domain": "example.org", "product": True}, "domains[1] (example.org)"),
        ({"outgoing": True}, "domains[1] (no domain)"),
        ("example.org", "dictionary requested"),
        (None, "domains"),
    ],
)
def test_an_option_that_does_not_fit_is_named_with_its_domain(server: Emulator, entry: Any, said: str) -> None:
    entries: list[Any] = [{"domain": "example.com"}, entry, {"domain": "example.net"}]
    done = run(server, entries)
    assert done.failed
    assert said in done.message
    assert server.requests() == []


@pytest.mark.parametrize("concurrency", [0, 17])
def test_a_concurrency_that_cannot_be_is_refused(server: Emulator, concurrency: int) -> None:
    assert "it must be from 1 to 16" in run(server, described(), concurrency=concurrency).message


# What a domain is called


@pytest.mark.parametrize("others", [[], ["other.example"]])
def test_a_misspelt_domain_that_should_go_is_said(server: Emulator, others: list[str], warnings: list[str]) -> None:
    """Alone, and among others; a slip must not look like a thing that is done."""
    server.seed(domains=["example.com", "müller.example", *others])
    gone = [{"domain": name, "state": "absent"} for name in ("exampel.com", *others)]
    done = run(server, gone)
    assert not done.failed
    assert stored(server) == ["example.com", "xn--mller-kva.example"]
    assert any("for exampel.com (did you mean example.com?); see whether the name is right" in w for w in warnings)


def test_a_domain_that_has_gone_stays_a_warning_where_the_account_cannot_be_read(
    server: Emulator, warnings: list[str]
) -> None:
    server.faults({"match": "domainslist/get", "kind": "html"})
    done = run(server, [{"domain": "example.com", "state": "absent"}])
    assert not done.failed
    assert not done.changed
    assert ["for example.com; see whether" in warning for warning in warnings] == [True]


def test_unicode_names_are_found_in_the_list(server: Emulator) -> None:
    server.seed(domains=["xn--mller-kva.example", "example.com"])
    text = json.dumps({"messages": [], "result": ["Müller.example", {"domain": "example.com"}]})
    server.faults({"match": "domainslist/get", "kind": "body", "text": text})
    done = run(server, [{"domain": "müller.example"}, {"domain": "example.com"}])
    assert not done.changed
    assert "domain/exists" not in server.counters()["requests"]


# What an account may see


def test_a_list_that_the_admin_may_not_see_is_done_without(server: Emulator) -> None:
    server.quirks(domains_list="refused")
    server.seed(domains=NAMES[:2])
    done = run(server, [{"domain": name} for name in NAMES])
    assert actions(done) == dict.fromkeys(NAMES[2:], "created")
    assert server.counters()["requests"]["domain/exists"] == len(NAMES)


@pytest.mark.parametrize(
    "answer", ["<html>busy</html>", '{"messages":[],"result":"x"}', '{"messages":[],"result":[3]}']
)
def test_a_list_that_is_none_is_done_without(server: Emulator, answer: str) -> None:
    server.seed(domains=NAMES)
    server.faults({"match": "domainslist/get", "kind": "body", "text": answer})
    assert not run(server, [{"domain": name} for name in NAMES]).changed
    assert writes(server) == 0


@pytest.mark.parametrize("fault", [{"kind": "status", "code": 503}, {"kind": "sqlstate"}, {"kind": "reset_before"}])
def test_a_server_that_is_down_is_asked_once(server: Emulator, fault: dict[str, Any]) -> None:
    server.faults({"match": "*", **fault})
    done = run(server, described(), retries=0)
    assert done.failed
    assert "domainslist/get" in done.message
    assert len(server.requests()) == 1


def test_a_domain_that_the_list_lacks_is_asked_for_by_name(server: Emulator) -> None:
    """As one of a sub-admin's may be missing there; it is not added again."""
    server.seed(domains=NAMES)
    server.faults({"match": "domainslist/get", "kind": "body", "text": '{"messages":[],"result":["other.example"]}'})
    assert not run(server, [{"domain": name} for name in NAMES]).changed
    assert writes(server) == 0


@pytest.mark.parametrize("missing", ["unknown", "not_yours"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_list_that_still_has_a_domain_that_has_gone_is_not_believed(
    server: Emulator, missing: str, state: str
) -> None:
    server.quirks(**({"missing_domain": missing} if missing == "not_yours" else {}))
    text = json.dumps({"messages": [], "result": NAMES})
    server.faults({"match": "domainslist/get", "kind": "body", "text": text})
    entries = [{**entry, "state": state} for entry in described()]
    done = run(server, entries)
    assert not done.failed, done.message
    assert done.changed is (state == "present")
    assert stored(server) == (NAMES if state == "present" else [])


def test_somebody_elses_domain_fails_alone(server: Emulator) -> None:
    server.seed(domains=[{"name": NAMES[1], "owner": "other@example.test"}])
    predicted = run(server, described(), check=True)
    assert writes(server) == 0
    done = run(server, described())
    for one in (predicted, done):
        assert one.failed
        assert (one.code, one.result["domains"][0]["code"]) == ("foreign", "foreign")
        assert one.message.startswith(f"1 of 5 domains failed: The domain {NAMES[1]} was to be added")
        assert next(iter(actions(one).items())) == (NAMES[1], "failed")
        assert one.result["totals"]["created"] == 4
    assert stored(server) == NAMES
    again = run(server, described())
    assert not again.changed
    assert again.result["totals"] == {**dict.fromkeys(again.result["totals"], 0), "unchanged": 4, "failed": 1}


# Faults for one of many


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "half_reply"])
@pytest.mark.parametrize("call", ["domain/add", "domain/setproducts", "domainadmincontact/set"])
def test_a_lost_reply_concerns_one_domain_and_is_settled(server: Emulator, call: str, kind: str) -> None:
    server.faults({"match": call, "kind": kind, "times": 1, "skip": 2})
    done = run(server, described(), retry_time=5)
    assert not done.failed, done.message
    assert actions(done) == dict.fromkeys(NAMES, "created")
    assert server.counters()["requests"][call] == 5 + (kind == "reset_before")
    assert not run(server, described()).changed


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "code": 503},
        {"kind": "sqlstate"},
        {"kind": "body", "text": "ERROR: You have no permission to call this method\n"},
        {"kind": "body", "text": '{"messages":[],"result":"x"}'},
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_read_that_fails_for_one_domain_fails_that_domain_only(
    server: Emulator, fault: dict[str, Any], check: bool
) -> None:
    server.seed(domains=[{"name": name, "outgoing": 0} for name in NAMES])
    server.faults({"match": "domain/getproducts", **fault, "times": 1, "skip": 2})
    done = run(server, described(), check=check, retries=0, concurrency=1)
    assert done.failed
    assert f"1 of 5 domains failed: {NAMES[2]}: domain/getproducts" in done.message
    assert actions(done) == {**dict.fromkeys(NAMES, "updated"), NAMES[2]: "failed"}
    assert done.result["domains"][0]["domain"] == NAMES[2]
    assert server.api_password not in done.raw
    assert run(server, described(), retries=0).result["totals"]["failed"] == 0


def test_a_write_that_is_refused_for_one_domain_fails_that_domain_only(server: Emulator) -> None:
    answer = {"kind": "body", "text": "ERROR: You have reached the allowed limit of domains\n"}
    server.faults({"match": "domain/add", **answer, "times": 1, "skip": 1})
    done = run(server, described(), concurrency=1)
    assert done.failed
    assert done.changed
    assert f"{NAMES[1]}: domain/add" in done.message
    assert "reached the allowed limit" in done.message
    assert stored(server) == [name for name in NAMES if name != NAMES[1]]
    assert done.code == "limit_reached"
    assert "code" not in done.result["domains"][1]


def test_domains_that_fail_for_different_reasons_say_each(server: Emulator) -> None:
    server.seed(domains=[{"name": NAMES[1], "owner": "other@example.test"}])
    server.faults({"match": "domain/add", "kind": "body", "text": "ERROR: Go away\n", "times": 1})
    done = run(server, described(), concurrency=1)
    assert done.code == "several_reasons"
    assert [entry.get("code") for entry in done.result["domains"]] == ["other", "foreign", None, None, None]


def test_without_going_on_nothing_is_written_when_a_part_of_the_plan_is_impossible(server: Emulator) -> None:
    server.seed(domains=[NAMES[0]])
    server.faults({"match": "domain/exists", "kind": "body", "text": "42", "times": 1, "skip": 1})
    done = run(server, described(), concurrency=1, continue_on_error=False, return_unchanged=True)
    assert done.failed
    assert not done.changed
    assert writes(server) == 0
    expected = dict.fromkeys(NAMES, "not_attempted")
    assert actions(done) == {**expected, NAMES[2]: "failed"}
    assert done.result["domains"][-1]["reason"] == "another domain cannot be brought to the wanted state"
    assert done.result["diff"] == {"before": {}, "after": {}}


def test_without_going_on_nothing_more_is_written_after_a_failure(server: Emulator) -> None:
    server.faults({"match": "domain/add", "kind": "api_not_allowed", "times": 1, "skip": 1})
    done = run(server, described(), concurrency=1, continue_on_error=False)
    assert actions(done) == {
        **dict.fromkeys(NAMES, "not_attempted"),
        NAMES[0]: "created",
        NAMES[1]: "failed",
    }
    assert done.changed
    assert stored(server) == [NAMES[0]]


@pytest.mark.parametrize("kind", ["bad_credentials", "inactive", "ip_not_allowed", "api_not_allowed"])
def test_when_the_account_is_shut_in_between_nobody_tries_on(server: Emulator, kind: str) -> None:
    server.faults({"match": "domain/setproducts", "kind": kind, "times": None, "skip": 1})
    done = run(server, described(), concurrency=1)
    assert done.result["totals"] == {
        **dict.fromkeys(done.result["totals"], 0),
        "failed": 1,
        "not_attempted": 3,
        "created": 1,
    }
    assert server.counters()["requests"]["domain/setproducts"] == 2
    assert "another domain failed before" in done.raw


def test_when_the_account_is_shut_while_reading_nothing_is_written(server: Emulator) -> None:
    server.faults({"match": "domain/exists", "kind": "bad_credentials", "times": None, "skip": 1})
    done = run(server, described(), concurrency=1)
    assert "check api_username and api_password" in done.message
    assert done.code == "credentials"
    assert "domains" not in done.result
    assert server.counters()["requests"] == {"domainslist/get": 1, "domain/exists": 2}


@pytest.mark.parametrize("quirk", ["accepted", "late"])
def test_what_was_accepted_and_is_not_shown_fails_that_domain(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, quirk: str
) -> None:
    monkeypatch.setattr(apply, "SETTLE_SECONDS", 0.3 if quirk == "accepted" else 5)
    server.seed(domains=[{"name": name, "outgoing": 0} for name in NAMES])
    lie = '{"messages": {}, "result": true}'
    old = '{"messages": [], "result": {"incoming": 1, "outgoing": 0, "archiving": 0}}'
    fault = {"accepted": ("domain/setproducts", lie, 1), "late": ("domain/getproducts", old, 5)}[quirk]
    server.faults({"match": fault[0], "kind": "body", "text": fault[1], "times": 1, "skip": fault[2]})
    done = run(server, [{"domain": name, "outgoing": True} for name in NAMES], concurrency=1)
    assert done.failed is (quirk == "accepted")
    assert done.result["totals"]["updated"] == 5 - done.failed
    assert done.changed


# Leaving


def test_users_keep_their_domain_and_the_others_go(emulator: Emulator) -> None:
    emulator.seed(domains=NAMES, users=[{"domain": NAMES[3], "username": "alice", "password": PASSWORD}])
    entries = [{"domain": name, "state": "absent"} for name in NAMES]
    predicted = run(emulator, entries, check=True)
    assert writes(emulator) == 0
    done = run(emulator, entries)
    for one in (predicted, done):
        assert one.code == "has_outgoing_users"
        assert f"1 of 5 domains failed: The domain {NAMES[3]} was to be removed" in one.message
        assert f"(alice@{NAMES[3]}); set remove_outgoing_users: true" in one.message
        assert one.result["totals"]["removed"] == 4
    assert stored(emulator) == [NAMES[3]]
    with_users = run(emulator, [{**entry, "remove_outgoing_users": True} for entry in entries])
    assert with_users.result["domains"] == [
        {"domain": NAMES[3], "action": "removed", "exists": False, "removed_outgoing_users": [f"alice@{NAMES[3]}"]}
    ]
    assert stored(emulator) == []


@pytest.mark.parametrize("check", [True, False])
def test_without_their_users_nobody_is_removed_and_the_others_are_done(emulator: Emulator, check: bool) -> None:
    emulator.seed(domains=NAMES[:2], users=[{"domain": NAMES[0], "username": "alice", "password": PASSWORD}])
    entries = [{"domain": name, "state": "absent", "remove_outgoing_users": True} for name in NAMES[:2]]
    emulator.faults({"match": "outgoingusers/list", "kind": "sqlstate", "times": None})
    done = run(emulator, [*entries, *described(NAMES[2])], check=check, retries=0)
    assert done.failed
    assert actions(done) == {NAMES[0]: "failed", NAMES[1]: "failed", NAMES[2]: "created"}
    assert set(NAMES[:2]) <= set(stored(emulator))
    assert len(emulator.users()) == 1


def test_in_check_mode_what_nobody_can_know_is_called_so_once(server: Emulator, warnings: list[str]) -> None:
    server.quirks(missing_domain="not_yours")
    predicted = run(server, described(), check=True)
    assert predicted.changed
    assert actions(predicted) == dict.fromkeys(NAMES, "unknown")
    assert "and this server does not tell a domain that is missing" in predicted.result["domains"][0]["reason"]
    assert [
        warning.startswith(f"Check mode cannot know what becomes of {', '.join(NAMES)}: ") for warning in warnings
    ] == [True]


# Many


def test_many_failures_are_a_short_result(server: Emulator) -> None:
    names = [f"customer{number:02}.example" for number in range(30)]
    server.seed(domains=[{"name": name, "owner": "other@example.test"} for name in names])
    done = run(server, [{"domain": "first.example"}, *({"domain": name} for name in names)])
    assert len(done.result["domains"]) == 20
    assert set(actions(done).values()) == {"failed"}
    assert done.result["totals"]["created"] == 1
    assert "30 of 31 domains failed" in done.message
    assert "and 20 more" in done.message
