# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""outgoing_user: the bulk module with one user."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import PASSWORD

ALICE: dict[str, Any] = {"domain": "example.com", "username": "alice"}


def run(server: Emulator, *, check: bool = False, **options: Any) -> ModuleRun:
    arguments = {**server.connection, **server.smarthost_options, "use_discovered_methods": True, **options}
    done = run_module("outgoing_user", arguments, check=check, diff=True)
    assert PASSWORD not in done.raw
    return done


def test_a_user_is_created_changed_left_alone_and_removed(emulator: Emulator) -> None:
    emulator.seed(domains=["example.com"])
    created = run(emulator, **ALICE, password=PASSWORD)
    assert created.changed
    assert created.result["user"] == {
        "domain": "example.com",
        "username": "alice",
        "authentication_method": "user",
        "action": "created",
        "login": "alice@example.com",
        "password": "set",
    }
    assert set(created.result) <= {"changed", "user", "diff", "invocation", "warnings", "refused_logins"}
    same = run(emulator, **ALICE, password=PASSWORD)
    assert (same.changed, same.result["user"]["action"], same.result["user"]["password"]) == (
        False,
        "unchanged",
        "kept",
    )
    assert same.result["diff"] == {"before": {}, "after": {}}
    limited = run(emulator, **ALICE, limits={"per_hour": 5})
    assert limited.result["user"]["action"] == "updated"
    assert limited.result["user"]["state"]["limits"]["per_hour"] == 5
    gone = run(emulator, **ALICE, state="absent")
    assert gone.result["user"]["action"] == "removed"
    assert gone.result["diff"]["after"] == {}
    assert emulator.users() == []
    assert run(emulator, **ALICE, state="absent").result["user"]["action"] == "unchanged"


def test_a_failure_names_the_user_without_a_position(emulator: Emulator) -> None:
    emulator.seed(domains=["example.com"])
    done = run(emulator, **ALICE)
    assert done.failed
    assert done.message.startswith("alice@example.com does not exist")
    assert done.result["user"]["action"] == "failed"
    bad = run(emulator, domain="bad domain", username="alice")
    assert bad.message == "'bad domain' is not a domain name; give it as in example.com. Nothing was changed."


def test_an_ip_user_is_discouraged_unless_acknowledged(emulator: Emulator) -> None:
    emulator.seed(domains=["example.com"])
    sender: dict[str, Any] = {"domain": "example.com", "username": "192.0.2.7/32", "authentication_method": "ip"}
    assert "whoever gets onto such a host sends as anyone" in run(emulator, **sender).warnings
    quiet = run(emulator, **sender, acknowledge_ip_risk=True)
    assert quiet.warnings == ""
    assert (quiet.result["user"]["action"], quiet.result["user"]["username"]) == ("unchanged", "192.0.2.7")
    assert "sends as anyone" not in run(emulator, **sender, state="absent").warnings


def test_a_domain_user_logs_in_in_either_form(emulator: Emulator) -> None:
    emulator.seed(domains=["example.com"])
    sender: dict[str, Any] = {"domain": "example.com", "authentication_method": "domain", "password": PASSWORD}
    assert run(emulator, **sender).result["user"]["login"] == "example.com"
    other = run(emulator, **sender, domain_login="at_domain")
    assert (other.result["user"]["login"], other.changed) == ("@example.com", False)
    assert [(entry["login"], entry["ok"]) for entry in emulator.auths()] == [
        ("example.com", True),  # after the add
        ("@example.com", True),
    ]


def test_an_internationalised_domain_is_the_same_in_both_forms(emulator: Emulator) -> None:
    emulator.seed(domains=["xn--bcher-kva.example"])
    created = run(emulator, domain="Bücher.example", username="alice", password=PASSWORD)
    assert created.result["user"]["domain"] == "bücher.example"
    assert created.result["user"]["login"] == "alice@xn--bcher-kva.example"
    assert not run(emulator, domain="xn--bcher-kva.example", username="alice", password=PASSWORD).changed


def test_without_a_list_the_result_says_what_is_not_known(documented_emulator: Emulator) -> None:
    documented_emulator.seed(domains=["example.com"])
    predicted = run(documented_emulator, check=True, **ALICE, password=PASSWORD)
    assert (predicted.changed, predicted.result["user"]["unknown"]) == (True, ["existence"])
    assert predicted.result["diff"]["before"] == {"alice@example.com": {"state": "unknown"}}
    assert predicted.result["diff"]["after"]["alice@example.com"]["password"] == "unknown"
    run(documented_emulator, **ALICE, password=PASSWORD)
    nothing = run(documented_emulator, **ALICE)
    assert (nothing.changed, nothing.result["user"]["action"]) == (False, "unknown")
    assert "give its password" in nothing.result["user"]["reason"]
    gone = run(documented_emulator, check=True, **ALICE, state="absent")
    assert gone.result["diff"] == {"before": {"alice@example.com": {"state": "unknown"}}, "after": {}}


def test_removing_an_ip_user_that_is_not_there_changes_nothing(documented_emulator: Emulator) -> None:
    documented_emulator.seed(domains=["example.com"])
    sender: dict[str, Any] = {"domain": "example.com", "username": "192.0.2.7", "authentication_method": "ip"}
    run(documented_emulator, **sender)
    assert run(documented_emulator, **sender, state="absent").result["user"]["action"] == "removed"
    again = run(documented_emulator, **sender, state="absent")
    assert not again.failed
    assert not again.changed
    assert again.result["user"]["action"] == "unknown"
    assert "not documented" in again.result["user"]["reason"]


@pytest.mark.parametrize("update_password", ["on_mismatch", "always"])
def test_a_smarthost_that_is_down_leaves_a_password_unknown(
    documented_emulator: Emulator, update_password: str
) -> None:
    documented_emulator.seed(domains=["example.com"])
    run(documented_emulator, **ALICE, password=PASSWORD)
    documented_emulator.faults({"match": "smtp:connect", "kind": "smtp_down", "times": None})
    done = run(documented_emulator, **ALICE, password=PASSWORD, update_password=update_password)
    if update_password == "always":
        assert done.failed
        assert "recreate_for_password" in done.message
    else:
        assert not done.failed, done.message
        assert (done.changed, done.result["user"]["password"]) == (False, "unknown")
        assert "Not every password could be proven" in done.warnings
