# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The method table: given over documented over discovered, and never a guessed write."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils import _names
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import methods

HELP = """
<h1>API</h1><a href="/api/outgoingusers/list/domain/example.com/format/json/">list</a>
<code>https://panel.example/api/outgoingusers/setpassword/domain/example.com/username/john/password/secret/</code>
/api/outgoingusers/setlimits/domain/example.com/username/john/limits_enabled/1/limit_per_hour/10/
/api/outgoingusers/lock/domain/example.com/username/john /api/outgoingusers/unlock/domain/example.com/nick/john
<a href='/api/domain/add/domain/example.com/'>
"""


def discover(page: str, use_writes: bool) -> dict[str, methods.Method]:
    return methods.discover(methods.read_links(page), use_writes)


class Page:
    """A help page that counts how often it is read."""

    def __init__(self, text: Optional[str]) -> None:
        self.text = text
        self.reads = 0

    def __call__(self) -> Optional[str]:
        self.reads += 1
        return self.text


def table(given: Optional[dict[str, Any]] = None, use: bool = False, text: Optional[str] = HELP) -> methods.Methods:
    return methods.Methods(given, use, Page(text))


def test_documented_calls_need_no_help_page() -> None:
    page = Page(HELP)
    offered = methods.Methods(None, False, page)
    assert offered.require("add", "add").call == "outgoingusers/add"
    assert offered.require("add_ip", "add").parameters == {"domain": "domain", "ip": "ip", "mask": "mask"}
    assert page.reads == 0


def test_the_help_page_is_read_once() -> None:
    page = Page(HELP)
    offered = methods.Methods(None, False, page)
    for operation in methods.OPERATIONS:
        offered.find(operation)
    offered.table({})
    assert page.reads == 1


def test_a_discovered_read_is_used_and_a_discovered_write_only_proposed() -> None:
    offered = table()
    found = offered.find("list")
    assert found is not None
    assert (found.call, found.source) == ("outgoingusers/list", methods.Source.DISCOVERED)
    assert offered.find("set_password") is None
    with pytest.raises(methods.MethodError, match="use_discovered_methods: true"):
        offered.require("set_password", "set the password")


def test_a_call_for_one_user_is_not_the_list() -> None:
    found = discover("/api/outgoingusers/get/domain/d/username/u/", False)
    assert methods.LIST not in found


@pytest.mark.parametrize("last", [0, 1])
def test_of_several_examples_of_a_call_the_fullest_counts(last: int) -> None:
    links = [
        "/api/outgoingusers/setlimits/domain/d/username/u/limit_per_hour/5/",
        "/api/outgoingusers/setlimits/domain/d/username/u/",
    ]
    found = discover(" ".join([links[1 - last], links[last]]), True)
    assert "per_hour" in found[methods.SET_LIMITS].parameters


def test_discovered_writes_are_used_when_allowed() -> None:
    offered = table(use=True)
    assert offered.require("set_limits", "set limits").parameters == {
        "domain": "domain",
        "username": "username",
        "enabled": "limits_enabled",
        "per_hour": "limit_per_hour",
    }
    assert offered.require("lock", "lock").source is methods.Source.DISCOVERED


def test_a_write_with_a_parameter_that_is_not_understood_is_not_shown() -> None:
    assert table(use=True).find("unlock") is None
    assert "unlock" not in table(use=True).block({})


def test_what_is_missing_is_said_with_what_is_offered_and_how_to_name_it() -> None:
    with pytest.raises(methods.MethodError) as problem:
        table(text=None).require("set_limits", "set limits")
    text = str(problem.value)
    assert "no known API method to set limits" in text
    assert "add, add_ip, remove" in text
    assert "api_methods: {set_limits: {call: controller/action" in text


def test_given_methods_win() -> None:
    given = {
        "add": {"call": "senders/create", "parameters": {"domain": "zone", "username": "name", "password": "secret"}},
        "list": {
            "call": "/senders/enumerate/",
            "parameters": {},
            "fields": {"username": "name"},
            "values": {True: "yes"},
        },
    }
    offered = table(given)
    assert offered.require("add", "add").encode({"domain": "a.example", "username": "b", "password": "c"}) == [
        ("zone", "a.example"),
        ("name", "b"),
        ("secret", "c"),
    ]
    found = offered.find("list")
    assert found is not None
    assert (found.call, found.source, found.values) == ("senders/enumerate", methods.Source.GIVEN, {"true": "yes"})


def test_values_are_encoded() -> None:
    method = methods.parse_given(
        "set_limits",
        {
            "call": "a/b",
            "parameters": {"domain": "d", "username": "u", "enabled": "e", "per_hour": "h"},
            "values": {"inherit": "default", "false": "off"},
            "fixed": {"scope": "user"},
        },
    )
    assert method.encode({"domain": "x", "enabled": True, "per_hour": "inherit"}) == [
        ("d", "x"),
        ("e", "1"),
        ("h", "default"),
        ("scope", "user"),
    ]
    assert method.encode({"enabled": False, "per_hour": 0}) == [("e", "off"), ("h", "0"), ("scope", "user")]


