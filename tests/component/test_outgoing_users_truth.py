# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outgoing_users says is true at the far end, also where the server refuses, lags, or only says "done"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import OTHER, PASSWORD

DOMAIN = "example.com"
ADD, SET = "outgoingusers/add", "outgoingusers/setpassword"


def entries(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"domain": DOMAIN, "username": f"user{number}", "password": PASSWORD, **more} for number in range(count)]


def seed(server: Emulator, count: int, password: str = OTHER, **more: Any) -> None:
    server.seed(domains=[DOMAIN], users=[{**user, "password": password, **more} for user in entries(count)])


def run(server: Emulator, users: list[dict[str, Any]], *, check: bool = False, **options: Any) -> ModuleRun:
    arguments = {**server.connection, **server.smarthost_options, "wait_timeout": 0, "users": users, **options}
    done = run_module("outgoing_users", arguments, check=check)
    assert PASSWORD not in done.raw
    assert OTHER not in done.raw
    assert server.counters()["auths_refused"] <= 3
    return done


def working(server: Emulator, count: int, password: str = PASSWORD) -> int:
    """How many of the users log in with this password, as the far end says."""
    asked = [{"login": f"user{number}@{DOMAIN}", "password": password} for number in range(count)]
    server.reset_counters()
    proofs = [
        run_module("smtp_login_info", {**server.smarthost_options, "logins": [login], "fail_on_refusal": False})
        for login in asked
    ]
    server.reset_counters()
    return sum(proof.result["logins"][0]["accepted"] for proof in proofs)


@pytest.fixture(params=["full", "documented"])
def server(request: pytest.FixtureRequest) -> Emulator:
    """A server with a list and one without; neither has a call that sets passwords."""
    emulator: Emulator = request.getfixturevalue("emulator" if request.param == "full" else "documented_emulator")
    return emulator


# A user is removed for its new password, which the server then refuses


@pytest.mark.parametrize("when", ["on_mismatch", "always"])
def test_a_user_that_is_gone_is_said_to_be_gone(server: Emulator, when: str) -> None:
    seed(server, 1)
    server.faults({"match": ADD, "kind": "refuse_password", "password": PASSWORD, "skip": 0 if _lists(server) else 1})
    done = run(server, entries(1), update_password=when, recreate_for_password=True)
    assert done.failed
    assert done.changed
    assert server.users() == []
    assert done.message.startswith(
        "user0@example.com was removed to be added anew with its new password, and adding it"
    )
    assert "not strong enough" in done.message
    assert "It is gone, and cannot send" in done.message
    server.faults()
    again = run(server, entries(1), recreate_for_password=True)
    assert (again.failed, again.result["totals"]["created"]) == (False, 1)


def test_a_user_gets_its_former_password_again_where_that_is_known(server: Emulator) -> None:
    seed(server, 1)
    server.faults({"match": ADD, "kind": "refuse_password", "password": PASSWORD, "skip": 0 if _lists(server) else 1})
    done = run(server, entries(1, former_password=OTHER), recreate_for_password=True)
    assert done.failed
    assert "It has its former password again" in done.message
    assert working(server, 1, OTHER) == 1


def _lists(server: Emulator) -> bool:
    return bool(server.call("outgoingusers/list").get("result") is not None)


# Many passwords, and no call that sets one


def test_passwords_that_nobody_has_looked_at_are_unknown_and_a_failure(server: Emulator) -> None:
    seed(server, 9)
    done = run(server, entries(9), recreate_for_password=True)
    assert done.failed
    totals = done.result["totals"]
    assert (totals["updated"], totals["unknown"]) == (2, 7)
    assert working(server, 9) == 2
    unknown = [user for user in done.result["users"] if user["action"] == "unknown"]
    assert {user["password"] for user in unknown} == {"unknown"}
    assert all("update_password: always" in user["reason"] for user in unknown)
    assert "7 other users could not be tried" in done.message
    assert all(f"{user['username']}@example.com" in done.message for user in unknown)
    assert "Set update_password: always for them" in done.message
    sure = run(server, entries(9), recreate_for_password=True, update_password="always")
    assert not sure.failed, sure.message
    assert working(server, 9) == 9


