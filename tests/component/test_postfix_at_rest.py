# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is left alone: postfix_relay_info compares it with a description, on a real Postfix that runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import run_module
from tests.support.postfix import ScratchPostfix
from tests.support.relay import LOGIN, PASSWORD, relay

pytestmark = pytest.mark.root
INFO = "ansible_collections.smarthost.spamexperts.plugins.modules.postfix_relay_info"
SHARED = {"dedicated_transport": False}
AT_REST = {
    "at_rest": True,
    "proven": True,
    "proven_logins": ["server@example.com"],
    "login_failure": "",
    "refused_logins": 0,
    "changes": [],
    "new_logins": [],
}
UNPROVEN = {"proven": False, "proven_logins": []}


class Host:
    """A mail server, and as what it is described."""

    def __init__(self, postfix: ScratchPostfix, vendor: Emulator) -> None:
        self.postfix = postfix
        self.described: dict[str, Any] = {**vendor.smarthost_options, **LOGIN, "system_sender": "false", **SHARED}

    def look(self, **options: Any) -> dict[str, Any]:
        """What the module has found; it never changes anything and never shows a password."""
        given = {**self.described, "config_directory": str(self.postfix.config_directory), **options}
        run = run_module("postfix_relay_info", {"compare": True, "prove_logins": True, **given})
        assert not run.failed, run.message
        assert not run.changed
        assert PASSWORD not in run.raw
        return {name: run.result.get(name) for name in AT_REST}


@pytest.fixture
def host(vendor: Emulator, sending: ScratchPostfix) -> Host:
    return Host(sending, vendor)


def refused(vendor: Emulator) -> int:
    """How many logins the smarthost has refused."""
    return sum(not each["ok"] for each in vendor.auths())


def test_a_host_at_rest(host: Host, vendor: Emulator) -> None:
    assert host.look() == AT_REST
    before = len(vendor.auths())
    assert host.look(prove_logins=False, prove_new_logins=True) == {**AT_REST, **UNPROVEN}
    assert len(vendor.auths()) == before
    assert host.look(compare=False) == {**dict.fromkeys(AT_REST), "new_logins": []}


def test_what_is_left_to_do(host: Host, vendor: Emulator) -> None:
    """Then no login is tried, as it is proven after the change, or before that where this is wanted."""
    before = len(vendor.auths())
    left = {**AT_REST, **UNPROVEN, "at_rest": False}
    assert host.look(concurrency=3)["changes"] == ["smtp_destination_concurrency_limit"]
    found = host.look(default_password="another one")
    assert found == {**left, "changes": found["changes"], "new_logins": ["server@example.com"]}
    assert any(name.endswith("smarthost_passwords") for name in found["changes"])
    # A description that this host cannot have: the module that sets it up says why.
    host.postfix.set(smtp_discard_ehlo_keyword_address_maps="static:starttls")
    try:
        assert host.look() == {**left, "changes": None}
    finally:
        host.postfix.run("postconf", "-X", "smtp_discard_ehlo_keyword_address_maps")
    assert host.look(concurrency=3, prove_new_logins=True) == {
        **left,
        "changes": ["smtp_destination_concurrency_limit"],
    }
    assert len(vendor.auths()) == before, "a login that is not new is proven after the change"


def test_new_logins_are_tried_where_that_is_wanted(
    host: Host, vendor: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = [{"login": name, "password": PASSWORD, "senders": [f"@{name}"]} for name in ("example.net", "gone.example")]
    vendor.seed(users=[{"domain": "example.net", "password": PASSWORD, "authentication_method": "domain"}])
    host.described["logins"] = new[:1]
    before = len(vendor.auths())
    found = host.look(prove_new_logins=True)
    assert (found["at_rest"], found["proven"], found["login_failure"]) == (False, False, "")
    assert found["new_logins"] == found["proven_logins"] == ["example.net"]
    assert [each["login"] for each in vendor.auths()[before:]] == ["example.net"], "a known one need not be"
    found = host.look(prove_new_logins=True, logins=new)
    assert (found["proven_logins"], found["refused_logins"]) == (["example.net"], 1)
    sentence = r"The login gone\.example was refused: .* answered: 535 .*; 1 of 2 logins were not accepted\."
    assert re.fullmatch(sentence, found["login_failure"])
    # The same name with two passwords is proven when both are.
    twice = [*new[:1], {**new[0], "password": "Another-Horse-42", "senders": ["info@example.net"]}]
    assert host.look(prove_new_logins=True, logins=twice)["proven_logins"] == []
    # Without what verifies the smarthost there is nothing to try with.
    before = len(vendor.auths())
    monkeypatch.setattr(f"{INFO}.has_sasl_plugin", lambda: False)
    assert host.look(prove_new_logins=True)["new_logins"] == ["example.net"]
    assert len(vendor.auths()) == before


def test_a_description_that_cannot_be(host: Host) -> None:
    given = {**host.described, "config_directory": str(host.postfix.config_directory), "concurrency": 11}
    run = run_module("postfix_relay_info", {"compare": True, **given})
    assert run.code == "invalid_options"
    assert run.message == "concurrency: 11 is not possible; the smarthost allows 1 to 10."
    assert not run_module("postfix_relay_info", given).failed, "without a comparison, it does not matter"


def test_a_postfix_that_does_not_run_is_not_at_rest(postfix: ScratchPostfix, vendor: Emulator, no_check: None) -> None:
    host = Host(postfix, vendor)
    assert not relay(postfix, **vendor.smarthost_options, **LOGIN).failed
    assert host.look() == {**AT_REST, **UNPROVEN, "at_rest": False}


def test_the_vendor_has_another_password(host: Host, vendor: Emulator) -> None:
    """One refusal is left for whoever says why."""
    others = [f"u{number}@example.com" for number in range(9)]
    logins = [{"login": name, "password": PASSWORD, "senders": [name]} for name in others]
    host.described["logins"] = logins
    place = {name: host.described[name] for name in vendor.smarthost_options}
    assert not relay(host.postfix, **place, **LOGIN, logins=logins).failed
    before = refused(vendor)
    found = host.look()
    assert (found["at_rest"], found["proven"], found["changes"]) == (True, False, [])
    assert found["refused_logins"] == refused(vendor) - before == 2


def test_a_smarthost_that_is_away(host: Host, vendor: Emulator) -> None:
    vendor.faults({"match": "smtp:auth", "kind": "smtp_reply", "text": "454 Later", "times": None})
    found = host.look()
    assert "454 Later" in found.pop("login_failure")
    assert found == {**{name: AT_REST[name] for name in found}, **UNPROVEN}
