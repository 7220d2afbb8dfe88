# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's calls about outgoing users, in both worlds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.emulator import Emulator

LIMITS = ("per_minute", "per_hour", "per_day", "per_week", "per_month", "recipients_per_day")
NEW = {
    "locked": 0,
    "limits_enabled": 1,
    **{f"limit_{name}": "inherit" for name in LIMITS},
    "automatic_lock": 0,
    "lock_timeout": 60,
    "maximum_unlocks": 3,
}
JO = {"domain": "example.test", "username": "jo"}


def error(reply: dict[str, Any]) -> str:
    """The first error line."""
    return str(reply["messages"]["error"][0])


@pytest.fixture
def panel(emulator: Emulator) -> Emulator:
    """A server with one domain that may send."""
    emulator.seed(domains=["example.test"])
    return emulator


def test_three_kinds_of_users(panel: Emulator) -> None:
    assert panel.call("outgoingusers/add", domain="example.test", username="Jo", password="a")["messages"]["success"]
    assert panel.call("outgoingusers/add", domain="example.test", password="b")["messages"]["success"]
    assert panel.call("outgoingusers/addip", domain="example.test", ip="192.0.2.7")["messages"]["success"]
    expected = [
        {"domain": "example.test", "username": "jo", "authentication_method": "user", **NEW},
        {"domain": "example.test", "username": "", "authentication_method": "domain", **NEW},
        {"domain": "example.test", "username": "192.0.2.7", "authentication_method": "ip", **NEW},
    ]
    assert panel.call("outgoingusers/list")["result"] == expected
    assert panel.call("outgoingusers/list", domain="example.test")["result"] == expected
    assert panel.users() == expected


@pytest.mark.parametrize("name", ["add", "addip", "remove", "setpassword", "lock", "unlock"])
def test_writes_need_the_outgoing_product(emulator: Emulator, name: str) -> None:
    emulator.seed(domains=[{"domain": "example.test", "outgoing": 0}])
    emulator.seed(users=[{**JO, "password": "a"}])
    needed = {
        "add": {"username": "al", "password": "a"},
        "addip": {"ip": "192.0.2.1"},
        "setpassword": {"password": "b"},
    }
    arguments = {"username": "jo", **needed.get(name, {})}
    if name == "addip":
        del arguments["username"]
    reply = emulator.call(f"outgoingusers/{name}", domain="example.test", **arguments)
    assert "outgoing product is not enabled" in error(reply)
    assert emulator.users() == [{**JO, "authentication_method": "user", **NEW}]


def test_adding_an_existing_user_is_an_error_by_default(panel: Emulator) -> None:
    panel.seed(users=[{**JO, "password": "a"}])
    reply = panel.call("outgoingusers/add", **JO, password="b")
    assert reply["messages"]["error"] == ["Outgoing user already exists.", "Failed to add the outgoing user 'jo'"]
    assert panel.counters()["effective_writes"] == 0


def test_adding_an_existing_user_may_overwrite(panel: Emulator) -> None:
    panel.seed(users=[{**JO, "password": "a", "locked": 1}])
    panel.quirks(add_existing="overwrite")
    assert panel.call("outgoingusers/add", **JO, password="b")["messages"]["success"]
    assert panel.counters()["effective_writes"] == 1
    assert panel.users()[0]["locked"] == 1


@pytest.mark.parametrize("username", ["a" * 65, "jo@example.test", "a b", "a/b", "\n"])
def test_usernames_are_local_parts(panel: Emulator, username: str) -> None:
    assert "username" in error(panel.call("outgoingusers/add", domain="example.test", username=username, password="a"))
    assert panel.users() == []


def test_usernames_of_64_characters_are_fine(panel: Emulator) -> None:
    assert panel.call("outgoingusers/add", domain="example.test", username="a" * 64, password="a")["messages"][
        "success"
    ]


