# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains at the vendor, at the edges: what is just a finding, what just none, and in which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit import account
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.seen import Account, Seen
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.identities import from_store

from tests.support.audited import ALICE, DOMAIN, SERVER, USERS, described, site, user


def account_site(**domains: Any) -> Seen:
    seen = site(descriptions=[*described(ALICE, SERVER), *described(domain="two.example")])
    shown = {"example.com": DOMAIN, "two.example": DOMAIN, **domains}
    return replace(seen, accounts={"default": Account(users=USERS, domains=shown)})


def codes(seen: Seen) -> list[tuple[str, str]]:
    return [(one.code, one.where) for one in account.findings(seen)]


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (DOMAIN, []),
        # What the server does not show is not missing.
        ({}, []),
        ({"products": None, "abuse_contact": None}, []),
        ({"products": {"outgoing": None}}, []),
        ({"exists": False, "abuse_contact": "", "products": {"outgoing": False}}, ["domain_missing"]),
        ({"abuse_contact": "", "products": {"outgoing": False}}, ["product_off", "no_abuse_contact"]),
        (None, ["domain_missing"]),
    ],
)
def test_a_domain_at_the_vendor(shown: Any, found: list[str]) -> None:
    seen = account_site(**{"example.com": shown})
    assert codes(seen) == [(code, "example.com") for code in found]


def test_a_domain_that_is_missing_hides_no_other() -> None:
    seen = account_site(**{"example.com": None, "two.example": {"abuse_contact": ""}})
    assert codes(seen) == [("domain_missing", "example.com"), ("no_abuse_contact", "two.example")]


def test_an_account_that_nobody_has_seen_hides_no_other() -> None:
    descriptions = [*described(ALICE, SERVER, account="first"), *described(domain="two.example", account="second")]
    accounts = {"first": Account(), "second": Account(domains={}), "third": Account()}
    seen = site(descriptions=descriptions, accounts=accounts)
    assert codes(seen) == [("domain_missing", "two.example")]
    (one,) = account.unseen(seen)
    assert (one.what, one.why) == ("domains, products and abuse contacts of the account first", "nobody has asked")


@pytest.mark.parametrize(
    ("shown", "is_said"),
    [
        ({"abuse_contact": None}, True),
        ({}, True),
        ({"exists": False}, False),
        ({"abuse_contact": ""}, False),
        ({"exists": True, "abuse_contact": None}, True),
    ],
)
def test_an_abuse_contact_that_the_server_does_not_show(shown: dict[str, Any], is_said: bool) -> None:
    said = [one.what for one in account.unseen(account_site(**{"two.example": shown}))]
    assert said == (["abuse contacts of the account default"] if is_said else [])


def test_whom_nobody_describes() -> None:
    users = [*USERS, *(user(name, domain="x.example") for name in ("a", "b")), user("c", domain="w.example")]
    before: dict[str, Any] = {"lost.example": {"senders": {"a": {}}}, "example.com": {"senders": {"b": {}}}}
    said = [(one.where, one.what) for one in account.findings(site(users=users, before=from_store(before)))]
    assert said == [
        ("w.example", "the account default has it with 1 sender, and nobody describes it"),
        ("x.example", "the account default has it with 2 senders, and nobody describes it"),
        ("lost.example", "it was described in a description with 1 sender, and is not any more"),
    ]
