# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choices of a rotation, with one real Postfix on this machine; what needs several hosts is in test_rotation."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from tests import ROOT
from tests.support.documentation import guide_blocks
from tests.support.emulator import Emulator
from tests.support.playbook import OUT_OF_REACH, PlaybookRun, ansible_environment, inventory_file, run_playbook
from tests.support.postfix import ScratchPostfix
from tests.support.store import read_store

pytestmark = pytest.mark.root

ROTATE = "smarthost.spamexperts.rotate_credentials"
NAME = "web1@example.com"
PAIR = {NAME: [NAME, "web1-b@example.com"]}
LOOKUP = "{{{{ lookup('smarthost.spamexperts.credential', '{name}', part='{part}') }}}}"
BEFORE = "the password from before"
VAULT_PASSWORD = "the vault's own password"


class Site:
    """One mail server whose login is in a store."""

    def __init__(self, folder: Path, emulator: Emulator, relay: ScratchPostfix) -> None:
        self.folder = folder
        self.emulator = emulator
        self.relay = relay
        self.store = folder / "store.yml"
        self.report_file = folder / "report.json"
        self.environment = {**ansible_environment(folder), "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
        (folder / "vault").write_text(f"{VAULT_PASSWORD}\n", encoding="utf-8")
        variables = {
            "spamexperts_credential_store": str(self.store),
            "outgoing_mail_login": LOOKUP.format(name=NAME, part="login"),
            "outgoing_mail_password": LOOKUP.format(name=NAME, part="password"),
            "spamexperts_accounts": {"default": {**emulator.connection, "use_discovered_methods": True, "retries": 0}},
        }
        self.inventory = inventory_file(folder / "inventory.yml", emulator, relay, **variables)
        emulator.seed(users=[{"domain": "example.com", "username": "web1", "password": BEFORE}])
        credential = {"name": NAME, "password": BEFORE}
        self.play({"smarthost.spamexperts.credential_store": {"path": str(self.store), "credentials": [credential]}})
        run = self.run("smarthost.spamexperts.configure_relays")
        assert run.returncode == 0, run.output

    def play(self, *tasks: dict[str, Any]) -> None:
        """Run tasks on the controller."""
        book = self.folder / "play.yml"
        book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]))
        run = self.run(str(book))
        assert run.returncode == 0, run.output

    def run(self, playbook: str, *arguments: str, **variables: Any) -> PlaybookRun:
        """Run a playbook; nothing of what it prints may be a password of the store."""
        given = self.folder / "variables.yml"
        given.write_text(yaml.safe_dump(variables), encoding="utf-8")
        common = ["-i", str(self.inventory), f"--vault-password-file={self.folder / 'vault'}", "-e", f"@{given}"]
        run = run_playbook(playbook, [*common, *arguments], self.environment)
        for entry in self.stored().values():
            assert all(entry[part] not in run.output for part in ("current", "next") if part in entry)
        return run

    def rotate(self, *arguments: str, **rotation: Any) -> PlaybookRun:
        """Run the rotation of everything."""
        common = {"everything": True, "report": str(self.report_file), "store_is_kept": True}
        return self.run(ROTATE, *arguments, spamexperts_rotation={**common, **rotation})

    def stored(self) -> dict[str, dict[str, str]]:
        """What the store holds; nothing where there is none yet."""
        return read_store(self.store, VAULT_PASSWORD) if self.store.exists() else {}

    def report(self) -> dict[str, Any]:
        """The report of the last run."""
        data: dict[str, Any] = json.loads(self.report_file.read_text(encoding="utf-8"))
        return data

    def users(self) -> dict[str, dict[str, Any]]:
        """The outgoing users at the vendor, by username."""
        return {user["username"]: user for user in self.emulator.users()}


@pytest.fixture(scope="module")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ScratchPostfix() as relay, Emulator() as vendor:
        made = Site(tmp_path_factory.mktemp("site"), vendor, relay)
        shutil.copytree(relay.config_directory, made.folder / "postfix")
        shutil.copy(made.store, made.folder / "store")
        yield made


