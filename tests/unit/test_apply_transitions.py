# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of apply, killed at every one of its transitions: before and after each call, each write that
the vendor is asked for, each write of the store, and each change of a mail server.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from tests.emulator.state import Domain
from tests.support import killed
from tests.support.apply_vendor import ADMINISTRATOR, Account, ApplyWorld

ALICE: dict[str, Any] = {"username": "alice", "limits": {"per_hour": 200}}
SERVER: dict[str, Any] = {"username": "server", "relay": True}
BOB: dict[str, Any] = {"username": "bob"}
FOREIGN = "a password from before"
DOCUMENTED = "documented"
Make = Callable[[Path], ApplyWorld]
#: In which states it has been seen that a further run does nothing.
QUIET: set[str] = set()


def described(*senders: dict[str, Any], domain: str = "example.com", **more: Any) -> dict[str, Any]:
    return {"domain": domain, "abuse_contact": f"postmaster@{domain}", **more, "senders": list(senders)}


def plain(folder: Path, *senders: dict[str, Any], methods: str = "full", **options: Any) -> ApplyWorld:
    """One domain and two mail servers."""
    accounts = {"default": Account(methods)}
    return ApplyWorld(folder, described(*senders or (ALICE, SERVER)), accounts=accounts, hosts=["h1", "h2"], **options)


def overwriting(folder: Path) -> ApplyWorld:
    world = plain(folder, methods=DOCUMENTED)
    world.accounts["default"].panel.quirks.add_existing = "overwrite"
    return world


def there_before(folder: Path, methods: str) -> ApplyWorld:
    world = plain(folder, methods=methods)
    world.add("alice@example.com", FOREIGN)
    return world


def two_accounts(folder: Path, methods: str) -> ApplyWorld:
    other = described(BOB, domain="example.org", account="second")
    accounts = {"default": Account(), "second": Account(methods)}
    return ApplyWorld(folder, described(ALICE, SERVER), other, accounts=accounts, hosts=["h1"])


def states(folder: Path) -> ApplyWorld:
    gone, locked = {"username": "gone", "state": "absent"}, {"username": "locked", "state": "locked"}
    world = plain(folder, SERVER, gone, locked)
    world.add("gone@example.com", FOREIGN)
    return world


def leavers(folder: Path, methods: str) -> ApplyWorld:
    """Somebody has left, and the mail servers have another login than before."""
    person = {"host": "laptop", "user": "bob"}
    world = ApplyWorld(
        folder,
        described(ALICE, {**BOB, "people": [person]}, SERVER),
        accounts={"default": Account(methods)},
        hosts=["h1", "h2"],
        clients=["laptop"],
    )
    world.apply()
    world.domains = [described(ALICE, {"username": "server2", "relay": True})]
    world.options["remove"] = True
    return world


def unlocked(folder: Path) -> ApplyWorld:
    """Somebody whom an earlier run has locked may send again."""
    world = states(folder)
    world.apply()
    world.domains = [described(SERVER, {"username": "locked"}, BOB)]
    return world


def purge(folder: Path) -> ApplyWorld:
    world = plain(folder)
    world.domains = [described(ALICE, SERVER, purge=True)]
    world.add("stranger@example.com", FOREIGN)
    return world


WORLDS: dict[str, Make] = {
    "list and calls": plain,
    "documented only": lambda folder: plain(folder, methods=DOCUMENTED),
    "a vendor that overwrites": overwriting,
    "somebody was there before": lambda folder: there_before(folder, "full"),
    "somebody was there before, documented only": lambda folder: there_before(folder, DOCUMENTED),
    "two accounts": lambda folder: two_accounts(folder, DOCUMENTED),
    "absent and locked": states,
    "locked no more": unlocked,
    "leavers": lambda folder: leavers(folder, "full"),
    "leavers, documented only": lambda folder: leavers(folder, DOCUMENTED),
    "purge": purge,
}


