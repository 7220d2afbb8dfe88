# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the server and the smarthost are asked: what makes the modules fast on any machine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import PASSWORD

DOMAINS = [f"customer{number}.example" for number in range(5)]
LIST_BY_DOMAIN = {"list": {"call": "outgoingusers/list", "parameters": {"domain": "domain"}}}
LIST_OF_ALL = {"list": {"call": "outgoingusers/list", "parameters": {}}}
Entry = dict[str, Any]


def users(count: int = 100) -> list[Entry]:
    return [
        {"domain": DOMAINS[number % len(DOMAINS)], "username": f"user{number}", "password": PASSWORD}
        for number in range(count)
    ]


def run(emulator: Emulator, entries: list[Entry], *, check: bool = False, **options: Any) -> ModuleRun:
    arguments = {**emulator.connection, **emulator.smarthost_options, "users": entries, **options}
    done = run_module("outgoing_users", arguments, check=check)
    assert not done.failed, done.message
    return done


@pytest.mark.parametrize(("methods", "lists"), [(LIST_BY_DOMAIN, len(DOMAINS)), (LIST_OF_ALL, 1)])
def test_nothing_to_change_is_one_request_for_each_domain_or_one_in_all(
    emulator: Emulator, methods: dict[str, Any], lists: int
) -> None:
    emulator.seed(domains=DOMAINS, users=users())
    run(emulator, users(), update_password="on_create", api_methods=methods)
    counters = emulator.counters()
    assert counters["requests"] == {"outgoingusers/list": lists}
    assert counters["connections"] == 0


def test_the_help_page_is_read_once_and_no_more_than_a_domain_for_its_users(emulator: Emulator) -> None:
    emulator.seed(domains=DOMAINS, users=users())
    run(emulator, users())
    counters = emulator.counters()
    assert counters["requests"] == {"help": 1, "outgoingusers/list": len(DOMAINS)}
    assert counters["auths"] == counters["connections"] == 100
    assert counters["connections_peak"] <= 8


def test_new_users_are_two_writes_and_a_proof_each_and_two_looks_at_each_domain(emulator: Emulator) -> None:
    emulator.seed(domains=DOMAINS)
    limited = [{**user, "limits": {"per_hour": 7, "per_day": 50}} for user in users(20)]
    run(emulator, limited, use_discovered_methods=True)
    counters = emulator.counters()
    assert counters["requests"] == {
        "help": 1,
        "domainslist/get": 1,  # since no domain has a user yet
        "outgoingusers/list": 2 * len(DOMAINS),  # before, and to see that the changes have arrived
        "outgoingusers/add": 20,
        "outgoingusers/setlimits": 20,
    }
    assert (counters["auths"], counters["auths_refused"]) == (20, 0)
    assert counters["connections_peak"] <= 8


WHOLE = {
    "incoming": True,
    "outgoing": True,
    "archiving": True,
    "destinations": ["mail.example.net"],
    "abuse_contact": "abuse@example.com",
}
READ = dict.fromkeys(("domain/exists", "domain/getproducts", "domain/getroute", "domainadmincontact/get"), 1)


def given(options: dict[str, Any]) -> list[str]:
    """The calls that read what these options give."""
    parts = {"destinations": "domain/getroute", "abuse_contact": "domainadmincontact/get"}
    return [parts.get(name, "domain/getproducts") for name in options]


@pytest.mark.parametrize(
    ("options", "written", "read_again"),
    [
        (WHOLE, ["domain/add", "domain/setproducts", "domainadmincontact/set"], {}),
        ({}, ["domain/add"], {}),
        ({"outgoing": False, "abuse_contact": "abuse@example.com"}, ["domain/add", "domainadmincontact/set"], {}),
        # The products that are not given are sent as they are, and then it is seen that they have changed.
        ({"outgoing": True}, ["domain/add", "domain/setproducts"], {"domain/getproducts": 2}),
    ],
)
def test_of_a_new_domain_nothing_is_read_twice_but_what_was_set_in_between(
    emulator: Emulator, options: dict[str, Any], written: list[str], read_again: dict[str, int]
) -> None:
    arguments = {**emulator.connection, "domain": "example.com", **options}
    assert run_module("domain", arguments).changed
    assert emulator.counters()["requests"] == {**READ, **dict.fromkeys(written, 1), **read_again}
    assert sum(emulator.counters()["requests"].values()) <= 7
    emulator.reset_counters()
    assert not run_module("domain", arguments).changed
    # Of what is there already, no more is read than is given.
    assert emulator.counters()["requests"] == {**dict.fromkeys(given(options), 1), "domain/exists": 1}


