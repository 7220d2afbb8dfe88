# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""thunderbird_outgoing_server on profiles with real key databases, without a running Thunderbird."""

from __future__ import annotations

import json
import os
import pwd
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.module import ModuleRun, run_module
from tests.support.thunderbird_profile import (
    OWN_LOGIN,
    PREFERENCES,
    PROGRAM_LIBRARY,
    in_use,
    make_profile,
    passwords,
    preferences_of,
    read_logins,
    snapshot,
)

pytestmark = pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed")

PASSWORD = "Quote\" back\\slash ' Ümläut 😀 $x {{ y }}"
OTHER = "Another-Horse-43"
OWN = (OWN_LOGIN["origin"], OWN_LOGIN["username"])
OURS = ("smtp://smarthost.test", "info@example.com")
BRANCH = b"mail.smtpserver.spamexperts."


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return make_profile(tmp_path / "profile")


def run(profile: Path | None, *, check: bool = False, **options: Any) -> ModuleRun:
    """The module in one profile; the password must never show."""
    arguments = {"smarthost": "smarthost.test", "login": OURS[1], "password": PASSWORD, **options}
    if profile:
        arguments["profile"] = str(profile)
    done = run_module(
        "thunderbird_outgoing_server", {k: v for k, v in arguments.items() if v is not None}, check=check, diff=True
    )
    for secret in (PASSWORD, OTHER, "primary secret"):
        assert secret not in done.raw
        assert json.dumps(secret)[1:-1] not in done.raw
    return done


def absent(profile: Path, **options: Any) -> ModuleRun:
    return run(profile, state="absent", smarthost=None, login=None, password=None, **options)


def action(done: ModuleRun) -> str:
    assert not done.failed, done.message
    return str(done.result["profiles"][0]["action"])


def warned(done: ModuleRun, text: str) -> bool:
    """Is this in a warning, which in this process goes to the screen, with line breaks anywhere?"""
    return "".join(text.split()) in "".join(done.raw.split())


def test_the_server_and_its_password_are_added(profile: Path) -> None:
    assert action(run(profile)) == "added"
    after = preferences_of(profile)
    assert {name: value for name, value in after.items() if name.startswith(BRANCH)} == {
        BRANCH + b"type": b"smtp",
        BRANCH + b"hostname": b"smarthost.test",
        BRANCH + b"port": 587,
        BRANCH + b"try_ssl": 2,
        BRANCH + b"authMethod": 3,
        BRANCH + b"username": b"info@example.com",
        BRANCH + b"description": b"Smarthost",
    }
    assert after[b"mail.smtpservers"] == b"smtp1,spamexperts"
    assert after[b"mail.smtp.defaultserver"] == b"smtp1"
    assert {name: after[name] for name in PREFERENCES if name != b"mail.smtpservers"} == {
        name: value for name, value in PREFERENCES.items() if name != b"mail.smtpservers"
    }
    assert passwords(profile) == {OWN: OWN_LOGIN["password"], OURS: PASSWORD}


def test_only_the_two_files_are_replaced_and_keep_their_modes(profile: Path) -> None:
    before = snapshot(profile)
    run(profile)
    after = snapshot(profile)
    assert after.keys() == before.keys()
    changed = {Path(name).name for name in before if Path(name).is_file() and before[name] != after[name]}
    assert changed == {"prefs.js", "logins.json"}
    assert (profile / "prefs.js").stat().st_mode & 0o777 == 0o600
    assert (profile / "logins.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "options", [{}, {"default_server": True, "identities": ["info@example.com"]}, {"password": None}]
)
def test_a_second_run_touches_nothing(profile: Path, options: dict[str, Any]) -> None:
    run(profile, **options)
    before = snapshot(profile)
    for check in (True, False):
        again = run(profile, check=check, **options)
        assert (action(again), again.changed, again.result["diff"]) == ("unchanged", False, [])
    assert snapshot(profile) == before


@pytest.mark.parametrize("first", [None, {}, {"smarthost": "old.test", "default_server": True}])
@pytest.mark.parametrize(
    "then", [{}, {"state": "absent"}, {"default_server": True, "identities": ["info@example.com"]}]
)
def test_check_mode_says_what_the_real_run_does_and_touches_nothing(
    profile: Path, first: dict[str, Any] | None, then: dict[str, Any]
) -> None:
    if first is not None:
        run(profile, **first)
    before = snapshot(profile)
    predicted = run(profile, check=True, **then)
    assert snapshot(profile) == before
    assert run(profile, **then).result == predicted.result


def test_the_diff_says_what_changes_without_the_password(profile: Path) -> None:
    run(profile, password=OTHER)
    (diff,) = run(profile, smarthost_port=2525, identities=["info@example.com"]).result["diff"]
    assert diff["before_header"] == f"{profile} (before)"
    assert diff["before"]["server"]["port"] == 587
    assert diff["after"]["server"]["port"] == 2525
    assert (diff["before"]["saved_password"], diff["after"]["saved_password"]) == ("another", "as wanted")
    assert (diff["before"]["identities"], diff["after"]["identities"]) == ([], ["info@example.com"])


