# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an import writes down says what the account has, to whoever reads it, and would change nothing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import (
    Description,
    Sender,
    Site,
    read,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import LIMIT_NAMES, Key
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._domain_files import read_text
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._import_description import (
    FoundDomain,
    describe,
    differences,
    use_lines,
)
from hypothesis import given
from hypothesis import strategies as st

SETTABLE = ("dkim_selector", "signature")
NUMBERS = st.integers(0, 2**31 - 1)
LIMITS = st.fixed_dictionaries(
    {}, optional={"enabled": st.booleans(), **{name: NUMBERS | st.just("inherit") for name in LIMIT_NAMES}}
).map(
    lambda limits: {
        **{name: value for name, value in limits.items() if value != "inherit"},
        "inherit": [name for name, value in limits.items() if value == "inherit"],
    }
)
LOCKS: dict[str, Any] = {
    "automatic_lock": st.booleans(),
    "lock_timeout": st.integers(0, 20000),
    "maximum_unlocks": st.integers(0, 200),
}
TEXTS = st.text(max_size=20)
SETTINGS = st.dictionaries(st.sampled_from([*SETTABLE, "created", "Id"]), TEXTS)
WORDS = ["alice", "null", "yes", "1e3", "0x10", "12:30", "2026-01-01", "~x", "a{{b", "a{%b", "#x", "'q", "*b", "&c"]
USERNAMES = st.sampled_from(WORDS) | st.text("abcdefg.{}|#'*&!%+-_=?~", min_size=1, max_size=9)
NETWORKS = st.sampled_from(
    ["192.0.2.7", "10.0.0.1", "203.0.0.0/20", "198.51.100.1", "10.0.0.0/8", "2001:db8::/32", "nonsense"]
)


def users(username: st.SearchStrategy[str], method: str) -> st.SearchStrategy[dict[str, Any]]:
    """Users as outgoing_user_info shows them."""
    fixed: dict[str, Any] = {"username": username, "authentication_method": st.just(method)}
    shown = {"limits": LIMITS, "locked": st.booleans(), "settings": SETTINGS, **LOCKS}
    return st.fixed_dictionaries(fixed, optional=shown)


EVERYBODY = st.lists(
    st.one_of(users(USERNAMES, "user"), users(NETWORKS, "ip"), users(st.just(""), "domain")),
    max_size=6,
    unique_by=lambda user: str(user["username"]).lower(),
)
DEFAULTS = st.fixed_dictionaries({}, optional={"limits": LIMITS, "automatic_lock": st.booleans()})


def described(text: str, defaults: dict[str, Any]) -> Description:
    descriptions, problems = read([read_text(text, "domains/example.com.yml")], defaults, Site({}, ["second"]))
    assert problems == [], text
    (one,) = descriptions
    return one


def domain_with(*listed: dict[str, Any], **more: Any) -> FoundDomain:
    given = {"domain": "example.com", "account": "second", "parts": {}, "listed": True, "users": listed}
    return FoundDomain(**{**given, **more})


def flat(user: dict[str, Any]) -> dict[str, Any]:
    limits = user.get("limits", {})
    return {
        **{f"limits.{name}": value for name, value in limits.items() if name != "inherit"},
        **{f"limits.{name}": "inherit" for name in limits.get("inherit", ())},
        **{name: user[name] for name in ("locked", *LOCKS) if name in user},
        **{f"settings.{name}": value for name, value in user.get("settings", {}).items()},
    }


@given(EVERYBODY, DEFAULTS, st.lists(TEXTS, max_size=3))
def test_what_is_written_reads_back_and_would_change_nothing(
    listed: list[dict[str, Any]], defaults: dict[str, Any], words: list[str]
) -> None:
    notes = {Key("example.com", user["username"]): words for user in listed}
    found = domain_with(*listed, notes=notes, parts={"abuse_contact": "abuse@example.com", "destinations": ["m:25"]})
    text, left_out = describe(found, defaults, SETTABLE, {})
    one = described(text, defaults)
    senders: dict[str, Sender] = {sender.wanted.key.username: sender for sender in one.senders}
    assert len(senders) + len(left_out) == len(listed), text
    for user in listed:
        sender = senders.get(user["username"].lower())
        if sender is None:
            continue
        state, wanted = flat(user), sender.wanted.user.state
        known = {name: value for name, value in wanted.items() if name in state}
        assert known == {name: state[name] for name in known}, text
        numbers = {f"limits.{name}": n for name, n in user.get("limits", {}).items() if name in LIMIT_NAMES}
        assert numbers.items() <= wanted.items(), text
        assert (sender.state == "locked") is bool(user.get("locked"))
    assert one.options["abuse_contact"] == "abuse@example.com"
    assert [line for line in differences(one, found) if "not described" not in line] == []


