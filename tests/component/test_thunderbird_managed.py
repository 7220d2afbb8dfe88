# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles whose preferences somebody else manages, or that a Thunderbird which is not known here has used."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird import policies

from tests.support.thunderbird_module import OURS, PASSWORD, absent, action, run, warned
from tests.support.thunderbird_profile import PROGRAM_LIBRARY, make_profile, passwords, preferences_of, snapshot

pytestmark = pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed")


@pytest.fixture
def system_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policies.json"
    monkeypatch.setattr(policies, "SYSTEM_FILE", path)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of dave, who has the rights of this process."""
    (tmp_path / "dave").mkdir()
    entry = pwd.struct_passwd(("dave", "x", os.geteuid(), os.getegid(), "", str(tmp_path / "dave"), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", {"dave": entry}.__getitem__)
    return tmp_path / "dave"


def write_policy(path: Path, preferences: dict[str, Any]) -> None:
    path.write_text(json.dumps({"policies": {"Preferences": preferences}}))


def refused(profile: Path, says: str, **options: Any) -> None:
    before = snapshot(profile)
    for check in (True, False):
        done = run(profile, check=check, **options)
        assert done.failed
        assert not done.changed
        assert done.result["profiles"][0]["action"] == "failed"
        assert done.code == "conflict"
        assert says in done.message
    assert snapshot(profile) == before


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mail.smtpservers", {}),
        ("mail.smtp.defaultserver", {"default_server": True}),
        ("mail.identity.id1.smtpServer", {"identities": ["alice@example.org"]}),
    ],
)
@pytest.mark.parametrize("by_policy", [False, True])
def test_a_setting_that_undoes_the_server_at_each_start_is_refused(
    profile: Path, system_policies: Path, name: str, options: dict[str, Any], by_policy: bool
) -> None:
    def manage(value: str) -> Path:
        if by_policy:
            write_policy(system_policies, {name: {"Value": value, "Status": "locked"}})
            return system_policies
        (profile / "user.js").write_text(f'user_pref("{name}", "{value}");\n')
        return profile / "user.js"

    place = manage("smtp1")
    refused(profile, f"{place} sets {name} ", **options)
    # Absent needs nothing of it.
    assert action(absent(profile)) == "unchanged"
    # Where the message says that it belongs.
    manage("smtp1,spamexperts" if name == "mail.smtpservers" else "spamexperts")
    assert action(run(profile, **options)) == "created"
    assert action(run(profile, **options)) == "unchanged"
    refused(profile, f"{place} sets {name} ", state="absent", smarthost=None, login=None, password=None)
    manage("smtp1")
    assert action(absent(profile)) == "removed"


def test_a_setting_that_concerns_nothing_of_ours_is_no_objection(profile: Path) -> None:
    (profile / "user.js").write_text(
        '// user_pref("mail.smtpservers", "smtp1");\nuser_pref("mail.smtp.defaultserver", "smtp1");\n'
        'user_pref("mail.identity.id1.smtpServer", "smtp1");\nuser_pref("a.b", 1);\n'
    )
    assert action(run(profile, identities=["info@example.com"])) == "created"
    assert action(run(profile, identities=["info@example.com"])) == "unchanged"


def test_the_servers_that_a_policy_gives_by_default_stay(tmp_path: Path, system_policies: Path) -> None:
    """A list of the profile's own takes the place of that of the policy."""
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "prefs.js").touch()
    write_policy(system_policies, {"mail.smtpservers": {"Value": "corp", "Status": "default"}})
    assert action(run(profile)) == "created"
    assert preferences_of(profile)[b"mail.smtpservers"] == b"corp,spamexperts"
    assert action(absent(profile)) == "removed"
    assert b"mail.smtpservers" not in preferences_of(profile)


def test_a_locked_policy_keeps_a_new_profile_from_being_made(home: Path, system_policies: Path) -> None:
    write_policy(system_policies, {"mail.smtpservers": "corp"})
    done = run(None, users=["dave"])
    assert done.code == "conflict"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["org.mozilla.Thunderbird", "org.mozilla.thunderbird", "org.mozilla.thunderbird_esr"])