@pytest.fixture
def site(whole_site: Site) -> Site:
    """The site as it was set up."""
    site = whole_site
    shutil.copytree(site.folder / "postfix", site.relay.config_directory, dirs_exist_ok=True)
    shutil.copy(site.folder / "store", site.store)
    site.report_file.unlink(missing_ok=True)
    site.relay.clean()
    site.emulator.reset()
    site.emulator.seed(users=[{"domain": "example.com", "username": "web1", "password": BEFORE}])
    return site


# A second login


def test_nobody_moves_to_a_login_that_may_not_send(site: Site) -> None:
    refusal = "550 Sender verify failed"
    site.emulator.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": refusal})
    run = site.rotate(strategy="alternate", alternates=PAIR)
    assert run.returncode == 2
    assert f"localhost takes the login, but not mail of {NAME}: {refusal}" in run.output
    (entry,) = site.report()["credentials"]
    assert (entry["outcome"], entry["reason"]) == (
        "not_changed",
        f"localhost takes the login, but not mail of {NAME}: {refusal}",
    )
    assert "switched" not in site.stored()[NAME]
    assert {auth["login"] for auth in site.emulator.auths() if auth["ok"]} == {NAME, PAIR[NAME][1]}
    assert NAME in (site.relay.config_directory / "smarthost_passwords").read_text(), "the mail server has not moved"
    assert site.emulator.mails() == []


@pytest.mark.slow
def test_the_way_back_from_a_login_that_may_not_send(site: Site) -> None:
    site.emulator.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "550 Sender verify failed"})
    assert site.rotate(strategy="alternate", alternates=PAIR).returncode == 2
    site.emulator.faults()
    assert site.rotate(roll_back=True).returncode == 0
    assert set(site.users()) == {"web1"}
    assert site.stored() == {NAME: {"login": NAME, "current": BEFORE}}
    assert site.emulator.mails() == []


@pytest.mark.parametrize("arguments", [[], pytest.param(["--check"], marks=pytest.mark.slow)], ids=["run", "check"])
def test_a_second_login_that_is_locked_stops_the_start(site: Site, arguments: list[str]) -> None:
    locked = {"domain": "example.com", "username": "web1-b", "password": "of the second one", "locked": 1}
    site.emulator.seed(users=[locked])
    writes, store = site.emulator.counters()["writes"], site.store.read_bytes()
    run = site.rotate(*arguments, strategy="alternate", alternates=PAIR)
    assert run.returncode == 2
    assert "Nothing was changed. web1@example.com: the second login web1-b@example.com is locked" in run.output
    assert (site.emulator.counters()["writes"], site.store.read_bytes()) == (writes, store)


# The password has leaked


def sent(emulator: Emulator) -> list[str]:
    """What was written at the API since the last reset of the record, in order."""
    calls = [path for entry in emulator.requests() if (path := str(entry["path"]))]
    names = ("lock", "setpassword", "unlock", "add", "remove")
    return [name for path in calls for name in names if f"outgoingusers/{name}/" in path]


def test_a_login_is_locked_until_it_has_its_new_password(site: Site) -> None:
    """The report counts the mail that had to wait; it may be named from where the run is started."""
    site.emulator.faults({"match": "outgoingusers/unlock", "kind": "latency", "seconds": 3, "times": 1})
    stop = threading.Event()
    queued: list[str] = []

    def send() -> None:
        while not stop.wait(0.2):
            queued.append(site.relay.inject(NAME, "someone@elsewhere.example"))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        run = site.rotate(emergency=True, emergency_action="lock", report=os.path.relpath(site.report_file))
    finally:
        stop.set()
        sender.join()
    assert run.returncode == 0, run.output
    site.relay.wait_until_empty()
    assert sent(site.emulator) == ["lock", "setpassword", "unlock"]
    assert site.users()["web1"]["locked"] == 0
    assert set(site.stored()[NAME]) == {"login", "current"}
    assert len(site.emulator.mails()) == len(queued)
    mail = site.report()["credentials"][0]["hosts"]["mail1"]["mail"]
    assert mail["deferred"] > 3
    assert mail == {"deferred": mail["deferred"], "delivered": mail["deferred"], "returned": 0, "waiting": 0}
    assert f"{mail['deferred']} mails were deferred: {mail['deferred']} delivered" in run.output


