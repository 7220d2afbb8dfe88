# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles and circumstances that thunderbird_outgoing_server refuses: one sentence, and nothing is changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.child import Owner, run_as

from tests.support.module import ModuleRun, run_module
from tests.support.thunderbird_profile import PROGRAM_LIBRARY, SYSTEM_LIBRARY, make_profile, snapshot

pytestmark = pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed")

PASSWORD = "Correct-Horse-42"


def run(profile: Path, **options: Any) -> ModuleRun:
    arguments = {"profile": str(profile), "login": "info@example.com", "password": PASSWORD, **options}
    return run_module("thunderbird_outgoing_server", arguments)


def refuse(profile: Path, says: str, code: str = "conflict", **options: Any) -> None:
    """The module fails for this reason, in check mode as well, and touches nothing beside or in the profile."""
    before = snapshot(profile.parent)
    for check in (True, False):
        done = run_module(
            "thunderbird_outgoing_server",
            {"profile": str(profile), "login": "info@example.com", "password": PASSWORD, **options},
            check=check,
        )
        assert done.code == code, done.message
        assert not done.changed
        assert says in done.message
        assert "\n" not in done.message
        assert "unexpected" not in done.message
        assert not re.search(r"[.!?] [A-Z]", done.message), "more than one sentence"
        assert PASSWORD not in done.raw
    assert snapshot(profile.parent) == before


def test_no_profile(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    refuse(tmp_path / "there" / "missing", "there is no profile directory", "not_found")


def test_a_directory_that_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    refuse(tmp_path / "home", "is not a Thunderbird profile: it has neither prefs.js nor times.json")


def test_a_file_that_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refuse(tmp_path / "file", "", "not_found")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-9],
        lambda content: content + b'user_pref("a", "\\q");\n',
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf" + content,
    ],
    ids=["half a line", "unknown escape", "CRLF", "BOM"],
)
def test_broken_preferences(profile: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = profile / "prefs.js"
    path.write_bytes(spoil(path.read_bytes()))
    refuse(profile, "prefs.js ")


@pytest.mark.parametrize("content", [b"", b'{"nextId":2,"logins":[{"id":1,', b"null", b"\x00\xff"])
def test_broken_logins(profile: Path, content: bytes) -> None:
    (profile / "logins.json").write_bytes(content)
    refuse(profile, "logins.json is not the list of saved logins that Thunderbird writes; restore it")


def test_a_damaged_login_of_the_same_host(profile: Path) -> None:
    run(profile)
    path = profile / "logins.json"
    path.write_bytes(re.sub(rb'"encryptedPassword":"[^"]*"', b'"encryptedPassword":"xx"', path.read_bytes()))
    refuse(profile, "a saved login in logins.json is damaged")


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, "half"], ids=["empty", "other", "half"])
def test_an_unreadable_key_database(profile: Path, content: bytes | str) -> None:
    run(profile)
    path = profile / "key4.db"
    whole = path.read_bytes()
    path.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    refuse(profile, "key", password="Another-Horse-43")


def test_a_lost_key_database(profile: Path) -> None:
    run(profile)
    (profile / "key4.db").unlink()
    refuse(profile, "key4.db")


def test_a_lost_key_database_is_not_replaced_while_there_are_logins(profile: Path) -> None:
    """Also where there is none of ours to read: the person may find it again."""
    (profile / "key4.db").unlink()
    refuse(profile, f"the saved logins have lost their key database key4.db; restore {profile}/key4.db from a backup")


def test_a_damaged_backup_in_the_place_of_the_logins(profile: Path) -> None:
    (profile / "logins.json").unlink()
    (profile / "logins-backup.json").write_bytes(b"{ half")
    refuse(profile, "logins-backup.json, from which Thunderbird would restore logins.json, is not the list of saved")


def test_a_key_database_of_another_profile(profile: Path, tmp_path: Path) -> None:
    run(profile)
    shutil.copy(make_profile(tmp_path / "other") / "key4.db", profile / "key4.db")
    refuse(profile, "a saved login cannot be decrypted with the profile's key database")


def test_a_key_database_whose_last_change_is_unfinished(profile: Path) -> None:
    (profile / "key4.db-journal").touch()  # what is left of one that was finished
    run(profile)
    (profile / "key4.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")
    refuse(profile, "the key database key4.db cannot be opened", login="other@example.com")


def test_a_primary_password_that_is_missing_or_wrong(tmp_path: Path) -> None:
    profile = make_profile(tmp_path / "profile", library=SYSTEM_LIBRARY, primary_password="primary secret")
    code = "primary_password"
    refuse(profile, "the profile has a primary password; give it as primary_password", code)
    refuse(profile, "the primary password is wrong", code, primary_password="wrong secret")


def test_no_library(profile: Path) -> None:
    sentence = "the NSS library that encrypts saved logins was not found; install Thunderbird"
    refuse(profile, sentence, "not_installed", nss_library="/nowhere/libnss3.so")