def test_a_description_as_somebody_reads_it() -> None:
    limits = {"enabled": True, "per_hour": 200, "inherit": ["per_day"]}
    alice = {"username": "alice", "authentication_method": "user", "limits": limits, "locked": False}
    shop = {"username": "shop", "authentication_method": "user", "limits": {"enabled": False}, "locked": True}
    office = {"username": "192.0.2.7", "authentication_method": "ip"}
    found = domain_with(
        alice,
        shop,
        office,
        parts={"abuse_contact": "abuse@example.com"},
        notes={Key("example.com", "alice"): use_lines([("relay", "h1"), ("relay", "h2"), ("", "words of a host")])},
    )
    assert describe(found, {}, (), {}).text == (
        "# Written by smarthost.spamexperts.import_site, from the account second. What is not known,\n"
        "# and what would change something, stands in a comment.\n"
        "domain: example.com\n"
        "account: second\n"
        "abuse_contact: abuse@example.com\n"
        "# destinations: not known, as the server does not show it\n"
        "senders:\n"
        "  - username: alice\n"
        "    limits: {per_hour: 200}\n"
        "    # relay: [h1, h2]\n"
        "    # words of a host\n"
        "  - username: shop\n"
        "    state: locked\n"
        "    limits: {enabled: false}\n"
        "  - username: 192.0.2.7\n"
        "    authentication_method: ip\n"
        "    acknowledge_ip_risk: true\n"
    )


def test_who_may_be_there_stands_in_a_comment() -> None:
    found = domain_with(listed=False, doubtful={Key("example.com", "web"): "h1: 535\nNo: {{ nonsense }}"})
    text, _left_out = describe(found, {}, (), {})
    assert "# web@example.com: h1: 535?No: {{ nonsense }}" in text
    assert described(text, {}).senders == []


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ({"username": "a{{b", "authentication_method": "user"}, "takes its name for a template"),
        ({"username": "two words", "authentication_method": "user"}, "is not the local part of an address"),
        ({"username": "192.0.2.9", "authentication_method": "ip"}, "one of example.org as well"),
    ],
)
def test_who_cannot_be_described_is_named(user: dict[str, Any], reason: str) -> None:
    text, (sentence,) = describe(domain_with(user), {}, (), {"192.0.2.9": "example.org"})
    assert f"{user['username']}@example.com is there and cannot be described" in sentence
    assert reason in sentence
    assert described(text, {}).senders == []


def test_what_lies_beneath_is_not_said_again_and_what_contradicts_it_is() -> None:
    defaults = {"limits": {"per_hour": 100, "per_day": 1000}, "automatic_lock": True, "account": "second"}
    limits = {"enabled": True, "per_hour": 100, "inherit": ["per_day"]}
    alice = {"username": "alice", "authentication_method": "user", "limits": limits, "automatic_lock": True}
    text = describe(domain_with(alice), defaults, (), {}).text
    assert "account:" not in text
    assert "  - username: alice\n    limits: {inherit: [per_day]}\n" in text
    assert "automatic_lock" not in text


def test_differences_are_said_in_both_directions() -> None:
    text = "domain: example.com\nabuse_contact: a@example.com\nsenders:\n- username: alice\n  limits: {per_hour: 5}\n"
    there = described(f"{text}- username: bob\n", {})
    alice = {"username": "alice", "authentication_method": "user", "limits": {"inherit": ["per_hour"]}}
    carol = {"username": "carol", "authentication_method": "user"}
    found = domain_with(alice, carol, parts={"abuse_contact": "b@example.com"})
    assert differences(there, found) == [
        "abuse_contact is b@example.com, and described is a@example.com",
        "carol@example.com is there, and not described",
        "bob@example.com is described, and not there",
        "alice@example.com: limits.per_hour is inherit, and described is 5",
    ]
    assert not any("bob" in line for line in differences(there, domain_with(alice, carol, listed=False)))
