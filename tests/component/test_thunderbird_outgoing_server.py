# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""thunderbird_outgoing_server on profiles with real key databases, without a running Thunderbird."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird import nss
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.logins import LoginsFile

from tests.support.preferences import write_preferences
from tests.support.thunderbird_module import OTHER, OURS, OWN, PASSWORD, absent, action, run, warned
from tests.support.thunderbird_profile import (
    OWN_LOGIN,
    PREFERENCES,
    PROGRAM_LIBRARY,
    passwords,
    preferences_of,
    read_logins,
    snapshot,
)

pytestmark = pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed")

BRANCH = b"mail.smtpserver.spamexperts."


def change_preferences(profile: Path, **values: bytes) -> None:
    """Give our entry other values, as the dialogue does."""
    changed = {BRANCH + name.encode(): value for name, value in values.items()}
    (profile / "prefs.js").write_bytes(write_preferences({**preferences_of(profile), **changed}))


def test_the_server_and_its_password_are_added(profile: Path) -> None:
    assert action(run(profile)) == "created"
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
    assert action(run(profile)) == "updated"
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
    assert action(run(profile, **changed, password=password)) == "updated"
    host = changed.get("smarthost", "smarthost.test").replace("::1", "[::1]")
    wanted = {(f"smtp://{host}", changed.get("login", OURS[1])): PASSWORD}
    # Without a password, the one of another name is useless.
    expected = {} if password is None and "login" in changed else wanted
    assert passwords(profile) == {OWN: OWN_LOGIN["password"], **expected}
    assert [login["guid"] for login in json.loads((profile / "logins-backup.json").read_bytes())["logins"]] == ["{own}"]


@pytest.mark.parametrize("ours_as_well", [True, False])
def test_a_login_for_a_server_that_the_person_has_made_of_ours_is_theirs(profile: Path, ours_as_well: bool) -> None:
    """They changed host and name in the dialogue, where Thunderbird forgets our login, and saved theirs."""
    run(profile)
    change_preferences(profile, hostname=b"private.test", username=b"me")
    saved = LoginsFile((profile / "logins.json").read_bytes())
    (ours,) = (login for login in saved.logins if login["guid"] != "{own}")
    saved.remove(ours["guid"])
    keys = nss.Keys([PROGRAM_LIBRARY], "")
    theirs = {("smtp://private.test", "me"): "Their secret"}
    since = {**theirs, OURS: PASSWORD} if ours_as_well else theirs
    for number, ((origin, username), password) in enumerate(since.items()):
        encrypted = nss.encrypt(profile, keys, [username, password], aes=nss.is_aes(ours["encryptedPassword"]))
        saved.add(f"{{{number}}}", origin, *encrypted)
    (profile / "logins.json").write_bytes(saved.content)
    theirs[OWN] = OWN_LOGIN["password"]
    assert action(run(profile)) == "updated"
    assert passwords(profile) == {**theirs, OURS: PASSWORD}
    assert action(absent(profile)) == "removed"
    assert passwords(profile) == theirs


def test_our_login_goes_also_when_something_has_dropped_our_entry(profile: Path) -> None:
    """As user.js and the policies of an administrator do, which name all servers."""
    run(profile)
    content = (profile / "prefs.js").read_bytes()
    (profile / "prefs.js").write_bytes(content.replace(b'"smtp1,spamexperts"', b'"smtp1"'))
    assert action(absent(profile)) == "removed"
    assert passwords(profile) == {OWN: OWN_LOGIN["password"]}
    assert b"spamexperts" not in (profile / "prefs.js").read_bytes()


def test_absent_is_the_way_back(profile: Path) -> None:
    before = snapshot(profile)
    run(profile, default_server=True, identities=["alice@example.org", "info@example.com"])
    (profile / "logins-backup.json").write_bytes((profile / "logins.json").read_bytes())
    assert action(absent(profile)) == "removed"
    copy = b'user_pref("signon.rustMirror.migrationNeeded", true);\n'
    assert (profile / "prefs.js").read_bytes() == before[str(profile / "prefs.js")][2] + copy
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
    assert action(run(profile, authentication="none", login=None, password=None)) == "updated"
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
    assert action(run(profile)) == "created"
    assert sorted(path.name for path in profile.iterdir()) == ["cert9.db", "key4.db", "logins.json", "prefs.js"]
    assert {path.name for path in profile.iterdir() if path.stat().st_mode & 0o077} <= {"prefs.js"}
    assert passwords(profile) == {OURS: PASSWORD}
    before = snapshot(profile)
    assert action(run(profile)) == "unchanged"
    assert snapshot(profile) == before


def test_what_a_killed_run_left_is_cleaned_up(profile: Path) -> None:
    (profile / ".smarthost-spamexperts-old" / "keys").mkdir(parents=True)
    run(profile)
    assert not list(profile.glob(".smarthost*"))