def test_a_new_password_takes_the_place_of_the_old_one(profile: Path) -> None:
    run(profile, password=OTHER)
    before = read_logins(profile)
    assert action(run(profile)) == "changed"
    after = read_logins(profile)
    assert [login["guid"] for login in after] == [login["guid"] for login in before]
    assert passwords(profile) == {OWN: OWN_LOGIN["password"], OURS: PASSWORD}


@pytest.mark.parametrize(
    "changed", [{"smarthost": "new.test"}, {"login": "sales@example.com"}, {"smarthost": "::1", "login": "x"}]
)
@pytest.mark.parametrize("password", [PASSWORD, None])
def test_a_login_of_a_former_host_or_name_is_not_left_behind(
    profile: Path, changed: dict[str, Any], password: str | None
) -> None:
    run(profile)
    # Thunderbird keeps its last but one logins.json.
    (profile / "logins-backup.json").write_bytes((profile / "logins.json").read_bytes())
    assert action(run(profile, **changed, password=password)) == "changed"
    host = changed.get("smarthost", "smarthost.test").replace("::1", "[::1]")
    wanted = {(f"smtp://{host}", changed.get("login", OURS[1])): PASSWORD}
    # Without a password, the one of another name is useless.
    expected = {} if password is None and "login" in changed else wanted
    assert passwords(profile) == {OWN: OWN_LOGIN["password"], **expected}
    assert [login["guid"] for login in json.loads((profile / "logins-backup.json").read_bytes())["logins"]] == ["{own}"]


def test_absent_is_the_way_back(profile: Path) -> None:
    before = snapshot(profile)
    run(profile, default_server=True, identities=["alice@example.org", "info@example.com"])
    (profile / "logins-backup.json").write_bytes((profile / "logins.json").read_bytes())
    assert action(absent(profile)) == "removed"
    assert (profile / "prefs.js").read_bytes() == before[str(profile / "prefs.js")][2]
    logins = before[str(profile / "logins.json")][2]
    assert (profile / "logins.json").read_bytes() == logins.replace(b'"nextId":2', b'"nextId":3')
    assert b"smarthost.test" not in (profile / "logins-backup.json").read_bytes()
    assert action(absent(profile)) == "unchanged"


def test_absent_needs_no_key(profile: Path) -> None:
    run(profile)
    (profile / "key4.db").write_bytes(b"damaged")
    assert action(absent(profile, nss_library="/nowhere/libnss3.so")) == "removed"
    assert [login["guid"] for login in json.loads((profile / "logins.json").read_bytes())["logins"]] == ["{own}"]


def test_absent_where_nothing_is(profile: Path) -> None:
    before = snapshot(profile)
    assert action(absent(profile)) == "unchanged"
    assert snapshot(profile) == before


def test_a_password_that_the_person_had_saved_stays_with_the_new_value(profile: Path) -> None:
    run(profile, entry="other", password=OTHER)
    run(profile)
    assert passwords(profile)[OURS] == PASSWORD
    absent(profile)
    assert passwords(profile)[OURS] == PASSWORD
    absent(profile, entry="other")
    assert OURS not in passwords(profile)


def test_the_password_of_a_server_that_another_one_shares_stays(profile: Path) -> None:
    run(profile)
    run(profile, entry="other")
    absent(profile)
    assert passwords(profile)[OURS] == PASSWORD


def test_without_authentication(profile: Path) -> None:
    run(profile)
    assert action(run(profile, authentication_method="none", login=None, password=None)) == "changed"
    after = preferences_of(profile)
    assert after[BRANCH + b"authMethod"] == 1
    assert BRANCH + b"username" not in after
    assert passwords(profile) == {OWN: OWN_LOGIN["password"]}


def test_an_address_without_identity_is_warned_of(profile: Path) -> None:
    done = run(profile, identities=["info@example.com", "nobody@example.com"])
    assert not done.failed
    assert warned(done, "has no identity with the address nobody@example.com")
    assert preferences_of(profile)[b"mail.identity.id2.smtpServer"] == b"spamexperts"


def test_a_profile_without_saved_logins_gets_a_key_database(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "prefs.js").write_bytes(b"")
    assert action(run(profile)) == "added"
    assert sorted(path.name for path in profile.iterdir()) == ["cert9.db", "key4.db", "logins.json", "prefs.js"]
    assert {path.name for path in profile.iterdir() if path.stat().st_mode & 0o077} <= {"prefs.js"}
    assert passwords(profile) == {OURS: PASSWORD}
    before = snapshot(profile)
    assert action(run(profile)) == "unchanged"
    assert snapshot(profile) == before


# In use


def test_a_profile_in_use_is_refused_with_the_pid(profile: Path) -> None:
    with in_use(profile) as holder:
        before = snapshot(profile)
        done = run(profile)
        assert done.failed
        assert f"in use by Thunderbird (pid {holder.pid})" in done.message
        assert done.result["profiles"][0]["action"] == "refused"
        assert snapshot(profile) == before


