# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Thunderbird starts with what thunderbird_autoconfig has written, and sends as each identity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._thunderbird_autoconfig import (
    CONFIGURATION,
    POINTER,
    TAKE_BACK,
    files,
)

from tests.support.documentation import guide_blocks
from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment, run_program
from tests.support.preferences import PreferenceValue, read_preferences
from tests.support.thunderbird import PROGRAM_DIRECTORY, Thunderbird, make_installation

pytestmark = pytest.mark.skipif(not PROGRAM_DIRECTORY.exists(), reason="Thunderbird is not installed")

ALICE, INFO, FOREIGN = "alice@example.com", "Info@Example.net", "bob@foreign.example"
PASSWORDS = {ALICE: 'Alice\'s "new" one', INFO: "Of everybody \\ ä", FOREIGN: "Bob's own password"}
#: What is another at each start.
OWN_NOTES = {b"toolkit.startup.last_success", b"marionette.port"}
DESCRIPTIONS = {
    "example.com": "domain: example.com\nsenders:\n  - username: alice\n  - username: server\n    relay: true\n",
    "example.net": "domain: example.net\nsenders:\n  - username: info\n    shared: true\n",
}
#: Runs the script with preferences in the place of Thunderbird's, so often, and says what they are after each time.
SCENARIO_SCRIPT = """
const [text, given, times] = parameters;
const values = new Map(Object.entries(given)), seen = [];
const sandbox = Cu.Sandbox(null, {wantComponents: false});
const offer = (name, call) => Cu.exportFunction(call, sandbox, {defineAs: name});
offer("getPref", name => values.get(name) ?? null);
offer("pref", (name, value) => { values.set(name, value); });
offer("clearPref", name => { values.delete(name); });
for (let time = 0; time < times; time++) {
  Cu.evalInSandbox(text, sandbox);
  seen.push(Object.fromEntries(values));
}
return seen;
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_installation(tmp_path_factory.mktemp("program") / "thunderbird")


@pytest.fixture
def smarthost(emulator: Emulator) -> Emulator:
    users = [dict(zip(("username", "domain"), name.lower().split("@"))) for name in PASSWORDS]
    passwords = PASSWORDS.values()
    emulator.seed(users=[{**user, "password": password} for user, password in zip(users, passwords)])
    return emulator


def install(folder: Path, installation: Path, *, configuration: str = CONFIGURATION) -> None:
    """Put the files where the guide says that they belong."""
    (installation / "defaults/pref" / POINTER).write_bytes((folder / POINTER).read_bytes())
    (installation / CONFIGURATION).write_bytes((folder / configuration).read_bytes())


def kept(profile: Path) -> dict[bytes, PreferenceValue]:
    """The preferences but for what Thunderbird notes for itself."""
    found = read_preferences((profile / "prefs.js").read_bytes())
    return {name: value for name, value in found.items() if name not in OWN_NOTES}


def handed_out(folder: Path, **variables: Any) -> Path:
    """Run the guide's command for these descriptions; returns the folder with the files."""
    site = folder / "site"
    (site / "domains").mkdir(parents=True, exist_ok=True)
    for domain, text in DESCRIPTIONS.items():
        (site / "domains" / f"{domain}.yml").write_text(text)
    blocks = (block.text for block in guide_blocks("console") if block.source.startswith("docs/thunderbird.md"))
    command = next(text.splitlines()[0] for text in blocks if "thunderbird_autoconfig" in text)
    line = command.replace("-i inventory", "-i localhost,").split()
    run = run_program([*line, "-e", json.dumps(variables)], ansible_environment(folder), folder=site)
    assert run.returncode == 0, run.output
    assert f"2 logins in thunderbird/{CONFIGURATION}" in run.output
    return site / "thunderbird"


def place(smarthost: Emulator, *, implicit: bool = False) -> dict[str, Any]:
    """Where the smarthost is, as variables of the playbook say it."""
    port = smarthost.smtps_port if implicit else smarthost.smtp_port
    return {
        "outgoing_mail_smarthost": smarthost.smtp_host,
        "outgoing_mail_smarthost_port": port,
        "outgoing_mail_smarthost_tls": "implicit" if implicit else "starttls",
    }


def make_person(profile: Path, home: Path, smarthost: Emulator) -> dict[str, Any]:
    """Somebody with three accounts, of which two have own servers; returns what Thunderbird says of them."""
    profile.mkdir(parents=True, mode=0o700)
    with Thunderbird(profile, home=home) as program:
        program.trust(smarthost.ca_file)
        program.add_account(ALICE, "smtp.old.example", "Alice's old one")
        program.add_account(INFO)
        program.add_account(FOREIGN, smarthost.smtp_host, PASSWORDS[FOREIGN], smarthost.smtps_port)
        return program.servers()


