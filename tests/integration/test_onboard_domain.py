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
import yaml

from tests.support.emulator import Emulator
from tests.support.playbook import OUT_OF_REACH, PlaybookRun, ansible_environment, inventory_file, run_playbook
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay, snapshot
from tests.support.thunderbird import PROGRAM_DIRECTORY
from tests.support.thunderbird_profile import in_use, make_profile, passwords

pytestmark = pytest.mark.root

PLAYBOOK = "smarthost.spamexperts.onboard_domain"


def summary_of(run: PlaybookRun) -> str:
    """What the playbook says at its end."""
    return run.output.partition("TASK [Summary]")[2]


class Onboarding:
    """One domain's onboarding at one emulator, with one mail server."""

    def __init__(self, folder: Path, emulator: Emulator, *relays: ScratchPostfix, discovered: bool = True) -> None:
        self.folder = folder
        self.emulator = emulator
        self.inventory = inventory_file(folder / "inventory.yml", emulator, *relays)
        self.accounts: dict[str, Any] = {
            "default": {**emulator.connection, "use_discovered_methods": discovered, "retries": 0}
        }
        self.description: dict[str, Any] = {
            "domain": "example.com",
            "abuse_contact": "postmaster@example.com",
            "senders": [
                {"username": "alice", "password_file": str(folder / "alice"), "limits": {"per_hour": 200}},
                {"username": "info", "password_file": str(folder / "info"), "shared": True},
                {"authentication_method": "domain", "password_file": str(folder / "domain"), "relay": True},
                {"authentication_method": "ip", "username": "192.0.2.25"},
            ],
        }

    def change_host(self, **variables: Any) -> None:
        """Give the mail server further variables in the inventory."""
        content = yaml.safe_load(self.inventory.read_text())
        content["all"]["children"]["mail_relays"]["hosts"]["mail1"].update(variables)
        self.inventory.write_text(yaml.safe_dump(content))

    def run(self, *options: str, **environment: str) -> PlaybookRun:
        variables = self.folder / "variables.yml"
        content = {"spamexperts_accounts": self.accounts, "spamexperts_onboarding": self.description}
        variables.write_text(yaml.safe_dump(content), encoding="utf-8")
        arguments = ["-i", str(self.inventory), "-e", f"@{variables}", *options]
        run = run_playbook(PLAYBOOK, arguments, {**ansible_environment(), **environment})
        for secret in self.secrets():
            assert secret not in run.output
        return run

    def secrets(self) -> list[str]:
        files = [self.folder / name for name in ("alice", "info", "domain")]
        return [self.emulator.api_password, *(file.read_text().strip() for file in files if file.exists())]


