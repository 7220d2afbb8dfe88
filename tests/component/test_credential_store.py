# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action credential_store and the lookup credential in this process, with a real loader, task and vault."""

from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleLookupError
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils import _secrets, _store
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._credentials import Credential, Credentials
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._store import Store, StoreError
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._vault import Vault

from tests.support.action import Controller
from tests.support.store import largest_file

ONE, TWO = ("dev", "vault password one"), ("prod", "vault password two")
OLD, OTHER = "the old password 1", "another password 2"
GENERATED = r"[A-Za-z0-9._-]{32}"


class Site:
    """A store in a directory of its own, and a run with one vault password."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "store.yml"
        self.controller = Controller(directory, [ONE])

    def change(self, state: str = "present", *names: str, **options: Any) -> dict[str, Any]:
        keywords = {name: options.pop(name) for name in ("check", "diff") if name in options}
        arguments = {"path": str(self.path), "state": state, "names": list(names), **options}
        return self.controller.run_action("credential_store", arguments, **keywords)

    def refusal(self, state: str = "present", *names: str, **options: Any) -> str:
        with pytest.raises(AnsibleActionFail) as caught:
            self.change(state, *names, **options)
        return str(caught.value)

    def lookup(self, *names: str, **options: Any) -> list[str]:
        return list(self.controller.lookup("credential", names, store=str(self.path), **options))

    def stored(self, password: str = ONE[1]) -> dict[str, dict[str, str]]:
        """What an independent vault finds in the file."""
        library = VaultLib([("any", VaultSecret(password.encode()))])
        return dict(yaml.safe_load(library.decrypt(self.path.read_bytes()))["credentials"])

    def write(self, plain: str) -> None:
        """What a person wrote with ansible-vault edit."""
        self.path.write_bytes(VaultLib().encrypt(plain, secret=VaultSecret(ONE[1].encode())))

    @property
    def lock(self) -> Path:
        return self.directory / ".store.yml.lock"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# The action


def test_create_and_run_again(site: Site) -> None:
    options = {"credentials": [{"name": "web", "login": "web@example.com", "password": OLD}]}
    result = site.change("present", "mail", **options)
    assert result == {
        "changed": True,
        "credentials": [
            {"name": "web", "login": "web@example.com", "rotating": False, "action": "created"},
            {"name": "mail", "login": "mail", "rotating": False, "action": "created"},
        ],
        "vault_id": "dev",
    }
    assert site.path.stat().st_mode & 0o777 == 0o600
    stored = site.stored()
    assert stored["web"] == {"login": "web@example.com", "current": OLD}
    assert re.fullmatch(GENERATED, stored["mail"]["current"])
    content = site.path.read_bytes()
    again = site.change("present", "mail", **options)
    assert not again["changed"]
    assert {entry["action"] for entry in again["credentials"]} == {"unchanged"}
    assert site.path.read_bytes() == content


def test_a_whole_rotation(site: Site) -> None:
    site.change("present", "web", "mail")
    before = site.stored()
    assert site.change("staged", credentials=[{"name": "web", "next_login": "web2"}])["changed"]
    assert site.stored()["web"]["in_use"] == "current"
    shown = site.change("switched", "web")["credentials"]
    assert shown == [
        {
            "name": "web",
            "login": "web",
            "rotating": True,
            "next_login": "web2",
            "switched": True,
            "locked": False,
            "leaked": False,
            "action": "switched",
        }
    ]
    entry = site.stored()["web"]
    site.change("committed", "web")
    former = {"former_login": "web", "former": entry["current"]}
    assert site.stored()["web"] == {"login": "web2", "current": entry["next"], **former}
    site.change("staged", "mail")
    site.change("switched", "mail")
    assert site.change("reverted", "mail")["credentials"][0]["action"] == "reverted"
    assert (site.stored()["mail"]["in_use"], "next" in site.stored()["mail"]) == ("current", True)
    assert site.change("rolled_back", "mail")["credentials"][0]["action"] == "rolled_back"
    assert site.stored()["mail"] == before["mail"]
    site.change("staged", credentials=[{"name": "mail", "leaked": True}])
    for state in ("reverted", "rolled_back"):
        with pytest.raises(
            AnsibleActionFail, match="the password of mail from before has leaked, so it is not rolled back"
        ):
            site.change(state, "mail")
    removed = site.change("absent", "mail", "unknown")
    assert removed["credentials"] == [{"name": "mail", "action": "removed"}, {"name": "unknown", "action": "unchanged"}]
    assert list(site.stored()) == ["web"]


def test_a_password_is_overwritten_only_when_told(site: Site) -> None:
    site.change(credentials=[{"name": "web", "password": OLD}])
    other = [{"name": "web", "password": OTHER}]
    assert not site.change(credentials=other)["changed"]
    assert site.stored()["web"]["current"] == OLD
    assert site.change(credentials=other, update_password="always")["credentials"][0]["action"] == "updated"
    assert site.stored()["web"]["current"] == OTHER


def test_check_mode_predicts_and_writes_nothing(site: Site) -> None:
    result = site.change("present", "web", check=True)
    assert result["changed"]
    assert list(site.directory.iterdir()) == []


def test_the_diff_shows_that_a_password_is_new_but_not_which(site: Site) -> None:
    created = site.change(credentials=[{"name": "web", "password": OLD}, {"name": "mail"}], diff=True)
    assert created["diff"]["before"] == {}
    assert created["diff"]["after"]["web"] == {"name": "web", "login": "web", "rotating": False, "password": "(new)"}
    staged = site.change("staged", "web", diff=True)
    assert set(staged["diff"]["before"]) == set(staged["diff"]["after"]) == {"web"}
    assert staged["diff"]["after"]["web"]["password"] == "(set)"
    removed = site.change("absent", "web", diff=True)
    assert (set(removed["diff"]["before"]), removed["diff"]["after"]) == ({"web"}, {})
    assert OLD not in json.dumps([created, staged, removed])


def test_without_names_it_shows_the_whole_store_and_takes_no_lock(site: Site) -> None:
    site.change("present", "b", "a")
    site.lock.unlink()
    result = site.change()
    assert not result["changed"]
    assert [entry["name"] for entry in result["credentials"]] == ["a", "b"]
    assert not site.lock.exists()


@pytest.mark.parametrize(
    ("state", "options", "expected"),
    [
        ("present", {"names": ["a", "a", "b"]}, "a is there twice"),
        ("staged", {"credentials": [{"name": "a", "password": OLD}]}, "credentials[0].password has no meaning with"),
        ("absent", {"credentials": [{"name": "a", "login": "b"}]}, "credentials[0].login has no meaning with state=ab"),
        ("present", {"credentials": [{"name": "a", "next_login": "b"}]}, "credentials[0].next_login has no meaning"),
        ("present", {"credentials": [{"name": "a", "locked": False}]}, "credentials[0].locked has no meaning with"),
        (
            "present",
            {"names": ["a", "b:c"], "credentials": [{"name": "d"}, {"name": "e"}]},
            "names[1] must not be empty, nor hold a colon or blanks at its ends. Nothing",
        ),
        ("present", {"credentials": [{"name": "a:b"}]}, "credentials[0].name must not be empty, nor hold a colon"),
        ("present", {"credentials": [{"name": ""}]}, "credentials[0].name must not be empty"),
        ("present", {"credentials": [{"name": "a", "login": " b"}]}, "credentials[0].login must not be empty"),
        ("present", {"credentials": [{"name": "a", "login": "b\x07"}]}, "credentials[0].login must not be empty"),
        ("present", {"password_alphabet": "abcdefghijklmnop "}, "password_alphabet holds a blank"),
        ("present", {"password_alphabet": "abcdefghijklmnop:"}, "password_alphabet holds a blank"),
        ("present", {"password_length": 11}, "passwords of 11 characters out of 65 are too easy to guess"),
        ("present", {"password_length": 257}, "too easy to guess, or too long"),
        ("present", {"password_length": 20, "password_alphabet": "aab"}, "passwords of 20 characters out of 2 are"),
    ],
)
def test_options_that_make_no_sense(site: Site, state: str, options: dict[str, Any], expected: str) -> None:
    message = site.refusal(state, **options)
    assert expected in message
    assert message.endswith("Nothing was changed.")
    assert OLD not in message
    assert list(site.directory.iterdir()) == []


def test_every_problem_of_the_options_is_told_at_once(site: Site) -> None:
    message = site.refusal("present", "a", "a", password_length=5)
    assert "a is there twice; passwords of 5 characters" in message


def test_length_and_alphabet(site: Site) -> None:
    site.change("present", "a", password_length=64, password_alphabet="abab")
    password = site.stored()["a"]["current"]
    assert re.fullmatch("[ab]{64}", password)
    assert set(password) == {"a", "b"}


def test_nothing_changes_when_one_of_many_cannot(site: Site) -> None:
    site.change("present", "a")
    content = site.path.read_bytes()
    assert site.refusal("staged", "a", "b") == (
        f"credential store {site.path}: it has no credential b; create it with "
        "smarthost.spamexperts.credential_store. Nothing was changed."
    )
    assert site.path.read_bytes() == content


# Vault passwords


def test_without_a_vault_password(site: Site) -> None:
    site.controller = Controller(site.directory)
    assert "this run has no vault password; give one with --vault-password-file" in site.refusal("present", "a")
    assert not site.path.exists()


def test_several_vault_ids(site: Site) -> None:
    site.controller = Controller(site.directory, [ONE, TWO])
    assert site.refusal("present", "a") == (
        f"credential store {site.path}: this run has several vault ids (dev, prod); choose one with vault_id."
    )
    assert "no password for the vault id test, only for dev, prod" in site.refusal("present", "a", vault_id="test")
    assert site.change("present", "a", vault_id="prod")["vault_id"] == "prod"
    assert site.path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;prod\n")
    site.change("present", "b")
    assert site.path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;prod\n"), "a store keeps its vault id"
    assert list(site.stored(TWO[1])) == ["a", "b"]


def test_the_setting_of_ansible_chooses_the_vault_id(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_VAULT_ENCRYPT_IDENTITY", "prod")
    site.controller = Controller(site.directory, [ONE, TWO])
    assert site.change("present", "a")["vault_id"] == "prod"
    assert list(site.stored(TWO[1])) == ["a"]


def test_a_file_without_a_vault_id_stays_one(site: Site) -> None:
    site.write("format: 1\ncredentials: {a: {current: by hand}}\n")
    assert site.change("present", "b")["vault_id"] == "default"
    assert site.path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.1;AES256\n")
    assert site.stored()["a"] == {"login": "a", "current": "by hand"}


def test_files_that_cannot_be_used(site: Site) -> None:
    site.change("present", "a")
    site.controller = Controller(site.directory, [TWO])
    assert "none of this run's vault passwords opens it" in site.refusal("present", "b")
    site.controller = Controller(site.directory, [ONE])
    site.path.write_text("format: 1\ncredentials: {a: {current: in clear text}}\n", encoding="utf-8")
    message = site.refusal("present", "b")
    assert "it is not encrypted; encrypt it with ansible-vault encrypt" in message
    assert "in clear text" not in message
    site.write("format: 3\n")
    assert "it is not a credential store of format 1" in site.refusal("present", "b")
    site.path.unlink()
    assert site.refusal("staged", "b") == f"credential store {site.path} cannot be read: No such file or directory."
    site.path.mkdir()
    assert site.refusal("present", "b") == f"credential store {site.path} cannot be read: Is a directory."


# The file


def test_a_store_in_yaml_is_read_and_becomes_json_with_its_next_change(site: Site) -> None:
    site.write(
        "# by hand\nformat: 1\ncredentials:\n  web:\n    login: web@example.com\n    current: the old password 1\n"
    )
    content = site.path.read_bytes()
    assert site.lookup("web", part="login") == ["web@example.com"]
    assert not site.change("present", "web")["changed"]
    assert site.path.read_bytes() == content
    assert site.change("present", "mail")["changed"]
    plain = VaultLib([("any", VaultSecret(ONE[1].encode()))]).decrypt(site.path.read_bytes())
    assert json.loads(plain)["credentials"]["web"] == {"login": "web@example.com", "current": OLD}


def test_ansible_vault_shows_and_edits_it(site: Site) -> None:
    site.change(credentials=[{"name": "web", "password": OLD}])
    assert site.lookup("web") == [OLD]
    password, editor = site.directory / "password", site.directory / "editor"
    password.write_text(ONE[1] + "\n", encoding="utf-8")
    # Somebody who thinks in YAML.
    editor.write_text(f'#!/bin/sh\nsed -i \'s/"{OLD}"}}/"{OTHER}",}} # new/\' "$1"\n', encoding="utf-8")
    editor.chmod(0o755)
    command = [str(Path(sys.executable).with_name("ansible-vault"))]
    options = ["--vault-id", f"dev@{password}", str(site.path)]
    environment = {**os.environ, "EDITOR": str(editor)}
    shown = subprocess.run([*command, "view", *options], env=environment, capture_output=True, text=True, check=True)
    assert f'    "web": {{"login": "web", "current": "{OLD}"}}\n' in shown.stdout
    subprocess.run([*command, "edit", *options], env=environment, capture_output=True, text=True, check=True)
    assert site.lookup("web") == [OTHER]
    assert site.change("present", "mail")["vault_id"] == "dev"
    assert site.stored()["web"] == {"login": "web", "current": OTHER}


def test_the_file_keeps_its_mode_and_a_link_stays_a_link(site: Site) -> None:
    site.change("present", "a")
    site.path.chmod(0o640)
    link = site.directory / "link.yml"
    link.symlink_to(site.path)
    result = site.controller.run_action("credential_store", {"path": str(link), "names": ["b"]})
    assert result["changed"]
    assert link.is_symlink()
    assert site.path.stat().st_mode & 0o777 == 0o640
    assert list(site.stored()) == ["a", "b"]


def test_a_write_that_fails_leaves_the_file_as_it_was(site: Site) -> None:
    site.change("present", "a")
    content = site.path.read_bytes()
    with largest_file(200):
        message = site.refusal("present", "b")
    assert message == f"credential store {site.path} cannot be written: File too large; it is as it was before."
    assert site.path.read_bytes() == content
    assert sorted(path.name for path in site.directory.iterdir()) == [".store.yml.lock", "store.yml"]


def test_check_mode_says_that_it_could_not_be_written(site: Site) -> None:
    site.change("present", "a")
    before = {path: path.read_bytes() for path in site.directory.iterdir()}
    with largest_file(200):
        message = site.refusal("present", "b", check=True)
        assert not site.change("present", "a", check=True)["changed"]
    assert message == f"credential store {site.path} cannot be written: File too large; it is as it was before."
    site.lock.unlink()
    assert site.change("present", "b", check=True, hold=True)["changed"]
    before.pop(site.lock)
    assert {path: path.read_bytes() for path in site.directory.iterdir()} == before


def test_a_store_that_cannot_be_kept_is_not_changed(site: Site) -> None:
    site.change("present", "a")
    content = site.path.read_bytes()
    with largest_file(0):
        assert site.refusal("present", "b", hold=True) == (
            f"credential store {site.path} cannot be kept for this run: File too large ({site.lock}); it is as it was "
            "before."
        )
    assert (site.path.read_bytes(), site.lock.read_bytes()) == (content, b"")


def test_a_store_that_cannot_be_given_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.change("present", "a", hold=True)

    def refuse(store: Store, line: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Store, "_mark", refuse)
    assert site.refusal(hold=False) == (
        f"credential store {site.path} cannot be given back: Read-only file system ({site.lock}); other runs can have "
        "it when this one has ended."
    )


@pytest.mark.parametrize("function", ["flock", "pread"])
def test_a_file_system_without_locks(site: Site, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """As NFS where its lock daemon does not run."""

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl if function == "flock" else os, function, refuse)
    assert site.refusal("present", "a") == (
        f"credential store {site.path} cannot be locked: No locks available ({site.lock}); it is as it was before."
    )


def test_a_folder_that_cannot_be_synchronised(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is replaced by then, so nothing may say that it is as before."""

    def refuse(_folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(_store, "sync_folder", refuse)
    assert site.refusal("present", "a") == (
        f"credential store {site.path} was written, but a loss of power may undo that, as its folder cannot be "
        "synchronised: Input/output error; mend that disk, and run again."
    )
    assert list(site.stored()) == ["a"]


def test_a_home_that_nobody_has(site: Site) -> None:
    site.path = Path("~nobody-of-this-name/store.yml")
    assert "~nobody-of-this-name/store.yml cannot be read: No such file or directory" in site.refusal("staged")


def test_a_directory_that_is_not_there(site: Site) -> None:
    site.path = site.directory / "missing" / "store.yml"
    for check in (False, True):
        assert site.refusal("present", "a", check=check) == (
            f"credential store {site.path} cannot be locked: No such file or directory "
            f"({site.path.parent}/.store.yml.lock); it is as it was before."
        )


# One run at a time


def test_a_run_that_was_killed_meanwhile_changes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real kill is in the integration tests."""
    site.change("present", "a")
    content = site.path.read_bytes()
    gone = SimpleNamespace(pid=os.getppid() + 1)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: gone)
    run = f"this run of Ansible (process {gone.pid})"
    expected = f"credential store {site.path} is not changed, as {run} was killed meanwhile."
    assert site.refusal("present", "b") == expected
    store = Store(str(site.path), site.controller.loader)
    with pytest.raises(StoreError, match=re.escape(expected)), store.locked(gone.pid):
        pass
    with pytest.raises(StoreError, match=re.escape(expected)):
        store.hold(gone.pid)
    credentials = store.read()
    with pytest.raises(StoreError, match=re.escape(expected)):
        store.write(credentials)
    assert (site.path.read_bytes(), site.lock.read_bytes()) == (content, b"")


def test_the_process_of_a_task_names_its_run(site: Site) -> None:
    def work() -> None:
        site.change("present", "a", hold=True)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert json.loads(site.lock.read_text(encoding="utf-8"))["process"] == os.getpid()


@pytest.fixture
def other_run() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"]) as process:
        yield process
        process.kill()


def test_hold_and_release(site: Site) -> None:
    site.change("present", "a", hold=True)
    mark = json.loads(site.lock.read_text(encoding="utf-8"))
    assert (mark["host"], mark["process"]) == (socket.gethostname(), os.getpid())
    assert mark["started"]
    assert site.change("present", "b")["changed"], "the run that holds the store may change it"
    assert json.loads(site.lock.read_text(encoding="utf-8")) == mark
    assert not site.change(hold=False)["changed"]
    assert site.lock.read_text(encoding="utf-8") == ""


def test_another_run_is_refused_until_it_ends(site: Site, other_run: subprocess.Popen[bytes]) -> None:
    site.change("present", "a")
    store = Store(str(site.path), site.controller.loader)
    with store.locked(other_run.pid):
        store.hold(other_run.pid)
    for check in (False, True):
        assert site.refusal("present", "b", check=check) == (
            f"credential store {site.path} is kept by another run (process {other_run.pid}); wait until it has ended. "
            f"If that process is no run of Ansible, remove {site.lock} and run again."
        )
    assert list(site.stored()) == ["a"]
    other_run.kill()
    other_run.wait()
    assert site.change("present", "b")["changed"]


def test_a_run_that_lives_is_seen_in_every_environment(
    site: Site, other_run: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.change("present", "a")
    store = Store(str(site.path), site.controller.loader)
    with store.locked(other_run.pid):
        store.hold(other_run.pid)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert "is kept by another run" in site.refusal("present", "b")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "is kept by another run" in site.refusal("present", "b")


def test_without_proc_the_program_ps_tells_a_run_in_every_environment(
    site: Site, other_run: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS."""
    read = Path.read_bytes

    def no_proc(self: Path) -> bytes:
        if self.is_relative_to("/proc"):
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", no_proc)
    site.change("present", "a")
    store = Store(str(site.path), site.controller.loader)
    with store.locked(other_run.pid):
        store.hold(other_run.pid)
    assert json.loads(site.lock.read_text(encoding="utf-8"))["started"][-4:].isdigit(), "the year"
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert "is kept by another run" in site.refusal("present", "b")
    # And where there is no such program either, a process of this id is taken for the run.
    monkeypatch.setenv("PATH", "/nowhere")
    assert "is kept by another run" in site.refusal("present", "b")
    with store.locked(other_run.pid):
        store.hold(other_run.pid)
    assert json.loads(site.lock.read_text(encoding="utf-8"))["started"] == ""
    assert "is kept by another run" in site.refusal("present", "b")
    other_run.kill()
    other_run.wait()
    assert site.change("present", "b")["changed"]


def test_a_run_whose_name_holds_a_bracket_is_seen(site: Site, tmp_path: Path) -> None:
    program = tmp_path / "a) b 1 2"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "120"]) as other_run:
        try:
            store = Store(str(site.path), site.controller.loader)
            with store.locked(other_run.pid):
                store.hold(other_run.pid)
            started = json.loads(site.lock.read_text(encoding="utf-8"))["started"]
            boot = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
            assert 0 <= boot - int(started) / os.sysconf("SC_CLK_TCK") < 60
        finally:
            other_run.kill()