@pytest.mark.slow
def test_a_lock_that_cannot_be_undone_is_undone_by_the_next_run(site: Site) -> None:
    site.emulator.faults({"match": "outgoingusers/unlock", "kind": "status", "code": 503})
    run = site.rotate(emergency=True, emergency_action="lock")
    assert run.returncode == 2
    (entry,) = site.report()["credentials"]
    assert (entry["outcome"], entry["locked"]) == ("pending", True)
    assert f"{NAME} is locked at the vendor, and stays so until a run has finished" in run.output
    assert (site.stored()[NAME]["in_use"], site.stored()[NAME]["locked"]) == ("next", "yes")
    status = site.run("smarthost.spamexperts.rotation_status")
    assert f"{NAME} was to be locked at the vendor by the rotation" in status.output
    site.emulator.faults()
    assert site.rotate().returncode == 0, "without the emergency"
    assert site.users()["web1"]["locked"] == 0
    assert site.report()["credentials"][0]["outcome"] == "committed"


@pytest.mark.slow
def test_a_second_login_that_a_mail_server_cannot_use_is_removed(site: Site) -> None:
    # The mail server's own login before the change, the second login from the controller when it is made and with its
    # senders, and from the mail server.
    refusal = {"match": "smtp:auth", "kind": "smtp_reply", "text": "535 Incorrect authentication data"}
    site.emulator.faults({**refusal, "skip": 3, "times": 1})
    run = site.rotate(strategy="alternate", alternates=PAIR)
    assert run.returncode == 2
    assert site.report()["credentials"][0]["outcome"] == "rolled_back"
    assert set(site.users()) == {"web1"}
    assert site.stored() == {NAME: {"login": NAME, "current": BEFORE}}


@pytest.mark.slow
def test_the_first_of_two_logins_is_locked_until_it_is_removed(site: Site) -> None:
    site.emulator.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": "550 Sender verify failed"})
    run = site.rotate(strategy="alternate", alternates=PAIR, emergency=True, emergency_action="lock")
    assert run.returncode == 2
    assert site.users()["web1"]["locked"] == 1
    assert site.report()["credentials"][0]["locked"] is True
    run = site.rotate(roll_back=True)
    assert run.returncode == 2
    assert f"{NAME}: its password from before has leaked" in run.output
    assert site.users()["web1"]["locked"] == 1
    assert site.stored()[NAME]["leaked"] == "yes"
    site.emulator.faults()
    run = site.rotate(strategy="alternate", alternates=PAIR, emergency=True, emergency_action="lock")
    assert run.returncode == 0, run.output
    assert {name: user["locked"] for name, user in site.users().items()} == {"web1-b": 0}
    assert sent(site.emulator) == ["lock", "add", "remove"], "it is locked already"


@pytest.mark.slow
def test_what_is_out_is_not_rolled_back_by_a_later_run_either(site: Site) -> None:
    refusal = {"match": "smtp:auth", "kind": "smtp_reply", "text": "535 Incorrect authentication data"}
    site.emulator.faults({**refusal, "skip": 1, "times": 1})  # from here it works, and the mail server is refused
    run = site.rotate(emergency=True)
    assert run.returncode == 2, run.output
    assert site.report()["credentials"][0]["outcome"] == "pending"
    assert run.output.count("Not everything is done: run the same again.") == 1
    assert site.stored()[NAME]["in_use"] == "next"
    status = site.run("smarthost.spamexperts.rotation_status")
    assert f"{NAME} cannot be rolled back, as its password from before has leaked." in status.output
    # The password is tried from here, then by the mail server.
    site.emulator.faults({**refusal, "skip": 1, "times": 1})
    assert site.rotate().returncode == 2
    assert site.report()["credentials"][0]["outcome"] == "pending"