def check_arrived(world: ApplyWorld) -> None:
    """Everything is as it is declared, and what the store has is in force."""
    users, passwords = world.users(), world.passwords()
    for login, sender in world.declared().items():
        if sender.get("state") == "absent":
            assert login not in users
            assert login not in passwords
            continue
        user = users[login]
        assert user.values["locked"] == (sender.get("state") == "locked")
        if world.accounts["default"].methods == "full":
            assert user.values["limit_per_hour"] == sender.get("limits", {}).get("per_hour", "inherit")
        entry = world.stored().get(login)
        if user.password_hash in world.foreign:
            # A run that was killed may have set it, for all that the next one can know.
            assert entry is None or entry.get("made") == "other_in_force", (login, entry)
        else:
            assert world.accepts(login, passwords[login])
            assert "made" not in (entry or {}), entry
    assert set(passwords) <= set(world.declared())
    relays = [login for login, sender in world.declared().items() if sender.get("relay")]
    for host, pairs in world.hosts.items():
        assert [login for login, _password in pairs] == relays, host
    if world.options.get("remove") or any(one.get("purge") for one in world.domains):
        assert set(users) == set(world.declared("present", "locked"))
        assert not any(world.clients.values())


def check_finished(world: ApplyWorld) -> None:
    """One more run arrives, and a further one changes nothing, and asks nobody for anything."""
    report = world.apply()
    assert report["failures"] == []
    check_arrived(world)
    seen = repr((world.domains, world.options, world.state()))
    if seen not in QUIET:
        check_quiet(world)
        QUIET.add(seen)


def check_quiet(world: ApplyWorld) -> None:
    """A run with nothing to do leaves all as it is."""
    before = world.path.read_bytes(), world.state()
    report = world.apply()
    assert report["changed"] is False, report
    assert report["changes"] == report["failures"] == []
    assert world.writes == world.refusals == 0
    assert (world.path.read_bytes(), world.state()) == before


def kill_everywhere(make: Make, folder: Path) -> Iterator[ApplyWorld]:
    """Give the world for each state in which a run that is killed can leave it."""
    seen = set()
    begun = make(folder / "begun")
    for world in killed.kill_everywhere(begun.copy, lambda world, number: world.apply(number)):
        if world.state() not in seen:
            seen.add(world.state())
            yield world
    assert len(seen) > 3


def disturb_everywhere(make: Make, folder: Path, fault: str) -> Iterator[ApplyWorld]:
    """Give the world for each state in which a run leaves it, of whose calls one was disturbed."""
    seen = set()
    begun = make(folder / "begun")
    for number in range(killed.MOST):
        world = begun.copy(number)
        world.faults.replace([{"match": "*", "kind": fault, "skip": number, "times": 1}])
        world.apply()
        if world.faults.entries[0].times:
            break
        world.faults.replace([])
        if world.state() not in seen:
            seen.add(world.state())
            yield world
    assert number > 10


@pytest.mark.parametrize("make", WORLDS.values(), ids=WORLDS)
def test_killed_at_every_transition(tmp_path: Path, make: Make) -> None:
    for world in kill_everywhere(make, tmp_path):
        check_finished(world)


@pytest.mark.parametrize("name", WORLDS)
def test_not_killed(tmp_path: Path, name: str) -> None:
    world = WORLDS[name](tmp_path / "world")
    other = world.copy(1)
    predicted = other.apply(check=True)
    assert other.writes == 0
    assert other.state() == world.state()
    report = world.apply()
    assert report["failures"] == predicted["failures"] == []
    assert report["changed"]
    if all(account.methods == "full" for account in world.accounts.values()):
        assert [change.replace("would be ", "") for change in predicted["changes"]] == report["changes"]
    check_arrived(world)
    check_quiet(world)
    world.day = "2030-01-02"
    later = world.apply(prove="all")
    assert (later["changed"], later["changes"], world.writes) == (False, [], 0)