def test_what_cannot_be_asked_is_unknown_and_no_failure(server: Emulator) -> None:
    seed(server, 9)
    server.faults({"match": "smtp:connect", "kind": "smtp_down"})
    done = run(server, entries(9), recreate_for_password=True)
    assert not done.failed, done.message
    assert done.result["totals"]["unknown"] == 9
    assert not done.changed


def test_new_users_and_a_right_password_are_no_failure(server: Emulator) -> None:
    """Logins are refused, but nobody has another password than the wanted one.

    Whether the right one of many is tried before too many of the new ones are refused is chance.
    """
    seed(server, 1, PASSWORD)
    done = run(server, entries(2))
    assert not done.failed, done.message
    assert done.result["totals"]["created"] == 1
    assert "Not every password" not in done.warnings
    done = run(server, entries(9))
    assert not done.failed, done.message
    assert done.result["totals"]["created"] == 7


# Logins that must be refused


def test_nobody_logs_in_for_a_domain_that_is_new(documented_emulator: Emulator, tmp_path: Path) -> None:
    server = documented_emulator
    server.seed(domains=[DOMAIN])
    for number in range(5):
        (tmp_path / f"user{number}").write_text(PASSWORD)
    users = [
        {"domain": DOMAIN, "username": f"user{number}", "password_file": str(tmp_path / f"user{number}")}
        for number in range(5)
    ]
    predicted = run(server, users, check=True, new_domains=["Example.COM"])
    done = run(server, users, new_domains=["Example.COM"])
    assert predicted.result["users"] == done.result["users"]
    assert done.result["totals"]["created"] == 5
    assert done.warnings == ""
    counters = server.counters()
    assert (counters["auths_refused"], counters["auths"]) == (0, 5)
    assert done.result["refused_logins"] == 0


def test_a_domain_that_was_said_to_be_new_and_has_users_is_believed_no_more(documented_emulator: Emulator) -> None:
    server = documented_emulator
    seed(server, 2)
    server.set_password(DOMAIN, "user0", PASSWORD)
    done = run(server, entries(2), new_domains=[DOMAIN], return_unchanged=True)
    assert done.failed
    assert [(user["action"], user.get("password")) for user in done.result["users"]] == [
        ("failed", None),
        ("unchanged", "kept"),
    ]
    assert done.message.startswith("1 of 2 outgoing users failed: user1@example.com exists with another password")


@pytest.mark.parametrize("new", [[], [DOMAIN]])
@pytest.mark.parametrize("smtp", ["works", "lags", "down"])
def test_a_lost_reply_makes_nobody_another_one(documented_emulator: Emulator, smtp: str, new: list[str]) -> None:
    server = documented_emulator
    server.seed(domains=[DOMAIN])
    lost: list[dict[str, Any]] = [{"match": ADD, "kind": "reset_after", "times": 1}]
    down: list[dict[str, Any]] = [{"match": "smtp:connect", "kind": "smtp_down"}]
    server.faults(*lost, *(down if smtp == "down" else ()), login_lag=60 if smtp == "lags" else 0)
    done = run(server, entries(1), new_domains=new)
    assert "exists with another password" not in done.raw
    assert done.changed
    if smtp == "works":
        assert done.result["users"][0]["action"] == "created"
    server.faults()
    assert working(server, 1) in (0, 1)  # a login that lags still does


@pytest.mark.parametrize("used", [0, 1, 2, 3, 4])
def test_the_refusals_of_earlier_tasks_count(server: Emulator, used: int) -> None:
    seed(server, 6)
    done = run(server, entries(6), refused_logins=used)
    assert done.result["refused_logins"] == max(2, used)
    assert server.counters()["auths_refused"] == max(0, 2 - used)


# The server says that it has done it


@pytest.mark.parametrize("when", ["on_mismatch", "always"])
def test_a_password_that_the_server_only_says_to_have_set_is_not_set(emulator: Emulator, when: str) -> None:
    seed(emulator, 5)
    emulator.faults({"match": SET, "kind": "lie"})
    done = run(emulator, entries(5), use_discovered_methods=True, update_password=when)
    assert done.failed
    assert {user["action"] for user in done.result["users"]} <= {"failed", "unknown"}
    assert "set" not in {user.get("password") for user in done.result["users"]}
    assert "says that the password of user0@example.com is set, but" in done.message
    assert working(emulator, 5) == 0