def test_a_later_process_with_the_same_id_is_not_the_run(site: Site, other_run: subprocess.Popen[bytes]) -> None:
    mark = {"host": socket.gethostname(), "process": other_run.pid, "started": "Thu Jan  1 00:00:00 1970"}
    site.lock.write_text(json.dumps(mark), encoding="utf-8")
    assert site.change("present", "a")["changed"]


def test_a_run_on_another_controller(site: Site) -> None:
    site.lock.write_text('{"host": "elsewhere", "process": 7, "started": "now"}\n', encoding="utf-8")
    assert site.refusal("present", "a") == (
        f"credential store {site.path} is kept by a run on elsewhere (process 7); wait until it has ended. If it is "
        f"gone for good, remove {site.lock} and run again."
    )
    assert not site.path.exists()


@pytest.mark.parametrize(
    "line",
    [
        "",
        '{"host": "here", "pro',
        '{"host": "here"}',
        "[]",
        '{"host": "h", "process": []}',
        *(f'{{"host": "{socket.gethostname()}", "process": {number}, "started": ""}}' for number in (0, -1, 10**30)),
        '{"host": "h", "process": 1, "started": ""}\n": 1, "started": ""}\n',
        "\0" * 5000,
    ],
)
def test_a_line_that_a_kill_cut_off_holds_nothing(site: Site, line: str) -> None:
    site.lock.write_text(line, encoding="utf-8")
    assert site.change("present", "a")["changed"]


