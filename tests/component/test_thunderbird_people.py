# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose profiles are configured, and with whose rights."""

from __future__ import annotations

import base64
import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.module import ModuleRun, run_module
from tests.support.thunderbird_module import OURS, PASSWORD, action, run
from tests.support.thunderbird_profile import PROGRAM_LIBRARY, make_profile, passwords, set_primary_password, snapshot

pytestmark = pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed")


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A temporary directory that other users may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def people(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """alice, who has used Thunderbird, bob, who has not, and carol, whose profile is broken; as root, of other uids."""
    homes = {name: open_path / name for name in ("alice", "bob", "carol")}
    entries = {}
    for number, (name, home) in enumerate(homes.items()):
        home.mkdir()
        uid = os.geteuid() if os.geteuid() else 40001 + number
        entries[name] = pwd.struct_passwd((name, "x", uid, os.getegid() or uid, "", str(home), "/bin/sh"))
        if name != "bob":
            root = home / ".thunderbird"
            make_profile(root / "used")
            (root / "unused").mkdir()
            (root / "profiles.ini").write_text(
                "[Profile0]\nName=a\nIsRelative=1\nPath=unused\nDefault=1\n\n[Profile1]\nName=b\nIsRelative=1\nPath=used\n\n"
                "[InstallFDC34C9F024745EB]\nDefault=used\nLocked=1\n"
            )
        if not os.geteuid():
            for path in [home, *home.rglob("*")]:
                os.chown(path, uid, uid)
    (homes["carol"] / ".thunderbird/used/prefs.js").write_bytes(b'user_pref("a", tr')
    system = pwd.struct_passwd(("daemon", "x", 1, 1, "", "/", "/bin/sh"))
    homeless = pwd.struct_passwd(("gone", "x", 40009, 40009, "", str(open_path / "gone"), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [system, homeless, *entries.values()])
    monkeypatch.setattr(pwd, "getpwnam", entries.__getitem__)
    monkeypatch.setattr(pwd, "getpwuid", {entry.pw_uid: entry for entry in entries.values()}.__getitem__)
    return homes


def test_the_profile_that_a_person_uses_is_configured(people: dict[str, Path]) -> None:
    done = run(None, users=["alice"])
    used = people["alice"] / ".thunderbird/used"
    assert done.result["profiles"] == [
        {"user": "alice", "path": str(used), "new_profile": False, "action": "created", "reason": ""}
    ]
    assert passwords(used)[OURS] == PASSWORD
    assert list((people["alice"] / ".thunderbird/unused").iterdir()) == []
    assert run(None, users=["alice"]).changed is False


def test_what_is_written_belongs_to_the_person(people: dict[str, Path]) -> None:
    run(None, users=["alice", "bob"])
    for name in ("alice", "bob"):
        owner = people[name].stat().st_uid
        assert {path.lstat().st_uid for path in people[name].rglob("*")} == {owner}


def test_somebody_who_never_started_thunderbird_gets_a_profile(people: dict[str, Path]) -> None:
    before = snapshot(people["bob"])
    predicted = run(None, users=["bob"], check=True)
    assert predicted.result["profiles"] == [
        {"user": "bob", "path": None, "new_profile": True, "action": "created", "reason": ""}
    ]
    assert snapshot(people["bob"]) == before
    (made,) = run(None, users=["bob"]).result["profiles"]
    path = Path(made["path"])
    assert (made["new_profile"], made["action"], path.parent) == (True, "created", people["bob"] / ".thunderbird")
    assert f"Default={path.name}" in (path.parent / "profiles.ini").read_text()
    assert not any(each.stat().st_mode & 0o077 for each in (path.parent).rglob("*"))
    assert passwords(path) == {OURS: PASSWORD}
    before = snapshot(people["bob"])
    assert action(run(None, users=["bob"])) == "unchanged"
    assert snapshot(people["bob"]) == before


@pytest.mark.parametrize("options", [{"create_profile": False}, {"state": "absent"}])
def test_no_profile_is_made_where_none_is_wanted(people: dict[str, Path], options: dict[str, Any]) -> None:
    done = run(None, users=["bob"], **options)
    assert (done.changed, done.result["profiles"], list(people["bob"].iterdir())) == (False, [], [])


def test_one_broken_profile_does_not_keep_the_others(people: dict[str, Path]) -> None:
    done = run(None, users=["carol", "alice", "dave"])
    assert done.failed
    assert done.changed
    assert done.message.startswith("2 of 3 profiles were not changed: ")
    assert "dave: there is no user dave on this host" in done.message
    assert done.code == "several_reasons"
    told = [(each["action"], each.get("code")) for each in done.result["profiles"]]
    assert told == [("failed", "conflict"), ("created", None), ("failed", "not_found")]
    assert passwords(people["alice"] / ".thunderbird/used")[OURS] == PASSWORD


def test_everybody_on_the_host(people: dict[str, Path]) -> None:
    if os.geteuid() and os.geteuid() < 1000:
        pytest.skip("needs root or a person's account")
    (people["carol"] / ".thunderbird/used/prefs.js").write_bytes(b"")
    options: dict[str, Any] = {"all_users": True, "authentication": "none", "login": None, "password": None}
    assert [each["user"] for each in run(None, **options).result["profiles"]] == ["alice", "carol"]
    assert not list(people["bob"].iterdir())
    everybody = run(None, **options, create_profile=True)
    assert [each["action"] for each in everybody.result["profiles"]] == ["unchanged", "created", "unchanged"]


def test_somebody_without_a_home_directory(people: dict[str, Path]) -> None:
    people["bob"].rmdir()
    done = run(None, users=["bob"])
    assert done.code == "not_found"
    assert f"the home directory {people['bob']} is not there" in done.message
    assert not people["bob"].exists()


def test_every_profile_of_a_person(people: dict[str, Path]) -> None:
    done = run(None, users=["alice"], all_profiles=True)
    assert [Path(each["path"]).name for each in done.result["profiles"]] == ["unused", "used"]


def look(**options: Any) -> ModuleRun:
    given = {"smarthost": "smarthost.test", "_ansible_no_log": True, **options}
    return run_module("thunderbird_outgoing_server_info", given)


def test_what_people_send_as_is_read_and_nothing_is_touched(people: dict[str, Path]) -> None:
    run(None, users=["alice"], smarthost="Smarthost.test")
    before = snapshot(*people.values())
    done = look(passwords=True)
    assert snapshot(*people.values()) == before
    alice, carol = done.result["profiles"]
    profile = str(people["alice"] / ".thunderbird/used")
    password = base64.b64encode(PASSWORD.encode()).decode()
    servers = [{"login": OURS[1], "port": 587, "password": password}]
    assert alice == {"user": "alice", "path": profile, "servers": servers, "reason": ""}
    assert (carol["user"], carol["servers"]) == ("carol", [])
    assert "prefs.js" in carol["reason"]
    assert "password" not in look().result["profiles"][0]["servers"][0]
    assert look(smarthost="other.test", users=["alice"], passwords=True).result["profiles"] == []
    (nobody,) = look(users=["dave"]).result["profiles"]
    assert nobody == {"user": "dave", "path": None, "servers": [], "reason": "there is no user dave on this host"}


def test_a_password_behind_a_primary_password_is_said_to_be_there(people: dict[str, Path]) -> None:
    run(None, users=["alice"])
    set_primary_password(people["alice"] / ".thunderbird/used", "primary secret")
    if not os.geteuid():
        for path in (people["alice"] / ".thunderbird/used").iterdir():
            os.chown(path, 40001, 40001)
    (alice,) = look(users=["alice"], passwords=True).result["profiles"]
    assert alice["servers"] == [{"login": OURS[1], "port": 587}]
    assert "primary password" in alice["reason"]


def test_passwords_are_refused_for_a_task_that_would_show_them() -> None:
    done = look(passwords=True, _ansible_no_log=False)
    assert done.message.startswith("passwords is true, so set no_log: true on this task")
    assert look(smarthost="no name").code == "invalid_options"
