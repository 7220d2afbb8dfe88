# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Thunderbird reads what thunderbird_outgoing_server has written, and sends mail with it."""

from __future__ import annotations

import json
import os
import pwd
import random
import shutil
import signal
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird import dialogue

from tests.support.display import Display
from tests.support.emulator import Emulator
from tests.support.module import run_module
from tests.support.preferences import read_preferences
from tests.support.thunderbird import PROGRAM_DIRECTORY, Thunderbird
from tests.support.thunderbird_module import action
from tests.support.thunderbird_profile import KNOWS_AES, SYSTEM_LIBRARY, make_profile, read_logins, snapshot
from tests.support.thunderbird_settings import take_picture
from tests.support.thunderbird_smarthost import ALICE, LOGIN, PASSWORD, arrived, run, set_password

pytestmark = pytest.mark.skipif(not PROGRAM_DIRECTORY.exists(), reason="Thunderbird is not installed")

ROTATED = 'New \\"one" für 📧'
PRIMARY = "primary secret"
OWN_PASSWORD = 'Alice\'s "own"'

ODD_PREFERENCES_SCRIPT = """
for (const [name, value] of parameters[0]) Services.prefs.setStringPref(name, value);
for (const [name, value] of parameters[1]) Services.prefs.setCharPref(name, value);
Services.prefs.setIntPref("test.int", -2147483648);
Services.prefs.setBoolPref("test.bool", true);
Services.prefs.savePrefFile(null);
"""
READ_PREFERENCES_SCRIPT = """
const found = {};
for (const name of Services.prefs.getChildList("test.")) {
  const kind = Services.prefs.getPrefType(name);
  found[name] = kind == Services.prefs.PREF_STRING ? Services.prefs.getCharPref(name)
    : kind == Services.prefs.PREF_INT ? Services.prefs.getIntPref(name) : Services.prefs.getBoolPref(name);
}
return found;
"""
PRIMARY_PASSWORD_SCRIPT = """
const own = Cc["@mozilla.org/security/internalkeytoken;1"]; // since 153
(own ? own.createInstance(Ci.nsIPKCS11Token)
  : Cc["@mozilla.org/security/pk11tokendb;1"].getService(Ci.nsIPK11TokenDB).getInternalKeyToken()
).changePassword("", parameters[0]);
"""

#: Where its omni.ja has the name of the outgoing server; up to 140 that went on with (SMTP).
OUTGOING_SERVER_SECTION, OUTGOING_SERVER_FIELD = (
    (
        ("localization/en-US/messenger/accountManager.ftl", "= {}\n"),
        ("localization/en-US/messenger/accountSettings.ftl", "= {}:\n"),
    )
    if KNOWS_AES
    else (
        ("chrome/en-US/locale/en-US/messenger/prefs.properties", "={} (SMTP)\n"),
        ("chrome/en-US/locale/en-US/messenger/am-main.dtd", '"{} (SMTP):"'),
    )
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, _full_process: Emulator) -> Path:
    """A home with the profile of a person with an account, a server of their own, its password, and odd preferences."""
    home = tmp_path_factory.mktemp("made")
    (home / "profile").mkdir(mode=0o700)
    chance = random.Random(5)  # noqa: S311 - the same odd texts in every run
    alphabet = "\"\\'\n\r\t\x01\x0b\x0c\x7f\x85\u2028\u2029 ä€😀/*#;,(){}nrux0"
    texts = [(f"test.{i}.x", "".join(chance.choices(alphabet, k=chance.randrange(20)))) for i in range(300)]
    latin = [(f"test.latin.{i}", "".join(map(chr, chance.choices(range(1, 256), k=12)))) for i in range(50)]
    with Thunderbird(home / "profile", home=home) as program:
        program.add_account(ALICE, "smtp.old.example", OWN_PASSWORD)
        program.script(ODD_PREFERENCES_SCRIPT, texts, latin)
        program.trust(_full_process.ca_file)
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


@pytest.fixture
def profile(home: Path) -> Path:
    return home / "profile"