def test_check_mode_predicts_every_creation_and_writes_nothing(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    # The server that says least: of a domain that is not there yet, what it says of somebody else's.
    emulator.quirks(domain_exists_missing="error", missing_domain="not_yours")
    before = {file: file.read_bytes() for file in postfix.config_directory.iterdir() if file.is_file()}
    run = Onboarding(tmp_path, emulator, postfix).run("--check", "--diff")
    assert run.returncode == 0, run.output
    assert "4 created" in run.output
    assert emulator.counters()["writes"] == 0
    assert not (tmp_path / "alice").exists()
    assert {file: file.read_bytes() for file in postfix.config_directory.iterdir() if file.is_file()} == before
    assert run.recap()["mail1"]["changed"] >= 1


def test_a_domain_is_onboarded_a_mail_is_relayed_and_the_second_run_changes_nothing(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    onboarding = Onboarding(tmp_path, emulator, postfix)
    run = onboarding.run()
    assert run.returncode == 0, run.output

    state = emulator.state()
    (domain,) = state["domains"]
    assert domain["products"]["outgoing"]
    users = {user["username"]: user for user in emulator.users()}
    assert set(users) == {"alice", "info", "", "192.0.2.25"}
    assert users["alice"]["limit_per_hour"] == 200
    assert users["info"]["limits_enabled"] == 0
    assert emulator.call("domainadmincontact/get", domain="example.com")["result"] == "postmaster@example.com"

    postfix.inject("alice@example.com", "somebody@example.net", "through the smarthost")
    postfix.wait_until_empty(30)
    (mail,) = emulator.mails()
    assert (mail["mail_from"], mail["login"], mail["subject"]) == (
        "alice@example.com",
        "example.com",
        "through the smarthost",
    )
    assert mail["tls"]

    emulator.reset_counters()
    again = onboarding.run()
    assert again.returncode == 0, again.output
    assert again.changed() == 0, again.output
    assert emulator.counters()["writes"] == 0


def test_with_the_public_calls_only(tmp_path: Path, documented_emulator: Emulator, postfix: ScratchPostfix) -> None:
    onboarding = Onboarding(tmp_path, documented_emulator, postfix, discovered=False)
    run = onboarding.run()
    assert run.returncode == 0, run.output
    assert "To do by hand" in run.output
    assert {user["username"] for user in documented_emulator.users()} == {"alice", "info", "", "192.0.2.25"}
    documented_emulator.reset_counters()
    again = onboarding.run()
    assert again.returncode == 0, again.output
    assert again.changed() == 0, again.output
    assert documented_emulator.counters()["effective_writes"] == 0


def test_the_connection_may_come_from_the_environment(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    onboarding = Onboarding(tmp_path, emulator, postfix)
    onboarding.accounts = {}
    connection = {f"SPAMEXPERTS_{name.upper()}": value for name, value in emulator.connection.items()}
    run = onboarding.run("--check", **connection)
    assert run.returncode == 0, run.output


@pytest.mark.slow
def test_an_account_with_nothing_in_it_leaves_everything_to_the_environment(tmp_path: Path, emulator: Emulator) -> None:
    onboarding = Onboarding(tmp_path, emulator)
    onboarding.accounts = {"default": None}
    connection = {f"SPAMEXPERTS_{name.upper()}": value for name, value in emulator.connection.items()}
    run = onboarding.run("--check", **connection)
    assert run.returncode == 0, run.output


def test_a_misspelt_key_of_an_account_is_named_and_its_value_is_not_shown(tmp_path: Path, emulator: Emulator) -> None:
    onboarding = Onboarding(tmp_path, emulator)
    onboarding.accounts["default"]["api_pasword"] = "Misspelt-Horse-42"
    run = onboarding.run("-vvv")
    assert run.returncode != 0
    assert "Unsupported parameters" in run.output
    assert "api_pasword" in run.output
    assert "Misspelt-Horse-42" not in run.output
    assert not emulator.users()


def test_a_second_domain_takes_no_mail_server_away_from_the_first(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    first = {"domain": "example.net", "username": "server", "password": "Correct-Horse-42"}
    emulator.seed(users=[first])
    login: dict[str, Any] = {"default_login": "server@example.net", "default_password": first["password"]}
    assert not relay(postfix, **emulator.smarthost_options, **login).failed
    before = snapshot(postfix.config_directory)
    onboarding = Onboarding(tmp_path, emulator, postfix)
    run = onboarding.run()
    assert run.returncode == 0, run.output
    assert run.recap()["mail1"]["changed"] == 0
    assert snapshot(postfix.config_directory) == before
    assert re.search(r"mail1 +left alone, sends as server@example.net: its inventory variable", summary_of(run))
    onboarding.change_host(outgoing_mail_login="server@example.net", outgoing_mail_password=first["password"])
    entry = {"login": "example.com", "password": (tmp_path / "domain").read_text().strip(), "senders": ["@example.com"]}
    onboarding.change_host(outgoing_mail_logins=[entry])
    run = onboarding.run()
    assert run.returncode == 0, run.output
    assert re.search(r"mail1 +changed, +sends as server@example.net, +its login is proven", summary_of(run)), run.output
    for sender in ("alice@example.com", "bob@example.net"):
        postfix.inject(sender, "somebody@example.org", "each with its own login")
    postfix.wait_until_empty(30)
    assert {(mail["mail_from"], mail["login"]) for mail in emulator.mails()} == {
        ("alice@example.com", "example.com"),
        ("bob@example.net", "server@example.net"),
    }


@pytest.mark.slow
def test_mail_servers_that_a_pattern_names_are_in_the_summary(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    run = Onboarding(tmp_path, emulator, postfix).run("-e", "spamexperts_relay_hosts=mail*:!localhost")
    assert run.returncode == 0, run.output
    summary = summary_of(run)
    assert re.search(r"mail1 +changed, +sends as [a-z@.]+, +its login is proven from there", summary), summary


def test_where_no_mail_server_can_be_reached_the_summary_says_so(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    onboarding = Onboarding(tmp_path, emulator, postfix)
    onboarding.change_host(**OUT_OF_REACH)
    run = onboarding.run()
    assert run.returncode != 0
    assert {user["username"] for user in emulator.users()} == {"alice", "info", "", "192.0.2.25"}
    assert "PLAY [Let people's Thunderbird send through the smarthost]" in run.output
    summary = summary_of(run)
    assert re.search(r"mail1 +not finished; see above, and run the playbook again", summary), run.output
    assert "Gathering Facts" not in run.output


def test_a_mail_server_that_sends_by_its_address_goes_on_without_a_login(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    onboarding = Onboarding(tmp_path, emulator, postfix)
    onboarding.change_host(outgoing_mail_authentication="ip")
    run = onboarding.run()
    assert run.returncode == 0, run.output
    summary = summary_of(run)
    assert re.search(r"mail1 +changed, +sends by its address", summary), summary
    assert "smtp_sasl_password_maps" not in postfix.parameters()


@pytest.mark.slow
@pytest.mark.parametrize("inventory", [{}, {"outgoing_mail_authentication": "login"}], ids=["login", "and method"])
def test_a_mail_server_keeps_its_login_where_the_sender_of_the_domain_has_none(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, inventory: dict[str, Any]
) -> None:
    password = "Correct-Horse-42"
    emulator.seed(users=[{"domain": "example.net", "username": "server", "password": password}])
    onboarding = Onboarding(tmp_path, emulator, postfix)
    onboarding.description["senders"] = [{"authentication_method": "ip", "username": "192.0.2.25", "relay": True}]
    onboarding.change_host(outgoing_mail_login="server@example.net", outgoing_mail_password=password, **inventory)
    run = onboarding.run()
    assert run.returncode == 0, run.output
    summary = summary_of(run)
    assert re.search(r"mail1 +changed, +sends as [a-z@.]+, +its login is proven from there", summary), summary
    onboarding.change_host(outgoing_mail_prove_login=False)
    run = onboarding.run()
    summary = summary_of(run)
    assert re.search(r"mail1 +unchanged, +sends as server@example.net, +its login is not proven", summary), summary


def test_at_most_three_logins_are_refused_in_a_run(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    """What the senders have cost is counted where the logins of the mail servers are proven."""
    others = [{"domain": "example.com", "username": name, "password": "Another-Horse-43"} for name in ("alice", "info")]
    emulator.seed(domains=["example.com"], users=others)
    onboarding = Onboarding(tmp_path, emulator, postfix)
    onboarding.description["senders"] = [
        {"username": user["username"], "password": "Correct-Horse-42"} for user in others
    ]
    wrong = {"password": "Correct-Horse-44", "senders": ["web@example.net"]}
    onboarding.change_host(
        outgoing_mail_login="one@example.net",
        outgoing_mail_password="Correct-Horse-44",
        outgoing_mail_logins=[{"login": "two@example.net", **wrong}],
    )
    before = snapshot(postfix.config_directory)
    run = onboarding.run()
    assert run.returncode != 0
    assert emulator.counters()["auths_refused"] == 3
    assert "Leave this mail server as it is if the smarthost refuses its login" in run.output
    assert snapshot(postfix.config_directory) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "inventory", [{"outgoing_mail_authentication": "login"}, {"outgoing_mail_login": ""}], ids=["method", "no login"]
)
def test_a_mail_server_without_a_login_of_its_own_gets_that_of_the_sender(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, inventory: dict[str, Any]
) -> None:
    onboarding = Onboarding(tmp_path, emulator, postfix)
    onboarding.change_host(**inventory)
    run = onboarding.run()
    assert run.returncode == 0, run.output
    table = (postfix.config_directory / "smarthost_passwords").read_text(encoding="utf-8")
    assert [line.partition(" ")[2].partition(":")[0] for line in table.splitlines()[1:]] == ["example.com"]


@pytest.mark.slow
def test_a_test_mail_without_a_login_is_from_the_postmaster_of_the_host(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix
) -> None:
    onboarding = Onboarding(tmp_path, emulator, postfix)
    sender = {"authentication_method": "ip", "username": "127.0.0.1", "allow_private_address": True, "relay": True}
    onboarding.description["senders"] = [sender]
    onboarding.change_host(outgoing_mail_test_recipient="someone@elsewhere.example")
    run = onboarding.run()
    assert run.returncode == 0, run.output
    assert [mail["mail_from"] for mail in emulator.mails()] == ["postmaster@client.test.example"]


def test_a_password_file_may_be_named_from_where_the_run_is_started(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    onboarding = Onboarding(tmp_path, emulator, postfix)
    onboarding.description["senders"][2]["password_file"] = "domain"
    checked = onboarding.run("--check")
    assert checked.returncode == 0, checked.output
    run = onboarding.run()
    assert run.returncode == 0, run.output
    assert (tmp_path / "domain").is_file()
    summary = summary_of(run)
    assert re.search(r"mail1 +changed, +sends as [a-z@.]+, +its login is proven from there", summary), summary


def test_the_smarthost_may_have_another_name_here(tmp_path: Path, emulator: Emulator) -> None:
    """With the name that only the mail servers know no password could be proven, and each would be set every time."""
    onboarding = Onboarding(tmp_path, emulator)
    names = ["-e", "outgoing_mail_smarthost=smarthost.invalid", "-e", f"spamexperts_smarthost={emulator.smtp_host}"]
    for changed in (True, False):
        run = onboarding.run(*names)
        assert run.returncode == 0, run.output
        assert bool(run.changed()) == changed, run.output
        assert "None was set up: the group mail_relays of the inventory is empty." in summary_of(run)


@pytest.mark.skipif(not PROGRAM_DIRECTORY.exists(), reason="Thunderbird is not installed")
def test_the_thunderbird_of_a_sender_is_configured_too(tmp_path: Path, emulator: Emulator) -> None:
    profile = tmp_path / "profile"
    make_profile(profile, library=str(PROGRAM_DIRECTORY / "libnss3.so"))
    onboarding = Onboarding(tmp_path, emulator)
    content = yaml.safe_load(onboarding.inventory.read_text())
    desk = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "spamexperts_people": [{"profile": str(profile), "username": "alice"}, {"user": "nobody-here"}],
    }
    content["all"]["children"]["mail_clients"] = {"hosts": {"desk1": desk}}
    onboarding.inventory.write_text(yaml.safe_dump(content))
    checked = onboarding.run("--check")
    assert checked.returncode == 0, checked.output
    run = onboarding.run()
    assert run.returncode == 0, run.output
    assert run.recap()["desk1"]["changed"] == 1
    assert (tmp_path / "alice").read_text().strip() in str(passwords(profile))
    by_hand = run.output.partition("to enter by hand")[2].partition("What the DNS needs")[0]
    assert "info@example.com" in by_hand
    assert "alice@example.com" not in by_hand
    again = onboarding.run()
    assert again.changed() == 0, again.output

    (tmp_path / "alice").write_text("Another-Horse-43\n")
    with in_use(profile):
        refused = onboarding.run()
    assert refused.returncode != 0
    assert f"{profile}: the profile is in use by Thunderbird" in refused.output
    by_hand = refused.output.partition("to enter by hand")[2].partition("What the DNS needs")[0]
    assert "alice@example.com" in by_hand


def bad(name: str, value: Any) -> Any:
    def change(onboarding: Onboarding) -> None:
        onboarding.accounts["default"][name] = value

    return change


def fault(kind: str) -> Any:
    def change(onboarding: Onboarding) -> None:
        onboarding.emulator.faults({"match": "*", "kind": kind, "times": None})

    return change


def newline(onboarding: Onboarding) -> None:
    onboarding.description["senders"][0] = {"username": "alice", "password": "Correct-Horse\n-42"}


def nowhere(onboarding: Onboarding) -> None:
    onboarding.description["account"] = "nowhere"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (bad("api_url", "https://api.invalid"), ["api.invalid", "api_url"]),
        (bad("api_url", "https://127.0.0.1:9"), ["127.0.0.1:9"]),
        (bad("api_url", "http://127.0.0.1"), ["api_url must be https://"]),
        (bad("api_username", "nobody@example.test"), ["api_username"]),
        (bad("ca_path", "/nonexistent"), ["ca_path names /nonexistent"]),
        (fault("api_not_allowed"), ["Control Panel API usage"]),
        (fault("ip_not_allowed"), ["address"]),
        (fault("inactive"), ["inactive"]),
        (newline, ["newline"]),
        (nowhere, ["account nowhere", "spamexperts_accounts"]),
    ],
    ids=lambda value: None if callable(value) else value[0],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, emulator: Emulator, change: Any, words: list[str]
) -> None:
    onboarding = Onboarding(tmp_path, emulator)
    change(onboarding)
    run = onboarding.run()
    assert run.returncode != 0
    assert "Traceback" not in run.output
    for word in words:
        assert word in run.output, run.output
    assert emulator.counters()["writes"] == 0
    assert not emulator.users()


def test_a_host_without_postfix_is_named(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
    """The role would install it; where it may not, the module says what is missing."""
    onboarding = Onboarding(tmp_path, emulator, postfix)
    onboarding.change_host(outgoing_mail_config_directory=str(tmp_path / "empty"))
    run = onboarding.run()
    assert run.returncode != 0
    assert "Postfix" in run.output


def test_without_requests_the_missing_library_is_named(tmp_path: Path, emulator: Emulator) -> None:
    """A Python that has ansible-core but not requests: a path in front hides it."""
    hidden = tmp_path / "hidden" / "requests"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden by the test')\n")
    run = Onboarding(tmp_path, emulator).run(PYTHONPATH=str(hidden.parent))
    assert run.returncode != 0
    assert "requests" in run.output
    assert "Traceback" not in run.output
