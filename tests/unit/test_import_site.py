# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of import_site: what is found becomes store and descriptions, with which apply agrees."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._import_found import Found

from tests.support import killed
from tests.support.apply_vendor import Account
from tests.support.import_world import PERSON, ImportWorld

FULL, DOCUMENTED = "full", "documented"
KINDS: list[dict[str, Any]] = [
    {},
    {"limit_per_hour": 200, "limit_per_day": 0},
    {"limits_enabled": 0},
    {"locked": 1},
    {"automatic_lock": 1, "lock_timeout": 90, "maximum_unlocks": 7},
]


def password(login: str) -> str:
    return f'it\'s the "password" of {login}'


def found(login: str, place: str = "h1", use: str = "relay", detail: str = "h1", word: str = "") -> Found:
    return Found(login, word or password(login), place, use, detail)


def world_of(folder: Path, methods: str = FULL, domains: int = 2, **options: Any) -> ImportWorld:
    """Some domains with everybody who can be, of whom a mail server sends as one."""
    world = ImportWorld(folder, accounts={"default": Account(methods)}, hosts=["h1", "h2"], clients=["desk"], **options)
    for number in range(domains):
        domain = f"d{number}.example"
        for kind, values in enumerate(KINDS):
            world.add(f"u{kind}@{domain}", password(f"u{kind}@{domain}"), **values)
        world.add(domain, password(domain))
    world.show("h1", [found(f"u0@d{number}.example") for number in range(domains)])
    world.show("h2", [])
    return world


def actions(report: dict[str, Any]) -> dict[str, str]:
    return {one["login"]: one["action"] for one in report["credentials"]}


def check_proven(world: ImportWorld) -> None:
    """Apply has nothing to do, for an administrator who never touches a file."""
    before = world.path.read_bytes()
    proof = world.apply(check=True)
    assert proof["changed"] is False
    assert proof["status"] == "clean", proof
    assert world.writes == world.refusals == 0
    real = world.apply()
    assert (real["changed"], real["changes"]) == (False, [])
    assert world.writes == 0
    assert json.loads(before)["credentials"].keys() == world.stored().keys()


@pytest.mark.parametrize("methods", [FULL, DOCUMENTED])
def test_a_site_is_written_down_and_apply_has_nothing_to_do(tmp_path: Path, methods: str) -> None:
    world = world_of(tmp_path, methods)
    world.show("h2", [found("d1.example", "h2", "default_for", "h2")], "a map of type mysql")
    alice = {"host": "desk", "user": "alice"}
    world.show("desk", [Found("u1@d1.example", password("u1@d1.example"), "desk", "people", alice)], kind=PERSON)
    predicted = world.take_in(check=True)
    assert not world.path.exists()
    assert not world.folder.exists()
    report = world.take_in()
    assert world.writes == 0
    assert {**predicted, "summary": []} == {**report, "summary": []}
    assert actions(report) == dict.fromkeys(
        ["u0@d0.example", "d1.example", "u0@d1.example", "u1@d1.example"], "created"
    )
    assert sorted(world.tried) == sorted(actions(report)), "each is tried once"
    assert {entry["proven"] for entry in world.stored().values()} == {world.day}
    assert "h2: a map of type mysql" in report["unread"]
    text = world.descriptions()["d1.example"]
    assert "\n    # relay: [h1]\n" in text
    assert "\n    # default_for: [h2]\n" in text
    assert "\n    # people: [{host: desk, user: alice}]\n" in text
    whole = json.dumps([report, world.descriptions()])
    assert [word for word in world.passwords().values() if word in whole or json.dumps(word)[1:-1] in whole] == []
    senders = {sender.get("username"): sender for sender in yaml.safe_load(text)["senders"]}
    if methods == FULL:
        assert senders["u1"]["limits"] == {"per_hour": 200, "per_day": 0}
        assert senders["u2"]["limits"] == {"enabled": False}
        assert senders["u3"]["state"] == "locked"
        assert (senders["u4"]["lock_timeout"], senders["u4"]["maximum_unlocks"]) == (90, 7)
        assert len(senders) == len(KINDS) + 1
        assert "its password is not in the store: it was found nowhere" in text
    else:
        assert set(senders) == {"u0", "u1", None}
        assert "does not show its senders" in text
        assert any("does not show its senders" in line for line in report["summary"])
    check_proven(world)


def test_a_second_run_reads_what_was_uncommented(tmp_path: Path) -> None:
    world = world_of(tmp_path, domains=1)
    world.show("h1", [found("u0@d0.example", use="default_for")])
    world.take_in()
    mine = world.folder / "d0.example.yml"
    mine.write_text(mine.read_text().replace("# default_for:", "default_for:"))
    again = world.take_in()
    assert (again["changed"], [one["action"] for one in again["files"]]) == (False, ["unchanged"])


