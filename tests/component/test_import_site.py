# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action import_site in this process: a real task, vault and local connection, against the emulator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils import _secrets
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._import_found import Found
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._store import Store
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._vault import Vault

from tests.support.action import Controller
from tests.support.emulator import Emulator
from tests.support.store import read_store

VAULT_PASSWORD = "vault password one"
PASSWORDS = {
    "web@example.com": "quo'te\"back\\slash: and blank",
    "mail@example.com": "the password of mail",
    "example.net": "the domain's password",
}
WEAK = "short"
needs_postfix = pytest.mark.skipif(not shutil.which("postconf"), reason="needs Postfix, whose map is read")


class Site:
    """A store, and a smarthost that knows some logins."""

    def __init__(self, directory: Path, emulator: Emulator) -> None:
        self.directory = directory
        self.emulator = emulator
        self.store = directory / "store.yml"
        self.controller = Controller(directory, [("default", VAULT_PASSWORD)])
        for login, password in {**PASSWORDS, "weak@example.com": WEAK}.items():
            local, _at, domain = login.rpartition("@")
            kind = "user" if local else "domain"
            user = {"domain": domain, "username": local, "password": password, "authentication_method": kind}
            emulator.seed(users=[user])

    def look(
        self, phase: str = "look_at_mail_server", *, check: bool = False, no_log: bool = True, **options: Any
    ) -> dict[str, Any]:
        """What this host shows."""
        arguments = {"phase": phase, "smarthost": self.emulator.smtp_host, **options}
        return self.controller.run_action("import_site", arguments, check=check, no_log=no_log)

    def take_in(self, *, check: bool = False, host: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """The phases on the controller, without descriptions; the report, and whether it has changed something."""
        arguments = {
            "path": str(self.store),
            "describe": False,
            **self.emulator.smarthost_options,
            "hosts": {} if host is None else {"h1": host},
            **options,
        }
        begun = self.controller.run_action("import_site", {"phase": "begin", **arguments}, check=check)
        if begun.get("failed"):
            return begun
        given = {"phase": "finish", **arguments, "run": begun["run"]}
        done = self.controller.run_action("import_site", given, check=check)
        return done if done.get("failed") else {**done["run"]["report"], "changed": done["changed"]}

    def refusal(self, **options: Any) -> str:
        result = self.take_in(**options)
        assert result["failed"]
        return str(result["msg"])

    def csv(self, pairs: Mapping[str, str]) -> str:
        """A file as the vendor exports it."""
        lines = ["username,domain,password"]
        for login, password in pairs.items():
            local, _at, domain = login.rpartition("@")
            quoted = password.replace('"', '""')
            lines.append(f'{local},{domain},"{quoted}"')
        path = self.directory / "users.csv"
        path.write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    def postfix(self, maps: str, more: str = "") -> str:
        """A directory with Postfix's settings, as on a host that sends already."""
        folder = self.directory / "postfix"
        folder.mkdir(exist_ok=True)
        (folder / "main.cf").write_text(f"smtp_sasl_password_maps = {maps}\n{more}", encoding="utf-8")
        return str(folder)

    def put(self, name: str, **entry: str) -> None:
        """Have a credential in the store."""
        data = {"format": 1, "credentials": {name: entry}}
        secret = VaultSecret(VAULT_PASSWORD.encode())
        self.store.write_bytes(VaultLib().encrypt(yaml.safe_dump(data), secret=secret))

    def stored(self) -> dict[str, dict[str, str]]:
        return read_store(self.store, VAULT_PASSWORD)


@pytest.fixture
def site(tmp_path: Path, emulator: Emulator) -> Site:
    return Site(tmp_path, emulator)


def actions(result: Mapping[str, Any]) -> dict[str, str]:
    return {entry["login"]: entry["action"] for entry in result["credentials"]}


def test_no_log_is_demanded_before_anything_is_read(site: Site) -> None:
    for phase in ("look_at_mail_server", "look_at_people", "prove"):
        with pytest.raises(AnsibleActionFail, match="Set no_log: true on this task"):
            site.look(phase, no_log=False, config_directory="/nowhere")
    assert site.emulator.auths() == []


def test_a_csv_is_proven_and_kept(site: Site) -> None:
    table = site.csv(PASSWORDS)
    predicted = site.take_in(csv=table, check=True)
    assert predicted["changed"]
    assert not site.store.exists()
    result = site.take_in(csv=table)
    assert {**result, "summary": []} == {**predicted, "summary": []}
    assert actions(result) == dict.fromkeys(PASSWORDS, "created")
    stored = site.stored()
    assert {login: entry["current"] for login, entry in stored.items()} == PASSWORDS
    assert all(entry["proven"] for entry in stored.values())
    content = site.store.read_bytes()
    again = site.take_in(csv=table)
    assert not again["changed"]
    assert actions(again) == dict.fromkeys(PASSWORDS, "unchanged")
    assert site.store.read_bytes() == content
    assert not any(password in json.dumps([result, again]) for password in PASSWORDS.values())
    assert site.emulator.counters()["writes"] == 0


def test_capital_letters_make_no_second_credential(site: Site) -> None:
    password = PASSWORDS["web@example.com"]
    result = site.take_in(csv=site.csv({"Web@Example.com": password, "web@example.com": password}))
    assert actions(result) == {"web@example.com": "created"}
    assert list(site.stored()) == ["web@example.com"]


def test_what_the_smarthost_refuses_or_nobody_should_have(site: Site) -> None:
    result = site.take_in(csv=site.csv({"web@example.com": "not the right one", "weak@example.com": WEAK}))
    assert not result["changed"]
    assert result["credentials"] == [
        {
            "login": "weak@example.com",
            "action": "refused",
            "reason": "the CSV: the password is shorter than 12 characters; take a longer one",
        },
        {
            "login": "web@example.com",
            "action": "refused",
            "reason": "the CSV: localhost answered: 535 Incorrect authentication data",
        },
    ]
    assert not site.store.exists()


def test_a_login_that_is_in_the_store_already(site: Site) -> None:
    site.put("web", login="web@example.com", current="what the store has")
    result = site.take_in(csv=site.csv({"web@example.com": PASSWORDS["web@example.com"]}))
    assert actions(result) == {"web@example.com": "conflict"}
    assert result["credentials"][0]["reason"] == "the CSV: it works, but the store has another password"
    result = site.take_in(csv=site.csv({"web@example.com": "a stale password"}))
    assert actions(result) == {"web@example.com": "refused"}
    assert "another place, or the store, has another password" in result["credentials"][0]["reason"]
    assert site.stored() == {"web": {"login": "web@example.com", "current": "what the store has"}}


def test_a_password_that_cannot_be_proven_is_not_kept(site: Site) -> None:
    site.emulator.faults({"match": "smtp:auth", "kind": "smtp_reply", "text": "454 Temporary failure"})
    result = site.take_in(csv=site.csv({"mail@example.com": PASSWORDS["mail@example.com"]}))
    assert actions(result) == {"mail@example.com": "unproven"}
    assert "454" in result["credentials"][0]["reason"]
    assert not site.store.exists()


def test_a_csv_without_rows_asks_nobody(site: Site) -> None:
    result = site.take_in(csv=site.csv({}))
    assert (result["changed"], result["credentials"], site.emulator.auths()) == (False, [], [])
    assert not site.store.exists()


def test_a_store_that_cannot_be_written_is_an_error(site: Site) -> None:
    site.controller.loader.set_vault_secrets([])
    with pytest.raises(AnsibleActionFail, match="this run has no vault password"):
        site.take_in(csv=site.csv(PASSWORDS))
    with pytest.raises(AnsibleActionFail, match="this run has no vault password"):
        site.look()
    assert not site.store.exists()


def test_a_store_that_another_run_keeps_is_refused(site: Site) -> None:
    store = Store(str(site.store), site.controller.loader)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"]) as other:
        try:
            with store.locked(other.pid):
                store.hold(other.pid)
            message = site.refusal(csv=site.csv(PASSWORDS))
        finally:
            other.kill()
    assert f"is kept by another run (process {other.pid}); wait until it has ended." in message
    assert not site.store.exists()


def test_a_run_gives_the_store_back(site: Site) -> None:
    site.take_in(csv=site.csv(PASSWORDS))
    store = Store(str(site.store), site.controller.loader)
    assert store.lock_path.read_text() == ""
    assert "cannot be read" in site.refusal(csv="/nowhere.csv")
    assert store.lock_path.read_text() == ""


def test_every_password_is_registered_as_secret_even_a_refused_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    monkeypatch.setattr(_secrets, "_register", registered.append)
    site.take_in(csv=site.csv({"web@example.com": "not the right one", "weak@example.com": WEAK}))
    assert set(registered) == {"not the right one", WEAK}


def test_an_option_that_is_not_known(site: Site) -> None:
    with pytest.raises(AnsibleActionFail, match="Unsupported parameters"):
        site.take_in(password="x")


@needs_postfix
@pytest.mark.parametrize("check", [False, True])
def test_the_maps_of_a_running_postfix(site: Site, check: bool) -> None:
    maps = site.directory / "sasl"
    lines = [
        f"key{number}@example.com {login}:{password}\n" for number, (login, password) in enumerate(PASSWORDS.items())
    ]
    maps.write_text("# by hand\n" + "".join(lines), encoding="utf-8")
    second = site.directory / "second"
    second.write_text(f"[LOCALHOST]:587 web@example.com:{PASSWORDS['web@example.com']}\n", encoding="utf-8")
    missing = site.directory / "missing"
    folder = site.postfix(f"hash:{maps} texthash:{second}, mysql:/etc/postfix/sql.cf, lmdb:{missing}")
    host = site.look(config_directory=folder, check=check)
    assert not host["changed"]
    assert not any(password in json.dumps(host) for password in PASSWORDS.values())
    assert host["found"].startswith("$ANSIBLE_VAULT;")
    result = site.take_in(host=host, check=check)
    assert actions(result) == dict.fromkeys(PASSWORDS, "created")
    kind, unread = result["unread"]
    assert kind == "h1: a map of type mysql"
    assert unread.startswith(f"h1: {missing}: ")
    assert site.store.exists() is not check
    if not check:
        assert {login: entry["current"] for login, entry in site.stored().items()} == PASSWORDS


def found(site: Site, host: Mapping[str, Any]) -> list[Found]:
    """What the host has shown, opened."""
    plain, _key = Vault(site.controller.loader).decrypt(host["found"].encode())
    return [Found(*fields) for fields in json.loads(plain)]


@needs_postfix
def test_no_password_of_another_provider_leaves_its_host(site: Site) -> None:
    maps = site.directory / "sasl"
    lines = [f"{key} web@example.com:{PASSWORDS['web@example.com']}\n" for key in ("[smtp.else.test]:587", "else.test")]
    maps.write_text("".join(lines) + "[smtp.else.test]:465 mail@else.test:word\n", encoding="utf-8")
    host = site.look(config_directory=site.postfix(f"hash:{maps}"))
    assert found(site, host) == []
    assert host["unread"] == [
        f"{maps}: a login at {server}, which is not the smarthost localhost"
        for server in ("smtp.else.test", "else.test")
    ]


@needs_postfix
@pytest.mark.parametrize("check", [False, True])
def test_the_login_of_a_sender_whose_mail_goes_elsewhere_stays_there(site: Site, check: bool) -> None:
    maps, relays = site.directory / "sasl", site.directory / "relays"
    maps.write_text(
        "boss@a.test boss@a.test:word one\n@b.test b.test:word two\nshop@b.test shop@b.test:word three\n"
        "news@b.test news@b.test:word six\n"
        "@c.test c.test:word four\n[LOCALHOST]:587 web@c.test:word five\n",
        encoding="utf-8",
    )
    relays.write_text("@a.test [smtp.else.test]:587\nshop@b.test [smtp.other.test]\n@c.test DUNNO\n", encoding="utf-8")
    more = (
        "relayhost = [localhost]:587\n"
        f"sender_dependent_relayhost_maps = inline:{{ {{ @b.test = localhost:587 }} }}, texthash:{relays}\n"
    )
    host = site.look(config_directory=site.postfix(f"texthash:{maps}", more), check=check)
    assert [(one.login, one.use, one.detail) for one in found(site, host)] == [
        ("b.test", "relay", "localhost"),
        ("news@b.test", "", "localhost logs in as it for mail of news@b.test"),
        ("c.test", "relay", "localhost"),
        ("web@c.test", "default_for", "localhost"),
    ]
    assert host["unread"] == [
        f"{maps}: the login of boss@a.test at smtp.else.test, which is not the smarthost localhost",
        f"{maps}: the login of shop@b.test at smtp.other.test, which is not the smarthost localhost",
    ]


@needs_postfix
def test_where_a_sender_s_mail_goes_is_not_known(site: Site) -> None:
    maps = site.directory / "sasl"
    maps.write_text("boss@a.test boss@a.test:word one\nlocalhost web@c.test:word five\n", encoding="utf-8")
    more = "sender_dependent_relayhost_maps = texthash:/nowhere/relays\n"
    host = site.look(config_directory=site.postfix(f"texthash:{maps}", more))
    assert [one.login for one in found(site, host)] == ["web@c.test"]
    (line,) = host["unread"]
    assert line.startswith("the login of boss@a.test, as where its mail goes is not known: postmap fails on localhost")


@needs_postfix
def test_a_postfix_without_maps_has_nothing_to_show(site: Site) -> None:
    host = site.look(config_directory=site.postfix(""))
    assert (found(site, host), host["unread"], host["problem"]) == ([], [], "")


def test_the_logins_of_a_host_are_tried_there(site: Site) -> None:
    pairs = [Found(login, password, "h1") for login, password in PASSWORDS.items()]
    sealed = Vault(site.controller.loader).seal(json.dumps(pairs).encode())
    options = {**site.emulator.smarthost_options, "found": sealed, "logins": ["web@example.com", "example.net"]}
    said = site.look("prove", **options)
    assert {login: proof["accepted"] for login, proof in said["proofs"].items()} == {
        "web@example.com": True,
        "example.net": True,
    }
    assert said["refused_logins"] == 0
    said = site.look("prove", **options, refused_logins=3)
    assert (said["proofs"]["web@example.com"]["accepted"], said["refused_logins"]) == (None, 3)
    assert len(site.emulator.auths()) == 2


@needs_postfix
@pytest.mark.parametrize("check", [False, True])
def test_a_host_where_postconf_fails(site: Site, check: bool) -> None:
    nowhere = str(site.directory / "nowhere")
    message = site.look(config_directory=nowhere, check=check)["problem"]
    assert message.startswith("postconf fails on localhost: postconf: fatal: ")
    assert nowhere in message
    assert message.endswith("; mend its Postfix, and run again")
    assert not site.store.exists()


def test_a_host_where_postconf_says_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{site.directory}:{os.environ['PATH']}")
    program = site.directory / "postconf"
    program.write_text("#!/bin/sh\nexit 2\n", encoding="utf-8")
    program.chmod(0o755)
    message = site.look()["problem"]
    assert message.startswith("postconf fails on localhost: ")
    assert message.endswith("; mend its Postfix, and run again")


def test_a_host_without_postfix(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = site.directory / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "mkdir", "chmod", "rm", "cat", "id", "sleep", "echo"):
        found = shutil.which(name)
        assert found, name
        (programs / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(programs))
    assert site.look()["problem"] == (
        "localhost has no program postconf in the path of this task's user, so no Postfix was found; leave the host "
        "out, or use become where that finds it"
    )
    assert not site.store.exists()


@needs_postfix
def test_without_a_directory_postfix_chooses_its_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = site.directory / "sasl"
    maps.write_text(f"localhost mail@example.com:{PASSWORDS['mail@example.com']}\n", encoding="utf-8")
    monkeypatch.setenv("MAIL_CONFIG", site.postfix(f"hash:{maps}"))  # what Postfix takes instead of /etc/postfix
    assert [one.login for one in found(site, site.look())] == ["mail@example.com"]