def test_where_no_login_is_possible_its_word_is_not_taken(emulator: Emulator) -> None:
    seed(emulator, 2)
    emulator.faults({"match": SET, "kind": "lie"}, {"match": "smtp:connect", "kind": "smtp_down"})
    done = run(emulator, entries(2), use_discovered_methods=True, update_password="always")
    assert not done.failed
    assert done.result["totals"]["unknown"] == 2
    assert {user["password"] for user in done.result["users"]} == {"unknown"}


def test_users_that_the_server_only_says_to_have_added_are_not_created(server: Emulator) -> None:
    server.seed(domains=[DOMAIN])
    server.faults({"match": ADD, "kind": "lie"})
    done = run(server, entries(8))
    assert done.failed
    assert {user["action"] for user in done.result["users"]} <= {"failed", "unknown"}
    assert done.result["totals"]["created"] == 0


@pytest.mark.parametrize(("when", "lag"), [("on_mismatch", 0.4), ("always", 1.2)])
def test_a_login_that_lags_is_waited_for(emulator: Emulator, when: str, lag: float) -> None:
    """Longer where no refusal has shown before that the passwords are other ones."""
    seed(emulator, 3)
    emulator.faults(login_lag=lag)
    done = run(emulator, entries(3), use_discovered_methods=True, wait_timeout=8, update_password=when)
    assert not done.failed, done.message
    assert {user["password"] for user in done.result["users"]} == {"set"}


def test_what_a_list_never_shows_is_unknown_unless_it_logs_in(emulator: Emulator) -> None:
    seed(emulator, 1, PASSWORD)
    emulator.faults(lag=60)
    users = [*entries(2), {**entries(1)[0], "limits": {"per_hour": 7}}][1:]
    done = run(emulator, users, use_discovered_methods=True, wait_timeout=1)
    assert {user["username"]: user["action"] for user in done.result["users"]} == {
        "user0": "unknown",
        "user1": "created",
    }
    assert "its list does not show it" in done.result["users"][0]["reason"]
    assert done.changed


# Many users, and a few that fail


def refused_ones(server: Emulator, count: int, wrong: int) -> list[dict[str, Any]]:
    """Users of whom the server refuses some, by their password."""
    server.seed(domains=[DOMAIN])
    bad = "Refused-Horse-44"
    server.faults({"match": ADD, "kind": "refuse_password", "password": bad})
    users = entries(count)
    return [{**user, "password": bad} if number < wrong else user for number, user in enumerate(users)]


def test_three_of_many_are_named_and_stand_first(emulator: Emulator) -> None:
    users = refused_ones(emulator, 120, 3)
    done = run(emulator, users[::-1])
    assert done.result["totals"]["failed"] == 3
    assert [user["action"] for user in done.result["users"][:4]] == ["failed"] * 3 + ["created"]
    assert len(done.result["users"]) == 20
    for name in ("user0", "user1", "user2"):
        assert f"{name}@example.com" in done.message
    assert done.message.startswith("3 of 120 outgoing users failed: user")
    assert done.message.count("not strong enough") == 1, "what they have in common is said once"
    assert len(done.raw) < 8000
    everything = run(emulator, users, return_unchanged=True)
    assert len(everything.result["users"]) == 120


def test_of_very_many_ten_are_named(emulator: Emulator) -> None:
    done = run(emulator, refused_ones(emulator, 30, 25))
    assert done.message.startswith("25 of 30 outgoing users failed: ")
    assert done.message.endswith("; and 15 more.")
    assert done.message.count("@example.com") == 10


def test_who_failed_is_not_unknown_as_well(documented_emulator: Emulator) -> None:
    done = run(documented_emulator, refused_ones(documented_emulator, 2, 1))
    (failed, created) = done.result["users"]
    assert (failed["action"], created["action"]) == ("failed", "created")
    assert "unknown" not in failed
    assert done.warnings == ""
