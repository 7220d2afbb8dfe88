# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""thunderbird_outgoing_server is killed before each thing that it does to a directory; the next run makes it good."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.profile import COPY_LOGINS

from tests.support.module import ModuleRun, run_module
from tests.support.thunderbird_module import OTHER, OURS, OWN, PASSWORD, absent, action, run, warned
from tests.support.thunderbird_profile import OWN_LOGIN, PROGRAM_LIBRARY, in_use, passwords, preferences_of, snapshot

pytestmark = pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed")

#: What Python tells of before it does it; os.fsync it does not.
EVENTS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink"}
THEIRS = {OWN: OWN_LOGIN["password"]}
COPY = b'user_pref("%s", true);\n' % COPY_LOGINS.encode()


def killed_before(number: int, work: Callable[[], ModuleRun]) -> bool:
    """Run the module in a process that ends before its `number`th step; False where it is done sooner."""
    process = os.fork()
    if process:
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert code in {0, 1, -signal.SIGKILL}
        return code != 0
    try:
        steps, fsync = 0, os.fsync

        def step() -> None:
            nonlocal steps
            steps += 1
            if steps == number:
                os.kill(os.getpid(), signal.SIGKILL)

        def sync(descriptor: int) -> None:
            step()
            fsync(descriptor)

        os.fsync = sync  # type: ignore[assignment] # this process ends below
        sys.addaudithook(lambda event, _arguments: step() if event in EVENTS else None)
        done = work()
        # The steps are those of a process of its own, with the rights of the person.
        os._exit(1 if done.code == "unexpected" else 0)
    except BaseException:
        os._exit(2)


def theirs_is_there(profile: Path, before: dict[bytes, Any]) -> None:
    """What a Thunderbird that starts now would have of the person's: each login, and each preference that is theirs."""
    content = (
        profile / "logins.json" if (profile / "logins.json").exists() else profile / "logins-backup.json"
    ).read_bytes()
    assert "{own}" in [login["guid"] for login in json.loads(content)["logins"]]
    after = preferences_of(profile)
    changed = {b"mail.smtpservers", b"mail.smtp.defaultserver", b"mail.identity.id1.smtpServer"}
    assert {name: after.get(name) for name in before.keys() - changed} == {
        name: before[name] for name in before.keys() - changed
    }
    assert b"smtp1" in str(after[b"mail.smtpservers"]).encode()


def no_logins(profile: Path) -> None:
    """As in the middle of each save of Thunderbird."""
    (profile / "logins.json").rename(profile / "logins-backup.json")


def no_keys(profile: Path) -> None:
    """As of somebody who has saved no password yet."""
    for name in ("logins.json", "key4.db", "cert9.db"):
        (profile / name).unlink()


def elsewhere(profile: Path) -> Path:
    """With the login of another smarthost, which is in Thunderbird's backup by now, too."""
    run(profile, smarthost="old.test")
    shutil.copy(profile / "logins.json", profile / "logins-backup.json")
    return profile


WISH: dict[str, Any] = {"default_server": True, "identities": ["alice@example.org"]}


@pytest.mark.parametrize(
    ("prepare", "then"),
    [
        pytest.param(lambda _profile: None, {}, id="new login"),
        pytest.param(lambda profile: run(profile, **WISH, password=OTHER), {}, id="changed password"),
        pytest.param(lambda profile: run(elsewhere(profile), **WISH), {"state": "absent"}, id="absent"),
        pytest.param(no_logins, {}, id="new login, no logins.json", marks=pytest.mark.slow),
        pytest.param(no_keys, {}, id="first login", marks=pytest.mark.slow),
        pytest.param(elsewhere, {}, id="another host", marks=pytest.mark.slow),
    ],
)
def test_every_step_in_a_profile(
    profile: Path, tmp_path: Path, prepare: Callable[[Path], object], then: dict[str, Any]
) -> None:
    original = (profile / "prefs.js").read_bytes()
    before = preferences_of(profile)
    prepare(profile)
    prepared = (profile / "prefs.js").read_bytes()
    # As Thunderbird does when it has copied the logins.
    (profile / "prefs.js").write_bytes(prepared.replace(COPY, COPY.replace(b"true", b"false")))
    theirs = {} if prepare is no_keys else THEIRS
    whole = tmp_path / "whole"
    shutil.copytree(profile, whole)
    assert not run(whole, **WISH, **then).failed
    assert COPY in (whole / "prefs.js").read_bytes()
    seen = snapshot(whole)
    assert action(run(whole, **WISH, **then)) == "unchanged"
    assert snapshot(whole) == seen
    number, killed = 0, True
    while killed:
        number += 1
        again = tmp_path / str(number)
        shutil.copytree(profile, again)
        killed = killed_before(number, partial(run, again, **WISH, **then))
        if theirs:
            theirs_is_there(again, before)
        next_run = run(again, **WISH, **then)
        assert not next_run.failed, (number, next_run.message)
        assert passwords(again) == {**theirs, **({} if then else {OURS: PASSWORD})}, number
        assert end(again) == end(whole), number
        if (again / "logins-backup.json").exists():
            backup = json.loads((again / "logins-backup.json").read_bytes())["logins"]
            assert [login["guid"] for login in backup] == ["{own}"], number
    assert number > 8
    assert action(absent(again)) == ("unchanged" if then else "removed")
    assert passwords(again) == theirs
    assert (again / "prefs.js").read_bytes().replace(COPY, b"") == original


