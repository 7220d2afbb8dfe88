# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action thunderbird_autoconfig: whose logins are in the files, and a folder in which something is already."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._thunderbird_autoconfig import (
    CONFIGURATION,
    POINTER,
    TAKE_BACK,
    files,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.support.action import Controller

SENDERS = [
    {"username": "alice"},
    {"username": "o'neil{{}}$&", "shared": True},
    {"username": "server1", "relay": ["mail1"], "default_for": ["mail1"]},
    {"username": "web", "relay": True, "people": [{"host": "desktop1", "user": "carol"}]},
    {"username": "gone", "state": "absent"},
    {"username": "locked", "state": "locked"},
    {"authentication_method": "domain"},
    {"authentication_method": "ip", "username": "198.51.100.7", "acknowledge_ip_risk": True},
]
DOMAINS = [{"domain": "example.com", "senders": SENDERS}, {"domain": "Müller.example", "senders": SENDERS[:1]}]
PEOPLE = ["alice@example.com", "o'neil{{}}$&@example.com", "web@example.com"]
MUELLER = "alice@xn--mller-kva.example"
NAMES = [CONFIGURATION, POINTER, TAKE_BACK]


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    made = Controller(tmp_path, [("dev", "vault password one")])
    made.variables["groups"] = {"all": ["desktop1", "mail1"], "ungrouped": []}
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "thunderbird"


def write(controller: Controller, folder: Path, *, check: bool = False, **options: Any) -> dict[str, Any]:
    given = {"path": str(folder.parent / "none"), "domains": DOMAINS, "folder": str(folder), **options}
    return controller.run_action("thunderbird_autoconfig", given, check=check)


def refused(controller: Controller, folder: Path, **options: Any) -> str:
    with pytest.raises(AnsibleActionFail) as caught:
        write(controller, folder, **options)
    return str(caught.value)


def actions(result: dict[str, Any]) -> dict[str, str]:
    return {Path(file["path"]).name: file["action"] for file in result["files"]}


def given_to(path: Path) -> dict[str, Any]:
    """What the script is called with."""
    text = path.read_bytes().decode("ascii")
    found: dict[str, Any] = json.loads(text[text.rindex("})({") + 3 :].removesuffix(");\n"))
    return found


def test_the_people_of_the_descriptions_and_a_second_run_changes_nothing(controller: Controller, folder: Path) -> None:
    predicted = write(controller, folder, check=True)
    assert not folder.exists()
    done = write(controller, folder)
    assert done == predicted
    assert done["changed"]
    assert done["logins"] == [*PEOPLE, MUELLER]
    assert actions(done) == dict.fromkeys(NAMES, "created")
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    found = given_to(folder / CONFIGURATION)
    assert found["logins"] == {**{login: login for login in [*PEOPLE, MUELLER]}, "alice@müller.example": MUELLER}
    assert found["server"] == {
        "type": "smtp",
        "hostname": "4489.smtp.antispamcloud.com",
        "port": 587,
        "try_ssl": 2,
        "authMethod": 3,
    }
    assert given_to(folder / TAKE_BACK)["logins"] == {}
    assert f'pref("general.config.filename", "{CONFIGURATION}");' in (folder / POINTER).read_text().splitlines()
    for check in (True, False):
        again = write(controller, folder, check=check)
        assert (again["changed"], actions(again)) == (False, dict.fromkeys(NAMES, "unchanged"))
    other = write(controller, folder, smarthost="smtp.example.net", smarthost_port=465)
    assert actions(other) == {CONFIGURATION: "updated", POINTER: "unchanged", TAKE_BACK: "updated"}
    assert given_to(folder / CONFIGURATION)["server"]["try_ssl"] == 3


def test_each_customer_has_files_of_their_own(controller: Controller, folder: Path) -> None:
    assert write(controller, folder, only={"domains": ["müller.example"]})["logins"] == [MUELLER]
    assert b"example.com" not in (folder / CONFIGURATION).read_bytes()
    assert write(controller, folder, only={"logins": ["Alice@example.com"]})["logins"] == ["alice@example.com"]
    for only, message in (
        ({"domains": ["exmaple.com"]}, "spamexperts_only.domains names exmaple.com"),
        ({"hosts": ["desktop1"]}, "spamexperts_only.hosts has no meaning here"),
        ("example.com", "spamexperts_only has to be a dictionary"),
        ({"logins": ["server1@example.com"]}, "nobody who is described sends with a login of their own"),
    ):
        assert message in refused(controller, folder, only=only)
    assert given_to(folder / CONFIGURATION)["logins"] == {"alice@example.com": "alice@example.com"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["file", "empty", "link", "broken link", "pipe", "folder"])
def test_what_is_there_already_and_not_from_here_stays(
    controller: Controller, folder: Path, tmp_path: Path, name: str, kind: str
) -> None:
    folder.mkdir(mode=0o700)
    path, elsewhere = folder / name, tmp_path / "elsewhere"
    write(controller, elsewhere)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif "link" in kind:
        path.symlink_to(elsewhere / name if kind == "link" else tmp_path / "nowhere")
    else:
        path.write_text('// of the company\nlockPref("mail.smtpservers", "smtp1");\n' if kind == "file" else "")
    before = path.lstat()
    for check in (True, False):
        message = refused(controller, folder, check=check)
        assert message.startswith(f"{path} was to be written, but there is a file of that name that is not from here")
        assert "name another folder, and merge the two by hand" in message
    assert (path.lstat().st_ino, path.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(folder.iterdir()) == [path], "none of the three is written"


def test_one_of_ours_is_made_anew_whatever_somebody_has_made_of_it(controller: Controller, folder: Path) -> None:
    write(controller, folder)
    with (folder / CONFIGURATION).open("a") as stream:
        stream.write('pref("mail.smtpservers", "");\n')
    assert actions(write(controller, folder))[CONFIGURATION] == "updated"
    assert "})({" in (folder / CONFIGURATION).read_text()


def test_nobody_is_no_file_that_would_take_everything_back(controller: Controller, folder: Path) -> None:
    for domains in ([{"domain": "example.com", "senders": []}], [{"domain": "example.com", "senders": SENDERS[4:]}]):
        message = refused(controller, folder, domains=domains)
        assert (
            "would take every outgoing server back; describe a sender, or roll out the thunderbird-take-back.cfg"
            in message
        )
    assert "spamexperts_domains[0]: senders is missing" in refused(
        controller, folder, domains=[{"domain": "example.com"}, {"senders": []}]
    )
    assert "usually 587" in refused(controller, folder, smarthost_port=465, smarthost_tls="starttls")
    assert not folder.exists()
    folder.mkdir(mode=0o755)
    assert "is open to others (mode 0755)" in refused(controller, folder)
    warned = write(controller, folder.parent / "other", smarthost_port=25)["warnings"]
    assert any("port" in warning for warning in warned)


@given(st.lists(st.text(max_size=20).map(lambda text: f"{text}@example.com"), max_size=5))
def test_whatever_a_login_is_the_file_is_ascii_and_has_it_as_data(logins: list[str]) -> None:
    content = files("smtp.example.com", 587, False, logins)[CONFIGURATION]
    script, _call, data = content.decode("ascii").rpartition("})({")
    assert script == files("smtp.example.com", 587, False, [])[CONFIGURATION].decode().rpartition("})({")[0]
    found = json.loads("{" + data.removesuffix(");\n"))["logins"]
    assert set(found.values()) == set(logins)
