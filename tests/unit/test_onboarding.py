# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of an onboarding: what is refused, what becomes of it, and what is said at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.smarthost.spamexperts.plugins.filter.onboarding import FilterModule
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import onboarding as _onboarding
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import onboarding_summary

from tests.support.wire import PASSWORD

FILTERS = FilterModule().filters()
ALICE = {"username": "alice", "password": PASSWORD}


def describe(*senders: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"domain": "example.com", "senders": list(senders), **more}


@pytest.mark.parametrize(
    ("onboarding", "word"),
    [
        (None, "spamexperts_onboarding is missing"),
        ([], "spamexperts_onboarding is missing"),
        ({}, "missing required arguments: domain, senders"),
        (describe({**ALICE, "pasword": "x"}), "senders[0] has pasword"),
        (describe({**ALICE, "limits": {"per_hour": "many"}}), "per_hour"),
        (describe({**ALICE, "shared": "no"}), "senders[0].shared has to be true or false, without quotes"),
        (describe({**ALICE, "limits": {"enabled": "no"}}), "senders[0].limits.enabled has to be true or false"),
        (describe({**ALICE, "username": 7}), "senders[0].username has to be text"),
        (
            describe(ALICE, shared_limits="per_hour=1"),
            "spamexperts_onboarding.shared_limits has to be keys with values",
        ),
        (describe(ALICE, domain="no domain"), "not a domain name"),
        (describe(ALICE, shared_limits={"per_hour": -1}), "per_hour is -1"),
        (describe({"username": "alice", "password": "tiny"}), "senders[0]: the password is shorter"),
        (
            describe({"username": "10.0.0.5", "authentication_method": "ip"}),
            "senders[0]: no filter in the internet sees a sender come from 10.0.0.5",
        ),
        (
            describe(ALICE, {"username": "Alice@example.com"}),
            "senders[1] and senders[0] are both alice@example.com",
        ),
        (
            describe({**ALICE, "relay": True}, {"authentication_method": "domain", "relay": True}),
            "more than one sender",
        ),
        (describe(ALICE, {"username": "bob", "relay": True}), "marks a sender with relay that has no password"),
        (describe({"authentication_method": "domain", "relay": True}), "that has no password to log in with; give it"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(onboarding: Any, word: str) -> None:
    found = FILTERS["onboarding_problems"](onboarding)
    assert len(found) == 1, found
    assert word in found[0]
    assert found[0].endswith(".")
    assert PASSWORD not in found[0]


class Encrypted(Sequence[str]):
    """A text that is encrypted in the file, as an ansible-core before 2.19 hands it over."""

    def __getitem__(self, index: Any) -> Any:
        return PASSWORD[index]

    def __len__(self) -> int:
        return len(PASSWORD)

    def __str__(self) -> str:
        return PASSWORD


def test_an_encrypted_text_is_a_text() -> None:
    assert not _onboarding.problems(describe({"username": "alice", "password": Encrypted()}))


def test_all_problems_are_said_at_once() -> None:
    found = _onboarding.problems(describe({"username": "a/b"}, {"username": "c", "password": "tiny"}))
    assert [text.partition(":")[0] for text in found] == [f"spamexperts_onboarding.senders[{n}]" for n in (0, 1)]


def test_a_good_description_has_no_problem() -> None:
    assert not _onboarding.problems(
        describe({**ALICE, "shared": True}, abuse_contact="abuse@example.com", check_spf=True)
    )


def test_shared_addresses_get_the_shared_limits_beneath_their_own() -> None:
    senders = [{**ALICE, "shared": True, "relay": True}, {"username": "info", "shared": True, "limits": {"per_day": 9}}]
    assert _onboarding.users(describe(*senders)) == [
        {"domain": "example.com", **ALICE, "limits": {"enabled": False}},
        # A limit of one's own would have no effect where limits are off.
        {"domain": "example.com", "username": "info", "limits": {"per_day": 9}},
    ]
    higher = _onboarding.users(describe(*senders, shared_limits={"per_day": 100, "per_hour": 50}))
    assert [user["limits"] for user in higher] == [{"per_day": 100, "per_hour": 50}, {"per_day": 9, "per_hour": 50}]
    assert all("limits" not in user for user in _onboarding.users(describe(*senders), limits_offered=False))


@pytest.mark.parametrize(
    ("shared", "own", "merged"),
    [
        ({"inherit": ["per_day"]}, {"per_day": 5}, {"per_day": 5}),
        ({"inherit": ["per_day"]}, {"inherit": ["per_hour"]}, {"inherit": ["per_hour", "per_day"]}),
        ({"per_day": 5, "per_hour": 2}, {"inherit": ["per_day"]}, {"per_hour": 2, "inherit": ["per_day"]}),
        ({"enabled": False}, {"per_day": 5}, {"enabled": False, "per_day": 5}),
        ({}, {"enabled": True}, {"enabled": True}),
    ],
)
def test_each_limit_is_the_senders_own_or_the_shared_one(
    shared: dict[str, Any], own: dict[str, Any], merged: dict[str, Any]
) -> None:
    onboarding = describe({**ALICE, "shared": True, "limits": own}, shared_limits=shared)
    assert _onboarding.users(onboarding)[0]["limits"] == merged
    assert _onboarding.problems(onboarding) == []


SERVER = {"username": "server1", "password": PASSWORD, "relay": True}


@pytest.mark.parametrize(
    ("senders", "login"),
    [
        ([ALICE, {"username": "Bob@example.com", "password_file": "/root/bob", "relay": True}], "bob@example.com"),
        ([ALICE, {"authentication_method": "domain", "password": PASSWORD, "relay": True}], "example.com"),
        ([ALICE, {"authentication_method": "ip", "username": "192.0.2.1", "relay": True}], ""),
    ],
)
def test_the_mail_servers_log_in_as_the_marked_sender(senders: list[dict[str, Any]], login: str) -> None:
    sender = _onboarding.relay_sender(describe(*senders))
    assert sender is not None
    assert sender["login"] == login


def test_nobodys_login_is_taken_for_that_of_a_server() -> None:
    onboarding = describe({"username": "nobody"}, ALICE, {**ALICE, "username": "bob", "relay": False})
    assert FILTERS["onboarding_problems"](onboarding) == []
    assert FILTERS["onboarding_relay"](onboarding) is None
    for found, now in (
        ({"installed": False}, ""),
        (present("server1@example.com"), ", sends as server1@example.com"),
        ({"managed": True, "logins": []}, ", sends by its address or for named senders only"),
    ):
        text = FILTERS["onboarding_left_alone"](onboarding, found)
        assert text == f"left alone{now}: no sender of example.com is marked relay: true"


def present(*logins: str, **more: Any) -> dict[str, Any]:
    """What postfix_relay_info says of a mail server with these logins for all its mail, and one for a sender."""
    rows = [{"key": f"[filter{number}.example]:587", "login": login} for number, login in enumerate(logins)]
    return {"managed": True, "logins": [*rows, {"key": "@example.org", "login": "shop@example.org"}], **more}


BY_ADDRESS = {"username": "192.0.2.1", "authentication_method": "ip", "relay": True}
AS_DOMAIN = {"authentication_method": "domain", "password": PASSWORD, "relay": True}


@pytest.mark.parametrize(
    ("sender", "found", "now"),
    [
        (SERVER, {"installed": False}, None),
        (SERVER, {"managed": False, "logins": [], "other_logins": []}, None),
        (SERVER, present("server1@example.com"), None),
        (SERVER, present("Server1@EXAMPLE.com"), None),
        (AS_DOMAIN, present("@example.com"), None),
        (SERVER, {"managed": True, "unfinished": True, "logins": []}, None),
        (SERVER, {"managed": False, "logins": [], "other_logins": ["server1@example.com", "a@partner.example"]}, None),
        (BY_ADDRESS, present(), None),
        (SERVER, present("server1@example.net"), "sends as server1@example.net"),
        (SERVER, present("alice@example.com"), "sends as alice@example.com"),
        (SERVER, present("example.com"), "sends as example.com"),
        (SERVER, present("b@example.net", unfinished=True), "sends as b@example.net"),
        (SERVER, present(), "sends by its address or for named senders only"),
        (SERVER, {"managed": False, "logins": [], "other_logins": ["me@example.com"]}, "sends as me@example.com"),
        (BY_ADDRESS, present("server1@example.com"), "sends as server1@example.com"),
    ],
)
def test_a_mail_server_that_sends_otherwise_is_left_alone(
    sender: dict[str, Any], found: dict[str, Any], now: str | None
) -> None:
    text = FILTERS["onboarding_left_alone"](describe(ALICE, sender), found)
    assert text == (
        ""
        if now is None
        else f"left alone, {now}: its inventory variable outgoing_mail_logins can give it a login for mail of "
        "example.com, and outgoing_mail_login one for all other mail"
    )


def facts(**more: Any) -> dict[str, Any]:
    users = [
        {
            "username": "alice",
            "login": "alice@example.com",
            "authentication_method": "user",
            "action": "created",
            "state": {"limits": {"per_hour": 200, "per_day": 0, "inherit": ["per_week"]}},
        },
        {
            "username": "info",
            "login": "info@example.com",
            "authentication_method": "user",
            "action": "unchanged",
            "state": {"limits": {"enabled": False}},
        },
        {
            "username": "",
            "login": "example.com",
            "authentication_method": "domain",
            "action": "updated",
            "state": {"limits": {"inherit": ["per_hour"]}},
        },
        {"username": "192.0.2.1", "authentication_method": "ip", "action": "unknown"},
    ]
    return {
        "onboarding": describe({**ALICE, "limits": {"per_hour": 200}}, {"username": "info", "shared": True}),
        "api": {"works": {"change_limits": True, "read_users": True}},
        "domain": {"changed": True},
        "smarthost": "filter.example:587",
        "users": {"users": users, "totals": {"created": 1, "unchanged": 1, "not_attempted": 2, "failed": 0}},
        **more,
    }


def test_the_summary_says_who_may_send_how_and_how_much() -> None:
    lines = onboarding_summary.summary(facts(relays={"mail1": "proven"}))
    text = "\n".join(lines)
    assert lines[0] == "example.com sends through filter.example:587, STARTTLS and login."
    assert "  alice@example.com                user    created    200 per hour, 0 per day" in lines
    assert "  info@example.com                 user    unchanged  limits switched off" in lines
    assert "  example.com                      domain  updated    limits of the account" in lines
    assert "Discouraged" in text
    assert "Weaker than users" in text
    assert "  mail1                            proven" in lines
    assert "  v=spf1 include:spf.antispamcloud.com ~all" in lines
    assert lines[-1] == "Domain changed; senders: 1 created, 1 unchanged, 2 not attempted."
    assert "To do by hand" not in text
    assert PASSWORD not in text


def test_the_summary_says_what_the_api_cannot_do() -> None:
    lines = onboarding_summary.summary(facts(api={"works": {"change_limits": False, "read_users": False}}, check=True))
    place = next(number for number, line in enumerate(lines) if line.startswith("To do by hand"))
    assert lines[place + 1 : place + 3] == [
        "  alice                            200 per hour",
        "  info                             limits switched off",
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
@pytest.mark.parametrize("reads", [False, True])
def test_the_summary_names_the_limits_of_the_account_only_where_they_are_known(
    action: str, limits: dict[str, Any], shown: str, reads: bool
) -> None:
    user = {"username": "a", "login": "a@example.com", "authentication_method": "user", "action": action}
    api = {"works": {"change_limits": True, "read_users": reads}}
    users = {"users": [{**user, "state": {"limits": limits}}], "totals": {}}
    assert f"  {'a@example.com':32} user    {action:10} {shown}" in onboarding_summary.summary(
        facts(users=users, api=api)
    )


def test_the_summary_repeats_what_was_found_in_the_dns() -> None:
    spf = {"domains": [{"recommended_record": "v=spf1 mx include:x -all", "problems": ["It is not included."]}]}
    lines = onboarding_summary.summary(facts(spf=spf))
    assert "  v=spf1 mx include:x -all" in lines
    assert "  It is not included." in lines
    unanswered: dict[str, Any] = {"recommended_record": None, "problems": ["The DNS did not answer."]}
    silent = onboarding_summary.summary(facts(spf={"domains": [unanswered]}))
    assert "  v=spf1 include:spf.antispamcloud.com ~all" in silent
    assert "  The DNS did not answer." in silent
    own = onboarding_summary.summary(facts(onboarding=describe(ALICE, spf_include="spf.example.net")))
    assert "  v=spf1 include:spf.example.net ~all" in own


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"groups": ["all", "ungrouped"]}, "the inventory has no group mail_relays"),
        ({"groups": ["all", "mail_relays"]}, "the group mail_relays of the inventory is empty"),
        ({"relay_hosts": "mail*"}, "no host of the inventory is meant by spamexperts_relay_hosts: mail*"),
    ],
)
def test_the_summary_says_why_there_is_no_mail_server(given: dict[str, Any], sentence: str) -> None:
    lines = onboarding_summary.summary(facts(relays={}, **given))
    place = lines.index("Mail servers")
    assert lines[place + 1] == f"  None was set up: {sentence}."