def test_a_flatpak_has_its_profile_changed_and_no_policy_of_the_host(
    home: Path, system_policies: Path, name: str
) -> None:
    write_policy(system_policies, {"mail.smtpservers": "corp"})
    root = home / ".var/app" / name / ".thunderbird"
    make_profile(root / "used")
    registry = "[Profile0]\nName=a\nIsRelative=1\nPath=used\n[InstallBD520B11F73A6B64]\nDefault=used\n"
    (root / "store.ini").write_text(registry)
    (root / "profiles.ini").symlink_to("store.ini")  # as home-manager makes it
    done = run(None, users=["dave"])
    assert action(done) == "created"
    assert (done.result["profiles"][0]["path"], done.result["profiles"][0]["new_profile"]) == (
        str(root / "used"),
        False,
    )
    assert passwords(root / "used")[OURS] == PASSWORD
    assert not (home / ".thunderbird").exists()


@pytest.mark.parametrize(
    "root",
    [
        ".var/app/org.example.Thunderbird/.thunderbird",
        "snap/thunderbird-esr/common/.thunderbird",
        ".config/thunderbird",
    ],
)
def test_no_profile_is_made_where_another_kind_of_thunderbird_has_one(home: Path, root: str) -> None:
    (home / root).mkdir(parents=True)
    (home / root / "profiles.ini").write_text("[Profile0]\nName=a\nIsRelative=1\nPath=used\n")
    before = snapshot(home)
    done = run(None, users=["dave"])
    assert f"no profile is made, as {home / root}/profiles.ini is that of another Thunderbird" in done.message
    assert snapshot(home) == before


def test_of_two_profiles_the_one_that_was_used_later_is_not_passed_over(home: Path) -> None:
    root = home / ".thunderbird"
    for name in ("installed", "default"):
        make_profile(root / name)
        (root / name / "compatibility.ini").write_text("[Compatibility]\nLastVersion=153.8.0_1/1\n")
        (root / name / "xulstore.json").touch()
    (root / "profiles.ini").write_text(
        "[Profile0]\nName=a\nIsRelative=1\nPath=default\nDefault=1\n\n[Profile1]\nName=b\nIsRelative=1\nPath=installed\n\n"
        "[InstallFDC34C9F024745EB]\nDefault=installed\nLocked=1\n"
    )

    def used(name: str, when: int) -> None:
        for path in (root / name).iterdir():
            os.utime(path, (when, when))

    used("default", 1_700_000_000)
    used("installed", 1_600_000_000)
    before = snapshot(root)
    done = run(None, users=["dave"])
    assert f"gives the profile {root}/installed to the installed Thunderbird, but {root}/default, its Default=1" in (
        done.message
    )
    assert snapshot(root) == before
    used("installed", 1_800_000_000)
    used("default", 1_800_000_001)
    used("installed", 1_800_000_002)
    assert action(run(None, users=["dave"])) == "created"
    assert OURS in passwords(root / "installed")
    assert OURS not in passwords(root / "default")
    # What this module writes is no use of a profile.
    used("default", 1_800_000_003)
    assert run(None, users=["dave"], password="Another-Horse-43").code == "conflict"


@pytest.mark.parametrize(
    ("version", "warns"),
    [
        ("153.8.0_20261120213735/20261120213735", False),
        ("140.12.0_1/1", False),
        ("154.0_20270101000000/20270101000000", True),
        ("1000.1b2_1/1", True),
        ("x.y", False),
    ],
)
def test_a_thunderbird_that_is_newer_than_what_was_tested_is_warned_of(
    profile: Path, version: str, warns: bool
) -> None:
    (profile / "compatibility.ini").write_text(f"[Compatibility]\nLastVersion={version}\n")
    shown = f"{profile} is used by Thunderbird {version.partition('_')[0]}, and tested is up to 153; see whether"
    done = run(profile)
    assert action(done) == "created"
    assert warned(done, shown) == warns
    assert not warned(absent(profile), "is used by")


@pytest.mark.parametrize("version", ["153.8.0", "154.0"])
def test_a_profile_that_nobody_has_used_goes_by_the_program_that_will(home: Path, tmp_path: Path, version: str) -> None:
    program = tmp_path / "program"
    program.mkdir()
    (program / "application.ini").write_text(f"[App]\nVersion={version}\n")
    done = run(None, users=["dave"], program_directory=str(program), nss_library=PROGRAM_LIBRARY)
    made = done.result["profiles"][0]
    assert made["new_profile"]
    assert warned(done, f"{made['path']} is used by Thunderbird 154.0") == (version == "154.0")