@pytest.fixture
def smarthost(emulator: Emulator) -> Emulator:
    set_password(emulator, PASSWORD)
    return emulator


def unchanged(emulator: Emulator, *roots: Path, **options: Any) -> None:
    """A further run, real or not, changes nothing and touches nothing."""
    before = snapshot(*roots)
    for check in (True, False):
        assert action(run(emulator, check=check, **options)) == "unchanged"
    assert snapshot(*roots) == before


@contextmanager
def unlocked(profile: Path, home: Path) -> Iterator[Thunderbird]:
    """A Thunderbird in a window, whose question for the primary password was answered."""
    with Display() as display:
        program = Thunderbird(profile, home=home, display=display.name)
        program.start()
        try:
            display.type(display.wait_for_window("Password Required"), PRIMARY)
            program.connect()
            yield program
        finally:
            program.quit()


def rotated_and_taken_away(
    emulator: Emulator, start: Callable[[], AbstractContextManager[Thunderbird]], address: str, **wanted: Any
) -> None:
    """A mail goes with a new password; after `absent` nothing of ours is there."""
    set_password(emulator, ROTATED)
    assert action(run(emulator, **wanted, password=ROTATED)) == "updated"
    with start() as program:
        assert program.send(address, "rotated") == "sent"
    assert arrived(emulator)[-1] == (LOGIN, True, address, "rotated")
    place = {name: value for name, value in wanted.items() if name in {"profile", "users"}}
    assert action(run(emulator, **place, state="absent")) == "removed"
    with start() as program:
        seen = program.servers()
        assert "spamexperts" not in [seen["default"], *(server["key"] for server in seen["servers"])]
        assert LOGIN not in [login["username"] for login in program.logins()]


def test_an_existing_profile_from_the_first_run_to_absent(home: Path, profile: Path, smarthost: Emulator) -> None:
    where: dict[str, Any] = {"profile": str(profile)}
    wanted = {**where, "identities": [ALICE]}
    before = (profile / "prefs.js").read_bytes()
    with Thunderbird(profile, home=home) as program:
        servers, logins, odd = program.servers(), program.logins(), program.script(READ_PREFERENCES_SCRIPT)
        assert len(odd) > 340
    before = (profile / "prefs.js").read_bytes()

    assert action(run(smarthost, check=True, **wanted)) == "created"
    assert (profile / "prefs.js").read_bytes() == before
    assert action(run(smarthost, **wanted)) == "created"
    read_before, read_after = read_preferences(before), read_preferences((profile / "prefs.js").read_bytes())
    changed = {b"mail.smtpservers", b"mail.identity.id1.smtpServer"}
    assert {name: value for name, value in read_before.items() if name not in changed} == {
        name: value for name, value in read_after.items() if name in read_before and name not in changed
    }
    unchanged(smarthost, profile, **wanted)

    with Thunderbird(profile, home=home) as program:
        seen = program.servers()
        assert seen["servers"][:-1] == servers["servers"]
        assert seen["servers"][-1] == {
            "key": "spamexperts",
            "host": smarthost.smtp_host,
            "port": smarthost.smtp_port,
            "username": LOGIN,
            "authentication": 3,
            "encryption": 2,
            "description": "Smarthost",
        }
        assert (seen["default"], seen["identities"]) == ("smtp1", {ALICE: "spamexperts"})
        assert program.script(READ_PREFERENCES_SCRIPT) == odd
        saved = program.logins()
        assert saved[:-1] == logins
        assert (saved[-1]["username"], saved[-1]["password"]) == (LOGIN, PASSWORD)
        assert program.send(ALICE, "first") == "sent"
    assert arrived(smarthost) == [(LOGIN, True, ALICE, "first")]

    # Thunderbird has written its files anew by now.
    unchanged(smarthost, profile, **wanted)

    set_password(smarthost, ROTATED)
    assert action(run(smarthost, **wanted, password=ROTATED)) == "updated"
    with Thunderbird(profile, home=home) as program:
        assert program.send(ALICE, "second") == "sent"
    assert arrived(smarthost)[1:] == [(LOGIN, True, ALICE, "second")]
    assert all(login["ok"] for login in smarthost.auths())
    unchanged(smarthost, profile, **wanted, password=ROTATED)

    assert action(run(smarthost, **where, state="absent")) == "removed"
    with Thunderbird(profile, home=home) as program:
        assert (program.servers(), program.logins()) == (servers, logins)
        assert program.script(READ_PREFERENCES_SCRIPT) == odd
    assert b"spamexperts" not in (profile / "prefs.js").read_bytes()
    unchanged(smarthost, profile, **where, state="absent")


