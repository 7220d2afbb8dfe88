# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Thunderbird starts after thunderbird_outgoing_server had a profile in a state that few have foreseen.

It shows what the person had, and sends.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.thunderbird import PROGRAM_DIRECTORY, Thunderbird
from tests.support.thunderbird_module import action
from tests.support.thunderbird_profile import KNOWS_AES, snapshot
from tests.support.thunderbird_smarthost import ALICE, LOGIN, PASSWORD, arrived, run, set_password

pytestmark = pytest.mark.skipif(not PROGRAM_DIRECTORY.exists(), reason="Thunderbird is not installed")

OWN_PASSWORD = 'Alice\'s "own"'
BOTH = {ALICE: OWN_PASSWORD, LOGIN: PASSWORD}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, _full_process: Emulator) -> Path:
    """A home with the profile of a person with an account, a server of their own and its password."""
    home = tmp_path_factory.mktemp("made")
    (home / "profile").mkdir(mode=0o700)
    with Thunderbird(home / "profile", home=home) as program:
        program.add_account(ALICE, "smtp.old.example", OWN_PASSWORD)
        program.trust(_full_process.ca_file)
    return home


@pytest.fixture
def profile(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "home", symlinks=True)
    return tmp_path / "home/profile"


def starts_and_sends(profile: Path, emulator: Emulator, program: Thunderbird) -> None:
    assert {login["username"]: login["password"] for login in program.logins()} == BOTH
    assert [server["key"] for server in program.servers()["servers"]] == ["smtp1", "spamexperts"]
    assert program.servers()["identities"] == {ALICE: "spamexperts"}
    assert program.send(ALICE, "after all") == "sent"
    assert arrived(emulator) == [(LOGIN, True, ALICE, "after all")]
    assert not list(profile.glob(".smarthost*"))


def test_logins_in_the_backup_only_with_a_managed_list_of_servers(profile: Path, emulator: Emulator) -> None:
    """A Thunderbird that was ended while it saved; user.js of somebody who manages profiles; and the next store."""
    set_password(emulator, PASSWORD)
    wanted: dict[str, Any] = {"profile": str(profile), "identities": [ALICE]}
    (profile / "logins.json").rename(profile / "logins-backup.json")
    (profile / "user.js").write_text('user_pref("mail.smtpservers", "smtp1");\n')
    before = snapshot(profile)
    assert run(emulator, **wanted).code == "conflict"
    assert snapshot(profile) == before
    managed: dict[str, str | bool] = {"mail.smtpservers": "smtp1,spamexperts"}
    (profile / "user.js").write_text('user_pref("mail.smtpservers", "smtp1,spamexperts");\n')
    assert action(run(emulator, **wanted)) == "created"
    with Thunderbird(
        profile, home=profile.parent, user_preferences={**managed, "signon.rustMirror.enabled": True}
    ) as program:
        starts_and_sends(profile, emulator, program)
        if KNOWS_AES:  # 153 or later
            assert program.copied_logins() == BOTH


def test_a_kill_while_files_are_replaced_and_no_certificates(
    profile: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_password(emulator, PASSWORD)
    wanted: dict[str, Any] = {"profile": str(profile), "identities": [ALICE]}
    (profile / "cert9.db").unlink()
    replace = Path.replace

    def replace_and_die(self: Path, target: Path) -> Path:
        replace(self, target)
        if target.name == "cert9.db":
            os.kill(os.getpid(), signal.SIGKILL)
        return target

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace_and_die)
        assert run(emulator, **wanted).code == "unexpected"
    assert list(profile.glob(".smarthost*"))
    assert action(run(emulator, **wanted)) == "updated"
    with Thunderbird(profile, home=profile.parent) as program:
        program.trust(emulator.ca_file)
        starts_and_sends(profile, emulator, program)
