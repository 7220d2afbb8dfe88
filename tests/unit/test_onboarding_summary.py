# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What onboard_domain says at its end."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Optional

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import onboarding_summary
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import Given, Site, read
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.report import relay_lines

SECRET = "Correct-Horse-42"
ALICE = {"username": "alice", "limits": {"per_hour": 200}}
INFO = {"username": "info", "shared": True, "password": SECRET}
NETWORK = {"username": "192.0.2.1", "authentication_method": "ip", "limits": {"per_day": 9}}
SMARTHOST = "filter.example:587"


def user(username: str, action: str, authentication: str = "user", **limits: Any) -> dict[str, Any]:
    """As outgoing_users shows one."""
    login = f"{username}@example.com" if username else "example.com"
    shown = {"username": username, "authentication_method": authentication, "action": action}
    return shown if authentication == "ip" else {**shown, "login": login, "state": {"limits": limits}}


USERS = (
    user("alice", "created", per_hour=200, per_day=0, inherit=["per_week"]),
    user("info", "unchanged", enabled=False),
    user("", "updated", "domain", inherit=["per_hour"]),
    user("192.0.2.1", "unknown", "ip"),
)


def summary(
    *senders: dict[str, Any],
    users: Sequence[dict[str, Any]] = USERS,
    spf: Optional[dict[str, Any]] = None,
    relays: Optional[dict[str, str]] = None,
    limits_offered: bool = True,
    entered: Collection[str] = (),
    check: bool = False,
    implicit_tls: bool = False,
    **keys: Any,
) -> list[str]:
    """The summary of a domain that describes these senders, and was `created`."""
    content = {"domain": "example.com", "senders": list(senders or (ALICE, INFO)), **keys}
    groups = {"mail1": ["mail1"]}
    (one,), problems = read([Given("example.com.yml", content)], {}, Site(groups))
    assert problems == []
    details = onboarding_summary.details_of(
        one,
        users,
        "created",
        limits_offered=limits_offered,
        relays=relays or {},
        entered=entered,
        check=check,
    )
    shown = json.loads(json.dumps(details))
    lines = onboarding_summary.summary("example.com", shown, SMARTHOST, spf, implicit_tls=implicit_tls)
    assert SECRET not in "\n".join([*lines, json.dumps(details)])
    return lines


def test_tls_from_the_first_byte_is_named_wherever_it_is_entered() -> None:
    text = "\n".join(summary(implicit_tls=True))
    assert "sends through filter.example:587, SSL/TLS and login." in text
    assert "Verbindungssicherheit       SSL/TLS" in text
    assert "STARTTLS" not in text


def test_who_may_send_how_and_how_much() -> None:
    lines = summary(relays={"mail1": "changed, sends as server1@example.com"})
    text = "\n".join(lines)
    assert lines[0] == "example.com sends through filter.example:587, STARTTLS and login."
    assert "  alice@example.com                user    created    200 per hour, 0 per day" in lines
    assert "  info@example.com                 user    unchanged  limits switched off" in lines
    assert "  example.com                      domain  updated    limits of the account" in lines
    assert "Discouraged" in text
    assert "Weaker than users" in text
    assert "  mail1                            changed, sends as server1@example.com" in lines
    assert "  v=spf1 include:spf.antispamcloud.com ~all" in lines
    assert lines[-1] == "Domain created; senders: 1 created, 1 unchanged, 1 unknown, 1 updated."
    assert "To do by hand" not in text


def test_what_the_api_cannot_do() -> None:
    """Who is to be gone has no limits, and each who is recognised by its address is named."""
    gone = {"username": "bob", "limits": {"per_hour": 1}, "state": "absent"}
    lines = summary(ALICE, INFO, NETWORK, gone, limits_offered=False, check=True)
    place = next(number for number, line in enumerate(lines) if line.startswith("To do by hand"))
    assert lines[place + 1 : place + 5] == [
        "  alice@example.com                200 per hour",
        "  info@example.com                 limits switched off",
        "  192.0.2.1                        9 per day",
        "",
    ]
    assert "nothing was changed" in lines[0]


