# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rare turns of what edits a profile, with Thunderbird's own NSS and real processes."""

from __future__ import annotations

import errno
import json
import os
import pwd
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird import child, files, lock, nss
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.child import Owner
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.errors import (
    ThunderbirdError,
    sentence,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.installation import (
    PACKAGE,
    Installation,
    installations,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.preferences import Preferences

from tests.support.thunderbird_module import OTHER, OURS, OWN, PASSWORD, action, run
from tests.support.thunderbird_profile import (
    OWN_LOGIN,
    PROGRAM_LIBRARY,
    SYSTEM_LIBRARY,
    in_use,
    make_profile,
    passwords,
    snapshot,
)

pytestmark = pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed")
NOBODY_HERE = 40003


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of dave, who has the rights of this process and never started Thunderbird."""
    home = tmp_path / "dave"
    home.mkdir()
    entry = pwd.struct_passwd(("dave", "x", os.geteuid(), os.getegid(), "", str(home), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", {"dave": entry}.__getitem__)
    return home


# Processes and rights


def rights() -> list[Any]:
    return [os.getuid(), os.getgid(), os.getgroups(), os.umask(0)]


@pytest.mark.root
def test_a_person_without_an_entry_has_their_own_group_only() -> None:
    owner = Owner(NOBODY_HERE, NOBODY_HERE + 1)
    assert (owner.name, owner.home) == (f"uid {NOBODY_HERE}", Path("/"))
    assert child.run_as(owner, rights) == [NOBODY_HERE, NOBODY_HERE + 1, [NOBODY_HERE + 1], 0o077]


@pytest.mark.root
def test_the_groups_of_this_process_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert child.run_as(Owner(0, 0), os.getgroups) == [0]


def test_whoever_is_the_owner_already_keeps_their_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may set groups; for everybody else the call would fail."""

    def forbidden(*_arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for name in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, forbidden)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY_HERE)
    assert child.run_as(Owner(NOBODY_HERE, NOBODY_HERE), rights)[3] == 0o077


def test_nobody_but_root_becomes_somebody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY_HERE)
    done = tmp_path / "done"
    with pytest.raises(ThunderbirdError, match=f"belong to uid 40009 and this task runs as uid {NOBODY_HERE}; run it"):
        child.run_as(Owner(40009, 40009), done.touch)
    assert not done.exists()