def test_nobody_else_gets_the_lock_meanwhile(site: Site) -> None:
    store = Store(str(site.path), site.controller.loader)
    with store.locked(os.getpid()), store.lock_path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with store.lock_path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_lock_is_given_back_after_an_error(site: Site) -> None:
    store = Store(str(site.path), site.controller.loader)
    assert store.used_vault_id == ""
    with pytest.raises(StoreError, match="cannot be read"), store.locked(os.getpid()):
        store.read()
    with store.locked(os.getpid()):
        store.read(missing=True)
        store.write(Credentials({"a": Credential("a", "a", OLD)}))
    assert site.stored() == {"a": {"login": "a", "current": OLD}}


# The lookup


def test_the_lookup_follows_the_rotation(site: Site) -> None:
    site.change(credentials=[{"name": "web", "login": "old@example.com", "password": OLD}])
    assert site.lookup("web") == [OLD]
    with pytest.raises(AnsibleLookupError, match="The credential web has no next password; stage one first"):
        site.lookup("web", use="next")
    site.change("staged", credentials=[{"name": "web", "next_login": "new@example.com"}])
    following = site.stored()["web"]["next"]
    assert site.lookup("web", "web") == [OLD, OLD]
    assert site.lookup("web", use="next") == [following]
    assert site.lookup("web", use="next", part="login") == ["new@example.com"]
    site.change("switched", "web")
    assert site.lookup("web") == [following]
    assert site.lookup("web", part="login") == ["new@example.com"]
    assert site.lookup("web", use="current") == [OLD]
    assert site.lookup("web", use="current", part="login") == ["old@example.com"]