def test_inherit_is_never_guessed() -> None:
    method = table(use=True).require("set_limits", "set limits")
    with pytest.raises(methods.MethodError, match=r"api_methods\.set_limits\.values\.inherit"):
        method.encode({"per_hour": "inherit"})


def test_a_parameter_without_a_name_is_never_guessed() -> None:
    method = table(use=True).require("set_limits", "set limits")
    with pytest.raises(methods.MethodError, match="per_week"):
        method.encode({"per_week": 1})


@pytest.mark.parametrize(
    ("operation", "entry", "word"),
    [
        ("erase", {"call": "a/b"}, "unknown operation"),
        ("list", "a/b", "must have the keys"),
        ("list", {"call": "a/b", "other": 1}, "must have the keys"),
        ("list", {}, "controller/action"),
        (
            "list",
            {"call": "a/b", "parameters": {"foo": "a", "bar": "b", "x": "c"}},
            "has 'foo'; it may have domain, username",
        ),
        (
            "list",
            {"call": "a/b", "values": {"b": "1", "a": "2", "x": "3"}},
            "has 'a'; it may have the words true, false",
        ),
        ("lock", {"call": "a/b", "parameters": {"domain": "d", "username": "d"}}, "gives 'd' for two things"),
        ("list", {"call": "list"}, "controller/action"),
        ("list", {"call": "a/b/c"}, "controller/action"),
        ("list", {"call": "A/B"}, "controller/action"),
        ("list", {"call": "a/b", "parameters": []}, None),
        ("list", {"call": "a/b", "parameters": ["domain"]}, "must map names"),
        ("list", {"call": "a/b", "parameters": {"domain": ""}}, "must map names"),
        ("list", {"call": "a/b", "parameters": {"domain": "x y"}}, "cannot be a name"),
        ("list", {"call": "a/b", "fields": {"username": "x/y"}}, "cannot be a name"),
        ("add", {"call": "a/b", "parameters": {"domain": "d", "username": "u"}}, "password"),
        ("add_ip", {"call": "a/b", "parameters": {"domain": "d"}}, "ip"),
        ("set_password", {"call": "a/b", "parameters": {"domain": "d", "password": "p"}}, "username"),
        ("lock", {"call": "a/b", "parameters": {"domain": "d"}}, "username"),
        ("lock", {"call": "a/b", "parameters": {"domain": "d", "username": "u"}, "fields": {"a": "b"}}, "no meaning"),
        ("lock", {"call": "a/b", "parameters": {"domain": "d", "username": "u"}, "values": {"true": None}}, "must map"),
    ],
)
def test_bad_given_methods_are_refused(operation: str, entry: Any, word: Optional[str]) -> None:
    if word is None:
        assert methods.parse_given(operation, entry).parameters == {}
        return
    with pytest.raises(_names.InputError, match=word):
        methods.parse_given(operation, entry)


def test_set_settings_alone_takes_names_of_ones_own() -> None:
    parameters = {"domain": "d", "username": "u", "footer": "f"}
    assert methods.parse_given("set_settings", {"call": "a/b", "parameters": parameters}).parameters == parameters


def test_the_block_of_a_method_is_what_was_given() -> None:
    """Pasted again it says the same, also where nothing is special."""
    special = {"fields": {"username": "name"}, "values": {"true": "yes"}, "fixed": {"scope": "all"}}
    for given in ({"call": "a/b", "parameters": {"domain": "zone"}}, {"call": "a/b", "parameters": {}, **special}):
        assert methods.parse_given("list", given).to_block() == given


def test_a_method_stays_as_it_was_read() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        methods.DOCUMENTED["add"].call = "domain/remove"  # type: ignore[misc]  # that is the test


LINK = "/api/outgoingusers/{}/domain/example.com/username/john/"


def test_the_likeliest_of_several_calls_is_taken() -> None:
    page = " ".join(LINK.format(action) for action in ("updatelimits", "setlimits"))
    assert discover(page, True)["set_limits"].call == "outgoingusers/setlimits"


def test_the_table_and_the_block_show_everything_that_is_known() -> None:
    offered = table({"set_settings": {"call": "a/b", "parameters": {"domain": "d", "username": "u"}}})
    rows = {row["operation"]: row for row in offered.table({})}
    assert list(rows) == list(methods.OPERATIONS)
    assert [(rows[name]["source"], rows[name]["offered"]) for name in ("list", "set_password")] == [
        ("discovered", True),
        ("proposed", False),
    ]
    assert rows["set_settings"]["source"] == "given"
    assert rows["unlock"] == {
        "operation": "unlock",
        "offered": False,
        "source": "missing",
        "call": "",
        "parameters": {},
    }
    block = offered.block({})
    assert set(block) == {"list", "set_password", "set_limits", "set_settings", "lock"}
    again = table(block, text=None)
    assert again.require("set_password", "x").parameters == {
        "domain": "domain",
        "username": "username",
        "password": "password",
    }


def test_passwords_are_in_no_representation() -> None:
    assert "secret" not in repr(discover("/api/outgoingusers/setpassword/domain/d/username/u/password/secret", True))