@pytest.mark.parametrize("name", ["list and calls", "documented only", "a vendor that overwrites", "leavers"])
def test_the_reply_to_every_call_is_lost(tmp_path: Path, name: str) -> None:
    for world in disturb_everywhere(WORLDS[name], tmp_path, "reset_after"):
        check_finished(world)


@pytest.mark.parametrize("name", ["list and calls", "documented only"])
def test_every_call_is_lost(tmp_path: Path, name: str) -> None:
    for world in disturb_everywhere(WORLDS[name], tmp_path, "reset_before"):
        check_finished(world)


@pytest.mark.parametrize("name", ["list and calls", "documented only", "leavers", "purge"])
def test_every_call_that_says_done_and_does_nothing(tmp_path: Path, name: str) -> None:
    for world in disturb_everywhere(WORLDS[name], tmp_path, "lie"):
        check_finished(world)


def test_a_lock_that_nobody_has_declared_stays(tmp_path: Path) -> None:
    """The filter, or somebody in the panel, had a reason."""
    world = plain(tmp_path)
    world.apply()
    world.users()["alice@example.com"].values["locked"] = True
    assert world.apply()["failures"] == []
    assert world.users()["alice@example.com"].values["locked"]


def lagging(folder: Path, methods: str) -> ApplyWorld:
    """The smarthost knows of each password a minute later."""
    world = plain(folder, methods=methods)
    state = world.accounts["default"].panel.state
    state.add_domain(Domain("example.com", ADMINISTRATOR))  # so nobody is known to be new
    state.login_lag = 60
    return world


@pytest.mark.parametrize("methods", ["full", DOCUMENTED])
def test_a_smarthost_that_lags_costs_no_password(tmp_path: Path, methods: str) -> None:
    """Also where the reply to the add is lost, so that nobody can know whose password is in force."""

    def make(folder: Path) -> ApplyWorld:
        return lagging(folder, methods)

    lost = disturb_everywhere(make, tmp_path / "lost", "reset_after")
    for world in itertools.chain(lost, kill_everywhere(make, tmp_path / "killed")):
        world.accounts["default"].panel.state.login_lag = 0
        check_finished(world)


@pytest.mark.parametrize("methods", ["full", DOCUMENTED])
def test_passwords_that_nobody_can_try_are_not_called_proven(tmp_path: Path, methods: str) -> None:
    world = plain(tmp_path / "world", methods=methods)
    world.answers = False
    report = world.apply()
    assert "Not proven: 2 of 2 passwords." in report["summary"]
    assert [entry.get("proven") for entry in world.stored().values()] == [None, None]
    assert not any(world.hosts.values()), "no mail server uses what nobody has tried"
    assert [line.partition(":")[0] for line in report["failures"]] == ["mail server h1", "mail server h2"]
    world.answers = True
    check_finished(world)


def test_an_account_that_cannot_be_reached_leaves_the_other_one(tmp_path: Path) -> None:
    def make(folder: Path) -> ApplyWorld:
        world = two_accounts(folder, "full")
        world.accounts["second"].away = True
        return world

    report = make(tmp_path / "whole").apply()
    assert report["status"] == "failed"
    (failure,) = report["failures"]
    assert failure.startswith("account second with 1 domain was not looked at: /api/help/ at https://second.test")
    assert "alice@example.com: created" in report["changes"]
    assert "mail server h1: changed, sends as server@example.com" in report["changes"]
    for world in kill_everywhere(make, tmp_path):
        assert world.apply()["status"] == "failed"
        world.accounts["second"].away = False
        check_finished(world)


def test_a_mail_server_whose_login_nobody_could_add_sends_as_before(tmp_path: Path) -> None:
    world = ApplyWorld(tmp_path / "world", described(SERVER), hosts=["h1"])
    world.accounts["default"].away = True
    report = world.apply()
    assert world.hosts == {"h1": []}
    assert report["status"] == "failed"
    world.accounts["default"].away = False
    check_finished(world)