def test_the_summary_can_be_copied_as_it_is_printed() -> None:
    broken: dict[str, Any] = {"recommended_record": None, "problems": []}
    for spf in (
        None,
        {"domains": [{"recommended_record": "v=spf1 mx include:x -all", "problems": []}]},
        {"domains": [broken]},
    ):
        lines = onboarding_summary.summary(facts(spf=spf, relays={"mail1": "proven"}))
        record = next(line for line in lines if "v=spf1" in line)
        assert record.strip() == record[2:], "nothing else stands beside it"
        assert record[2:].startswith("v=spf1 ")
        assert [line for line in lines if json.dumps(line, ensure_ascii=False) != f'"{line}"'] == []


def test_people_whose_thunderbird_is_not_managed_are_told_what_to_enter() -> None:
    text = "\n".join(onboarding_summary.summary(facts()))
    by_hand = text.partition("Thunderbird, to enter by hand")[2].partition("What the DNS needs")[0]
    assert "Postausgangs-Server" in by_hand
    assert "filter.example" in by_hand
    assert "info@example.com" in by_hand
    assert "alice@example.com" in by_hand, "a person's login is no mail server's"
    relay = {"authentication_method": "domain", "password": PASSWORD, "relay": True}
    text = "\n".join(onboarding_summary.summary(facts(onboarding=describe(ALICE, relay), managed=["info@example.com"])))
    assert "alice@example.com" in text.partition("Thunderbird")[2]
    marked = describe({**ALICE, "relay": True})
    text = "\n".join(onboarding_summary.summary(facts(onboarding=marked, managed=["info@example.com"])))
    assert "Thunderbird" not in text, "the mail servers' own login is nobody's"
    assert "Thunderbird" not in "\n".join(
        onboarding_summary.summary(facts(managed=["alice@example.com", "info@example.com"]))
    )


