# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corners of the plan: addresses of two domains, purges that cannot be finished, words of the wire, password files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils import _passwords
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import duplicates, plan
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import methods as _methods
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.current import Current
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import (
    Key,
    OutgoingUser,
    Wanted,
    parse_wanted,
)

from tests.support import wire
from tests.support.wire import ADDRESS


def senders(*given: str) -> list[Wanted]:
    """IP users, each as `domain address`."""
    entries = [line.split() for line in given]
    return [
        parse_wanted(
            {
                "domain": domain,
                "username": address,
                "authentication_method": "ip",
                "allow_private_address": True,
                "allow_wide_network": True,
            },
            position,
            "on_create",
        )
        for position, (domain, address) in enumerate(entries)
    ]


@pytest.mark.parametrize(
    ("given", "positions"),
    [
        (["a.example 192.0.2.1", "b.example 192.0.2.2"], []),
        (["a.example 192.0.2.0/24", "a.example 192.0.2.1"], []),
        (["a.example 192.0.2.1", "b.example 192.0.2.1"], [(1, 0)]),
        (["a.example 192.0.2.1", "b.example 192.0.2.0/24"], [(1, 0)]),
        (["a.example 192.0.0.0/16", "b.example 192.0.1.0/24", "b.example 192.0.1.1"], [(1, 0)]),
        (["a.example 10.0.0.0/8", "a.example 10.1.0.0/16", "b.example 10.2.0.1", "a.example 11.0.0.1"], [(2, 0)]),
        (["a.example ::fffe:0:0/96", "b.example 192.0.2.1", "c.example 2001:db8::1"], []),
        (["a.example 2001:db8::/32", "b.example 2001:db8::1"], [(1, 0)]),
    ],
)
def test_addresses_that_two_domains_would_have(given: list[str], positions: list[tuple[int, int]]) -> None:
    problems = duplicates.check_duplicates(senders(*given))
    assert [problem.split(" give ")[0] for problem in problems] == [
        f"users[{later}] and users[{earlier}]" for later, earlier in positions
    ]


def test_a_purge_leaves_a_domain_user_beside_others_and_says_so() -> None:
    users = {key: OutgoingUser(key, "user") for key in (Key("a.example", "old"), Key("a.example", "kept"))}
    keys = Key("a.example", "")
    users[keys] = OutgoingUser(keys, "domain")
    methods = wire.methods("list")
    wanted = [parse_wanted({"domain": "a.example", "username": "kept"}, 0, "on_create")]
    current = Current(users, frozenset({"a.example"}))
    rules = plan.Rules(purge_domains=frozenset({"a.example"}))
    changes = {change.key.username: change for change in plan.Planner(current, wanted, methods, rules).plan()}
    assert {name: change.action for name, change in changes.items()} == {
        "old": "removed",
        "kept": "unchanged",
        "": "failed",
    }
    assert "allow_domain_user_removal" in changes[""].reason


@pytest.mark.parametrize(
    ("protect", "expected"),
    [
        ((), {"alice", "", "192.0.2.1", "backup-1"}),
        (("@",), {"alice", "192.0.2.1", "backup-1"}),
        (("BACKUP-*@*", "192.0.2.1@a.example"), {"alice", ""}),
        (("alice", "*@A.example"), set()),
    ],
)
def test_who_is_protected_from_a_purge(protect: tuple[str, ...], expected: set[str]) -> None:
    names = {"alice": "user", "": "domain", "192.0.2.1": "ip", "backup-1": "user"}
    users = {Key("a.example", name): OutgoingUser(Key("a.example", name), kind) for name, kind in names.items()}
    methods = wire.methods("list")
    rules = plan.Rules(purge_domains=frozenset({"a.example"}), purge_protect=protect, allow_domain_user_removal=True)
    changes = plan.Planner(Current(users, frozenset({"a.example"})), [], methods, rules).plan()
    assert {change.key.username for change in changes} == expected


def test_what_a_call_cannot_be_told_is_known_before_anything_is_sent() -> None:
    methods = wire.methods(add_ip={"call": "a/ip", "parameters": {"domain": "zone", "ip": "ip"}})
    wanted = senders("a.example 192.0.2.1", "a.example 192.0.3.0/24")
    host, network = plan.Planner(Current(), wanted, methods, plan.Rules()).plan()
    assert (host.action, network.action) == ("unknown", "failed")
    assert "api_methods.add_ip.parameters" in network.reason


@pytest.mark.parametrize("username", ["inherit", "true", "default"])
def test_a_username_is_sent_as_it_is(username: str) -> None:
    method = _methods.parse_given(
        "set_limits",
        {
            "call": "a/b",
            "parameters": {**ADDRESS, "per_day": "d", "enabled": "on"},
            "values": {"inherit": "default", True: "yes"},
        },
    )
    arguments: dict[str, Any] = {"username": username, "per_day": "inherit", "enabled": True}
    assert method.encode(arguments) == [("username", username), ("d", "default"), ("on", "yes")]


def test_a_setting_may_be_called_inherit() -> None:
    method = _methods.parse_given("set_settings", {"call": "a/b", "parameters": {**ADDRESS, "lock_template": "t"}})
    assert method.encode({"lock_template": "inherit"}) == [("t", "inherit")]


@pytest.mark.parametrize(
    "link",
    [
        "/api/outgoingusers/setlimits/domain/example.com/limit_per_hour/1/",  # for whom?
        "/api/outgoingusers/setlimits/domain/example.com/username/john/limit_per_year/1/",
        "/api/outgoingusers/setlimits/domain/example.com/username/john/user/john/",
    ],
)
def test_a_link_that_leaves_doubts_is_not_even_proposed(link: str) -> None:
    assert _methods.discover(_methods.read_links(f'<a href="{link}">'), use_writes=True) == {}


def test_only_what_was_discovered_is_done_without() -> None:
    page = '<a href="/api/outgoingusers/list/domain/example.com/">'
    found = _methods.Methods(None, False, lambda: page)
    assert found.withdraw("list")
    assert found.find("list") is None
    assert not found.withdraw("list")
    given = _methods.Methods({"list": {"call": "a/list"}}, False, lambda: page)
    assert not given.withdraw("list")
    assert not found.withdraw("add")


def test_the_password_of_the_faster_run_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "alice"
    link = os.link

    def late(source: str, target: str) -> None:
        file.write_text("Faster-Password-42\n", encoding="utf-8")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert _passwords.read_or_generate(str(file), write=True) == ("Faster-Password-42", False)
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_password_is_on_disk_before_anybody_can_tell_it_to_the_vendor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose name is not on disk is gone after a loss of power, however well its content is."""
    synced: list[tuple[str, list[str]]] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append((path.name, sorted(each.name for each in tmp_path.iterdir()) if path == tmp_path else []))
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    _passwords.read_or_generate(str(tmp_path / "alice"), write=True)
    assert len(synced) == 2
    assert synced[1] == (tmp_path.name, ["alice"])
