# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action adopt_credentials in this process: a real task, vault and local connection, against the emulator."""

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
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._store import Store

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

    def adopt(self, *, check: bool = False, no_log: bool = True, **options: Any) -> dict[str, Any]:
        arguments = {"path": str(self.store), **self.emulator.smarthost_options, **options}
        return self.controller.run_action("adopt_credentials", arguments, check=check, no_log=no_log)

    def refusal(self, **options: Any) -> str:
        with pytest.raises(AnsibleActionFail) as caught:
            self.adopt(**options)
        return str(caught.value)

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

    def postfix(self, maps: str) -> str:
        """A directory with Postfix's settings, as on a host that sends already."""
        folder = self.directory / "postfix"
        folder.mkdir(exist_ok=True)
        (folder / "main.cf").write_text(f"smtp_sasl_password_maps = {maps}\n", encoding="utf-8")
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
    assert "Set no_log: true on this task" in site.refusal(no_log=False, csv="/nowhere")
    assert site.emulator.auths() == []


def test_a_csv_is_proven_and_kept(site: Site) -> None:
    table = site.csv(PASSWORDS)
    predicted = site.adopt(csv=table, check=True)
    assert predicted["changed"]
    assert not site.store.exists()
    result = site.adopt(csv=table)
    assert result["unread"] == []
    assert result == predicted
    assert actions(result) == dict.fromkeys(PASSWORDS, "created")
    assert site.stored() == {login: {"login": login, "current": PASSWORDS[login]} for login in sorted(PASSWORDS)}
    content = site.store.read_bytes()
    again = site.adopt(csv=table)
    assert not again["changed"]
    assert actions(again) == dict.fromkeys(PASSWORDS, "unchanged")
    assert site.store.read_bytes() == content
    assert not any(password in json.dumps([result, again]) for password in PASSWORDS.values())
    assert site.emulator.counters()["writes"] == 0


def test_capital_letters_make_no_second_credential(site: Site) -> None:
    password = PASSWORDS["web@example.com"]
    result = site.adopt(csv=site.csv({"Web@Example.com": password, "web@example.com": password}))
    assert actions(result) == {"Web@Example.com": "created", "web@example.com": "unchanged"}
    assert list(site.stored()) == ["Web@Example.com"]


def test_what_the_smarthost_refuses_or_nobody_should_have(site: Site) -> None:
    result = site.adopt(csv=site.csv({"web@example.com": "not the right one", "weak@example.com": WEAK}))
    assert not result["changed"]
    first, second = result["credentials"]
    assert first == {
        "login": "web@example.com",
        "action": "refused",
        "reason": "localhost answered: 535 Incorrect authentication data",
    }
    assert (second["action"], second["reason"]) == (
        "refused",
        "the password is shorter than 12 characters; take a longer one",
    )
    assert not site.store.exists()


def test_a_login_that_is_in_the_store_already(site: Site) -> None:
    site.put("web", login="web@example.com", current="what the store has")
    result = site.adopt(csv=site.csv({"web@example.com": PASSWORDS["web@example.com"]}))
    assert actions(result) == {"web@example.com": "conflict"}
    assert result["credentials"][0]["reason"] == "it works, but the store has another password"
    result = site.adopt(csv=site.csv({"web@example.com": "a stale password"}))
    assert result["credentials"][0] == {
        "login": "web@example.com",
        "action": "refused",
        "reason": "another host, or the store, has another password",
    }
    assert site.stored() == {"web": {"login": "web@example.com", "current": "what the store has"}}


def test_the_next_login_of_a_rotation_is_known(site: Site) -> None:
    password = PASSWORDS["web@example.com"]
    site.put("web", login="old@example.com", current="what was before", next_login="web@example.com", next=password)
    result = site.adopt(csv=site.csv({"web@example.com": password}))
    assert actions(result) == {"web@example.com": "unchanged"}


def test_a_password_that_cannot_be_proven_is_not_kept(site: Site) -> None:
    site.emulator.faults({"match": "smtp:auth", "kind": "smtp_reply", "text": "454 Temporary failure"})
    result = site.adopt(csv=site.csv({"mail@example.com": PASSWORDS["mail@example.com"]}))
    assert actions(result) == {"mail@example.com": "unproven"}
    assert "454" in result["credentials"][0]["reason"]
    assert not site.store.exists()


