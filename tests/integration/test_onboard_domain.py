# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook onboard_domain with real ansible-playbook, real Postfix and the emulator; asserted at the far end."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.apply import DeclaredSite
from tests.support.emulator import Emulator
from tests.support.playbook import OUT_OF_REACH, PlaybookRun
from tests.support.postfix import ScratchPostfix
from tests.support.relay import snapshot
from tests.support.thunderbird import PROGRAM_DIRECTORY
from tests.support.thunderbird_profile import in_use, make_profile, passwords
from tests.support.wire import PASSWORD

pytestmark = pytest.mark.root

ALICE: dict[str, Any] = {"username": "alice", "limits": {"per_hour": 200}}
INFO = {"username": "info", "shared": True}
AS_DOMAIN = {"authentication_method": "domain", "relay": True}
NETWORK = {"authentication_method": "ip", "username": "192.0.2.25"}


class Site(DeclaredSite):
    """A site that describes example.com, which is onboarded."""

    def __init__(self, folder: Path, emulator: Emulator, *relays: ScratchPostfix, **more: Any) -> None:
        super().__init__(folder, emulator, *relays, **more)
        self.declare("example.com", ALICE, INFO, AS_DOMAIN, NETWORK, abuse_contact="postmaster@example.com")

    def onboard(self, *options: str, domain: str = "example.com", **more: Any) -> PlaybookRun:
        return self.apply(*options, playbook="onboard_domain", spamexperts_domain=domain, **more)

    def names(self) -> set[str]:
        return {user["username"] for user in self.emulator.users()}


def summary_of(run: PlaybookRun) -> str:
    """What the playbook says at its end."""
    return run.output.partition("TASK [Summary]")[2]