def test_a_second_run_writes_what_is_missing_and_says_what_differs(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.take_in()
    mine = world.folder / "d0.example.yml"
    text = (
        mine.read_text().replace("per_hour: 200", "per_hour: 300").replace("  - username: u0\n", "  - username: u9\n")
    )
    mine.write_text(text)
    (world.folder / "d1.example.yml").unlink()
    world.add("u0@d2.example", password("u0@d2.example"))
    world.show("h2", [found("u2@d0.example", "h2")])
    report = world.take_in()
    assert mine.read_text() == text
    assert {one["domain"]: one["action"] for one in report["files"]} == {
        "d0.example": "differs",
        "d1.example": "created",
        "d2.example": "created",
    }
    (lines,) = (one["notes"] for one in report["files"] if one["domain"] == "d0.example")
    assert lines == [
        "u0@d0.example is there, and not described",
        "u9@d0.example is described, and not there",
        "u1@d0.example: limits.per_hour is 200, and described is 300",
    ]
    assert world.tried == ["u2@d0.example"], "what is in the store is not tried again"
    assert actions(report)["u2@d0.example"] == "created"
    again = world.take_in()
    assert (again["changed"], again["diffs"], world.tried) == (False, [], [])


@pytest.mark.parametrize("methods", [FULL, DOCUMENTED])
def test_a_run_that_is_killed_is_finished_by_the_next(tmp_path: Path, methods: str) -> None:
    begun = world_of(tmp_path / "begun", methods, domains=3)
    for number, world in enumerate(killed.kill_everywhere(begun.copy, lambda world, at: world.take_in(at))):
        world.take_in()
        assert sorted(world.descriptions()) == ["d0.example", "d1.example", "d2.example"], number
        assert sorted(world.passwords()) == ["u0@d0.example", "u0@d1.example", "u0@d2.example"]
        assert world.apply(check=True)["status"] == "clean"


def test_two_passwords_for_a_login_are_listed_and_none_is_tried(tmp_path: Path) -> None:
    world = world_of(tmp_path, domains=1)
    world.show("h2", [found("u0@d0.example", "h2", word="another password of it")])
    report = world.take_in()
    assert actions(report) == {"u0@d0.example": "conflict"}
    assert world.tried == []
    assert world.stored() == {}
    (line,) = (line for line in report["summary"] if "conflict" in line)
    assert "its passwords in h1, h2: they are not the same" in line
    assert "another password" not in json.dumps(report)
    check_proven(world)


def test_a_login_of_somebody_else_s_domain_is_not_tried(tmp_path: Path) -> None:
    world = world_of(tmp_path, domains=1)
    world.show("h2", [found("web@other.example", "h2"), found("gone@d0.example", "h2"), found("nonsense", "h2")])
    report = world.take_in()
    assert actions(report) == {"u0@d0.example": "created", "web@other.example": "foreign", "gone@d0.example": "nobody"}
    assert world.tried == ["u0@d0.example"]
    assert "h2: 'nonsense' is not the login of an outgoing user" in report["unread"]
    assert sorted(world.descriptions()) == ["d0.example"]
    check_proven(world)


@pytest.mark.parametrize("methods", [FULL, DOCUMENTED])
def test_no_more_logins_are_refused_than_the_budget_has(tmp_path: Path, methods: str) -> None:
    world = world_of(tmp_path, methods, domains=6)
    world.show("h2", [found(f"u1@d{number}.example", "h2", word=f"an old one of {number}") for number in range(6)])
    report = world.take_in()
    assert world.refusals == 3
    kinds = [action for login, action in sorted(actions(report).items()) if login.startswith("u1")]
    assert kinds == ["refused"] * 3 + ["unproven"] * 3
    assert "has refused 3 logins" in next(one["reason"] for one in report["credentials"] if one["action"] == "unproven")
    text = world.descriptions()["d0.example"]
    assert ("its password is not in the store: h2: " if methods == FULL else "# u1@d0.example: whether it is ") in text
    check_proven(world)


def test_a_host_that_is_down_is_named_and_leaves_the_proof_open(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.looks["hosts"]["h2"] = {}
    world.looks["clients"]["desk"] = {"problem": "the Thunderbirds on desk cannot be read", "unread": []}
    report = world.take_in()
    assert report["failures"] == [
        "mail server h2: not reached; its logins are missing, so the proof is open",
        "computer desk: the Thunderbirds on desk cannot be read; its logins are missing, so the proof is open",
    ]
    assert report["summary"][0] == f"FAILED: {report['failures'][0]}"
    check_proven(world)


@pytest.mark.parametrize("call", ["outgoingusers/list", "domainslist/get"])
def test_an_account_without_a_right_to_list(tmp_path: Path, call: str) -> None:
    world = world_of(tmp_path)
    world.forbidden = {call}
    report = world.take_in()
    assert world.writes == 0
    assert len(report["unknown"]) == 1
    what = "show its senders" if call == "outgoingusers/list" else "list its domains (You have no permission"
    assert what.partition(" (")[0] in report["unknown"][0]
    assert sorted(world.passwords()) == ["u0@d0.example", "u0@d1.example"]
    assert sorted(world.descriptions()) == ["d0.example", "d1.example"]
    proof = world.apply(check=True)
    assert (proof["changed"], proof["status"]) == (False, "clean"), proof


def test_an_account_that_cannot_be_asked_ends_the_run_before_anything(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.accounts["default"].away = True
    with pytest.raises(RuntimeError, match=r"The account default cannot be asked: .* Nothing was changed"):
        world.take_in()
    assert (world.tried, world.stored(), world.descriptions()) == ([], {}, {})
    report = world.take_in(describe=False)
    assert sorted(world.passwords()) == sorted(actions(report)) == ["u0@d0.example", "u0@d1.example"]
    assert (world.descriptions(), report["files"]) == ({}, [])


def test_what_the_controller_cannot_reach_a_mail_server_tries(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.show("h2", [found("u1@d0.example", "h2")])
    world.answers = False
    report = world.take_in()
    assert set(actions(report).values()) == {"unproven"}
    assert report["elsewhere"] == {"h1": ["u0@d0.example", "u0@d1.example"], "h2": ["u1@d0.example"]}
    said = {"accepted": True, "reason": ""}
    world.proofs = {"h1": {"proofs": {"u0@d0.example": said, "u0@d1.example": said}}, "h2": {}}
    report = world.take_in()
    assert actions(report) == {"u0@d0.example": "created", "u0@d1.example": "created", "u1@d0.example": "unproven"}
    world.answers = True
    check_proven(world)


def test_a_csv_in_place_of_a_list(tmp_path: Path) -> None:
    """Nine thousand logins, of which three have other passwords than the fleet."""
    world = world_of(tmp_path, DOCUMENTED, domains=3)
    table = tmp_path / "users.csv"
    rows = ["\ufeffpassword;domain;username"]
    for number in range(3):
        for name in ["u0", "u1", "u2"]:
            word = password(f"{name}@d{number}.example") if (name, number) != ("u0", 1) else "not what the fleet has"
            quoted = word.replace('"', '""')
            rows.append(f'"{quoted}";d{number}.example;{name}')
    table.write_text("\n".join([*rows, ";d0.example;192.0.2.7", ";d0.example;nobody"]) + "\n", encoding="utf-8")
    report = world.take_in(csv=str(table))
    assert actions(report)["u0@d1.example"] == "conflict"
    assert actions(report)["nobody@d0.example"] == "unproven"
    assert len(world.passwords()) == 8
    text = world.descriptions()["d0.example"]
    assert "# 192.0.2.7@d0.example: whether this address is there is not known" in text
    assert "# nobody@d0.example: whether it is there is not known: no place shows its password" in text
    check_proven(world)
    with pytest.raises(RuntimeError, match=r"nowhere\.csv cannot be read: No such file or directory"):
        world.take_in(csv=str(tmp_path / "nowhere.csv"))
    table.write_bytes(b"username,domain,password\nweb,example.com,\xe4\xf6secret\n")
    with pytest.raises(RuntimeError, match=r"users\.csv cannot be read: it is not UTF-8"):
        world.take_in(csv=str(table))


def test_two_accounts_and_what_lies_beneath(tmp_path: Path) -> None:
    world = world_of(tmp_path, domains=1)
    world.accounts["second"] = Account()
    world.add("web@other.example", password("web@other.example"), "second", limit_per_hour=5)
    world.options["defaults"] = {"limits": {"per_hour": 100}, "abuse_contact": "abuse@example.com"}
    report = world.take_in()
    texts = world.descriptions()
    assert "account: second\n" in texts["other.example"]
    assert "limits: {inherit: [per_hour]}" in texts["d0.example"]
    (one,) = (one for one in report["files"] if one["domain"] == "other.example")
    assert one["notes"] == ["abuse_contact is empty, and described is abuse@example.com, by spamexperts_defaults"]


def test_what_is_described_wrongly_ends_the_run_before_anything(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.folder.mkdir()
    (world.folder / "d0.example.yml").write_text("domain: d0.example\nsender: []\n")
    with pytest.raises(RuntimeError, match=r"d0.example.yml, line 2: sender is not known here.* Nothing was changed\."):
        world.take_in()
    assert world.stored() == {}


def logins(number: int) -> Iterable[str]:
    return (f"u{user}@d{user % 300}.example" for user in range(number))


@pytest.mark.slow
@pytest.mark.parametrize("methods", [FULL, DOCUMENTED])
def test_nine_thousand_logins(tmp_path: Path, methods: str) -> None:
    world = ImportWorld(tmp_path, accounts={"default": Account(methods)}, hosts=["h1", "h2"])
    everybody = list(logins(9000))
    for login in everybody:
        world.add(login, password(login))
    world.show("h1", [found(login) for login in everybody])
    world.show("h2", [found(login, "h2", word="another one, of old") for login in everybody[:3]])
    report = world.take_in()
    assert sorted(login for login, action in actions(report).items() if action == "conflict") == sorted(everybody[:3])
    assert len(world.passwords()) == 8997
    assert world.refusals == 0
    assert len(world.descriptions()) == 300
    check_proven(world)