def test_the_first_mail_server_that_cannot_leaves_the_others(tmp_path: Path) -> None:
    world = plain(tmp_path / "world")
    world.broken = {"h1"}
    report = world.apply()
    assert world.hosts == {"h1": [], "h2": []}
    assert [line.partition(":")[0] for line in report["failures"]] == ["mail server h1", "mail server h2"]
    world.broken = set()
    check_finished(world)


# Who was there before


@pytest.mark.parametrize("methods", ["full", DOCUMENTED])
def test_a_password_that_was_never_in_force_is_dropped(tmp_path: Path, methods: str) -> None:
    world = there_before(tmp_path / "world", methods)
    report = world.apply()
    assert list(world.passwords()) == ["server@example.com"]
    assert report["to_do"][-1].startswith("alice@example.com: there already with a password that the store does not")
    assert world.accepts("alice@example.com", FOREIGN)
    assert world.apply()["to_do"] == report["to_do"], "it is said until somebody does something"


@pytest.mark.parametrize("methods", ["full", DOCUMENTED])
def test_the_right_password_in_the_store_ends_it(tmp_path: Path, methods: str) -> None:
    world = there_before(tmp_path / "world", methods)
    world.apply()
    known = json.loads(world.path.read_text())
    known["credentials"]["alice@example.com"] = {"login": "alice@example.com", "current": FOREIGN}
    world.path.write_text(json.dumps(known))
    report = world.apply()
    assert "there already" not in " ".join(report["to_do"])
    assert world.stored()["alice@example.com"]["proven"] == world.day
    assert world.accepts("alice@example.com", FOREIGN)
    check_quiet(world)


def test_a_new_password_is_set_where_the_description_says_so(tmp_path: Path) -> None:
    world = there_before(tmp_path / "world", "full")
    world.apply()
    world.domains = [described({**ALICE, "update_password": "always"}, SERVER)]
    world.apply()
    assert world.accepts("alice@example.com", world.passwords()["alice@example.com"])
    world.domains = [described(ALICE, SERVER)]
    world.apply()
    check_arrived(world)
    check_quiet(world)


def test_who_is_removed_by_hand_is_made_anew(tmp_path: Path) -> None:
    for number, world in enumerate((plain(tmp_path / "a"), there_before(tmp_path / "b", "full"))):
        world.apply()
        state = world.accounts["default"].panel.state
        state.remove_user(world.users()["alice@example.com"])
        for _again in range(number + 1):  # nobody knew that password, so a first run only says so
            world.apply()
        assert world.accepts("alice@example.com", world.passwords()["alice@example.com"])
        check_quiet(world)


# Who leaves


def test_who_leaves_stays_while_a_mail_server_may_send_as_it(tmp_path: Path) -> None:
    world = leavers(tmp_path / "world", "full")
    world.away = {"h2"}
    report = world.apply()
    assert set(world.users()) == {"alice@example.com", "server@example.com", "server2@example.com"}
    assert report["to_do"] == [
        "server@example.com is not removed: h2 was not looked at, and may send as it; run again when it can be reached"
    ]
    world.away = set()
    check_finished(world)


def test_who_leaves_stays_while_a_mail_server_that_nobody_names_sends_as_it(tmp_path: Path) -> None:
    for only in ({}, {"logins": ["server@example.com"]}):
        world = plain(tmp_path / f"world{len(only)}")
        world.apply()
        world.domains = [described(ALICE)]
        report = world.apply(remove=True, only=only)
        assert "server@example.com" in world.users()
        assert report["to_do"][0] == (
            "server@example.com is not removed: h1 still sends as it; say as what h1 is to send, and run again"
        )