def test_it_sends_over_tls_from_the_first_byte(home: Path, profile: Path, smarthost: Emulator) -> None:
    place: dict[str, Any] = {"smarthost_port": smarthost.smtps_port, "smarthost_tls": "implicit"}
    assert action(run(smarthost, profile=str(profile), identities=[ALICE], **place)) == "created"
    with Thunderbird(profile, home=home) as program:
        assert program.send(ALICE, "port 465") == "sent"
    assert arrived(smarthost) == [(LOGIN, True, ALICE, "port 465")]
    assert smarthost.mails()[0]["begins_with_tls"]
    # And back to STARTTLS, with the same saved password.
    assert action(run(smarthost, profile=str(profile), identities=[ALICE])) == "updated"
    with Thunderbird(profile, home=home) as program:
        assert program.send(ALICE, "port 587") == "sent"
    assert not smarthost.mails()[1]["begins_with_tls"]


def test_without_authentication_it_sends_without_a_login(home: Path, profile: Path, emulator: Emulator) -> None:
    domain = {"domain": "example.com"}
    user = {**domain, "username": "127.0.0.1", "authentication_method": "ip"}
    emulator.control("seed", {"domains": [domain], "users": [user]})
    arguments = {
        "profile": str(profile),
        "smarthost": emulator.smtp_host,
        "smarthost_port": emulator.smtp_port,
        "authentication": "none",
        "identities": [ALICE],
    }
    assert action(run_module("thunderbird_outgoing_server", arguments)) == "created"
    with Thunderbird(profile, home=home) as program:
        assert program.send(ALICE, "from a known address") == "sent"
    assert arrived(emulator) == [(None, True, ALICE, "from a known address")]