def test_each_identity_sends_by_its_own_server_and_a_second_file_takes_it_back(
    tmp_path: Path, installation: Path, smarthost: Emulator
) -> None:
    profile = tmp_path / "profile"
    before = make_person(profile, tmp_path, smarthost)
    preferences = kept(profile)
    folder = handed_out(tmp_path, **place(smarthost))
    install(folder, installation)

    with Thunderbird(profile, home=tmp_path, program=installation) as program:
        seen = program.servers()
        assert seen["servers"][:2] == before["servers"]
        assert (seen["default"], before["default"]) == ("smtp2", "smtp2")
        assert seen["identities"] == {ALICE: "smarthost_id1", INFO: "smarthost_id2", FOREIGN: "smtp2"}
        for identity, login, server in zip(("id1", "id2"), (ALICE, INFO.lower()), seen["servers"][2:]):
            assert server == {
                "key": f"smarthost_{identity}",
                "host": smarthost.smtp_host,
                "port": smarthost.smtp_port,
                "username": login,
                "authentication": 3,
                "encryption": 2,
                "description": f"Smarthost: {login}",
            }
        for sender, password in list(PASSWORDS.items())[:2]:
            program.save_login(smarthost.smtp_host, sender.lower(), password)
        for sender in PASSWORDS:
            assert program.send(sender, "first") == "sent"
    arrived = [(mail["login"], mail["tls"], mail["mail_from"]) for mail in smarthost.mails()]
    assert arrived == [(sender.lower(), True, sender) for sender in PASSWORDS]
    assert all(login["ok"] for login in smarthost.auths())

    first = kept(profile)
    with Thunderbird(profile, home=tmp_path, program=installation) as program:
        assert program.servers() == seen
    assert kept(profile) == first

    install(folder, installation, configuration=TAKE_BACK)
    with Thunderbird(profile, home=tmp_path, program=installation) as program:
        assert program.servers() == before
    after = kept(profile)
    changed = {name: value for name, value in preferences.items() if after.get(name) != value}
    assert changed == {b"mail.accountmanager.accounts": b"account1,account2,account3", b"mail.account.lastKey": 3}
    # Meanwhile it has made its local folders.
    assert not [name for name in after if b"smarthost" in name or (b"smtp" in name and name not in preferences)]


@pytest.mark.slow
def test_a_declaration_with_another_port_arrives_at_the_next_start(
    tmp_path: Path, installation: Path, smarthost: Emulator
) -> None:
    profile = tmp_path / "profile"
    make_person(profile, tmp_path, smarthost)
    for implicit in (False, True):
        install(handed_out(tmp_path, **place(smarthost, implicit=implicit)), installation)
        with Thunderbird(profile, home=tmp_path, program=installation) as program:
            servers = program.servers()["servers"]
            if not implicit:
                program.save_login(smarthost.smtp_host, ALICE, PASSWORDS[ALICE])
            assert program.send(ALICE, "465" if implicit else "587") == "sent"
        assert [server["encryption"] for server in servers] == [3, 3, *[3 if implicit else 2] * 2]
    assert [(mail["login"], mail["tls"], mail["subject"]) for mail in smarthost.mails()] == [
        (ALICE, True, "587"),
        (ALICE, True, "465"),
    ]


HOSTILE = [
    "o'neil$&`{{x}}@example.com",
    'a"b\\c@example.com',
    "</script>*/%s%(x)s@example.com",
    "\u2028\u2029\n\r\t@example.com",
    "k\u00e4se\U0001f600@example.com",
    "__proto__@example.com",
]
SET_PREFERENCES_SCRIPT = """
for (const [name, value] of Object.entries(parameters[0])) Services.prefs.setStringPref(name, value);
"""
READ_LOGINS_SCRIPT = """
return parameters[0].map(key => Services.prefs.getStringPref(`mail.smtpserver.smarthost_${key}.username`, ""));
"""


@pytest.mark.slow
def test_hostile_values_are_data(tmp_path: Path, installation: Path) -> None:
    """Whatever stands in a login comes out of the preferences as it went in, and is never run."""
    for name, content in files("smtp.example.com", 587, False, HOSTILE).items():
        (tmp_path / name).write_bytes(content)
    install(tmp_path, installation)
    profile = tmp_path / "profile"
    profile.mkdir()
    addresses = {f"id{number}": address for number, address in enumerate([*HOSTILE, "constructor"], 2)}
    with Thunderbird(profile, home=tmp_path) as program:
        program.add_account(FOREIGN)
        named = {f"mail.identity.{identity}.useremail": address for identity, address in addresses.items()}
        identities = {"mail.account.account1.identities": ",".join(["id1", *addresses])}
        program.script(SET_PREFERENCES_SCRIPT, {**named, **identities})
    with Thunderbird(profile, home=tmp_path, program=installation) as program:
        assert program.script(READ_LOGINS_SCRIPT, list(addresses)) == [*HOSTILE, ""]


