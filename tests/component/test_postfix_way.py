# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has made since of the way to the smarthost, as postfix_relay_info sees it in a real Postfix."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.module import run_module
from tests.support.postfix import ScratchPostfix
from tests.support.relay import OWN, configure

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]
NAMES = ("changed_routes", "lowered_tls", "past", "tables_not_read")


def look(postfix: ScratchPostfix) -> dict[str, Any]:
    run = run_module("postfix_relay_info", {"config_directory": str(postfix.config_directory), "past": True})
    assert not run.failed, run.message
    return run.result


def test_tables_and_overrides(postfix: ScratchPostfix) -> None:
    assert [look(postfix)[name] for name in NAMES] == [None, None, None, []]
    assert not configure(postfix).failed
    shown = look(postfix)
    assert [shown[name] for name in NAMES] == [[]] * 4
    assert "127.0.0.0/8" in shown["own_networks"]
    postfix.run("postconf", "-P", "smtp/unix/smtp_tls_security_level=may")
    postfix.run("postconf", "-P", "smtp/unix/smtp_sasl_tls_security_options=noanonymous")
    table = postfix.config_directory / "patterns"
    table.write_text("/^inside/ smtp:[192.0.2.1]\n")
    postfix.set(
        smtp_tls_policy_maps="inline:{ { smarthost.example = encrypt }, { other.example = none } }, ldap:/none.cf",
        transport_maps=f"regexp:{table}",
        relay_transport="smtp:[192.0.2.3]",
        sender_dependent_relayhost_maps="inline:{ { boss@example.com = [192.0.2.2] }, { me@x.example = DUNNO } }",
    )
    postfix.run("postconf", "-X", "relayhost")
    shown = look(postfix)
    assert shown["changed_routes"] == [{"name": "relayhost", "value": ""}]
    assert [one["level"] for one in shown["lowered_tls"]] == ["may", "encrypt"]
    assert "smtp in master.cf" in shown["lowered_tls"][0]["place"]
    assert (shown["tls_level"], shown["password_only_for_verified_servers"]) == ("may", False)
    assert {one["place"]: one["names"] for one in shown["past"]} == {
        "sender_dependent_relayhost_maps": ["boss@example.com"],
        "relay_transport": ["[192.0.2.3]"],
    }
    assert shown["tables_not_read"] == ["smtp_tls_policy_maps (ldap:/none.cf)", f"transport_maps (regexp:{table})"]


def test_a_transport_of_its_own(postfix: ScratchPostfix) -> None:
    """What main.cf says of the client `smtp` is none of its business."""
    assert not configure(postfix, **OWN).failed
    postfix.set(smtp_tls_security_level="none", relayhost="[192.0.2.9]")
    shown = look(postfix)
    assert (shown["tls_level"], shown["lowered_tls"], shown["changed_routes"]) == ("secure", [], [])
    postfix.run("postconf", "-P", "smarthost/unix/smtp_tls_security_level=may")
    postfix.set(default_transport="smtp:")
    shown = look(postfix)
    assert [one["level"] for one in shown["lowered_tls"]] == ["may"]
    assert shown["changed_routes"] == [{"name": "default_transport", "value": "smtp:"}]