@pytest.mark.parametrize(
    ("arguments", "stored"),
    [
        ({"ip": "192.0.2.7"}, "192.0.2.7"),
        ({"ip": "192.0.2.7", "mask": "32"}, "192.0.2.7"),
        ({"ip": "192.0.2.0", "mask": "28"}, "192.0.2.0/28"),
        ({"ip": "192.0.2.5", "mask": "28"}, "192.0.2.0/28"),
        ({"ip": "2001:DB8::", "mask": "64"}, "2001:db8::/64"),
        ({"ip": "2001:db8:0:0::1"}, "2001:db8::1"),
    ],
)
def test_networks_are_stored_in_one_form(panel: Emulator, arguments: dict[str, str], stored: str) -> None:
    panel.call("outgoingusers/addip", domain="example.test", **arguments)
    assert [user["username"] for user in panel.users()] == [stored]
    assert (
        error(panel.call("outgoingusers/addip", domain="example.test", **arguments)) == "Outgoing user already exists."
    )
    assert panel.call("outgoingusers/remove", domain="example.test", username=stored)["messages"]["success"]
    assert panel.users() == []
    assert panel.call("outgoingusers/addip", domain="example.test", **arguments)["messages"]["success"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"ip": "192.0.2.0/28"},
        {"ip": "192.0.2.300"},
        {"ip": "192.0.2.0", "mask": "33"},
        {"ip": "192.0.2.0", "mask": "0"},
        {"ip": "192.0.2.0", "mask": "255.255.255.0"},
        {"ip": "smarthost.test"},
    ],
)
def test_malformed_networks_are_refused(panel: Emulator, arguments: dict[str, str]) -> None:
    assert "incorrect" in error(panel.call("outgoingusers/addip", domain="example.test", **arguments))


@pytest.mark.parametrize(("ip", "mask"), [("192.0.2.16", "28"), ("192.0.2.17", "32"), ("192.0.2.0", "24")])
def test_an_address_has_one_owner(panel: Emulator, ip: str, mask: str) -> None:
    panel.seed(domains=["other.test"])
    panel.call("outgoingusers/addip", domain="example.test", ip="192.0.2.16", mask="28")
    reply = panel.call("outgoingusers/addip", domain="other.test", ip=ip, mask=mask)
    assert "already in use by the domain 'example.test'" in error(reply)
    assert panel.call("outgoingusers/addip", domain="other.test", ip="192.0.2.32", mask="28")["messages"]["success"]


def test_remove_without_username_means_the_domain_user(panel: Emulator) -> None:
    panel.seed(users=[{**JO, "password": "a"}, {"domain": "example.test", "password": "b"}])
    assert panel.call("outgoingusers/remove", domain="example.test")["messages"]["success"]
    assert [user["username"] for user in panel.users()] == ["jo"]
    assert "Unable to find" in error(panel.call("outgoingusers/remove", domain="example.test"))
    assert "Unable to find" in error(panel.call("outgoingusers/remove", domain="example.test", username="missing"))


def test_remove_without_username_may_mean_all(panel: Emulator) -> None:
    panel.seed(users=[{**JO, "password": "a"}, {"domain": "example.test", "username": "192.0.2.1"}])
    panel.quirks(remove_without_username="all")
    assert len(panel.call("outgoingusers/remove", domain="example.test")["messages"]["success"]) == 2
    assert panel.users() == []
    assert "Unable to find" in error(panel.call("outgoingusers/remove", domain="example.test"))


def test_setlimits_changes_only_what_is_sent(panel: Emulator) -> None:
    panel.seed(users=[{**JO, "password": "a", "limit_per_hour": 7}])
    panel.call("outgoingusers/setlimits", **JO, limits_enabled="0", limit_per_day="0", limit_per_month="99")
    [user] = panel.users()
    assert user == {
        **JO,
        "authentication_method": "user",
        **NEW,
        "limits_enabled": 0,
        "limit_per_hour": 7,
        "limit_per_day": 0,
        "limit_per_month": 99,
    }
    panel.call("outgoingusers/setlimits", **JO, limit_per_day="inherit")
    assert panel.users()[0]["limit_per_day"] == "inherit"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"limit_per_day": "-1"},
        {"limit_per_day": "many"},
        {"limit_per_day": "1.5"},
        {"limits_enabled": "true"},
        {"limit_per_year": "1"},
    ],
)
def test_wrong_limits_are_refused(panel: Emulator, values: dict[str, str]) -> None:
    panel.seed(users=[{**JO, "password": "a"}])
    assert error(panel.call("outgoingusers/setlimits", **JO, **values))
    assert panel.counters()["effective_writes"] == 0