def test_hosts_that_only_leaves_out_may_send_as_who_leaves(tmp_path: Path) -> None:
    world = leavers(tmp_path / "world", "full")
    world.apply(only={"hosts": ["h1"], "logins": ["server@example.com", "server2@example.com"]})
    assert set(world.users()) == {"alice@example.com", "bob@example.com", "server@example.com", "server2@example.com"}
    assert {host: [login for login, _password in pairs] for host, pairs in world.hosts.items()} == {
        "h1": ["server2@example.com"],
        "h2": ["server@example.com"],
    }
    check_finished(world)


def test_state_absent_takes_a_login_away_as_a_line_that_is_gone_does(tmp_path: Path) -> None:
    world = leavers(tmp_path / "world", "full")
    gone = [{"username": name, "state": "absent"} for name in ("bob", "server")]
    world.domains = [described(ALICE, {"username": "server2", "relay": True}, *gone)]
    del world.options["remove"]
    world.away = {"h2", "laptop"}
    world.apply()
    assert set(world.users()) == {"alice@example.com", "server@example.com", "server2@example.com"}
    world.away = set()
    check_finished(world)
    assert world.clients == {"laptop": {}}


def test_nobody_is_forgotten_whose_thunderbird_could_not_be_reached(tmp_path: Path) -> None:
    world = leavers(tmp_path / "world", "full")
    world.away = {"laptop"}
    report = world.apply()
    assert "bob@example.com" not in world.users()
    assert report["to_do"] == ["bob@example.com is still in a Thunderbird on laptop; run again"]
    assert world.clients["laptop"], "it is still there"
    world.away = set()
    check_finished(world)


@pytest.mark.parametrize("methods", ["full", DOCUMENTED])
def test_who_has_left_is_asked_for_once(tmp_path: Path, methods: str) -> None:
    world = ApplyWorld(tmp_path / "world", described(ALICE), accounts={"default": Account(methods)})
    world.apply()
    world.domains = [described({"username": "alice", "state": "absent"})]
    world.apply()
    assert world.content()["declared"]["example.com"]["senders"]["alice"] == {"gone": world.day}
    check_quiet(world)
    world.day = "2030-01-02"
    check_quiet(world)
    world.domains = [described(ALICE)]
    world.apply()
    check_arrived(world)
    check_quiet(world)


def test_a_vanished_description_removes_nobody(tmp_path: Path) -> None:
    world = two_accounts(tmp_path / "world", "full")
    world.apply()
    del world.domains[1]
    report = world.apply(remove=True)
    assert "bob@example.org" in world.users()
    (line,) = report["drift"]
    assert "described 1 sender of example.org and is not there any more; nobody is removed for that" in line
    assert report["status"] == "drift"


def test_a_domain_that_moves_takes_its_leavers_with_it(tmp_path: Path) -> None:
    """The vendor has moved it to another account, where its senders are now."""
    accounts = {"default": Account(), "second": Account()}
    world = ApplyWorld(tmp_path / "world", described(ALICE, BOB), accounts=accounts)
    world.apply()
    world.accounts["default"], world.accounts["second"] = accounts["second"], accounts["default"]
    world.domains = [described(ALICE, account="second")]
    report = world.apply(remove=True)
    assert report["failures"] == []
    assert set(world.users()) == {"alice@example.com"}


# After a rotation


def rotated(folder: Path) -> ApplyWorld:
    """The server's login is the second one of its pair."""
    world = plain(folder)
    world.apply()
    account = world.accounts["default"]
    state = account.panel.state
    user, known = world.users()["server@example.com"], json.loads(world.path.read_text())
    password = known["credentials"]["server@example.com"]["current"]
    state.remove_user(user)
    state.put_user(replace(user, username="server-b"))
    known["credentials"]["server@example.com"]["login"] = "server-b@example.com"
    world.path.write_text(json.dumps(known))
    world.hosts = {host: [("server-b@example.com", password)] for host in world.hosts}
    return world


