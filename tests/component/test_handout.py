# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action handout: who gets a page, with which password, and a folder that somebody else has prepared."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.smarthost.spamexperts.plugins.action.handout import file_name

from tests.support.action import Controller

SENDERS = [
    {"username": "alice"},
    {"username": "info", "shared": True},
    {"username": "server1", "relay": ["mail1"], "default_for": ["mail1"]},
    {"username": "web", "relay": True, "people": [{"host": "desktop1", "user": "carol"}]},
    {"username": "gone", "state": "absent"},
    {"username": "locked", "state": "locked"},
    {"authentication_method": "domain"},
    {"authentication_method": "ip", "username": "198.51.100.7", "acknowledge_ip_risk": True},
]
DOMAINS = [{"domain": "example.com", "senders": SENDERS}]
PEOPLE = ["alice@example.com", "info@example.com", "web@example.com"]
HOSTILE = "A<b>\"'\\&{{ x }}ü42"


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    made = Controller(tmp_path, [("dev", "vault password one")])
    made.variables["groups"] = {"all": ["desktop1", "mail1"], "ungrouped": []}
    return made


def hand_out(controller: Controller, folder: Path, *, check: bool = False, **options: Any) -> dict[str, Any]:
    given = {"path": str(folder.parent / "none"), "domains": DOMAINS, "folder": str(folder), **options}
    return controller.run_action("handout", given, check=check)


def refused(controller: Controller, folder: Path, **options: Any) -> str:
    with pytest.raises(AnsibleActionFail) as caught:
        hand_out(controller, folder, **options)
    return str(caught.value)


def actions(result: dict[str, Any]) -> dict[str, str]:
    return {page["login"]: page["action"] for page in result["pages"]}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def make_store(controller: Controller, path: Path, passwords: dict[str, str]) -> None:
    credentials = [{"name": name, "password": password} for name, password in passwords.items()]
    controller.run_action("credential_store", {"path": str(path), "credentials": credentials})


def test_each_person_gets_a_page_and_a_second_run_changes_nothing(controller: Controller, tmp_path: Path) -> None:
    folder = tmp_path / "handout"
    predicted = hand_out(controller, folder, check=True)
    assert not folder.exists()
    done = hand_out(controller, folder)
    assert done["changed"]
    assert done == predicted
    assert actions(done) == dict.fromkeys(PEOPLE, "created")
    assert sorted(path.name for path in folder.iterdir()) == [f"{login}.html" for login in PEOPLE]
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert [page["path"] for page in done["pages"]] == [str(folder / f"{login}.html") for login in PEOPLE]
    before = {path: path.stat().st_ino for path in folder.iterdir()}
    for check in (True, False):
        again = hand_out(controller, folder, check=check)
        assert not again["changed"]
        assert actions(again) == dict.fromkeys(PEOPLE, "unchanged")
    assert {path: path.stat().st_ino for path in folder.iterdir()} == before
    german = hand_out(controller, folder, language="de", smarthost="smtp.example.net", smarthost_port=2587)
    assert actions(german) == dict.fromkeys(PEOPLE, "updated")
    text = (folder / "alice@example.com.html").read_text(encoding="utf-8")
    assert "Postausgangs-Server" in text
    assert "smtp.example.net" in text
    assert "2587" in text
    hand_out(controller, folder, smarthost_port=465)
    text = (folder / "alice@example.com.html").read_text(encoding="utf-8")
    assert "SSL/TLS" in text
    assert "STARTTLS" not in text


def test_nobody_is_no_page(controller: Controller, tmp_path: Path) -> None:
    done = hand_out(controller, tmp_path / "handout", domains=[{"domain": "example.com", "senders": []}])
    assert not done["changed"]
    assert done["pages"] == []


def test_only_some(controller: Controller, tmp_path: Path) -> None:
    folder = tmp_path / "handout"
    hand_out(controller, folder)
    done = hand_out(controller, folder, logins=["Alice@example.com", "alice@example.com"], language="de")
    assert actions(done) == {"alice@example.com": "updated"}
    assert done["others"] == []
    assert "alcie@example.com (did you mean alice@example.com?)" in refused(
        controller, folder, logins=["alcie@example.com"]
    )
    assert "server1@example.com" in refused(controller, folder, logins=["server1@example.com"])