def test_a_lock_that_was_left_behind_does_not_count(profile: Path) -> None:
    with in_use(profile):
        pass
    (profile / "lock").symlink_to("127.0.0.1:+1")
    assert action(run(profile)) == "added"
    assert (profile / ".parentlock").exists()


def test_no_lock_of_ours_is_left(profile: Path) -> None:
    run(profile)
    assert not (profile / ".parentlock").exists()


def test_a_profile_in_use_may_be_as_wanted_already(profile: Path) -> None:
    run(profile)
    with in_use(profile):
        assert action(run(profile)) == "unchanged"


def test_check_mode_warns_of_a_profile_in_use(profile: Path) -> None:
    with in_use(profile) as holder:
        done = run(profile, check=True)
        assert action(done) == "added"
        assert warned(done, f"is in use by Thunderbird (pid {holder.pid})")


def test_waiting_sees_what_the_closing_thunderbird_writes(profile: Path) -> None:
    with in_use(profile) as holder:

        def close() -> None:
            content = (profile / "prefs.js").read_bytes() + b'user_pref("written.at.exit", 1);\n'
            (profile / "prefs.js").write_bytes(content)
            assert holder.stdin
            holder.stdin.close()

        timer = threading.Timer(0.5, close)
        timer.start()
        try:
            assert action(run(profile, wait_for_close=20)) == "added"
        finally:
            timer.join()
    after = preferences_of(profile)
    assert after[b"written.at.exit"] == 1
    assert after[BRANCH + b"port"] == 587


def test_waiting_ends(profile: Path) -> None:
    with in_use(profile):
        assert "also after 1 s" in run(profile, wait_for_close=1).message


def test_what_a_killed_run_left_is_cleaned_up(profile: Path) -> None:
    (profile / ".smarthost-spamexperts-old" / "keys").mkdir(parents=True)
    run(profile)
    assert not list(profile.glob(".smarthost*"))


@pytest.mark.parametrize("files", [0, 1, 2])
@pytest.mark.parametrize("first", [None, {"smarthost": "old.test"}, {"password": OTHER}])
@pytest.mark.parametrize("then", [{}, {"state": "absent"}])
def test_a_run_that_is_killed_between_two_files_is_made_good_by_the_next(
    profile: Path, monkeypatch: pytest.MonkeyPatch, first: dict[str, Any] | None, then: dict[str, Any], files: int
) -> None:
    """Killed after the first, second... file was replaced; in the end all is as if nothing had happened."""
    original = (profile / "prefs.js").read_bytes()
    if first is not None:
        run(profile, **first)
    replace = Path.replace
    done: list[Path] = []

    def replace_and_die(self: Path, target: Path) -> Path:
        if len(done) == files:
            os.kill(os.getpid(), 9)
        done.append(target)
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace_and_die)
        killed = run(profile, **then)
    assert killed.failed == ("was ended by signal 9" in killed.message)
    run(profile, **then)
    expected = {} if then else {OURS: PASSWORD}
    assert passwords(profile) == {OWN: OWN_LOGIN["password"], **expected}
    assert action(absent(profile)) == ("unchanged" if then else "removed")
    assert passwords(profile) == {OWN: OWN_LOGIN["password"]}
    assert (profile / "prefs.js").read_bytes() == original
    assert not list(profile.glob(".smarthost*"))


# People


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
        {"user": "alice", "path": str(used), "created": False, "action": "added", "message": ""}
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
        {"user": "bob", "path": None, "created": True, "action": "added", "message": ""}
    ]
    assert snapshot(people["bob"]) == before
    (made,) = run(None, users=["bob"]).result["profiles"]
    path = Path(made["path"])
    assert (made["created"], made["action"], path.parent) == (True, "added", people["bob"] / ".thunderbird")
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
    assert "prefs.js has a line 1 that Thunderbird would not write" in done.message
    assert "dave: there is no user dave on this host" in done.message
    assert [each["action"] for each in done.result["profiles"]] == ["refused", "added", "refused"]
    assert passwords(people["alice"] / ".thunderbird/used")[OURS] == PASSWORD


def test_everybody_on_the_host(people: dict[str, Path]) -> None:
    if os.geteuid() and os.geteuid() < 1000:
        pytest.skip("needs root or a person's account")
    (people["carol"] / ".thunderbird/used/prefs.js").write_bytes(b"")
    options: dict[str, Any] = {"all_users": True, "authentication_method": "none", "login": None, "password": None}
    assert [each["user"] for each in run(None, **options).result["profiles"]] == ["alice", "carol"]
    assert not list(people["bob"].iterdir())
    everybody = run(None, **options, create_profile=True)
    assert [each["action"] for each in everybody.result["profiles"]] == ["unchanged", "added", "unchanged"]


def test_somebody_without_a_home_directory(people: dict[str, Path]) -> None:
    people["bob"].rmdir()
    assert f"the home directory {people['bob']} is not there" in run(None, users=["bob"]).message
    assert not people["bob"].exists()


def test_every_profile_of_a_person(people: dict[str, Path]) -> None:
    done = run(None, users=["alice"], all_profiles=True)
    assert [Path(each["path"]).name for each in done.result["profiles"]] == ["unused", "used"]
