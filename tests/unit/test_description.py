# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that a description does not know are named, with their place and with those that it may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import offboarding, onboarding
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.check import unknown_keys
from ansible_collections.smarthost.spamexperts.plugins.module_utils._rotation import description

SECRET = "the password of alice"
SENDER = {"username": "alice", "password": SECRET}


@pytest.mark.parametrize(
    ("problems", "description", "begins"),
    [
        (
            onboarding.problems,
            {"domain": "example.com", "senders": [SENDER], "sender": [], "contact": "x"},
            ["spamexperts_onboarding has contact, sender, which it does not know; it may have domain, account, "],
        ),
        (
            onboarding.problems,
            {"domain": "example.com", "senders": [SENDER, {"username": "bob", "pasword": SECRET}]},
            ["spamexperts_onboarding.senders[1] has pasword, which it does not know; it may have "],
        ),
        (
            onboarding.problems,
            {
                "domain": "example.com",
                "senders": [{**SENDER, "limits": {"per_hours": 1}}],
                "shared_limits": {"hourly": 1},
            },
            [
                "spamexperts_onboarding.senders[0].limits has per_hours, which it does not know; it may have enabled, ",
                "spamexperts_onboarding.shared_limits has hourly, which it does not know; it may have enabled, ",
            ],
        ),
        (
            offboarding.problems,
            {"domain": "example.com", "username": ["alice"]},
            ["spamexperts_offboarding has username, which it does not know; it may have domain, usernames, "],
        ),
        (
            description.problems,
            {"everything": True, "logns": ["a"], 1: 2},
            ["spamexperts_rotation has 1, logns, which it does not know; it may have logins, domains, "],
        ),
    ],
)
def test_unknown_keys(problems: Callable[[object], list[str]], description: dict[Any, Any], begins: list[str]) -> None:
    found = problems(description)
    assert len(found) == len(begins)
    for sentence, begin in zip(found, begins):
        assert sentence.startswith(begin)
        assert sentence.endswith(".")
        assert not sentence.endswith("..")
        assert SECRET not in sentence


@pytest.mark.parametrize("senders", [None, "alice", ["alice"], [None]])
def test_what_is_no_dict_is_left_to_the_check_of_types(senders: Any) -> None:
    options = {"senders": {"type": "list", "options": {"username": {"type": "str"}}}}
    assert unknown_keys("x", {"senders": senders}, options) == []


@pytest.mark.parametrize("problems", [onboarding.problems, offboarding.problems, description.problems])
def test_other_mistakes_are_sentences(problems: Callable[[object], list[str]]) -> None:
    for given in ({"domain": 1}, {"everything": "maybe"}, {"senders": "x", "domain": ["y"]}, {}):
        assert all(sentence.endswith(".") and not sentence.endswith("..") for sentence in problems(given))


@pytest.mark.parametrize(
    ("problems", "description"),
    [
        (onboarding.problems, {"domain": "example.com", "senders": [SENDER]}),
        (offboarding.problems, {"domain": "example.com", "usernames": ["alice"]}),
        (description.problems, {"everything": True}),
    ],
)
def test_an_account_that_is_not_there(problems: Callable[..., list[str]], description: dict[str, Any]) -> None:
    assert problems(description, []) == []
    named = {**description, "account": "office"}
    assert problems(named) == []
    assert problems(named, ["default", "office"]) == []
    (sentence,) = problems(named, ["default"])
    assert "names the account office, but spamexperts_accounts does not have it; add it there" in sentence