@pytest.mark.slow
def test_an_emergency_that_only_finishes_a_rotation_says_so(site: Site) -> None:
    """The leaked password may be the new one, which every mail server has already."""
    for state in ("staged", "switched"):
        task = {"path": str(site.store), "state": state, "names": [NAME]}
        site.play({"smarthost.spamexperts.credential_store": task})
    following = site.stored()[NAME]["next"]
    site.emulator.set_password("example.com", "web1", following)
    run = site.rotate(emergency=True)
    assert run.returncode == 2
    assert site.stored() == {NAME: {"login": NAME, "current": following}}
    assert "if that is the one that has leaked, rotate it once more" in run.output
    assert f"Not everything is done, see the report: {NAME}." in run.output


# The way back


@pytest.mark.slow
def test_nothing_is_forgotten_before_the_mail_server_is_back(site: Site) -> None:
    # The check beforehand and both logins of the controller are taken; the mail server is refused with each password.
    refusal = {"match": "smtp:auth", "kind": "smtp_reply", "text": "535 Incorrect authentication data"}
    site.emulator.faults({**refusal, "skip": 2, "times": 1}, {**refusal, "skip": 3, "times": 1})
    run = site.rotate()
    assert run.returncode == 2
    assert site.report()["credentials"][0]["outcome"] == "rolling_back"
    assert f"{NAME} has its old password at the vendor again, but not on every mail server." in run.output
    stored = site.stored()[NAME]
    assert (stored["current"], stored["in_use"], "next" in stored) == (BEFORE, "current", True)
    status = site.run("smarthost.spamexperts.rotation_status")
    assert f"{NAME} can be rolled back instead, with roll_back: true." in status.output
    assert site.rotate(roll_back=True).returncode == 0
    assert site.report()["credentials"][0]["outcome"] == "rolled_back"
    assert site.stored() == {NAME: {"login": NAME, "current": BEFORE}}


@pytest.mark.slow
def test_a_first_login_that_is_gone_is_made_again(site: Site) -> None:
    site.emulator.call("outgoingusers/setlimits", domain="example.com", username="web1", limit_per_hour="777777")
    site.emulator.faults({"match": "outgoingusers/remove", "kind": "status", "code": 503, "times": None})
    run = site.rotate(strategy="alternate", alternates=PAIR)
    assert run.returncode == 2, run.output
    assert set(site.users()) == {"web1", "web1-b"}
    assert site.report()["credentials"][0]["outcome"] == "pending"
    assert f"{NAME} has its new password on every mail server, but is not finished." in run.output
    site.emulator.faults()
    # As after a call whose answer was lost, in a run that was then killed.
    site.emulator.call("outgoingusers/remove", domain="example.com", username="web1")
    run = site.rotate(roll_back=True)
    assert run.returncode == 0, run.output
    (user,) = site.users().values()
    assert (user["username"], user["limit_per_hour"]) == ("web1", 777777)
    assert site.stored() == {NAME: {"login": NAME, "current": BEFORE}}
    site.relay.inject(NAME, "someone@elsewhere.example")
    site.relay.wait_until_empty()
    assert len(site.emulator.mails()) == 1


@pytest.mark.slow
def test_a_false_alarm_is_taken_back_as_the_guide_says(site: Site) -> None:
    site.emulator.faults({"match": "outgoingusers/setpassword", "kind": "status", "code": 503, "times": None})
    run = site.rotate(emergency=True, emergency_action="lock")
    assert run.returncode == 2
    assert site.users()["web1"]["locked"] == 1
    guide = " ".join((ROOT / "docs" / "rotation.md").read_text(encoding="utf-8").split())
    (words,) = re.findall(r"take `(, \"leaked\": .+?)` out", guide)
    edit = site.folder / "edit"
    edit.write_text(f"#!/bin/sh\nexec sed -i 's/{words}//' \"$1\"\n", encoding="utf-8")
    edit.chmod(0o700)
    vault = Path(sys.executable).with_name("ansible-vault")
    command = [str(vault), "edit", f"--vault-password-file={site.folder / 'vault'}", str(site.store)]
    subprocess.run(command, env={**site.environment, "EDITOR": str(edit)}, check=True, capture_output=True)
    assert "leaked" not in site.stored()[NAME]
    site.emulator.faults()
    run = site.rotate(roll_back=True)
    assert run.returncode == 0, run.output
    assert site.users()["web1"]["locked"] == 0
    assert site.stored() == {NAME: {"login": NAME, "current": BEFORE}}


