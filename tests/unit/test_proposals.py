# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a help page with unusual names may mean: proposed to people, used by nobody."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import methods, proposals

#: What the vendor's own programs are known to call besides; none of it is about outgoing users.
OTHERS = """
/api/emailusers/setpassword/username/john/password/x/domain/example.com/
/api/emailusers/add/username/john/password/x/domain/example.com
/api/user/list/role/domain /api/reseller/list/username/a /api/domainalias/list/domain/example.com
/api/domainuser/setpassword/username/example.com/password/x /api/domain/getowner/domain/example.com
/api/outgoingusers/add/domain/d/username/u/password/p /api/domain/add/domain/example.com /api/version/get
"""


def server(page: str, *, use: bool = False, given: dict[str, Any] | None = None) -> methods.Methods:
    return methods.Methods(given, use, lambda: f"{OTHERS} {page}")


def proposed(page: str, **options: Any) -> dict[str, Any]:
    return {name: (m.call, dict(m.parameters)) for name, m in proposals.propose(server(page, **options)).items()}


def test_a_server_with_the_public_calls_only_has_nothing_to_propose() -> None:
    assert proposed("") == {}


@pytest.mark.parametrize(
    ("operation", "link", "parameters"),
    [
        ("list", "/api/senders/enumerate/zone/example.com/", {"domain": "zone"}),
        ("list", "/api/outgoing/getall", {}),
        (
            "set_password",
            "/api/senders/passwd/zone/d/name/john/secret/x",
            {"domain": "zone", "username": "name", "password": "secret"},
        ),
        (
            "set_limits",
            "/api/senders/quota/zone/d/name/j/on/1/hour/1/rcpt/1",
            {"domain": "zone", "username": "name", "enabled": "on", "per_hour": "hour", "recipients_per_day": "rcpt"},
        ),
        (
            "set_limits",
            "/api/senders/update/domain/d/user/j/maxPerHour/1/colour/1",
            {"domain": "domain", "username": "user", "per_hour": "maxPerHour"},
        ),
        (
            "set_settings",
            "/api/senders/options/zone/d/name/j/auto/1/minutes/5/unlocks/1",
            {
                "domain": "zone",
                "username": "name",
                "automatic_lock": "auto",
                "lock_timeout": "minutes",
                "maximum_unlocks": "unlocks",
            },
        ),
        ("lock", "/api/senders/freeze/zone/d/name/j", {"domain": "zone", "username": "name"}),
        ("unlock", "/api/senders/thaw/zone/d/name/j", {"domain": "zone", "username": "name"}),
    ],
)
def test_a_call_is_proposed_by_its_parameters_and_its_name(
    operation: str, link: str, parameters: dict[str, str]
) -> None:
    found = proposed(link)
    assert set(found) == {operation}
    assert found[operation] == ("/".join(link.split("/")[2:4]), parameters)
    for use in (False, True):
        offered = server(link, use=use)
        assert offered.find(operation) is None, "no run uses it"
        with pytest.raises(methods.MethodError, match="no known API method"):
            offered.require(operation, "do it")
    block = server(link).block(proposals.propose(server(link)))
    assert server("", given=block).require(operation, "do it").parameters == parameters


@pytest.mark.parametrize(
    "link",
    [
        "/api/senders/create/zone/d/name/j/secret/x",  # an add
        "/api/senders/show/zone/d/name/j",  # one user
        "/api/senders/remove/zone/d/name/j",
        "/api/senders/quota/zone/d",
        "/api/senders/lockhistory",
        "/api/senders/passwordpolicy/zone/d",
    ],
)
def test_what_looks_like_something_else_is_not_proposed(link: str) -> None:
    assert proposed(link) == {}


def test_what_is_known_or_given_is_not_proposed_again() -> None:
    page = "/api/outgoingusers/lock/domain/d/username/u /api/senders/freeze/zone/d/name/j /api/senders/enumerate/zone/d"
    given = {"list": {"call": "mine/list", "parameters": {"domain": "d"}}}
    assert proposed(page, given=given) == {}
    assert set(proposed(page)) == {"list"}


def test_every_call_that_is_not_used_is_shown_and_those_about_others_last() -> None:
    shown = proposals.not_understood(server("/api/zz/odd/a/1/b/2 /api/outgoingusers/lock/domain/d/username/u"))
    assert shown[0] == {"call": "zz/odd", "parameters": ["a", "b"]}
    calls = [entry["call"] for entry in shown[1:]]
    assert calls == sorted(calls)
    assert "emailusers/setpassword" in calls
    assert not {"outgoingusers/lock", "outgoingusers/add", "domain/add", "version/get"} & set(calls)


@pytest.mark.parametrize(
    "answer",
    [
        [{"username": "alice", "frozen": 1}, {"username": "bob", "kind": "x"}],
        {"7": {"username": "alice", "frozen": 1}, "8": {"kind": None}},
    ],
)
def test_fields_are_shown_without_a_value(answer: object) -> None:
    method = methods.parse_given("list", {"call": "a/list", "fields": {"locked": "FROZEN"}})
    assert proposals.field_names(answer, method) == [
        {"field": "frozen", "meaning": "locked"},
        {"field": "kind", "meaning": ""},
        {"field": "username", "meaning": "username"},
    ]


@pytest.mark.parametrize(
    "answer", [None, [], {}, "alice", 7, ["alice"], {"zone": "d"}, [{"alice@example.com": 1, "a b": 2}]]
)
def test_an_answer_without_fields_shows_none(answer: object) -> None:
    assert proposals.field_names(answer, methods.parse_given("list", {"call": "a/list"})) == []