def test_the_child_ends_with_its_answer_and_never_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its side of `run`, in a process of our own."""
    reading, writing = os.pipe()
    returned = tmp_path / "returned"
    process = os.fork()
    if not process:
        monkeypatch.setattr(os, "fork", lambda: 0)
        monkeypatch.setattr(os, "pipe", lambda: (reading, writing))
        try:
            child.run(os.getpid)
        finally:
            returned.touch()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert json.loads(pipe.read()) == {"result": process}
    assert os.waitpid(process, 0) == (process, 0)
    assert not returned.exists()


def test_a_child_that_takes_too_long_is_ended() -> None:
    def stuck() -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # pytest-timeout has one of its own
        time.sleep(60)

    begin = time.monotonic()
    with pytest.raises(ThunderbirdError, match="did not finish in 1 s; run the task again"):
        child.run(stuck, 1)
    assert time.monotonic() - begin < 30


def test_a_child_that_ends_without_an_answer_is_named() -> None:
    with pytest.raises(ThunderbirdError, match="ended without a result; run the task again"):
        child.run(lambda: os._exit(3))


# What an error says


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ThunderbirdError("the reason"), "the reason"),
        (OSError(errno.EIO, "Input/output error", "/p/x"), "/p/x cannot be read or written: Input/output error"),
        (OSError(PASSWORD), "a file cannot be read or written: OSError"),
        (ValueError(PASSWORD), "unexpected ValueError in an unknown place; please report it"),
    ],
)
def test_an_error_is_one_sentence_without_its_text(error: Exception, says: str) -> None:
    assert sentence(error) == says


def test_an_unforeseen_error_of_a_child_names_its_place_and_no_secret() -> None:
    def inner() -> None:
        raise LookupError(PASSWORD)

    def outer() -> None:
        inner()

    line = inner.__code__.co_firstlineno + 1
    with pytest.raises(ThunderbirdError) as raised:
        child.run(outer)
    assert str(raised.value) == f"unexpected LookupError in inner, line {line}; please report it"


# Files and the lock


def test_a_replacement_that_fails_puts_everything_back(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (target / "old").write_bytes(b"old")
    for name in ("old", "new"):
        (source / name).write_bytes(b"wanted")
    with pytest.raises(FileNotFoundError):
        files.move(["old", "new", "missing"], source, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {"old": b"old"}


def test_a_lock_that_nobody_holds(tmp_path: Path) -> None:
    assert lock.user_of(tmp_path) == ""
    (tmp_path / ".parentlock").touch()
    assert lock.user_of(tmp_path) == ""
    with in_use(tmp_path) as holder:
        assert lock.user_of(tmp_path) == f"Thunderbird (pid {holder.pid})"


def test_a_lock_that_cannot_be_asked_is_not_taken_for_one_in_use(tmp_path: Path) -> None:
    (tmp_path / ".parentlock").touch()
    descriptor = os.open(tmp_path / ".parentlock", os.O_RDONLY)  # an exclusive lock needs more
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            lock._take(descriptor)
    finally:
        os.close(descriptor)


def test_a_program_in_another_place_is_the_only_one(tmp_path: Path) -> None:
    (installed,) = installations("/srv/thunderbird", tmp_path)
    assert installed == Installation(PACKAGE, Path("/srv/thunderbird"))
    assert installed.section != Installation(PACKAGE, Path("/usr/lib/thunderbird")).section


# NSS


def empty_database(directory: Path) -> Path:
    """A key database that has not even the empty password yet."""
    directory.mkdir()

    def make() -> None:
        library = nss._Library([PROGRAM_LIBRARY])
        library.open(directory, read_only=False)
        assert library.is_new()
        library.close()

    child.run(make)
    assert (directory / "key4.db").exists()
    return directory


def test_an_empty_key_database_opens_with_nothing(tmp_path: Path) -> None:
    directory = empty_database(tmp_path / "empty")
    keys = nss.Keys([PROGRAM_LIBRARY], "")
    assert nss.decrypt(directory, keys, []) == []
    # It becomes a usable one when something is encrypted.
    encrypted = nss.encrypt(directory, keys, [PASSWORD], aes=False)
    assert nss.decrypt(directory, keys, encrypted) == [PASSWORD]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (lambda library: library.start_without_password(), "a new key database cannot be made"),
        (lambda library: library.log_in(PASSWORD), "the key database key4.db cannot be read"),
        (lambda library: library.encrypt(PASSWORD, aes=False), "the login cannot be encrypted with the profile's key"),
    ],
    ids=["first password", "log in", "encrypt"],
)
def test_what_nss_cannot_do_is_said_with_the_library(
    tmp_path: Path, step: Callable[[nss._Library], object], says: str
) -> None:
    directory = empty_database(tmp_path / "empty")

    def work() -> None:
        library = nss._Library([PROGRAM_LIBRARY])
        library.open(directory, read_only=True)
        step(library)

    with pytest.raises(ThunderbirdError, match=says) as raised:
        child.run(work)
    assert f"from {PROGRAM_LIBRARY}); if another Thunderbird uses the profile" in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_a_key_database_that_is_still_used_is_not_taken_for_written(profile: Path) -> None:
    def work() -> None:
        library = nss._Library([PROGRAM_LIBRARY])
        library.open(profile, read_only=False)
        library._nss.PK11_GetInternalKeySlot()  # a second use that is not ended
        library.close()

    with pytest.raises(ThunderbirdError, match="the key database cannot be closed"):
        child.run(work)


def test_a_library_whose_worker_is_not_the_one_beside_it(profile: Path, tmp_path: Path) -> None:
    """NSS would silently take the system's, which may be too old for the profile."""
    program = tmp_path / "program"
    program.mkdir()
    for name in (*nss._DEPENDENCIES, "libnss3.so"):
        beside = Path(PROGRAM_LIBRARY).with_name(name)
        if beside.exists():
            shutil.copy(beside, program / name)
    (program / "libsoftokn3.so").write_bytes(b"no library")
    before = snapshot(profile)
    done = run(profile, nss_library=f"{program}/libnss3.so")
    assert f"{program}/libsoftokn3.so cannot be loaded together with {program}/libnss3.so" in done.message
    assert snapshot(profile) == before