PERSON = {
    "mail.smtpservers": "smtp1,relay7",
    "mail.smtp.defaultserver": "relay7",
    "mail.accountmanager.accounts": "account1,account2",
    "mail.account.account1.identities": "id1,id2",
    "mail.account.account2.identities": "id3",
    "mail.identity.id1.useremail": "Info@müller.example",
    "mail.identity.id1.smtpServer": "smtp1",
    "mail.identity.id2.useremail": "info@xn--mller-kva.example",
    "mail.identity.id3.useremail": FOREIGN,
    "mail.identity.id3.smtpServer": "smtp1",
    "mail.smtpserver.smtp1.hostname": "smtp.example.org",
}
LOGIN = "info@xn--mller-kva.example"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("scenarios")
    (home / "profile").mkdir(mode=0o700)
    with Thunderbird(home / "profile", home=home) as program:
        yield program


@pytest.mark.slow
@pytest.mark.parametrize(
    ("there", "choices"),
    [
        ({}, ["smarthost_id1", "smarthost_id2", "smtp1"]),
        # What Ansible has entered on this computer stays.
        ({"mail.identity.id1.smtpServer": "spamexperts"}, ["spamexperts", "smarthost_id2", "smtp1"]),
        # Somebody without any server of their own.
        (
            {"mail.smtpservers": None, "mail.smtp.defaultserver": None, "mail.identity.id1.smtpServer": None},
            ["smarthost_id1", "smarthost_id2", "smtp1"],
        ),
        # Nobody with an account yet.
        ({"mail.accountmanager.accounts": None}, ["smtp1", None, "smtp1"]),
        # An account without an identity, a list with holes, an identity that two accounts have.
        (
            {"mail.accountmanager.accounts": "account3,,account1,account2,account1"},
            ["smarthost_id1", "smarthost_id2", "smtp1"],
        ),
        # A preference of another type than Thunderbird gives it.
        ({"mail.identity.id2.useremail": 7}, ["smarthost_id1", None, "smtp1"]),
    ],
)
def test_who_gets_a_server_and_gives_it_back(
    running: Thunderbird, there: dict[str, Any], choices: list[str | None]
) -> None:
    person = {name: value for name, value in {**PERSON, **there}.items() if value is not None}
    content = {name: text.decode() for name, text in files("smtp.example.com", 465, True, [LOGIN]).items()}
    first, second = running.script(SCENARIO_SCRIPT, content[CONFIGURATION], person, 2)
    assert first == second
    assert [first.get(f"mail.identity.id{number}.smtpServer") for number in (1, 2, 3)] == choices
    ours = [choice for choice in choices if choice and choice.startswith("smarthost_")]
    before = [key for key in str(person.get("mail.smtpservers", "")).split(",") if key]
    assert first.get("mail.smtpservers", "").split(",") == [*before, *ours]
    assert {first[f"mail.smtpserver.{key}.username"] for key in ours} <= {LOGIN}
    assert {first[f"mail.smtpserver.{key}.try_ssl"] for key in ours} <= {3}
    noted = {**first, **{f"mail.smtpserver.{key}.uid": "noted by Thunderbird" for key in ours}}
    (after,) = running.script(SCENARIO_SCRIPT, content[TAKE_BACK], noted, 1)
    assert after == person


@pytest.mark.slow
def test_what_has_become_of_it_meanwhile(running: Thunderbird) -> None:
    """Somebody has changed things by hand, or has left; the next start goes by what is there then."""
    content = {name: text.decode() for name, text in files("smtp.example.com", 587, False, [LOGIN]).items()}
    (first,) = running.script(SCENARIO_SCRIPT, content[CONFIGURATION], PERSON, 1)
    # The server that was chosen before is gone, and ours has become the default.
    changed = {**first, "mail.smtpservers": "smarthost_id1,smarthost_id2", "mail.smtp.defaultserver": "smarthost_id1"}
    (after,) = running.script(SCENARIO_SCRIPT, content[TAKE_BACK], changed, 1)
    assert not [name for name, value in after.items() if "smarthost" in f"{name} {value}"]
    assert "mail.smtpservers" not in after
    # The identity is gone: its server goes, and the other stays.
    changed = {name: value for name, value in first.items() if not name.startswith("mail.identity.id1")}
    changed["mail.account.account1.identities"] = "id2"
    (after,) = running.script(SCENARIO_SCRIPT, content[CONFIGURATION], changed, 1)
    assert after["mail.smtpservers"] == "smtp1,relay7,smarthost_id2"
    assert not [name for name in after if "id1" in name]
    # Another server was chosen by hand: it is what will be given back.
    (after,) = running.script(
        SCENARIO_SCRIPT, content[CONFIGURATION], {**first, "mail.identity.id1.smtpServer": "relay7"}, 1
    )
    (after,) = running.script(SCENARIO_SCRIPT, content[TAKE_BACK], after, 1)
    assert after == {**PERSON, "mail.identity.id1.smtpServer": "relay7"}
