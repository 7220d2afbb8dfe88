# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module domain_info against both kinds of server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module


def run(emulator: Emulator, **options: Any) -> ModuleRun:
    result = run_module("domain_info", {**emulator.connection, **options})
    assert emulator.counters()["writes"] == 0
    return result


@pytest.fixture(params=["emulator", "documented_emulator"])
def server(request: pytest.FixtureRequest) -> Emulator:
    emulator: Emulator = request.getfixturevalue(request.param)
    emulator.seed(
        domains=[
            {"name": "example.com", "archiving": 1, "destinations": ["mail.example.com::25", "b.example.com::26"]},
            {"name": "müller.example", "outgoing": 0, "administrator_contact": ""},
            {"name": "other.example", "owner": "other@example.test"},
        ]
    )
    return emulator


EXAMPLE = {
    "domain": "example.com",
    "exists": True,
    "products": {"incoming": True, "outgoing": True, "archiving": True},
    "destinations": ["mail.example.com:25", "b.example.com:26"],
    "abuse_contact": "admin@example.test",
}
MUELLER = {
    "domain": "müller.example",
    "exists": True,
    "products": {"incoming": True, "outgoing": False, "archiving": False},
    "destinations": ["mail.müller.example:25"],
    "abuse_contact": "",
}


def test_all_domains_of_the_account_are_shown(server: Emulator) -> None:
    shown = run(server)
    assert not shown.changed
    assert shown.result["domains"] == [EXAMPLE, MUELLER]


def test_named_domains_are_shown_once_and_sorted(server: Emulator) -> None:
    names = ["müller.example", "other.example", "EXAMPLE.com", "missing.example", "xn--mller-kva.example"]
    for quirk in ("present0", "error"):
        server.quirks(domain_exists_missing=quirk)
        assert run(server, domains=names).result["domains"] == [
            EXAMPLE,
            {"domain": "missing.example", "exists": False},
            {"domain": "other.example", "exists": False},
            MUELLER,
        ]


def test_no_domain_is_an_answer(server: Emulator) -> None:
    assert run(server, domains=[]).result["domains"] == []


def test_many_domains_are_read_with_four_requests_each(server: Emulator) -> None:
    server.seed(domains=[f"d{number:03}.example" for number in range(60)])
    server.reset_counters()
    assert len(run(server, concurrency=16).result["domains"]) == 62
    assert server.counters()["reads"] == 1 + 62 * 4


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"domains": ["example.com", "exa mple"]}, "invalid_options"),
        ({"domains": [""]}, "invalid_options"),
        ({"concurrency": 0}, "invalid_options"),
        ({"concurrency": 17}, "invalid_options"),
        ({"api_password": "wrong-password"}, "credentials"),
        ({"domain": "example.com"}, "invalid_options"),
    ],
)
def test_bad_options_are_refused(server: Emulator, options: dict[str, Any], code: str) -> None:
    shown = run(server, **options)
    assert shown.failed
    assert shown.code == code, shown.message


def test_an_odd_answer_is_an_error(server: Emulator) -> None:
    text = json.dumps({"messages": [], "result": "none"})
    server.faults({"match": "domain/getproducts", "kind": "body", "text": text})
    shown = run(server, domains=["example.com"])
    assert shown.failed
    assert shown.code == "bad_reply"