def test_people_of_a_host_get_the_logins_of_the_senders(tmp_path: Path) -> None:
    (tmp_path / "info").write_text("From-A-File-0001\n", encoding="utf-8")
    onboarding = describe(ALICE, {"username": "info", "password_file": str(tmp_path / "info")}, {"username": "bob"})
    people = [
        {"user": "alice"},
        {"user": "desk", "username": "info@example.com", "primary_password": "x"},
        {"user": "bob"},
        {"user": "eve"},
        {"user": "al", "username": "alice@example.org"},
    ]
    assert FILTERS["onboarding_people"](onboarding, people) == [
        {"user": "alice", "identities": ["alice@example.com"], "login": "alice@example.com", "password": PASSWORD},
        {
            "user": "desk",
            "identities": ["info@example.com"],
            "primary_password": "x",
            "login": "info@example.com",
            "password": "From-A-File-0001",
        },
        {"user": "bob", "identities": ["bob@example.com"], "login": "bob@example.com"},
    ]
    (tmp_path / "info").unlink()
    with pytest.raises(AnsibleFilterError) as problem:
        FILTERS["onboarding_people"](onboarding, people)
    assert str(problem.value) == (
        f"password_file {tmp_path}/info is not there, so nobody knows the password; run the playbook without --limit, "
        "which makes it."
    )
    predicted = FILTERS["onboarding_people"](onboarding, people, check_mode=True)
    assert len(predicted[1]["password"]) == 32, "something that stands for it"
    assert not (tmp_path / "info").exists()
    (tmp_path / "info").write_bytes(b"\xff")
    with pytest.raises(AnsibleFilterError, match="cannot be read: it is not UTF-8"):
        FILTERS["onboarding_people"](onboarding, people)


def test_somebody_without_a_name_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="somebody without user and username; say which sender it is"):
        FILTERS["onboarding_people"](describe(ALICE), [{"profile": "/home/a/.thunderbird/x"}])


def test_a_number_may_be_text_as_templates_make_it() -> None:
    onboarding = describe({**ALICE, "lock_timeout": "60", "limits": {"per_hour": "500"}})
    assert FILTERS["onboarding_problems"]({**onboarding, "shared_limits": {"per_day": "5"}}) == []
    (problem,) = FILTERS["onboarding_problems"](describe({**ALICE, "lock_timeout": "0"}))
    assert "lock_timeout is 0; it must be from 1 to" in problem


def test_a_password_file_is_named_from_where_the_run_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules run in the folder of the playbook, which is that of the collection."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/admin")
    onboarding = describe(
        {"username": "info", "password_file": "kept/info", "relay": True},
        {"username": "bob", "password_file": "~/bob"},
    )
    assert [user["password_file"] for user in FILTERS["onboarding_users"](onboarding)] == [
        f"{tmp_path}/kept/info",
        "/home/admin/bob",
    ]
    assert FILTERS["onboarding_relay"](onboarding)["password_file"] == f"{tmp_path}/kept/info"