def test_setsettings_keeps_any_lower_case_name(panel: Emulator) -> None:
    panel.seed(users=[{**JO, "password": "a"}])
    panel.call("outgoingusers/setsettings", **JO, automatic_lock="1", lock_timeout="10080", dkim_selector="mail2026")
    [user] = panel.users()
    assert (user["automatic_lock"], user["lock_timeout"], user["dkim_selector"]) == (1, 10080, "mail2026")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"lock_timeout": "0"},
        {"lock_timeout": "10081"},
        {"maximum_unlocks": "101"},
        {"automatic_lock": "yes"},
        {"UPPER": "1"},
        {"locked": "1"},
        {"password": "x"},
    ],
)
def test_wrong_settings_are_refused(panel: Emulator, values: dict[str, str]) -> None:
    panel.seed(users=[{**JO, "password": "a"}])
    assert error(panel.call("outgoingusers/setsettings", **JO, **values))
    assert panel.counters()["effective_writes"] == 0


def test_lock_and_unlock(panel: Emulator) -> None:
    panel.seed(users=[{**JO, "password": "a"}, {"domain": "example.test", "password": "b"}])
    panel.call("outgoingusers/lock", domain="example.test")
    assert [(user["username"], user["locked"]) for user in panel.users()] == [("jo", 0), ("", 1)]
    panel.call("outgoingusers/unlock", domain="example.test")
    assert [user["locked"] for user in panel.users()] == [0, 0]
    assert "Unable to find" in error(panel.call("outgoingusers/lock", domain="example.test", username="missing"))


def change_much(panel: Emulator, lag: float) -> Any:
    """Change what lists show, so many seconds later only; what they showed before."""
    panel.seed(users=[{**JO, "password": "a"}, {"domain": "example.test", "username": "al", "password": "a"}])
    before = panel.call("outgoingusers/list")["result"]
    panel.faults(lag=lag)
    panel.call("outgoingusers/lock", **JO)
    panel.call("outgoingusers/lock", domain="example.test", username="al")
    panel.call("outgoingusers/remove", domain="example.test", username="al")
    panel.call("outgoingusers/add", domain="example.test", username="new", password="a")
    panel.call("domain/add", domain="other.test")
    return before


def test_lists_lag_behind_writes(panel: Emulator) -> None:
    before = change_much(panel, lag=600)
    assert sorted(panel.call("outgoingusers/list")["result"], key=str) == sorted(before, key=str)
    assert panel.call("domainslist/get")["result"] == ["example.test"]
    assert {user["username"]: user["locked"] for user in panel.users()} == {"jo": 1, "new": 0}


def test_lists_show_writes_after_the_lag(panel: Emulator) -> None:
    change_much(panel, lag=0.3)
    deadline = time.monotonic() + 10
    while panel.call("outgoingusers/list")["result"] != panel.users():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert panel.call("domainslist/get")["result"] == ["example.test", "other.test"]


def test_thousands_of_users_are_seeded_and_listed_at_once(panel: Emulator) -> None:
    users = [{"domain": f"d{n % 500}.test", "username": f"user{n}", "password": f"password-{n}"} for n in range(10_000)]
    started = time.monotonic()
    panel.seed(users=users)
    assert len(panel.call("outgoingusers/list")["result"]) == 10_000
    assert len(panel.call("outgoingusers/list", domain="d7.test")["result"]) == 20
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("quirks", [{"add_existing": "ignore"}, {"unknown": "error"}])
def test_unknown_quirks_are_refused(panel: Emulator, quirks: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not known"):
        panel.quirks(remove_without_username="all", **quirks)
    assert panel.state()["quirks"]["remove_without_username"] == "domain_user"


def test_reset_forgets_everything(panel: Emulator) -> None:
    panel.quirks(add_existing="overwrite")
    panel.faults({"match": "*", "kind": "html"}, lag=3, login_lag=3)
    panel.reset()
    assert panel.state() == {
        "domains": [],
        "users": [],
        "locked_identities": [],
        "quirks": {
            "add_existing": "error",
            "remove_without_username": "domain_user",
            "domain_exists_missing": "present0",
            "missing_domain": "missing",
            "domains_list": "shown",
            "limit_reaction": "tempfail",
            "domain_add_disables_outgoing": True,
        },
        "faults": [],
        "lag": 0.0,
        "login_lag": 0.0,
    }
    assert panel.requests() == []