@pytest.mark.parametrize(
    ("options", "call", "shown_by"),
    [
        ({"outgoing": True}, "domain/setproducts", "domain/getproducts"),
        ({"destinations": ["other.example.net"]}, "domain/edit", "domain/getroute"),
        ({"abuse_contact": "abuse@example.com"}, "domainadmincontact/set", "domainadmincontact/get"),
    ],
)
def test_of_a_domain_that_is_changed_only_the_change_is_looked_at(
    emulator: Emulator, options: dict[str, Any], call: str, shown_by: str
) -> None:
    emulator.seed(domains=[{"name": "example.com", "outgoing": 0}])
    assert run_module("domain", {**emulator.connection, "domain": "example.com", **options}).changed
    assert emulator.counters()["requests"] == {"domain/exists": 1, call: 1, shown_by: 2}


@pytest.mark.parametrize("count", [2, 20])
def test_domains_with_nothing_to_change_are_listed_once_and_read_once(emulator: Emulator, count: int) -> None:
    names = [f"customer{number}.example" for number in range(count)]
    emulator.seed(domains=[{"name": name, "outgoing": 1} for name in names])
    entries = [{"domain": name, "outgoing": True} for name in names]
    for check in (True, False):
        emulator.reset_counters()
        done = run_module("domains", {**emulator.connection, "domains": entries}, check=check)
        assert done.result["totals"]["unchanged"] == count
        assert emulator.counters()["requests"] == {"domainslist/get": 1, "domain/getproducts": count}


def test_new_domains_cost_seven_requests_each_and_one_for_all(emulator: Emulator) -> None:
    entries = [{**WHOLE, "domain": name} for name in DOMAINS]
    done = run_module("domains", {**emulator.connection, "domains": entries})
    assert done.result["totals"]["created"] == len(DOMAINS)
    written = ("domain/add", "domain/setproducts", "domainadmincontact/set")
    each = dict.fromkeys((*READ, *written), len(DOMAINS))
    assert emulator.counters()["requests"] == {**each, "domainslist/get": 1}


def test_the_users_of_all_leaving_domains_are_listed_at_once(emulator: Emulator) -> None:
    emulator.seed(domains=DOMAINS, users=users(10))
    entries = [{"domain": name, "state": "absent", "remove_outgoing_users": True} for name in DOMAINS]
    done = run_module("domains", {**emulator.connection, "domains": entries, "api_methods": LIST_OF_ALL})
    assert done.result["totals"]["removed"] == len(DOMAINS)
    requests = emulator.counters()["requests"]
    assert requests["outgoingusers/list"] == 1
    assert requests["outgoingusers/remove"] == 10


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("domain_info", {"domains": DOMAINS}),
        ("domains", {"domains": [{"domain": name} for name in DOMAINS]}),
        ("outgoing_user_info", {"domains": DOMAINS, "api_methods": LIST_BY_DOMAIN}),
        ("outgoing_users", {"users": users(20), "api_methods": LIST_BY_DOMAIN}),
    ],
)
def test_a_wrong_api_login_is_tried_once(emulator: Emulator, module: str, options: dict[str, Any]) -> None:
    """The vendor blocks addresses that fail often."""
    emulator.seed(domains=DOMAINS)
    connection = {**emulator.connection, "api_password": "Another-Horse-43"}
    done = run_module(module, {**connection, **options, "concurrency": 8})
    assert done.code == "credentials"
    assert sum(emulator.counters()["requests"].values()) == 1


def test_check_mode_looks_once_and_writes_nothing(emulator: Emulator) -> None:
    emulator.seed(domains=DOMAINS)
    run(emulator, users(20), check=True)
    assert emulator.counters()["requests"] == {"help": 1, "domainslist/get": 1, "outgoingusers/list": len(DOMAINS)}


def test_without_a_list_each_password_is_tried_once_over_few_connections(documented_emulator: Emulator) -> None:
    documented_emulator.seed(domains=DOMAINS, users=users())
    run(documented_emulator, users())
    counters = documented_emulator.counters()
    assert counters["requests"] == {"help": 1, "domainslist/get": 1}
    assert counters["auths"] == counters["connections"] == 100
    assert counters["connections_peak"] <= 8


def test_without_a_list_new_users_cost_two_refused_logins_and_a_write_and_a_proof_each(
    documented_emulator: Emulator,
) -> None:
    documented_emulator.seed(domains=DOMAINS)
    run(documented_emulator, users(20))
    counters = documented_emulator.counters()
    assert counters["requests"] == {"help": 1, "domainslist/get": 1, "outgoingusers/add": 20}
    assert (counters["auths"], counters["auths_refused"]) == (22, 2)
    assert counters["connections_peak"] <= 8


def test_passwords_that_are_wrong_after_many_right_ones_end_the_logins(documented_emulator: Emulator) -> None:
    documented_emulator.seed(domains=DOMAINS, users=users())
    entries = [
        {**user, "password": "Another-Horse-43"} if number >= 50 else user for number, user in enumerate(users())
    ]
    arguments = {**documented_emulator.connection, **documented_emulator.smarthost_options, "users": entries}
    run_module("outgoing_users", arguments, check=True)
    counters = documented_emulator.counters()
    assert counters["auths_refused"] == 2, "the third is for the proof of what is written"
    # Of those that were begun last, at most eight at once, the first to fail end the others.
    assert 50 - 8 <= counters["auths"] - 2 <= 50