def test_what_check_mode_predicts_comes_true_and_the_second_run_changes_nothing(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    # The server that says least: of a domain that is not there yet, what it says of somebody else's.
    emulator.quirks(domain_exists_missing="error", missing_domain="not_yours")
    site = Site(tmp_path, emulator, postfix)
    site.declare("example.net", {"username": "shop"})
    before = snapshot(postfix.config_directory)
    checked = site.onboard("--check", "--diff", vault=False)
    assert checked.returncode == 0, checked.output
    assert "4 created" in summary_of(checked)
    assert emulator.counters()["writes"] == 0
    assert not site.store.exists()
    assert snapshot(postfix.config_directory) == before
    assert checked.recap()["mail1"]["changed"] >= 1
    predicted = site.result()
    assert "and this server does not tell a domain that is missing" in predicted["unknown"][0]

    run = site.onboard()
    assert run.returncode == 0, run.output
    changes = [change.replace("would be ", "") for change in predicted["changes"]]
    assert site.result()["changes"] == ["domain example.com: created", *changes]
    (domain,) = emulator.state()["domains"]
    assert domain["products"]["outgoing"]
    users = {user["username"]: user for user in emulator.users()}
    assert set(users) == {"alice", "info", "", "192.0.2.25"}
    assert users["alice"]["limit_per_hour"] == 200
    assert users["info"]["limits_enabled"] == 0
    assert emulator.call("domainadmincontact/get", domain="example.com")["result"] == "postmaster@example.com"
    postfix.inject("alice@example.com", "somebody@example.net", "through the smarthost")
    postfix.wait_until_empty(30)
    (mail,) = emulator.mails()
    assert (mail["mail_from"], mail["login"]) == ("alice@example.com", "example.com")
    assert mail["tls"]

    emulator.reset_counters()
    again = site.onboard()
    assert again.returncode == 0, again.output
    assert again.changed() == 0, again.output
    assert emulator.counters()["writes"] == 0


@pytest.mark.slow
def test_with_the_public_calls_only(tmp_path: Path, documented_emulator: Emulator, postfix: ScratchPostfix) -> None:
    site = Site(tmp_path, documented_emulator, postfix, discovered=False)
    run = site.onboard()
    assert run.returncode == 0, run.output
    assert "To do by hand" in run.output
    assert site.names() == {"alice", "info", "", "192.0.2.25"}
    documented_emulator.reset_counters()
    again = site.onboard()
    assert again.returncode == 0, again.output
    assert again.changed() == 0, again.output
    assert documented_emulator.counters()["effective_writes"] == 0


@pytest.mark.slow
def test_two_domains_on_one_mail_server(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    """The second takes nothing from the first; until somebody says as what the rest goes out, nothing is changed."""
    site = Site(tmp_path, emulator, postfix)
    run = site.onboard()
    assert run.returncode == 0, run.output
    server = {"username": "server", "relay": True}
    site.declare("example.net", server)
    before = snapshot(postfix.config_directory)
    run = site.onboard(domain="example.net")
    assert run.returncode == 2
    assert "mail1 sends for 2 domains, and nothing says as what it sends its other mail, such as bounces" in run.output
    assert snapshot(postfix.config_directory) == before
    site.declare("example.com", ALICE, {**AS_DOMAIN, "default_for": ["mail_relays"]})
    run = site.onboard(domain="example.net")
    assert run.returncode == 0, run.output
    assert re.search(r"mail1 +changed, sends as server@example.net", summary_of(run)), run.output
    for sender in ("alice@example.com", "bob@example.net", "root@elsewhere.example"):
        postfix.inject(sender, "somebody@example.org", "each with its own login")
    postfix.wait_until_empty(30)
    assert {(mail["mail_from"], mail["login"]) for mail in emulator.mails()} == {
        ("alice@example.com", "example.com"),
        ("bob@example.net", "server@example.net"),
        ("root@elsewhere.example", "example.com"),
    }


def test_mail_servers_that_cannot_be_reached_or_have_no_postfix_are_said(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    site = Site(tmp_path, emulator, postfix)
    site.change_host("mail1", **OUT_OF_REACH)
    bare = {"outgoing_mail_config_directory": str(tmp_path / "empty"), "ansible_connection": "local"}
    site.change_host("mail2", **bare, ansible_python_interpreter=sys.executable)
    run = site.onboard()
    assert run.returncode not in (0, None)
    assert site.names() == {"alice", "info", "", "192.0.2.25"}
    assert "Postfix" in run.output.partition("TASK [")[2]
    reasons = {"mail1": "not reached, or not finished; see above, and run again", "mail2": str(tmp_path / "empty")}
    for host, reason in reasons.items():
        assert f"FAILED: mail server {host}: {reason}" in run.output
        assert re.search(rf"{host} +{reason}", summary_of(run)), run.output
    assert "Gathering Facts" not in run.output


@pytest.mark.slow
def test_a_mail_server_may_send_by_its_address(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    """Its test mail has no login whose address it could have, so it is the postmaster's."""
    site = Site(tmp_path, emulator, postfix)
    here = {"authentication_method": "ip", "username": "127.0.0.1", "allow_private_address": True}
    site.declare("example.com", ALICE, {**here, "default_for": ["mail1"]})
    site.change_host("mail1", outgoing_mail_test_recipient="someone@elsewhere.example")
    run = site.onboard()
    assert run.returncode == 0, run.output
    assert re.search(r"mail1 +changed, sends by its address", summary_of(run)), run.output
    assert "smtp_sasl_password_maps" not in postfix.parameters()
    assert [mail["mail_from"] for mail in emulator.mails()] == ["postmaster@client.test.example"]


def test_at_most_three_logins_are_refused_in_a_run(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    """What the senders have cost is counted where the logins of the mail servers are proven."""
    others = [{"domain": "example.com", "username": name, "password": "Another-Horse-43"} for name in ("alice", "info")]
    emulator.seed(domains=["example.com"], users=others)
    site = Site(tmp_path, emulator, postfix)
    site.declare("example.com", *({"username": name, "password": PASSWORD} for name in ("alice", "info")))
    wrong = {"password": "Correct-Horse-44", "senders": ["web@example.net"]}
    site.change_host(
        "mail1",
        outgoing_mail_login="one@example.net",
        outgoing_mail_password="Correct-Horse-44",
        outgoing_mail_logins=[{"login": "two@example.net", **wrong}],
    )
    before = snapshot(postfix.config_directory)
    run = site.apply()
    assert run.returncode != 0
    assert PASSWORD not in run.output
    assert emulator.counters()["auths_refused"] == 3
    assert "Leave this mail server as it is if the smarthost refuses its login" in run.output
    assert snapshot(postfix.config_directory) == before


def test_the_account_may_come_from_the_environment_and_the_smarthost_have_another_name_here(
    tmp_path: Path, emulator: Emulator
) -> None:
    """With the name that only the mail servers know, no password could be proven."""
    site = Site(tmp_path, emulator)
    site.declare("example.com", ALICE, {"username": "info", "password": PASSWORD})
    site.variables["spamexperts_accounts"] = {"default": None}
    connection = {f"SPAMEXPERTS_{name.upper()}": value for name, value in emulator.connection.items()}
    names = {"outgoing_mail_smarthost": "smarthost.invalid", "spamexperts_smarthost": emulator.smtp_host}
    for _time in range(2):
        run = site.onboard(environment=connection, **names)
        assert run.returncode == 0, run.output
    assert run.changed() == 0, run.output
    assert "Not proven" not in run.output
    assert "None sends for it: none of its senders" in summary_of(run)


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ({"api_pasword": "Misspelt-Horse-42"}, ["Unsupported parameters", "api_pasword"]),
        ({"api_url": "https://api.invalid"}, ["account default with 1 domain was not looked at", "api.invalid"]),
    ],
    ids=["misspelt", "not there"],
)
def test_an_account_that_cannot_be_used_is_named(
    tmp_path: Path, emulator: Emulator, account: dict[str, str], words: list[str]
) -> None:
    site = Site(tmp_path, emulator)
    site.api_options.update(account)
    run = site.onboard("-vvv")
    assert run.returncode == 2
    assert "Traceback" not in run.output
    for word in words:
        assert word in run.output, run.output
    assert "Misspelt-Horse-42" not in run.output
    assert not emulator.users()


def test_without_requests_the_missing_library_is_named(tmp_path: Path, emulator: Emulator) -> None:
    """A Python that has ansible-core but not requests: a path in front hides it."""
    hidden = tmp_path / "hidden" / "requests"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden by the test')\n")
    run = Site(tmp_path, emulator).onboard(environment={"PYTHONPATH": str(hidden.parent)})
    assert run.returncode != 0
    assert "requests" in run.output
    assert "Traceback" not in run.output


@pytest.mark.skipif(not PROGRAM_DIRECTORY.exists(), reason="Thunderbird is not installed")
@pytest.mark.slow
def test_thunderbird_is_set_up_and_whoever_has_none_here_is_told_otherwise(tmp_path: Path, emulator: Emulator) -> None:
    profile = tmp_path / "profile"
    make_profile(profile, library=str(PROGRAM_DIRECTORY / "libnss3.so"))
    site = Site(tmp_path, emulator)
    desk = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    site.change_host("desk1", group="desks", **desk)
    people = [{"host": "desk1", "profile": str(profile)}]
    site.declare("example.com", {**ALICE, "people": people}, INFO)
    run = site.onboard()
    assert run.returncode == 0, run.output
    assert run.recap()["desk1"]["changed"] == 1
    assert site.passwords()["alice@example.com"] in str(passwords(profile))
    by_hand = run.output.partition("to enter by hand")[2].partition("What the DNS needs")[0]
    assert "info@example.com" in by_hand
    assert "alice@example.com" not in by_hand
    again = site.onboard()
    assert again.changed() == 0, again.output

    site.declare("example.com", {**ALICE, "people": people, "password": PASSWORD}, INFO)
    with in_use(profile):
        refused = site.onboard()
    assert refused.returncode == 2
    assert PASSWORD not in refused.output
    assert f"{profile}: the profile is in use by Thunderbird" in refused.output
    by_hand = refused.output.partition("to enter by hand")[2].partition("What the DNS needs")[0]
    assert "alice@example.com" in by_hand
