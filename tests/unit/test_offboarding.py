# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who leaves: what is refused, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import offboarding as _offboarding

LEAVING = {"domain": "example.com", "usernames": ["Alice", "bob@example.com"]}


@pytest.mark.parametrize(
    ("offboarding", "word"),
    [
        (None, "spamexperts_offboarding is missing"),
        ({"domain": "example.com"}, "usernames"),
        ({**LEAVING, "usernames": []}, "usernames is empty"),
        ({**LEAVING, "action": "burn"}, "remove, lock"),
        ({**LEAVING, "domain": "x"}, "not a domain name"),
        ({**LEAVING, "usernames": ["a/b"]}, "'a/b'"),
        ({**LEAVING, "account": None}, "spamexperts_offboarding.account is empty; give it a value, or leave it out."),
        # Not a, l, i, c and e.
        ({**LEAVING, "usernames": "alice"}, "spamexperts_offboarding.usernames has to be a list"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(offboarding: Any, word: str) -> None:
    (found,) = _offboarding.problems(offboarding)
    assert word in found


def test_users_are_removed_or_locked() -> None:
    assert not _offboarding.problems(LEAVING)
    alice = {"domain": "example.com", "username": "alice", "authentication_method": "user"}
    assert _offboarding.users(LEAVING)[0] == {**alice, "state": "absent"}
    assert _offboarding.users({**LEAVING, "action": "lock"})[0] == {**alice, "locked": True}


def test_their_logins_are_found_and_taken_out() -> None:
    found = [
        {"key": "[filter.example]:587", "login": "server@example.com"},
        {"key": "@sales.example", "login": "Bob@example.com"},
        {"key": "alice@example.com", "login": "alice@example.com"},
    ]
    assert _offboarding.uses(LEAVING, found) == ["@sales.example", "alice@example.com"]
    assert _offboarding.remaining(LEAVING, found) == found[:1]


def test_who_stays_and_is_not_in_the_inventory_is_found() -> None:
    senders = {"alice": "alice", "carol": "Carol", "dave": "dave", "erin": "erin"}
    found = [{"key": f"{key}@example.com", "login": f"{login}@example.com"} for key, login in senders.items()]
    found += [{"key": "[filter.example]:587", "login": "server@example.com"}, {"key": "@x", "login": "example.net"}]
    wanted = [{"login": "carol@EXAMPLE.com"}]
    assert _offboarding.unnamed(LEAVING, found, wanted) == ["dave@example.com", "erin@example.com", "example.net"]


@pytest.mark.parametrize("domain", ["müller.example", "xn--mller-kva.example"])
def test_their_logins_are_found_however_the_domain_is_written(domain: str) -> None:
    leaving = {"domain": domain, "usernames": ["alice"]}
    stays = {"key": "api", "login": "api-key"}
    found = [
        {"key": "one", "login": "Alice@Müller.example"},
        {"key": "two", "login": "alice@xn--mller-kva.example"},
        stays,
        {"key": "three", "login": "xn--mller-kva.example"},
    ]
    assert _offboarding.uses(leaving, found) == ["one", "two"]
    assert _offboarding.remaining(leaving, found) == found[2:]