@pytest.fixture
def decrypted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What has been decrypted."""
    found: list[bytes] = []
    decrypt = Vault.decrypt

    def watched(vault: Vault, content: bytes) -> Any:
        found.append(content)
        return decrypt(vault, content)

    monkeypatch.setattr(Vault, "decrypt", watched)
    return found


def test_a_process_decrypts_an_unchanged_file_once(site: Site, decrypted: list[bytes]) -> None:
    site.change("present", "mail", credentials=[{"name": "web", "password": OLD}])
    decrypted.clear()
    for _task in (1, 2):
        assert site.lookup("web", "web") == [OLD, OLD]
        assert site.lookup("web", part="login") == ["web"]
        assert not site.change(credentials=[{"name": "web", "login": "web"}])["changed"]
    assert len(decrypted) == 1
    other = Site(site.directory)
    other.path = site.directory / "other.yml"
    other.change(credentials=[{"name": "web", "password": OTHER}])
    assert [other.lookup("web"), site.lookup("web"), other.lookup("web")] == [[OTHER], [OLD], [OTHER]]
    assert len(decrypted) == 2, "two stores, each of them once"


def test_what_was_changed_is_never_given_as_it_was(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.change(credentials=[{"name": "web", "password": OLD}])
    assert site.lookup("web") == [OLD]
    site.change(credentials=[{"name": "web", "password": OTHER}], update_password="always")
    assert site.lookup("web") == [OTHER]
    # Somebody else writes as many bytes into the same file, and dates it back.
    before = site.path.stat()
    site.path.write_bytes(VaultLib().encrypt(OLD, secret=VaultSecret(ONE[1].encode())).ljust(before.st_size, b"\n"))
    os.utime(site.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(AnsibleLookupError, match="is not a credential store"):
        site.lookup("web")


def test_a_change_that_is_not_written_is_not_seen_by_anybody(site: Site) -> None:
    site.change(credentials=[{"name": "web", "password": OLD}])
    assert site.change(credentials=[{"name": "web", "password": OTHER}], update_password="always", check=True)[
        "changed"
    ]
    assert site.lookup("web") == [OLD]
    site.refusal("committed", "web", "nobody")
    assert site.lookup("web") == [OLD]


def test_what_was_read_with_one_vault_password_is_not_given_without_it(site: Site) -> None:
    site.change(credentials=[{"name": "web", "password": OLD}])
    assert site.lookup("web") == [OLD]
    site.controller = Controller(site.directory)
    with pytest.raises(AnsibleLookupError, match="no vault password"):
        site.lookup("web")
    site.controller = Controller(site.directory, [TWO])
    with pytest.raises(AnsibleLookupError, match="none of this run's vault passwords opens it"):
        site.lookup("web")


def test_the_lookup_finds_the_store_by_the_variable_or_the_environment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.change(credentials=[{"name": "web", "password": OLD}])
    variables = {"spamexperts_credential_store": str(site.path)}
    assert site.controller.lookup("credential", ["web"], variables) == [OLD]
    monkeypatch.chdir(site.directory)
    with pytest.raises(AnsibleLookupError, match=r"/credentials\.yml cannot be read"):
        site.controller.lookup("credential", ["web"])
    monkeypatch.setenv("SPAMEXPERTS_CREDENTIAL_STORE", str(site.path))
    assert site.controller.lookup("credential", ["web"]) == [OLD]


def test_the_variable_of_the_lookup_may_be_a_template(site: Site) -> None:
    site.change(credentials=[{"name": "web", "password": OLD}])
    written = site.directory / "variables.yml"
    written.write_text('spamexperts_credential_store: "{{ folder }}/store.yml"\n', encoding="utf-8")
    variables = load_variables(site.controller, written)
    assert site.controller.lookup("credential", ["web"], {**variables, "folder": str(site.directory)}) == [OLD]


def load_variables(controller: Controller, path: Path) -> dict[str, Any]:
    """As a file of variables of an inventory."""
    try:
        return dict(controller.loader.load_from_file(str(path), trusted_as_template=True))
    except TypeError:  # before 2.19 every text may be a template
        return dict(controller.loader.load_from_file(str(path)))


def test_what_the_lookup_cannot_find(site: Site) -> None:
    with pytest.raises(AnsibleLookupError, match=re.escape(f"{site.path} cannot be read: No such file")):
        site.lookup("web")
    site.change("present", "a")
    with pytest.raises(AnsibleLookupError, match=re.escape(f"credential store {site.path}: it has no credential b;")):
        site.lookup("a", "b")
    with pytest.raises(AnsibleError, match="other"):
        site.lookup("a", part="other")


# What is told to Ansible as secret


def test_every_password_is_registered_and_no_empty_text(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    monkeypatch.setattr(_secrets, "_register", registered.append)
    site.change(credentials=[{"name": "web", "password": OLD}])
    assert registered == [OLD]
    site.change("staged", "web")
    registered.clear()
    site.lookup("web")
    assert registered == [OLD, site.stored()["web"]["next"]]


def test_a_core_that_registers_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_secrets, "_register", None)
    assert site.change("present", "a")["changed"]


def test_ansible_masks_what_was_registered(site: Site) -> None:
    masking = pytest.importorskip("ansible.module_utils.secrets", reason="ansible-core 2.22 and later")
    site.change(credentials=[{"name": "web", "password": "m4sked-by-the-core"}])
    assert "m4sked" not in masking.mask_secrets("it is m4sked-by-the-core")