# What else a mail server uses


@pytest.mark.slow
def test_a_login_of_another_rotation_is_left_alone(site: Site) -> None:
    other = "web2@example.com"
    site.emulator.seed(users=[{"domain": "example.com", "username": "web2", "password": BEFORE}])
    store = {"path": str(site.store)}
    site.play(
        {"smarthost.spamexperts.credential_store": {**store, "credentials": [{"name": other, "password": BEFORE}]}},
        {"smarthost.spamexperts.credential_store": {**store, "state": "staged", "names": [other]}},
    )
    entry = {
        "login": other,
        "password": LOOKUP.format(name=other, part="password"),
        "senders": [other],
    }
    variables = {"outgoing_mail_logins": [entry]}
    assert site.run("smarthost.spamexperts.configure_relays", **variables).returncode == 0
    rotation = {"logins": [NAME], "report": str(site.report_file), "store_is_kept": True}
    run = site.run(ROTATE, spamexperts_rotation=rotation, **variables)
    assert run.returncode == 0, run.output
    # Beside would lie the password that the vendor does not know.
    assert "Make the tables with the next passwords, and look them up" not in run.output
    for sender in (NAME, other):
        site.relay.inject(sender, "someone@elsewhere.example")
    site.relay.wait_until_empty()
    assert len(site.emulator.mails()) == 2
    assert site.emulator.counters()["auths_refused"] == 0
    assert site.stored()[other]["current"] == BEFORE
    assert "next" in site.stored()[other]


# The store


def test_a_store_that_is_not_there(site: Site) -> None:
    nowhere = site.folder / "nowhere.yml"
    for playbook in (ROTATE, "smarthost.spamexperts.rotation_status"):
        run = site.run(playbook, spamexperts_credential_store=str(nowhere), spamexperts_rotation={"everything": True})
        assert run.returncode == 2
        assert f"There is no credential store at {nowhere}; correct the variable" in run.output
        run = site.run(playbook, spamexperts_credential_store="", spamexperts_rotation={"everything": True})
        assert run.returncode == 2
        assert "The credential store is not named; set the variable" in run.output
    assert list(site.folder.glob(".nowhere*")) == []


def test_a_report_that_cannot_be_written_stops_the_start(site: Site) -> None:
    run = site.rotate(report=str(site.folder / "nowhere" / "report.json"))
    assert run.returncode == 2
    assert "nowhere/report.json is not there; make it, or correct spamexperts_rotation.report." in run.output
    assert site.emulator.requests() == []


UNKNOWN = LOOKUP.format(name="nobody@example.com", part="login")


@pytest.mark.parametrize(
    ("fault", "rotation", "hosts", "message"),
    [
        pytest.param(
            {"match": "help", "kind": "status", "code": 401, "times": None},
            {},
            {},
            "check api_username",
            marks=pytest.mark.slow,
        ),
        (None, {"logins": ["nobody@example.com"], "everything": False}, {}, "is not in the credential store"),
        (
            {"match": "smtp:auth", "kind": "smtp_reply", "text": "535 No", "times": None},
            {},
            {},
            "A login that is refused has another password at the vendor than in the credential store",
        ),
        (None, {}, {"mail_relays": {"mail1": {"outgoing_mail_login": UNKNOWN}}}, "mail1: its logins could not be read"),
        (
            None,
            {},
            {"mail_clients": {"desk": {"outgoing_mail_thunderbird_people": [{"login": UNKNOWN}]}}},
            "desk: its logins could not be read",
        ),
        (None, {}, {"mail_clients": {"localhost": {}}}, "A host with Thunderbird is called localhost"),
    ],
    ids=["the API", "the plan", "a mail server", "its variables", "variables of a client", "the controller"],
)
def test_a_run_that_stops_lets_other_machines_have_the_store(
    site: Site, fault: dict[str, Any] | None, rotation: dict[str, Any], hosts: dict[str, Any], message: str
) -> None:
    """Each job of AWX has another host name, and cannot see whether the run that kept the store is gone."""
    lock = site.store.with_name(f".{site.store.name}.lock")
    site.emulator.faults(*([fault] if fault else []))
    lock.unlink(missing_ok=True)
    more = site.folder / "more.yml"
    more.write_text(yaml.safe_dump({group: {"hosts": members} for group, members in hosts.items()}), encoding="utf-8")
    run = site.rotate(*(["-i", str(more)] if hosts else []), **rotation)
    assert run.returncode == 2
    assert message in run.output, run.output
    assert lock.read_text(encoding="utf-8") == ""
    assert site.stored()[NAME]["current"] == BEFORE
    assert site.emulator.counters()["writes"] == 0