@pytest.mark.parametrize(
    ("action", "limits", "shown"),
    [
        ("created", {}, "limits of the account"),
        ("unchanged", {"inherit": ["per_hour"]}, "limits of the account"),
        ("unchanged", {}, "limits not known"),
        ("unknown", {}, "limits not known"),
    ],
)
def test_the_limits_of_the_account_are_named_only_where_they_are_known(
    action: str, limits: dict[str, Any], shown: str
) -> None:
    assert f"  {'a@example.com':32} user    {action:10} {shown}" in summary(users=[user("a", action, **limits)])


def test_what_was_found_in_the_dns_is_repeated() -> None:
    lines = summary(spf={"recommended_record": "v=spf1 mx include:x -all", "problems": ["It is not included."]})
    assert "  v=spf1 mx include:x -all" in lines
    assert "  It is not included." in lines
    silent = summary(spf={"recommended_record": None, "problems": ["The DNS did not answer."]})
    assert "  v=spf1 include:spf.antispamcloud.com ~all" in silent
    assert "  The DNS did not answer." in silent
    assert "  v=spf1 include:spf.example.net ~all" in summary(spf_include="spf.example.net")


def test_as_what_each_mail_server_sends_for_a_domain() -> None:
    """A domain of its own login, or else the rest of the host's mail, unless that goes out as another domain."""
    shop = {"login": "shop@example.net", "senders": ["@example.net"]}
    servers: dict[str, Any] = {
        "mail1": {"login": "example.com", "logins": [shop]},
        "mail2": {"login": "server@example.com", "logins": []},
        "mail3": {"login": "", "logins": []},
        "mail4": {},
        "mail5": {"login": "shop@example.net", "logins": []},
    }
    hosts = {"mail1": {"done": True, "changed": True}, "mail3": {"done": True}}
    assert relay_lines(servers, hosts, "example.com") == {
        "mail1": "changed, sends as example.com",
        "mail2": "not reached, or not finished; see above, and run again",
        "mail3": "unchanged, sends by its address",
    }
    assert set(relay_lines(servers, hosts, "example.net")) == {"mail1", "mail3", "mail5"}


def test_why_no_mail_server_sends_for_it() -> None:
    for senders, reason in (
        ([ALICE], "none of its senders is marked with relay"),
        ([{**ALICE, "relay": True}], "the inventory has none"),
    ):
        lines = summary(*senders)
        assert lines[lines.index("Mail servers") + 1].startswith(f"  None sends for it: {reason}")


@pytest.mark.parametrize(
    "spf",
    [
        None,
        {"recommended_record": "v=spf1 mx include:x -all", "problems": []},
        {"recommended_record": None, "problems": []},
    ],
)
def test_it_can_be_copied_as_it_is_printed(spf: Optional[dict[str, Any]]) -> None:
    lines = summary(spf=spf, relays={"mail1": "changed"})
    record = next(line for line in lines if "v=spf1" in line)
    assert record.strip() == record[2:], "nothing else stands beside it"
    assert record[2:].startswith("v=spf1 ")
    assert [line for line in lines if json.dumps(line, ensure_ascii=False) != f'"{line}"'] == []


def by_hand(*senders: dict[str, Any], entered: Collection[str] = ()) -> str:
    text = "\n".join(summary(*senders, entered=entered))
    return text.partition("Thunderbird, to enter by hand")[2].partition("Mail servers")[0]


def test_people_whose_thunderbird_is_not_managed_are_told_what_to_enter() -> None:
    told = by_hand()
    assert "Postausgangs-Server" in told
    assert "filter.example" in told
    assert "info@example.com" in told
    assert "alice@example.com" in told, "a person's login is no mail server's"
    assert "alice@example.com" in by_hand(ALICE, INFO, {"authentication_method": "domain", "relay": True})
    assert "alice@example.com" not in by_hand(ALICE, INFO, entered=["alice@example.com"])
    for server in ({**ALICE, "relay": True}, {**ALICE, "default_for": ["mail1"]}):
        assert "alice@example.com" not in by_hand(server, INFO), "the mail servers' own login is nobody's"
    assert by_hand(entered=["alice@example.com", "info@example.com"]) == ""