def test_a_library_that_is_none(profile: Path, tmp_path: Path) -> None:
    (tmp_path / "libnss3.so").write_text("text")
    refuse(profile, "", "not_installed", nss_library=str(tmp_path / "libnss3.so"))


@pytest.mark.parametrize("name", ["prefs.js", "logins.json", "key4.db", "cert9.db", ".parentlock"])
def test_a_link_in_the_place_of_a_file(profile: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").touch()
    if (profile / name).exists():
        shutil.move(profile / name, tmp_path / "elsewhere")
    (profile / name).symlink_to(tmp_path / "elsewhere")
    says = f"{profile / name} is a link to {tmp_path / 'elsewhere'}; put the file itself in its place"
    if name in {"prefs.js", "logins.json"}:
        refuse(profile, says, "file_error")
    before = (tmp_path / "elsewhere").read_bytes()
    done = run(profile)
    assert says in done.message
    assert (profile / name).is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == before


def test_a_link_to_nothing_in_the_place_of_a_file(profile: Path) -> None:
    (profile / "logins.json").unlink()
    (profile / "logins.json").symlink_to("gone.json")
    refuse(profile, f"{profile}/logins.json is a link to gone.json", "file_error")


def test_a_pipe_in_the_place_of_a_file(profile: Path) -> None:
    (profile / "prefs.js").unlink()
    os.mkfifo(profile / "prefs.js")
    refuse(profile, "prefs.js is not a regular file", "file_error")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"login": None}, "login is needed"),
        ({"authentication": "none"}, "there is no use for password"),
        ({"password": ""}, "password is empty"),
        ({"password": "two\nlines"}, "control character"),
        ({"smarthost": "a b"}, "smarthost: "),
        ({"smarthost_port": 0}, "smarthost_port: "),
        ({"login": "jürgen@example.com"}, "login: "),
        ({"entry": "smtp1"}, "entry: "),
    ],
)
def test_options_that_do_not_fit(profile: Path, options: dict[str, Any], says: str) -> None:
    refuse(profile, says, "invalid_options", **options)


@pytest.mark.parametrize("options", [{"users": ["alice"]}, {"all_users": True}])
def test_profiles_that_are_named_twice(profile: Path, options: dict[str, Any]) -> None:
    sentence = "more than one of profile, users and all_users says whose profiles are meant"
    refuse(profile, sentence, "invalid_options", **options)


@pytest.mark.parametrize("options", [{}, {"all_users": False}, {"profile": ""}])
def test_nobody_whose_profile_is_meant(options: dict[str, Any]) -> None:
    done = run_module("thunderbird_outgoing_server", {"login": "info@example.com", "password": PASSWORD, **options})
    assert done.code == "invalid_options"
    assert done.message.startswith("none of profile, users and all_users says")


def test_a_default_that_is_spelt_out_names_nobody(profile: Path) -> None:
    done = run(profile, all_users=False)
    assert not done.failed, done.message
    assert done.result["profiles"][0]["action"] == "created"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 4 MB."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs", name], check=True)
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)


@pytest.mark.root
@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_full_disk(small_disk: Path, left: int) -> None:
    """At every point of the way; with more room left, the run gets further."""
    profile = make_profile(small_disk / "profile")
    with (small_disk / "filling").open("wb", buffering=0) as filling:
        try:
            while True:
                filling.write(bytes(4096))
        except OSError:
            pass
        filling.truncate(filling.tell() - left * 4096)
    before = snapshot(profile)
    done = run(profile)
    assert done.code == "file_error" or "key database" in done.message
    after = snapshot(profile)
    # The directory itself has seen temporary files come and go.
    assert {name: seen[::2] for name, seen in after.items()} == {name: seen[::2] for name, seen in before.items()}
    (small_disk / "filling").unlink()
    assert run(profile).result["profiles"][0]["action"] == "created"


def test_an_error_in_the_middle_of_the_replacement(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {path.name: path.read_bytes() for path in profile.iterdir()}
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if self.name == "prefs.js":
            raise OSError(5, "Input/output error", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    done = run(profile)
    assert done.code == "file_error"
    assert {path.name: path.read_bytes() for path in profile.iterdir()} == contents


def test_a_library_that_crashes(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.nss._Library.open",
        lambda *_arguments, **_options: os.kill(os.getpid(), 11),
    )
    refuse(profile, "the process that works on the profile was ended by signal 11; run the task again", "unexpected")


@pytest.mark.root
def test_the_profile_of_somebody_else() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        profile = make_profile(Path(name) / "profile")
        profile.chmod(0o755)
        for path in [profile, *profile.iterdir()]:
            os.chown(path, 40001, 40001)
        before = snapshot(profile)
        run(profile, login=None)  # what the module imports is loaded while that is still possible
        result = run_as(Owner(40002, 40002), lambda: run(profile).result)
        assert result["failure"]["code"] == "no_permission"
        assert snapshot(profile) == before
        done = run(profile)
        assert not done.failed, done.message
        assert {path.stat().st_uid for path in profile.iterdir()} == {40001}
