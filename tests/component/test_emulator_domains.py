# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's calls about domains, products, contacts and domain users."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.emulator import Emulator


def error(reply: dict[str, Any]) -> str:
    """The only error line."""
    [line] = reply["messages"]["error"]
    return str(line)


def test_adding_a_domain_switches_outgoing_off(emulator: Emulator) -> None:
    reply = emulator.call("domain/add", domain="Example.TEST")
    assert reply["messages"]["success"] == [
        "'Outgoing email filtering' has been disabled for the domain 'example.test'",
        "Domain timezone updated successfully",
        "Administrator's contact email for the domain 'example.test' is changed to 'admin@example.test'",
        "Domain 'example.test' added",
    ]
    products = {"incoming": 1, "outgoing": 0, "archiving": 0}
    assert emulator.call("domain/getproducts", domain="example.test")["result"] == products


def test_adding_a_domain_leaves_outgoing_on_with_the_quirk_off(emulator: Emulator) -> None:
    emulator.quirks(domain_add_disables_outgoing=False)
    assert len(emulator.call("domain/add", domain="example.test")["messages"]["success"]) == 3
    assert emulator.call("domain/getproducts", domain="example.test")["result"]["outgoing"] == 1


def test_setproducts_changes_only_what_is_sent(emulator: Emulator) -> None:
    emulator.seed(domains=[{"domain": "example.test", "outgoing": 0, "archiving": 1}])
    emulator.call("domain/setproducts", domain="example.test", outgoing="1")
    products = {"incoming": 1, "outgoing": 1, "archiving": 1}
    assert emulator.call("domain/getproducts", domain="example.test")["result"] == products
    assert error(emulator.call("domain/setproducts", domain="example.test", outgoing="false"))
    assert "doesn't exist" in error(emulator.call("domain/getproducts", domain="missing.test"))


def test_unicode_domains_are_stored_in_ascii_and_named_in_unicode(emulator: Emulator) -> None:
    reply = emulator.call("domain/add", domain="xn--mller-kva.test")
    assert reply["messages"]["success"][-1] == "Domain 'müller.test' added"
    assert emulator.call("domainslist/get")["result"] == ["xn--mller-kva.test"]
    assert emulator.call("domain/exists", domain="Müller.test")["result"] == {"present": 1}
    assert emulator.call("domain/remove", domain="müller.test")["messages"]["success"] == [
        "Domain 'müller.test' removed"
    ]


@pytest.mark.parametrize("name", ["no-dot", "two..dots.test", "under_score.test", "a b.test", "-"])
def test_malformed_domains_are_refused(emulator: Emulator, name: str) -> None:
    assert "incorrect" in error(emulator.call("domain/add", domain=name))


def test_missing_domain_is_present_0_or_an_error(emulator: Emulator) -> None:
    assert emulator.call("domain/exists", domain="missing.test")["result"] == {"present": 0}
    emulator.quirks(domain_exists_missing="error")
    assert "does not belong to the admin" in error(emulator.call("domain/exists", domain="missing.test"))


def test_every_call_may_say_of_a_missing_domain_that_it_does_not_belong_to_the_admin(emulator: Emulator) -> None:
    assert "doesn't exist" in error(emulator.call("domain/getproducts", domain="missing.test"))
    emulator.quirks(missing_domain="not_yours")
    for name in ("domain/getproducts", "domain/getroute", "domainadmincontact/get", "outgoingusers/list"):
        assert "does not belong to the admin" in error(emulator.call(name, domain="missing.test"))
    assert error(emulator.call("domain/remove", domain="missing.test")) == "No such domain."