def test_somebody_who_has_never_started_thunderbird(
    tmp_path: Path, smarthost: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "bob"
    home.mkdir()
    person = pwd.struct_passwd(("bob", "x", os.geteuid(), os.getegid(), "", str(home), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", {"bob": person}.__getitem__)
    done = run(smarthost, users=["bob"])
    profile = Path(done.result["profiles"][0]["path"])
    assert (action(done), done.result["profiles"][0]["new_profile"]) == ("created", True)
    unchanged(smarthost, home, users=["bob"])
    registry = (profile.parent / "profiles.ini").read_text()

    with Thunderbird(profile, home=home, choose_profile=True) as program:
        assert program.script('return Services.dirsvc.get("ProfD", Ci.nsIFile).path;') == str(profile)
        assert [server["key"] for server in program.servers()["servers"]] == ["spamexperts"]
        program.add_account("bob@example.com")
        program.trust(smarthost.ca_file)
        assert program.send("bob@example.com", "the first start") == "sent"
    assert arrived(smarthost) == [(LOGIN, True, "bob@example.com", "the first start")]
    # Thunderbird has made no other profile, and takes ours again.
    assert [path.name for path in profile.parent.iterdir() if (path / "prefs.js").exists()] == [profile.name]
    assert set(registry.split()) <= set((profile.parent / "profiles.ini").read_text().split())
    unchanged(smarthost, profile, users=["bob"])
    # A distribution may set this, so that Thunderbird looks at nothing but Default=1.
    monkeypatch.setenv("MOZ_LEGACY_PROFILES", "1")
    rotated_and_taken_away(
        smarthost, partial(Thunderbird, profile, home=home, choose_profile=True), "bob@example.com", users=["bob"]
    )


def test_a_profile_with_a_primary_password(home: Path, profile: Path, smarthost: Emulator) -> None:
    with Thunderbird(profile, home=home) as program:
        program.script(PRIMARY_PASSWORD_SCRIPT, PRIMARY)
    wanted: dict[str, Any] = {"profile": str(profile), "identities": [ALICE]}
    before = snapshot(profile)
    assert run(smarthost, **wanted).code == "primary_password"
    assert run(smarthost, **wanted, primary_password="another secret").code == "primary_password"
    assert snapshot(profile) == before
    wanted["primary_password"] = PRIMARY
    assert action(run(smarthost, **wanted)) == "created"
    unchanged(smarthost, profile, **wanted)
    with unlocked(profile, home) as program:
        assert (LOGIN, PASSWORD) in [(login["username"], login["password"]) for login in program.logins()]
        assert program.send(ALICE, "with a primary password") == "sent"
    assert arrived(smarthost) == [(LOGIN, True, ALICE, "with a primary password")]
    unchanged(smarthost, profile, **wanted)
    rotated_and_taken_away(smarthost, partial(unlocked, profile, home), ALICE, **wanted)


def test_a_profile_of_the_time_before_aes(home: Path, profile: Path, smarthost: Emulator) -> None:
    """What the system's older NSS has made is written with 3DES, and this Thunderbird reads it."""
    shutil.rmtree(profile)
    make_profile(profile, library=SYSTEM_LIBRARY)
    assert action(run(smarthost, profile=str(profile))) == "created"
    assert [login["aes"] for login in read_logins(profile)] == [False, False]
    with Thunderbird(profile, home=home) as program:
        assert {(login["username"], login["password"]) for login in program.logins()} == {
            ("alice", "Alice's own"),
            (LOGIN, PASSWORD),
        }
    unchanged(smarthost, profile, profile=str(profile))


def test_the_logins_of_this_thunderbird_stay_what_they_are(profile: Path, smarthost: Emulator) -> None:
    assert [login["aes"] for login in read_logins(profile)] == [KNOWS_AES]
    assert action(run(smarthost, profile=str(profile))) == "created"
    assert [login["aes"] for login in read_logins(profile)] == [KNOWS_AES, KNOWS_AES]


def test_a_running_thunderbird_is_refused_waited_for_and_never_written(
    home: Path, profile: Path, smarthost: Emulator
) -> None:
    wanted: dict[str, Any] = {"profile": str(profile)}
    with Thunderbird(profile, home=home) as program:
        files = [profile / name for name in ("prefs.js", "logins.json", "key4.db")]
        os.kill(program.process.pid, signal.SIGSTOP)  # it would write some preferences of its own accord
        before = snapshot(*files)
        refused = run(smarthost, **wanted)
        assert refused.failed
        assert f"(pid {program.process.pid})" in refused.message
        assert refused.code == "in_use"
        assert snapshot(*files) == before
        os.kill(program.process.pid, signal.SIGCONT)

        program.script('Services.prefs.setStringPref("test.late", "written at exit");')
        timer = threading.Timer(1, program.quit)
        timer.start()
        assert action(run(smarthost, **wanted, wait_for_close=60)) == "created"
        timer.join()
    after = read_preferences((profile / "prefs.js").read_bytes())
    assert after[b"test.late"] == b"written at exit"
    assert after[b"mail.smtpservers"] == b"smtp1,spamexperts"


def test_a_thunderbird_that_was_killed_does_not_count(home: Path, profile: Path, smarthost: Emulator) -> None:
    program = Thunderbird(profile, home=home)
    with program:
        program.kill()
    assert (profile / ".parentlock").exists()
    assert action(run(smarthost, profile=str(profile))) == "created"


@pytest.fixture
def host() -> Iterator[Path]:
    """A copy of /etc/thunderbird that everybody may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        shutil.copytree("/etc/thunderbird", Path(name) / "etc", symlinks=True)
        yield Path(name)


@pytest.mark.root
def test_a_private_authority_by_policy(host: Path, home: Path, profile: Path, emulator_factory: Any) -> None:
    with_policies = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount --bind "$0" /etc/thunderbird && exec "$@"',
        str(host / "etc"),
    ]
    policies = host / "etc/policies/policies.json"
    policies.parent.mkdir()
    policies.write_text('{"policies": {"DisableTelemetry": true}}')
    private = emulator_factory()  # with an authority of its own, which the profile does not trust
    set_password(private, PASSWORD)
    shutil.copy(private.ca_file, host / "ca.pem")
    (host / "ca.pem").chmod(0o644)
    assert action(run(private, profile=str(profile), identities=[ALICE])) == "created"

    with Thunderbird(profile, home=home, wrapper=with_policies) as program:
        assert program.send(ALICE, "not trusted").startswith("0x805a1ff3")
    assert (private.auths(), private.mails()) == ([], [])

    arguments = {"path": str(host / "ca.pem"), "policies_path": str(policies)}
    assert run_module("thunderbird_certificate_authority", arguments).changed
    assert not run_module("thunderbird_certificate_authority", arguments).changed
    with Thunderbird(profile, home=home, wrapper=with_policies) as program:
        assert (
            program.script("return Services.policies.getActivePolicies()")
            == json.loads(policies.read_bytes())["policies"]
        )
        assert program.send(ALICE, "trusted") == "sent"
    assert arrived(private) == [(LOGIN, True, ALICE, "trusted")]
    start = partial(Thunderbird, profile, home=home, wrapper=with_policies)
    rotated_and_taken_away(private, start, ALICE, profile=str(profile), identities=[ALICE])
    assert run_module("thunderbird_certificate_authority", {**arguments, "state": "absent"}).changed
    assert json.loads(policies.read_bytes()) == {"policies": {"DisableTelemetry": True}}


def test_the_account_settings_show_the_server_and_the_fields_that_people_are_told(tmp_path: Path) -> None:
    picture = tmp_path / "settings.png"
    shown = take_picture(picture).lower()
    for names, value in (
        (dialogue.DESCRIPTION, "Smarthost"),
        (dialogue.SERVER_NAME, "4489.smtp.antispamcloud.com"),
        (dialogue.PORT, "587"),
        (dialogue.USER_NAME, LOGIN),
        (dialogue.AUTHENTICATION_METHOD, dialogue.NORMAL_PASSWORD[0]),
        (dialogue.CONNECTION_SECURITY, "STARTTLS"),
    ):
        assert f"{names[0]}: {value}".lower() in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("names", "member", "line"),
    [
        (dialogue.ACCOUNT_SETTINGS, "chrome/en-US/locale/en-US/messenger/AccountManager.dtd", '"{}"'),
        (dialogue.OUTGOING_SERVER, *OUTGOING_SERVER_SECTION),
        (dialogue.OUTGOING_SERVER, *OUTGOING_SERVER_FIELD),
        (dialogue.ADD, "chrome/en-US/locale/en-US/messenger/am-advanced.dtd", '"{}"'),
        (dialogue.SERVER_NAME, "chrome/en-US/locale/en-US/messenger/smtpEditOverlay.dtd", '"{}:"'),
        (dialogue.CONNECTION_SECURITY, "chrome/en-US/locale/en-US/messenger/smtpEditOverlay.dtd", '"{}:"'),
        (
            (dialogue.SECURITY[True], ""),
            "chrome/en-US/locale/en-US/messenger/smtpEditOverlay.dtd",
            'connectionSecurityType-3.label "{}"',
        ),
        (dialogue.AUTHENTICATION_METHOD, "chrome/en-US/locale/en-US/messenger/smtpEditOverlay.dtd", '"{}:"'),
        (dialogue.REMEMBER, "localization/en-US/messenger/msgAuthPrompt.ftl", "= {}\n"),
    ],
)
def test_the_english_names_are_thunderbirds(names: tuple[str, str], member: str, line: str) -> None:
    with zipfile.ZipFile(PROGRAM_DIRECTORY / "omni.ja") as program:
        assert line.format(names[0]) in program.read(member).decode()