def test_after_a_rotation_nothing_is_to_be_done(tmp_path: Path) -> None:
    world = rotated(tmp_path / "world")
    check_quiet(world)
    world.domains = [described(ALICE, SERVER, purge=True)]
    check_quiet(world)


def test_after_a_rotation_who_leaves_is_who_it_is_now(tmp_path: Path) -> None:
    world = rotated(tmp_path / "world")
    world.domains = [described(ALICE)]
    report = world.apply(remove=True)
    assert "h1 still sends as it" in report["to_do"][0]
    world.domains = [described(ALICE, {"username": "server2", "relay": True})]
    world.options["remove"] = True
    check_finished(world)
    assert set(world.users()) == {"alice@example.com", "server2@example.com"}


# What is asked for in part


def test_what_only_leaves_out_stays_as_it_is(tmp_path: Path) -> None:
    other = described(BOB, domain="example.org")
    world = ApplyWorld(tmp_path / "world", described(ALICE, SERVER), other, hosts=["h1"], clients=["laptop"])
    world.apply(only={"logins": ["alice@example.com"]})
    assert set(world.users()) == set()  # its domain is not there, and is not a part of it
    world.apply(only={"domains": ["example.org"]})
    assert set(world.users()) == {"bob@example.org"}
    assert set(world.passwords()) == {"alice@example.com", "bob@example.org"}
    world.domains = [described(SERVER), described(domain="example.org")]
    report = world.apply(remove=True, only={"domains": ["example.com"]})
    assert report["drift"] == []
    assert set(world.users()) == {"bob@example.org", "server@example.com"}


def test_a_computer_that_only_names_is_set_up(tmp_path: Path) -> None:
    people = [{"host": "laptop", "user": "alice"}]
    world = ApplyWorld(tmp_path / "world", described({**ALICE, "people": people}), clients=["laptop", "desk"])
    world.apply()
    world.clients["laptop"] = {}
    world.apply(only={"hosts": ["laptop"]})
    assert list(world.clients["laptop"]) == ["alice@example.com"]
    world.clients["laptop"] = {}
    world.apply(only={"hosts": ["desk"]})
    assert world.clients["laptop"] == {}


def test_who_uses_an_address_no_more_loses_it_in_thunderbird_when_that_is_told(tmp_path: Path) -> None:
    people = [{"host": "laptops", "user": "alice"}, {"host": "desk", "user": "bob"}]
    world = ApplyWorld(tmp_path / "world", described({**ALICE, "people": people}), clients=["laptop", "desk"])
    world.groups["laptops"] = ["laptop"]
    world.apply()
    assert [list(world.clients[host]) for host in ("laptop", "desk")] == [["alice@example.com"]] * 2
    # Named by the host and not by its group: the same one. The other one is gone.
    world.domains = [described({**ALICE, "people": [{"host": "laptop", "user": "alice"}]})]
    for _again in range(2):
        report = world.apply()
        assert report["status"] == "drift"
        assert [line for line in report["drift"] if "bob on desk, and people names that one no more" in line]
        assert list(world.clients["desk"]) == ["alice@example.com"]
    world.apply(remove=True)
    assert world.clients == {"laptop": {"alice@example.com": ANY}, "desk": {}}
    assert world.apply(remove=True)["status"] == world.apply()["status"] == "clean"
    assert list(world.clients["laptop"]) == ["alice@example.com"]


def test_a_computer_that_is_off_is_asked_again_until_nobody_sends_there_any_more(tmp_path: Path) -> None:
    people = [{"host": "laptop", "user": "alice"}]
    world = ApplyWorld(tmp_path / "world", described({**ALICE, "people": people}), clients=["laptop"])
    world.apply()
    world.domains = [described(ALICE)]
    world.away = {"laptop"}
    for _again in range(2):
        assert world.apply(remove=True)["status"] == "failed"
    world.away = set()
    world.apply(remove=True)
    assert world.clients == {"laptop": {}}
    assert world.apply()["status"] == "clean"
