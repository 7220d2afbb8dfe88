# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook apply with real ansible-playbook, real Postfix and the emulator; asserted at the far end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_existing_postfix import BOSS, BOSS_ELSEWHERE, INSIDE, SCANNER, internal
from tests.support.apply import DeclaredSite
from tests.support.emulator import Emulator
from tests.support.existing_postfix import OTHER, OURS, SINK, Existing, Row, Way, servers
from tests.support.postfix import ScratchPostfix, free_port
from tests.support.relay import snapshot
from tests.support.wire import PASSWORD

pytestmark = pytest.mark.root

ALICE = {"username": "alice", "limits": {"per_hour": 200}}
INFO = {"username": "info", "shared": True}
SERVER = {"username": "server1", "relay": True}


def test_declare_apply_mail_apply_again_remove_a_line_apply(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    site = DeclaredSite(tmp_path, emulator, postfix)
    site.declare("example.com", ALICE, INFO, SERVER, abuse_contact="postmaster@example.com")

    foreseen = site.apply("--check", "--diff", vault=False)
    assert foreseen.returncode == 0, foreseen.output
    assert emulator.counters()["writes"] == 0
    assert not site.store.exists()
    predicted = site.result()
    assert predicted["status"] == "drift"

    first = site.apply()
    assert first.returncode == 0, first.output
    assert site.result()["changes"] == [change.replace("would be ", "") for change in predicted["changes"]]
    users = {user["username"]: user for user in emulator.users()}
    assert set(users) == {"alice", "info", "server1"}
    assert users["alice"]["limit_per_hour"] == 200
    assert users["info"]["limits_enabled"] == 0
    passwords = site.passwords()
    assert set(passwords) == {"alice@example.com", "info@example.com", "server1@example.com"}
    postfix.inject("alice@example.com", "somebody@example.net", "as declared")
    postfix.wait_until_empty(30)
    (mail,) = emulator.mails()
    assert (mail["mail_from"], mail["login"]) == ("alice@example.com", "server1@example.com")

    emulator.reset_counters()
    again = site.apply()
    assert again.returncode == 0, again.output
    assert again.changed() == 0, again.output
    assert emulator.counters()["writes"] == 0
    assert site.passwords() == passwords
    assert site.result()["status"] == "clean"

    site.declare("example.com", INFO, SERVER, abuse_contact="postmaster@example.com")
    shown = site.apply()
    assert shown.returncode == 0, shown.output
    assert shown.changed() == 0
    assert "alice@example.com may still send" in shown.output
    gone = site.apply(spamexperts_remove=True)
    assert gone.returncode == 0, gone.output
    assert {user["username"] for user in emulator.users()} == {"info", "server1"}
    assert set(site.passwords()) == {"info@example.com", "server1@example.com"}
    last = site.apply(spamexperts_remove=True)
    assert last.changed() == 0, last.output
    assert site.result()["status"] == "clean"


def test_a_domain_is_onboarded_and_somebody_leaves(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    site = DeclaredSite(tmp_path, emulator, postfix)
    site.declare("example.com", ALICE, INFO, SERVER)
    site.declare("example.net", {"username": "shop"})
    run = site.apply(playbook="onboard_domain", spamexperts_domain="example.com")
    assert run.returncode == 0, run.output
    summary = run.output.partition("TASK [Summary]")[2]
    for text in ("alice@example.com", "200 per hour", "limits switched off", "changed, sends as server1@example.com"):
        assert text in summary
    assert {user["username"] for user in emulator.users()} == {"alice", "info", "server1"}

    leave: dict[str, Any] = {
        "playbook": "offboard_user",
        "spamexperts_leaving": "alice@example.com",
    }
    refused = site.apply(**leave)
    assert refused.returncode == 2
    assert "example.com.yml, line" in refused.output
    site.declare("example.com", INFO, SERVER)
    left = site.apply(**leave)
    assert left.returncode == 0, left.output
    assert {user["username"] for user in emulator.users()} == {"info", "server1"}
    assert set(site.passwords()) == {"info@example.com", "server1@example.com"}
    again = site.apply(**leave)
    assert again.returncode == 0, again.output
    assert again.changed() == 0
    assert "alice@example.com was removed on" in again.output
    nobody = site.apply(**{**leave, "spamexperts_leaving": "bob@example.com"})
    assert nobody.returncode == 2
    assert "bob@example.com" in nobody.output


@pytest.fixture
def other() -> Iterator[ScratchPostfix]:
    with ScratchPostfix() as running:
        yield running


@pytest.mark.slow
def test_an_account_that_cannot_be_reached_and_a_mail_server_of_the_inventory(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, other: ScratchPostfix
) -> None:
    """The rest is done; as what the other mail server sends, its inventory says, and nobody takes that away."""
    emulator.seed(users=[{"domain": "hosts.example", "username": "mail2", "password": PASSWORD}])
    site = DeclaredSite(tmp_path, emulator, postfix, other)
    site.change_host("mail2", outgoing_mail_login="mail2@hosts.example", outgoing_mail_password=PASSWORD)
    account = {**emulator.connection, **site.api_options}
    accounts = {"default": account, "second": {**account, "api_url": f"https://127.0.0.1:{free_port()}"}}
    site.variables["spamexperts_accounts"] = accounts
    site.declare("example.com", ALICE, {"username": "server1", "relay": ["mail1"]})
    site.declare("example.net", {"username": "shop"}, account="second")
    run = site.apply()
    assert run.returncode == 2
    report = site.result()
    assert report["status"] == "failed"
    (failure,) = report["failures"]
    assert failure.startswith("account second with 1 domain was not looked at: ")
    for relay in (postfix, other):
        relay.inject("alice@example.com", "somebody@example.org")
        relay.wait_until_empty(30)
    assert [mail["login"] for mail in emulator.mails()] == ["server1@example.com", "mail2@hosts.example"]

    accounts["second"] = account
    run = site.apply()
    assert run.returncode == 0, run.output
    assert site.result()["changes"] == ["domain example.net: created", "shop@example.net: created"]
    again = site.apply("--check", "--diff", spamexperts_fail_on=["drift"])
    assert again.returncode == 0, again.output
    assert again.changed() == 0


@pytest.mark.slow
def test_two_then_ten_domains_on_the_same_mail_servers(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, other: ScratchPostfix
) -> None:
    """Each mail arrives with the login of its domain, everything else with the default, in whatever order they come."""
    site = DeclaredSite(tmp_path, emulator, postfix, other)
    names = [f"d{number}.example" for number in (7, 2, 9, 0, 4, 1, 8, 3, 6, 5)]
    server = {"username": "server", "relay": True}

    def check(domains: list[str]) -> None:
        before = len(emulator.mails())
        senders = [*(f"somebody@{name}" for name in domains), "", "root@host.elsewhere.example"]
        for relay in (postfix, other):
            for sender in senders:
                relay.inject(sender, "somebody@example.org")
            relay.wait_until_empty(60)
        found = Counter((mail["mail_from"], mail["login"]) for mail in emulator.mails()[before:])
        default = f"server@{names[1]}"
        assert found == {
            (sender, f"server@{domain}" if (domain := sender.partition("@")[2]) in domains else default): 2
            for sender in senders
        }

    site.declare(names[0], server)
    site.declare(names[1], {**server, "default_for": ["mail_relays"]})
    run = site.apply()
    assert run.returncode == 0, run.output
    check(names[:2])
    for name in names[2:]:
        site.declare(name, server)
    run = site.apply()
    assert run.returncode == 0, run.output
    check(names)
    assert emulator.counters()["auths_refused"] == 0
    again = site.apply()
    assert again.changed() == 0, again.output


@pytest.mark.slow
def test_the_first_mail_server_fails_and_the_others_are_left(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, other: ScratchPostfix
) -> None:
    site = DeclaredSite(tmp_path, emulator, postfix, other)
    site.declare("example.com", ALICE, SERVER)
    theirs = postfix.config_directory / "smarthost_passwords"
    theirs.write_text("theirs\n")
    before = [snapshot(relay.config_directory) for relay in (postfix, other)]
    run = site.apply()
    assert run.returncode == 2
    assert [snapshot(relay.config_directory) for relay in (postfix, other)] == before
    failed = [failure.partition(":")[0] for failure in site.result()["failures"]]
    assert failed == ["mail server mail1", "mail server mail2"]
    assert "leave it out, with the hosts of spamexperts_only, then run again" in run.output
    assert {user["username"] for user in emulator.users()} == {"alice", "server1"}
    run = site.apply(spamexperts_only={"hosts": ["mail2"]})
    assert run.returncode == 0, run.output
    assert site.result()["changes"] == ["mail server mail2: changed, sends as server1@example.com"]
    assert snapshot(postfix.config_directory) == before[0]
    theirs.unlink()
    assert site.apply().returncode == 0
    assert site.result()["changes"] == ["mail server mail1: changed, sends as server1@example.com"]


@pytest.mark.slow
def test_two_domains_on_mail_servers_that_have_other_ways_as_well(tmp_path: Path, emulator: Emulator) -> None:
    """Rows 9, 19, 7 and 8 of test_existing_postfix: kept apart, or refused with the line that does it."""
    rows = [
        Row("9", internal("smtp:{SINK}"), ways=INSIDE),
        Row("19", **SCANNER, ways=(Way(SINK), Way(OTHER, OURS, filtered=True))),
        Row("7", BOSS_ELSEWHERE, ways=BOSS),
        Row("8", internal(":{SINK}"), ways=INSIDE),
    ]
    with ExitStack() as stack:
        them = stack.enter_context(servers(emulator))
        hosts = [stack.enter_context(Existing(row, them)) for row in rows]
        relays = [one.postfix for one in hosts]
        site = DeclaredSite(tmp_path, emulator, *relays)
        site.declare("example.com", {**SERVER, "default_for": ["mail_relays"]})
        site.declare("example.net", {"username": "server2", "relay": True})
        run = site.apply()
        assert run.returncode == 2
        lines = {name: line for name, _colon, line in (one.partition(": ") for one in site.result()["failures"])}
        assert list(lines) == ["mail server mail3", "mail server mail4"]
        boss = f"boss@mail.example smtp:{them.words()['OTHER']}"
        assert "sender_dependent_default_transport_maps" in lines["mail server mail3"]
        inside = f"internal.example smtp:{them.words()['SINK']}"
        assert f"Write '{inside}' instead" in lines["mail server mail4"]
        # As the sentences say.
        own = f"sender_dependent_default_transport_maps = inline:{{ {{ {boss.replace(' ', ' = ')} }} }}"
        relays[2].run("postconf", "-e", own)
        relays[3].run("postconf", "-e", f"transport_maps = inline:{{ {{ {inside.replace(' ', ' = ')} }} }}")
        run = site.apply()
        assert run.returncode == 0, run.output
        for number, one in enumerate(hosts):
            one.goes_as("with")
            for sender, login in (
                ("alice@example.com", "server1@example.com"),
                ("alice@example.net", "server2@example.net"),
                ("root@host.elsewhere.example", "server1@example.com"),
                ("", "server1@example.com"),
            ):
                subject = f"mail{number} {sender}"
                one.postfix.inject(sender, "somebody@example.org", subject, one.back if number == 1 else None)
                one.postfix.wait_until_quiet()
                found = [mail["login"] for mail in emulator.mails() if mail["subject"] == subject]
                assert found == [login], (subject, one.postfix.log()[-3000:])
        again = site.apply()
        assert again.changed() == 0, again.output
        assert emulator.counters()["auths_refused"] == 0