@pytest.mark.parametrize(("limit", "emergency"), [("mail1", True), ("mail1,localhost", False), ("desk", False)])
def test_a_limit_is_refused(site: Site, limit: str, emergency: bool) -> None:
    """It would hide who uses a login; without localhost a run would even end well, with nothing done."""
    more, lock = site.folder / "more.yml", site.store.with_name(f".{site.store.name}.lock")
    more.write_text(yaml.safe_dump({"mail_clients": {"hosts": {"desk": {}}}}), encoding="utf-8")
    lock.unlink(missing_ok=True)
    store = site.store.read_bytes()
    run = site.rotate("-i", str(more), "--limit", limit, emergency=emergency)
    assert run.returncode == 2, run.output
    assert f"This run is limited to {limit}, and might miss hosts that use a login" in run.output
    assert (site.store.read_bytes(), lock.exists(), site.report_file.exists()) == (store, False, False)
    assert site.emulator.requests() == []


def test_a_mail_server_that_would_keep_the_old_password(site: Site) -> None:
    """As after an onboarding: its own tables have the login, and its variables do not."""
    nothing = json.dumps({"outgoing_mail_login": ""})
    run = site.rotate("-e", nothing)
    assert run.returncode == 2
    assert f"No password was changed. mail1 sends with {NAME}, which its variables do not name" in run.output
    assert site.stored()[NAME] == {"login": NAME, "current": BEFORE}
    assert site.emulator.counters()["writes"] == 0
    # Strangers have the password: the mail server has to wait.
    assert site.rotate("-e", nothing, emergency=True).returncode == 0
    assert site.stored()[NAME]["current"] != BEFORE


def test_a_controller_that_has_another_name(site: Site) -> None:
    more = site.folder / "more.yml"
    more.write_text(yaml.safe_dump({"mail_clients": {"hosts": {"127.0.0.1": {}}}}), encoding="utf-8")
    run = site.rotate("-i", str(more))
    assert run.returncode == 2
    assert "The inventory calls the controller 127.0.0.1; add a host localhost to it" in run.output


# Another store