@pytest.mark.parametrize("kind", [None, "a primary password", "an older library"])
def test_a_profile_whose_certificates_were_removed(tmp_path: Path, kind: str | None) -> None:
    """A usual remedy for certificates that are not trusted; Thunderbird makes a new file at its next start."""
    primary: dict[str, Any] = {"primary_password": "primary secret"} if kind == "a primary password" else {}
    library = SYSTEM_LIBRARY if kind else PROGRAM_LIBRARY
    profile = make_profile(tmp_path / "profile", library=library, **primary)
    (profile / "cert9.db").unlink()
    before = snapshot(profile)
    assert action(run(profile, check=True, **primary)) == "created"
    assert snapshot(profile) == before
    assert action(run(profile, **primary)) == "created"
    assert passwords(profile, **primary) == {OWN: OWN_LOGIN["password"], OURS: PASSWORD}
    (profile / "cert9.db").unlink()
    before = snapshot(profile)
    assert action(run(profile, **primary)) == "unchanged"
    assert snapshot(profile) == before
    assert action(run(profile, **primary, password=OTHER)) == "updated"
    assert passwords(profile, **primary)[OURS] == OTHER


@pytest.mark.parametrize(("left", "code"), [(("key4.db",), "conflict"), ((), "")])
def test_half_a_key_database_is_not_taken_for_a_missing_one(profile: Path, left: tuple[str, ...], code: str) -> None:
    (profile / "cert9.db").unlink()
    for name in left:
        (profile / name).write_bytes(b"no database at all" * 100)
    done = run(profile)
    assert done.code == code, done.message


# Profiles


def test_preferences_that_share_a_line() -> None:
    preferences = Preferences(b'user_pref("a", 1); user_pref("b", 2);\n')
    preferences.remove("a")
    assert preferences.content == b' user_pref("b", 2);\n'
    preferences.set("c", True)
    preferences.set("d", False)
    preferences.set("b", 3)
    assert preferences.content == b' user_pref("b", 3);\nuser_pref("c", true);\nuser_pref("d", false);\n'


def test_a_synchronised_login_counts_its_changes(profile: Path) -> None:
    run(profile)
    content = json.loads((profile / "logins.json").read_bytes())
    for login in content["logins"]:
        login["syncCounter"] = 4
    (profile / "logins.json").write_text(json.dumps(content))
    assert action(run(profile, password=OTHER)) == "updated"
    after = json.loads((profile / "logins.json").read_bytes())["logins"]
    assert {login["hostname"]: login["syncCounter"] for login in after} == {OWN[0]: 4, OURS[0]: 5}
    assert passwords(profile) == {OWN: OWN_LOGIN["password"], OURS: OTHER}


def test_a_damaged_backup_of_the_logins_is_left_alone(profile: Path) -> None:
    """Thunderbird makes a new one; it is no reason to refuse the profile."""
    (profile / "logins-backup.json").write_bytes(b"{ half")
    assert action(run(profile)) == "created"
    assert action(run(profile, state="absent")) == "removed"
    assert (profile / "logins-backup.json").read_bytes() == b"{ half"


def test_a_closing_thunderbird_may_leave_the_profile_as_wanted(profile: Path, tmp_path: Path) -> None:
    """As when the person has entered the same by hand meanwhile: nothing is written over it."""
    wanted = tmp_path / "wanted"
    shutil.copytree(profile, wanted)
    run(wanted)
    left: list[dict[str, tuple[int, int, bytes]]] = []
    with in_use(profile) as holder:

        def close() -> None:
            for name in ("key4.db", "logins.json", "prefs.js"):
                shutil.copy2(wanted / name, profile / name)
            left.append(snapshot(profile))
            assert holder.stdin
            holder.stdin.close()

        timer = threading.Timer(0.5, close)
        timer.start()
        try:
            done = run(profile, wait_for_close=20)
        finally:
            timer.join()
    assert action(done) == "unchanged"
    assert not done.changed
    assert [snapshot(profile)] == left


def test_a_new_profile_is_made_whole_or_not_at_all(newcomer: Path, tmp_path: Path) -> None:
    predicted = run(None, users=["dave"], check=True)
    assert (action(predicted), predicted.result["profiles"][0]["path"]) == ("created", None)
    assert list(newcomer.iterdir()) == []
    refused = run(None, users=["dave"], nss_library=str(tmp_path / "missing.so"))
    assert refused.code == "not_installed"
    assert list(newcomer.iterdir()) == []
    made = run(None, users=["dave"])
    assert action(made) == "created"
    assert passwords(Path(made.result["profiles"][0]["path"])) == {OURS: PASSWORD}


def test_a_person_whose_home_is_gone_since_the_first_run(newcomer: Path) -> None:
    run(None, users=["dave"])
    assert action(run(None, users=["dave"])) == "unchanged"
    newcomer.rename(newcomer.with_name("moved"))
    done = run(None, users=["dave"])
    assert done.code == "not_found"
    assert not newcomer.exists()