def test_who_has_left_is_named(controller: Controller, tmp_path: Path) -> None:
    folder = tmp_path / "handout"
    hand_out(controller, folder)
    (folder / "notes.txt").write_text("ours")
    fewer = hand_out(controller, folder, domains=[{"domain": "example.com", "senders": SENDERS[:1]}])
    assert fewer["others"] == ["info@example.com.html", "web@example.com.html"]
    assert "has pages of nobody who is described: info@example.com.html, web@example.com.html" in fewer["warnings"][-1]
    assert (folder / "info@example.com.html").exists()


# Passwords


def test_passwords_come_from_the_store_only_when_asked(controller: Controller, tmp_path: Path) -> None:
    folder, store = tmp_path / "handout", tmp_path / "credentials.yml"
    make_store(controller, store, {login: f"{number}{HOSTILE}" for number, login in enumerate(PEOPLE)})
    without = hand_out(controller, folder, store=str(store))
    pages = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    assert "ü42" not in pages
    done = hand_out(controller, folder, store=str(store), passwords=True)
    assert actions(done) == dict.fromkeys(PEOPLE, "updated")
    text = (folder / "alice@example.com.html").read_text(encoding="utf-8")
    assert "0A&lt;b&gt;&#34;&#39;\\&amp;{{ x }}ü42" in text
    assert "1A&lt;" not in text
    assert "42" not in repr({**done, "pages": []})
    assert HOSTILE not in repr(done)
    assert actions(hand_out(controller, folder, store=str(store), passwords=True)) == dict.fromkeys(PEOPLE, "unchanged")
    assert without["changed"]
    hand_out(controller, folder)
    assert "ü42" not in (folder / "alice@example.com.html").read_text(encoding="utf-8")