def test_a_foreign_domain_cannot_be_seen_or_managed(emulator: Emulator) -> None:
    emulator.seed(domains=[{"domain": "foreign.test", "owner": "other@example.test"}])
    emulator.seed(users=[{"domain": "foreign.test", "username": "al", "password": "a"}])
    assert "does not belong to the admin" in error(emulator.call("domain/exists", domain="foreign.test"))
    assert emulator.call("domain/add", domain="foreign.test")["messages"]["error"][0] == "Domain already exists."
    for name in ("domain/getproducts", "domain/remove", "domain/getowner"):
        assert "not allowed to manage" in error(emulator.call(name, domain="foreign.test"))
    reply = emulator.call("outgoingusers/add", domain="foreign.test", username="jo", password="a")
    assert "not allowed to manage" in error(reply)
    assert emulator.call("domainslist/get")["result"] == []
    assert emulator.call("outgoingusers/list")["result"] == []


def test_a_domain_with_outgoing_users_cannot_be_removed(emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.test", "username": "jo", "password": "a"}])
    reply = emulator.call("domain/remove", domain="example.test")
    assert error(reply) == "You may not remove example.test while that domain has outgoing users."
    emulator.call("outgoingusers/remove", domain="example.test", username="jo")
    assert emulator.call("domain/remove", domain="example.test")["messages"]["success"]
    assert error(emulator.call("domain/remove", domain="example.test")) == "No such domain."


def test_routes_are_shown_with_two_colons(emulator: Emulator) -> None:
    emulator.call("domain/add", domain="example.test", destinations='["mx1.example.test","mx2.example.test:2525"]')
    routes = ["mx1.example.test::25", "mx2.example.test::2525"]
    assert emulator.call("domain/getroute", domain="example.test")["result"] == routes
    assert emulator.call("domain/edit", domain="example.test", destinations="mx.example.test")["messages"]["success"]
    assert emulator.call("domain/getroute", domain="example.test")["result"] == ["mx.example.test::25"]
    assert error(emulator.call("domain/edit", domain="example.test", destinations="[broken"))


@pytest.mark.parametrize("controller", ["domaincontact", "domainadmincontact"])
def test_contacts(emulator: Emulator, controller: str) -> None:
    emulator.seed(domains=["example.test"])
    reply = emulator.call(f"{controller}/set", domain="example.test", email="abuse@example.test")
    [line] = reply["messages"]["success"]
    assert line.endswith("contact email for the domain 'example.test' is changed to 'abuse@example.test'")
    assert line.startswith("Administrator's" if "admin" in controller else "Primary")
    assert emulator.call(f"{controller}/get", domain="example.test")["result"] == "abuse@example.test"
    other = "domaincontact" if "admin" in controller else "domainadmincontact"
    assert emulator.call(f"{other}/get", domain="example.test")["result"] != "abuse@example.test"
    assert error(emulator.call(f"{controller}/set", domain="example.test", email="nobody"))
    assert error(emulator.call(f"{controller}/get", domain="missing.test"))


def test_domain_users(emulator: Emulator) -> None:
    emulator.seed(domains=["example.test"])
    address = {"username": "example.test"}
    assert "not found" in error(emulator.call("domainuser/setpassword", **address, password="a"))
    arguments = {"domain": "example.test", "password": "a", "email": "a@example.test"}
    assert "saved" in emulator.call("domainuser/add", **arguments)["messages"]["success"][0]
    assert "already" in error(emulator.call("domainuser/add", **arguments))
    assert "saved" in emulator.call("domainuser/setpassword", **address, password="b")["messages"]["success"][0]
    assert emulator.call("domainuser/status", **address)["result"] == "active"
    assert "deleted" in emulator.call("domainuser/remove", **address)["messages"]["success"][0]
    assert "Unable" in error(emulator.call("domainuser/remove", **address))


def test_calls_about_the_administrator_and_the_account(emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.test", "username": name, "password": "a"} for name in ("jo", "al")])
    administrator = emulator.api_username
    assert emulator.call("auth/getrole")["result"] == "admin"
    assert emulator.call("domain/getowner", domain="example.test")["result"] == {"username": administrator}
    assert emulator.call("reseller/getoutgoingusercount", username=administrator)["result"] == 2
    assert "outgoing" in emulator.call("productslist/get")["result"]
    [service] = emulator.call("domainslist/get", withservices="1")["result"]
    assert service["outgoing"] == 1