def end(profile: Path) -> tuple[set[str], bytes]:
    """The files that are there, with those of Thunderbird alone, and the preferences whatever the login is called."""
    names = {path.name for path in profile.iterdir()} - {".parentlock"}
    return names, re.sub(rb"\{[0-9a-f-]{36}\}", b"{ours}", (profile / "prefs.js").read_bytes())


@pytest.mark.parametrize(
    "then", [{}, pytest.param({"state": "absent"}, marks=pytest.mark.slow)], ids=["same", "absent"]
)
def test_every_step_of_a_new_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: dict[str, Any]) -> None:
    """Of somebody who has used no Thunderbird; what nothing names is gone, with the password in it."""
    homes: dict[str, Path] = {}
    monkeypatch.setattr(pwd, "getpwnam", lambda name: person(homes[name]))
    number, killed = 0, True
    while killed:
        number += 1
        home = homes["dave"] = tmp_path / str(number)
        home.mkdir()
        killed = killed_before(number, lambda: run(None, users=["dave"]))
        root = home / ".thunderbird"
        for profile in named(root):
            assert passwords(profile) == {OURS: PASSWORD}, number
        done = run(None, users=["dave"], **then)
        assert not done.failed, (number, done.message)
        made = [path for path in root.glob("*") if path.is_dir()]
        assert made == named(root), number
        assert [passwords(profile) for profile in made] == ([{}] if then else [{OURS: PASSWORD}])[: len(made)], number
        assert made or then
        assert not list(home.rglob(".smarthost*")), number
        seen = snapshot(home)
        assert not run(None, users=["dave"], **then).changed, number
        assert snapshot(home) == seen
    assert number > 15


def test_every_step_of_an_authority_for_everybody() -> None:
    """Whatever the mask of the process: what is made stays readable for everybody."""
    mask = os.umask(0o077)
    try:
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            trustme.CA().cert_pem.write_to_path(f"{name}/ca.pem")
            Path(name, "ca.pem").chmod(0o644)
            number, killed = 0, True
            while killed:
                number += 1
                file = Path(name, str(number), "policies", "policies.json")
                wanted = {"path": f"{name}/ca.pem", "policies_path": str(file)}
                name_authority = partial(run_module, "thunderbird_certificate_authority", wanted)
                killed = killed_before(number, name_authority)
                assert not name_authority().failed
                assert list(file.parent.iterdir()) == [file], number
                modes = [path.stat().st_mode & 0o777 for path in (file, file.parent, file.parent.parent)]
                assert modes == [0o644, 0o755, 0o755], number
    finally:
        os.umask(mask)
    assert number > 6


def person(home: Path) -> pwd.struct_passwd:
    return pwd.struct_passwd(("dave", "x", os.geteuid(), os.getegid(), "", str(home), "/bin/sh"))


def named(root: Path) -> list[Path]:
    """The profiles that profiles.ini names."""
    registry = (root / "profiles.ini").read_text() if (root / "profiles.ini").exists() else ""
    return [root / line[5:] for line in registry.splitlines() if line.startswith("Path=")]


def test_a_run_that_has_nothing_to_do_removes_what_a_killed_one_has_left(profile: Path) -> None:
    run(profile)
    left = profile / ".smarthost-spamexperts-old"
    (left / "keys").mkdir(parents=True)
    (left / "keys/key4.db").write_bytes(b"secret")
    run(profile, check=True)
    assert left.exists()
    with in_use(profile) as holder:
        waits = run(profile)
        assert action(waits) == "unchanged"
        assert left.exists()
        assert warned(waits, f"{left} has copies of saved logins, left by an interrupted run, and stays for now")
        assert warned(waits, f"pid {holder.pid}")
    assert action(run(profile)) == "unchanged"
    assert not left.exists()


@pytest.mark.parametrize("name", ["", "abcd1234.default-release", "used1234.default-release", "../profile"])
def test_nothing_but_an_unnamed_profile_of_ours_is_cleaned_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(pwd, "getpwnam", lambda _: person(tmp_path))
    run(None, users=["dave"])
    (used,) = named(root := tmp_path / ".thunderbird")
    for other in ("abcd1234.default-release", "used1234.default-release"):
        (root / other).mkdir()
        (root / other / "prefs.js").touch()
    (root / "used1234.default-release/compatibility.ini").touch()
    (tmp_path / "profile").mkdir()
    (root / f".smarthost-spamexperts-{name}").mkdir(parents=True)
    assert action(run(None, users=["dave"])) == "unchanged"
    assert passwords(used) == {OURS: PASSWORD}
    assert (tmp_path / "profile").exists()
    assert (root / "used1234.default-release").exists()
    assert (root / "abcd1234.default-release").exists() == (name != "abcd1234.default-release")
