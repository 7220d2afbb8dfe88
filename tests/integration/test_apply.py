# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook apply with real ansible-playbook, real Postfix and the emulator; asserted at the far end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.apply import DeclaredSite
from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix

pytestmark = pytest.mark.root

ALICE = {"username": "alice", "limits": {"per_hour": 200}}
INFO = {"username": "info", "shared": True}
SERVER = {"username": "server1", "relay": True}


def test_declare_apply_mail_apply_again_remove_a_line_apply(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    site = DeclaredSite(tmp_path, emulator, postfix)
    site.declare("example.com", ALICE, INFO, SERVER, abuse_contact="postmaster@example.com")

    foreseen = site.apply("--check", "--diff", vault=False)
    assert foreseen.returncode == 0, foreseen.output
    assert emulator.counters()["writes"] == 0
    assert not site.store.exists()
    predicted = site.result()
    assert predicted["status"] == "drift"

    first = site.apply()
    assert first.returncode == 0, first.output
    assert site.result()["changes"] == [change.replace("would be ", "") for change in predicted["changes"]]
    users = {user["username"]: user for user in emulator.users()}
    assert set(users) == {"alice", "info", "server1"}
    assert users["alice"]["limit_per_hour"] == 200
    assert users["info"]["limits_enabled"] == 0
    passwords = site.passwords()
    assert set(passwords) == {"alice@example.com", "info@example.com", "server1@example.com"}
    postfix.inject("alice@example.com", "somebody@example.net", "as declared")
    postfix.wait_until_empty(30)
    (mail,) = emulator.mails()
    assert (mail["mail_from"], mail["login"]) == ("alice@example.com", "server1@example.com")

    emulator.reset_counters()
    again = site.apply()
    assert again.returncode == 0, again.output
    assert again.changed() == 0, again.output
    assert emulator.counters()["writes"] == 0
    assert site.passwords() == passwords
    assert site.result()["status"] == "clean"

    site.declare("example.com", INFO, SERVER, abuse_contact="postmaster@example.com")
    shown = site.apply()
    assert shown.returncode == 0, shown.output
    assert shown.changed() == 0
    assert "alice@example.com may still send" in shown.output
    gone = site.apply(spamexperts_remove=True)
    assert gone.returncode == 0, gone.output
    assert {user["username"] for user in emulator.users()} == {"info", "server1"}
    assert set(site.passwords()) == {"info@example.com", "server1@example.com"}
    last = site.apply(spamexperts_remove=True)
    assert last.changed() == 0, last.output
    assert site.result()["status"] == "clean"


def test_a_domain_is_onboarded_and_somebody_leaves(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    site = DeclaredSite(tmp_path, emulator, postfix)
    site.declare("example.com", ALICE, INFO, SERVER)
    site.declare("example.net", {"username": "shop"})
    run = site.apply(playbook="onboard_domain", spamexperts_domain="example.com")
    assert run.returncode == 0, run.output
    summary = run.output.partition("TASK [Summary]")[2]
    for text in ("alice@example.com", "200 per hour", "limits switched off", "changed, sends as server1@example.com"):
        assert text in summary
    assert {user["username"] for user in emulator.users()} == {"alice", "info", "server1"}

    leave: dict[str, Any] = {
        "playbook": "offboard_user",
        "spamexperts_leaving": "alice@example.com",
    }
    refused = site.apply(**leave)
    assert refused.returncode == 2
    assert "example.com.yml, line" in refused.output
    site.declare("example.com", INFO, SERVER)
    left = site.apply(**leave)
    assert left.returncode == 0, left.output
    assert {user["username"] for user in emulator.users()} == {"info", "server1"}
    assert set(site.passwords()) == {"info@example.com", "server1@example.com"}
    again = site.apply(**leave)
    assert again.returncode == 0, again.output
    assert again.changed() == 0
    assert "alice@example.com was removed on" in again.output
    nobody = site.apply(**{**leave, "spamexperts_leaving": "bob@example.com"})
    assert nobody.returncode == 2
    assert "bob@example.com" in nobody.output