def test_passwords_of_the_description_are_taken_as_they_are(controller: Controller, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("Another-Horse-43\n")
    senders = [
        {"username": "alice", "password": "Correct-Horse-42"},
        {"username": "bob", "password_file": str(tmp_path / "password")},
    ]
    described = [{"domain": "example.com", "senders": senders}]
    hand_out(controller, tmp_path / "handout", domains=described, passwords=True)
    assert "Correct-Horse-42" in (tmp_path / "handout" / "alice@example.com.html").read_text()
    assert "Another-Horse-43" in (tmp_path / "handout" / "bob@example.com.html").read_text()
    (tmp_path / "password").unlink()
    message = refused(controller, tmp_path / "handout", domains=described, passwords=True)
    assert f"bob@example.com has a password_file {tmp_path}/password that is not there yet" in message
    assert not (tmp_path / "password").exists()


def test_a_password_that_nobody_knows_stops_before_the_first_page(controller: Controller, tmp_path: Path) -> None:
    folder, store = tmp_path / "handout", tmp_path / "credentials.yml"
    assert "cannot be read: No such file" in refused(controller, folder, passwords=True, store=str(store))
    make_store(controller, store, {PEOPLE[0]: "Correct-Horse-42"})
    message = refused(controller, folder, passwords=True, store=str(store))
    assert "info@example.com is not in the credential store, web@example.com is not" in message
    assert message.endswith("No page was written.")
    assert not folder.exists()
    one = hand_out(controller, folder, passwords=True, store=str(store), logins=PEOPLE[:1])
    assert one["changed"]


def test_in_a_rotation_it_is_the_password_that_the_vendor_takes(controller: Controller, tmp_path: Path) -> None:
    folder, store = tmp_path / "handout", tmp_path / "credentials.yml"
    make_store(controller, store, {PEOPLE[0]: "Correct-Horse-42"})
    options: dict[str, Any] = {"passwords": True, "store": str(store), "logins": PEOPLE[:1]}
    page = folder / "alice@example.com.html"
    for state, known in (("staged", True), ("switched", False)):
        controller.run_action("credential_store", {"path": str(store), "names": PEOPLE[:1], "state": state})
        hand_out(controller, folder, **options)
        assert ("Correct-Horse-42" in page.read_text()) is known


# Bad input


def test_what_is_wrong_with_a_description_is_said(controller: Controller, tmp_path: Path) -> None:
    folder = tmp_path / "handout"
    message = refused(controller, folder, domains=[{"domain": "example.com"}, {"senders": []}])
    assert "spamexperts_domains[0]: senders is missing" in message
    assert "1 more" in message
    assert "usually 587" in refused(controller, folder, smarthost_port=465, smarthost_tls="starttls")
    assert "language" in refused(controller, folder, language="fr")
    assert not folder.exists()


def test_a_folder_that_is_a_link_is_refused(controller: Controller, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    folder = tmp_path / "handout"
    folder.symlink_to(target)
    for name in (folder, Path(f"{folder}/"), Path(f"{folder}/.")):
        assert "name a folder that is no link" in refused(controller, name)
    folder.unlink()
    folder.symlink_to(tmp_path / "nothing")
    assert "name a folder that is no link" in refused(controller, folder)
    assert list(target.iterdir()) == []
    assert not (tmp_path / "nothing").exists()


def test_a_folder_that_others_may_read_is_refused(controller: Controller, tmp_path: Path) -> None:
    folder = tmp_path / "handout"
    folder.mkdir(mode=0o700)
    for open_to in (0o755, 0o710, 0o701, 0o770):
        folder.chmod(open_to)
        message = refused(controller, folder)
        assert f"is open to others (mode {open_to:04o}); close it with chmod 700" in message
        assert mode(folder) == open_to
    folder.chmod(0o700)
    assert hand_out(controller, folder)["changed"]


@pytest.mark.root
def test_a_folder_of_somebody_else_is_refused(controller: Controller, tmp_path: Path) -> None:
    folder = tmp_path / "handout"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    assert "belongs to somebody else" in refused(controller, folder)


@pytest.mark.parametrize("check", [True, False])
def test_a_folder_that_cannot_be_is_one_sentence(controller: Controller, tmp_path: Path, check: bool) -> None:
    (tmp_path / "file").write_text("no folder")
    assert "cannot be used as a folder: Not a directory" in refused(controller, tmp_path / "file", check=check)
    assert "cannot be made: No such file" in refused(controller, tmp_path / "none" / "handout", check=check)


def test_what_has_the_name_of_a_page_is_replaced_and_never_followed(controller: Controller, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "handout", tmp_path / "elsewhere"
    folder.mkdir(mode=0o700)
    elsewhere.write_text("not ours")
    linked, hard, pipe = (folder / f"{login}.html" for login in PEOPLE)
    linked.symlink_to(elsewhere)
    hard.hardlink_to(elsewhere)
    os.mkfifo(pipe)
    assert actions(hand_out(controller, folder, check=True)) == dict.fromkeys(PEOPLE, "updated")
    assert actions(hand_out(controller, folder)) == dict.fromkeys(PEOPLE, "updated")
    assert elsewhere.read_text() == "not ours"
    assert all(stat.S_ISREG(path.lstat().st_mode) and mode(path) == 0o600 for path in folder.iterdir())


def test_a_page_that_others_could_read_is_written_anew(controller: Controller, tmp_path: Path) -> None:
    folder = tmp_path / "handout"
    hand_out(controller, folder)
    (folder / "alice@example.com.html").chmod(0o644)
    assert actions(hand_out(controller, folder))["alice@example.com"] == "updated"
    assert mode(folder / "alice@example.com.html") == 0o600


def test_a_folder_with_the_name_of_a_page_is_one_sentence(controller: Controller, tmp_path: Path) -> None:
    folder = tmp_path / "handout"
    folder.mkdir(mode=0o700)
    (folder / "alice@example.com.html").mkdir()
    assert "alice@example.com.html cannot be written: Is a directory" in refused(controller, folder)
    assert [path.name for path in folder.iterdir()] == ["alice@example.com.html"]


def test_a_full_disk_leaves_no_half_page(
    controller: Controller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "handout"
    hand_out(controller, folder, logins=PEOPLE[:1])
    before = (folder / "alice@example.com.html").read_bytes()

    def full(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    assert "cannot be written: No space left on device" in refused(controller, folder, language="de")
    assert [path.name for path in folder.iterdir()] == ["alice@example.com.html"]
    assert (folder / "alice@example.com.html").read_bytes() == before


def test_what_a_killed_run_has_left_is_cleared_away(controller: Controller, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "handout", tmp_path / "elsewhere"
    folder.mkdir(mode=0o700)
    elsewhere.write_text("not ours")
    (folder / ".unfinished").symlink_to(elsewhere)
    hand_out(controller, folder)
    assert elsewhere.read_text() == "not ours"
    assert not (folder / ".unfinished").is_symlink()


@pytest.mark.parametrize(
    "login", ["../../x@example.com", "a/b@example.com", "..", "/etc/passwd", "a\\b@example.com", "é"]
)
def test_a_login_names_a_file_of_the_folder(login: str) -> None:
    name = file_name(login)
    assert "/" not in name
    assert name.endswith(".html")
    assert name not in (".", "..")
    assert name.isascii()