class Vault:
    """A key-value engine as HashiCorp Vault offers it over HTTP, as far as the guide uses it."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.sealed = False
        vault = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                right = self.headers["X-Vault-Token"] == "a token" and not vault.sealed
                if right:
                    vault.secrets[unquote(self.path)] = body["data"]
                self.send_response(200 if right else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def vault() -> Iterator[Vault]:
    made = Vault()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        thread.join()
        made.server.server_close()


@pytest.mark.slow
def test_another_store_is_told_as_the_guide_says(site: Site, vault: Vault) -> None:
    (block,) = [block for block in guide_blocks() if "X-Vault-Token" in block.text]
    tasks = site.folder / "vault.yml"
    tasks.write_text(block.text, encoding="utf-8")
    given = {"vault_address": vault.address, "vault_token": "a token"}
    path = f"/v1/secret/data/smarthost/{NAME}"

    vault.sealed = True
    run = site.rotate("-vvvv", "-e", json.dumps(given), store_tasks=str(tasks))
    assert run.returncode == 2
    (entry,) = site.report()["credentials"]
    assert (entry["outcome"], entry["handed_over"], entry["hosts"]["mail1"]["state"]) == ("pending", False, "active")
    assert "the other store may not know the password that is in use" in run.output
    following = site.stored()[NAME]["next"]

    vault.sealed = False
    run = site.rotate("-vvvv", "-e", json.dumps(given), store_tasks=str(tasks))
    assert run.returncode == 0, run.output
    assert vault.secrets == {path: {"login": NAME, "password": following}}
    former = {"former": BEFORE, "former_login": NAME}
    assert site.stored() == {NAME: {"login": NAME, "current": following, **former}}


@pytest.mark.slow
def test_another_store_is_told_of_the_way_back(site: Site, vault: Vault) -> None:
    (block,) = [block for block in guide_blocks() if "X-Vault-Token" in block.text]
    tasks = site.folder / "vault.yml"
    tasks.write_text(block.text, encoding="utf-8")
    given = json.dumps({"vault_address": vault.address, "vault_token": "a token"})
    # The third login is that of the mail server with its new password, after the check beforehand and the controller's.
    refusal = {"match": "smtp:auth", "kind": "smtp_reply", "text": "535 Incorrect authentication data"}
    site.emulator.faults({**refusal, "skip": 2, "times": 1})
    run = site.rotate("-e", given, store_tasks=str(tasks))
    assert run.returncode == 2
    assert site.report()["credentials"][0]["outcome"] == "rolled_back"
    assert vault.secrets == {f"/v1/secret/data/smarthost/{NAME}": {"login": NAME, "password": BEFORE}}
    assert site.stored() == {NAME: {"login": NAME, "current": BEFORE}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "There is no file /nowhere/vault.yml; correct spamexperts_rotation.store_tasks."),
        ("- name: Tell it\n  no.such.module:\n", "no.such.module"),
    ],
    ids=["missing", "unknown module"],
)
def test_tasks_for_another_store_that_cannot_run_stop_the_start(site: Site, text: str | None, message: str) -> None:
    tasks = Path("/nowhere/vault.yml") if text is None else site.folder / "vault.yml"
    if text is not None:
        tasks.write_text(text, encoding="utf-8")
    run = site.rotate(store_tasks=str(tasks))
    assert run.returncode != 0
    assert message in run.output
    assert site.stored() == {NAME: {"login": NAME, "current": BEFORE}}
    assert site.emulator.requests() == []


def test_a_mail_server_that_nobody_could_look_at_is_named(site: Site) -> None:
    more, away = site.folder / "more.yml", {**OUT_OF_REACH, "outgoing_mail_login": ""}
    more.write_text(yaml.safe_dump({"mail_relays": {"hosts": {"away": away}}}), encoding="utf-8")
    run = site.rotate("--check", "-i", str(more))
    assert run.returncode == 0, run.output
    assert re.search(r"These mail servers were not looked at; .* still has the old password: away", run.output)


def test_an_account_that_is_not_there(site: Site) -> None:
    run = site.rotate(account="office")
    assert run.returncode == 2
    assert "names the account office, but spamexperts_accounts does not have it" in run.output
    assert site.stored() == {NAME: {"login": NAME, "current": BEFORE}}


# A container


def test_nothing_is_rotated_where_the_store_would_be_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(site.environment, "AWX_PRIVATE_DATA_DIR", str(site.folder))
    store = site.store.read_bytes()
    run = site.rotate(store_is_kept=False)
    assert run.returncode == 2
    assert "This run is in a container, whose disk may be thrown away after it" in run.output
    assert f"Mount the folder of {site.store} from outside, and say so with store_is_kept: true." in run.output
    assert site.store.read_bytes() == store
    assert (site.emulator.counters()["writes"], site.emulator.requests()) == (0, [])
    assert not site.report_file.exists()
    # What would be done can be seen there.
    run = site.rotate("--check", store_is_kept=False)
    assert run.returncode == 0, run.output
    assert f"{NAME} would get a new password." in run.output
    assert site.store.read_bytes() == store