def test_a_csv_without_rows_asks_nobody(site: Site) -> None:
    result = site.adopt(csv=site.csv({}))
    assert result == {"changed": False, "credentials": [], "unread": []}
    assert site.emulator.auths() == []


def test_a_csv_that_cannot_be_read(site: Site) -> None:
    table = site.directory / "users.csv"
    assert site.refusal(csv=str(table)) == f"{table} cannot be read: No such file or directory"
    table.write_bytes(b"username,domain,password\nweb,example.com,\xe4\xf6secret\n")
    assert site.refusal(csv=str(table)) == f"{table} cannot be read: it is not UTF-8"
    table.write_text("user,password\nweb,secret\n", encoding="utf-8")
    message = site.refusal(csv=str(table))
    assert "the CSV has no column username, domain" in message
    assert "secret" not in message


def test_a_store_that_cannot_be_written_is_an_error(site: Site) -> None:
    site.controller.loader.set_vault_secrets([])
    assert "this run has no vault password" in site.refusal(csv=site.csv(PASSWORDS))
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


def test_every_password_is_registered_as_secret_even_a_refused_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    monkeypatch.setattr(_secrets, "_register", registered.append)
    site.adopt(csv=site.csv({"web@example.com": "not the right one", "weak@example.com": WEAK}))
    assert registered == ["not the right one", WEAK]


def test_an_option_that_is_not_known(site: Site) -> None:
    assert "Unsupported parameters" in site.refusal(password="x")


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
    result = site.adopt(config_directory=folder, check=check)
    assert actions(result) == dict.fromkeys(PASSWORDS, "created")
    assert len(result["credentials"]) == len(PASSWORDS), "the same login in two maps is one"
    kind, unread = result["unread"]
    assert kind == "a map of type mysql"
    assert unread.startswith(f"{missing}: ")
    assert site.store.exists() is not check
    if not check:
        assert {login: entry["current"] for login, entry in site.stored().items()} == PASSWORDS


@needs_postfix
def test_no_password_of_another_provider_reaches_the_smarthost(site: Site) -> None:
    maps = site.directory / "sasl"
    lines = [f"{key} web@example.com:{PASSWORDS['web@example.com']}\n" for key in ("[smtp.else.test]:587", "else.test")]
    maps.write_text("".join(lines) + "[smtp.else.test]:465 mail@else.test:word\n", encoding="utf-8")
    result = site.adopt(config_directory=site.postfix(f"hash:{maps}"))
    assert (result["credentials"], site.emulator.auths()) == ([], [])
    assert result["unread"] == [
        f"{maps}: a login at {server}, which is not the smarthost localhost"
        for server in ("smtp.else.test", "else.test")
    ]


@needs_postfix
def test_a_postfix_without_maps_has_nothing_to_adopt(site: Site) -> None:
    assert site.adopt(config_directory=site.postfix("")) == {"changed": False, "credentials": [], "unread": []}


@needs_postfix
@pytest.mark.parametrize("check", [False, True])
def test_a_host_where_postconf_fails(site: Site, check: bool) -> None:
    nowhere = str(site.directory / "nowhere")
    message = site.refusal(config_directory=nowhere, check=check)
    assert message.startswith("postconf fails on localhost: postconf: fatal: ")
    assert nowhere in message
    assert message.endswith("; mend its Postfix, and run again")
    assert not site.store.exists()


def test_a_host_where_postconf_says_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{site.directory}:{os.environ['PATH']}")
    program = site.directory / "postconf"
    program.write_text("#!/bin/sh\nexit 2\n", encoding="utf-8")
    program.chmod(0o755)
    message = site.refusal()
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
    assert site.refusal() == (
        "localhost has no program postconf in the path of this task's user, so no Postfix was found; leave the host "
        "out, or use become where that finds it"
    )
    assert not site.store.exists()


@needs_postfix
def test_without_a_directory_postfix_chooses_its_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = site.directory / "sasl"
    maps.write_text(f"localhost mail@example.com:{PASSWORDS['mail@example.com']}\n", encoding="utf-8")
    monkeypatch.setenv("MAIL_CONFIG", site.postfix(f"hash:{maps}"))  # what Postfix takes instead of /etc/postfix
    assert actions(site.adopt()) == {"mail@example.com": "created"}
