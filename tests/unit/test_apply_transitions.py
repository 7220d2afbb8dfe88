# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of apply, killed at every one of its transitions: before and after each call, each write that
the vendor is asked for, each write of the store, and each change of a mail server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import killed
from tests.support.apply_vendor import Account, ApplyWorld

ALICE: dict[str, Any] = {"username": "alice", "limits": {"per_hour": 200}}
SERVER: dict[str, Any] = {"username": "server", "relay": True}
BOB: dict[str, Any] = {"username": "bob"}
FOREIGN = "a password from before"
DOCUMENTED = "documented"
Make = Callable[[Path], ApplyWorld]


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
    world.domains = [described(SERVER, {"username": "locked"})]
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
    check_quiet(world)


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


@pytest.mark.parametrize("fault", ["reset_after", "reset_before"])
@pytest.mark.parametrize("name", ["list and calls", "documented only", "a vendor that overwrites", "leavers", "purge"])
def test_the_reply_to_every_call_is_lost(tmp_path: Path, name: str, fault: str) -> None:
    for world in disturb_everywhere(WORLDS[name], tmp_path, fault):
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
