# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook of a rotation does itself, with one real Postfix on this machine.

What is decided is in tests/unit/test_rotation_choices.py; what needs several hosts is in test_rotation.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from tests.support import site as common
from tests.support.documentation import guide_blocks
from tests.support.emulator import Emulator
from tests.support.playbook import inventory_file
from tests.support.postfix import ScratchPostfix
from tests.support.site import VAULT_PASSWORD, from_store
from tests.support.store import write_store

pytestmark = pytest.mark.root

NAME = "web1@example.com"
BEFORE = "the password from before"


class Site(common.Site):
    """One mail server whose login is in a store."""

    def __init__(self, folder: Path, emulator: Emulator, relay: ScratchPostfix) -> None:
        super().__init__(folder, emulator, folder / "inventory.yml")
        self.relay = relay
        self.environment["ANSIBLE_PYTHON_INTERPRETER"] = sys.executable
        variables = {
            "spamexperts_credential_store": str(self.store),
            "outgoing_mail_login": from_store(NAME, "login"),
            "outgoing_mail_password": from_store(NAME),
        }
        inventory_file(self.inventory, emulator, relay, **variables)
        self.seed()
        self.fill_store({NAME: BEFORE})
        self.succeed("configure_relays")

    def seed(self, *names: str) -> None:
        """Have web1, and these, at the vendor."""
        users = [{"domain": "example.com", "username": name, "password": BEFORE} for name in ("web1", *names)]
        self.emulator.seed(users=users)

    def with_hosts(self, **groups: dict[str, dict[str, Any]]) -> list[str]:
        """The arguments for an inventory that has these hosts as well, by their groups."""
        more = self.folder / "more.yml"
        content = {group: {"hosts": hosts} for group, hosts in groups.items()}
        more.write_text(yaml.safe_dump(content), encoding="utf-8")
        return ["-i", str(more)]


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
    site.seed()
    return site


def is_untouched(site: Site) -> bool:
    """Whether nobody has asked the vendor, nor changed the store."""
    return site.emulator.requests() == [] and site.stored() == {NAME: {"login": NAME, "current": BEFORE}}


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
def test_a_login_of_another_rotation_is_left_alone(site: Site) -> None:
    other = "web2@example.com"
    site.seed("web2")
    site.fill_store({other: BEFORE})
    site.change_store(state="staged", names=[other])
    logins = [{"login": other, "password": from_store(other), "senders": [other]}]
    site.succeed("configure_relays", outgoing_mail_logins=logins)
    rotation = site.described({"everything": False, "logins": [NAME]})
    run = site.succeed("rotate_credentials", spamexperts_rotation=rotation, outgoing_mail_logins=logins)
    # Beside would lie the password that the vendor does not know.
    assert "Make the tables with the next passwords, and look them up" not in run.output
    for sender in (NAME, other):
        site.relay.inject(sender, "someone@elsewhere.example")
    site.relay.wait_until_empty()
    assert len(site.emulator.mails()) == 2
    assert site.emulator.counters()["auths_refused"] == 0
    assert site.stored()[other]["current"] == BEFORE
    assert "next" in site.stored()[other]


# What stops the start


@pytest.mark.parametrize("playbook", ["rotate_credentials", "rotation_status"])
def test_a_store_that_is_not_there(site: Site, playbook: str) -> None:
    nowhere = site.folder / "nowhere.yml"
    run = site.run(playbook, spamexperts_credential_store=str(nowhere), spamexperts_rotation={"everything": True})
    assert run.returncode == 2
    assert f"There is no credential store at {nowhere}" in run.output
    assert list(site.folder.glob("*nowhere*")) == [], "nor a lock for it"


def test_logins_that_cannot_be_read_stop_the_start(site: Site) -> None:
    """In the variables of a mail server, and of a host with Thunderbird, whatever else is wrong with its name."""
    unknown = from_store("nobody@example.com", "login")
    people = {"outgoing_mail_thunderbird_people": [{"login": unknown}]}
    clients = {"desk": people, "localhost": {}}
    run = site.rotate(*site.with_hosts(mail_relays={"mail1": {"outgoing_mail_login": unknown}}, mail_clients=clients))
    assert run.returncode == 2
    for message in (
        "mail1: its logins could not be read",
        "desk: its logins could not be read",
        "A host with Thunderbird is called localhost",
    ):
        assert message in run.output, run.output
    assert site.emulator.counters()["writes"] == 0
    # Each job of AWX has another host name, and cannot see whether the run that kept the store is gone.
    assert site.store.with_name(f".{site.store.name}.lock").read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("limit", ["mail1,localhost", "desk"])
def test_a_limit_is_refused(site: Site, limit: str) -> None:
    """It would hide who uses a login; without localhost a run would even end well, with nothing done."""
    run = site.rotate(*site.with_hosts(mail_clients={"desk": {}}), "--limit", limit)
    assert run.returncode == 2, run.output
    assert f"This run is limited to {limit}, and might miss hosts that use a login" in run.output
    assert is_untouched(site)


def test_a_controller_that_has_another_name(site: Site) -> None:
    run = site.rotate(*site.with_hosts(mail_clients={"127.0.0.1": {}}))
    assert run.returncode == 2
    assert "The inventory calls the controller 127.0.0.1; add a host localhost to it" in run.output


def test_a_mail_server_that_would_keep_the_old_password(site: Site) -> None:
    """As after an onboarding: its own tables have the login, and its variables do not."""
    run = site.rotate("-e", json.dumps({"outgoing_mail_login": ""}))
    assert run.returncode == 2
    assert f"mail1 sends with {NAME}, which its variables do not name" in run.output
    assert site.emulator.counters()["writes"] == 0


# The state of the store


def test_where_rotations_stand(site: Site) -> None:
    login = {"login": NAME, "current": BEFORE}
    staged = {**login, "next_login": NAME, "next": "the next password", "in_use": "current"}
    switched = {**staged, "in_use": "next"}
    leaked = {**switched, "locked": "yes", "leaked": "yes"}
    credentials = {"web1": login, "staged": staged, "switched": switched, "leaked": leaked}
    write_store(site.store, VAULT_PASSWORD, credentials)
    output = site.succeed("rotation_status").output
    for line in (
        "Credentials in no rotation: 1.",
        "staged has a next password, and the vendor may know it or not",
        "switched has its next password at the vendor, but not on every mail server",
        "switched can be rolled back instead, with roll_back: true.",
        "leaked cannot be rolled back, as its password from before has leaked.",
        f"{NAME} was to be locked at the vendor by the rotation",
    ):
        assert line in output


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
    """Of the new password, and of the old one after the way back."""
    (block,) = [block for block in guide_blocks() if "X-Vault-Token" in block.text]
    tasks = site.folder / "vault.yml"
    tasks.write_text(block.text, encoding="utf-8")
    given = ["-vvvv", "-e", json.dumps({"vault_address": vault.address, "vault_token": "a token"})]
    path = f"/v1/secret/data/smarthost/{NAME}"

    vault.sealed = True
    assert site.rotate(*given, store_tasks=str(tasks)).returncode == 2
    (entry,) = site.report()["credentials"]
    assert (entry["outcome"], entry["handed_over"], entry["hosts"]["mail1"]["state"]) == ("pending", False, "active")
    following = site.stored()[NAME]["next"]

    vault.sealed = False
    run = site.rotate(*given, store_tasks=str(tasks))
    assert run.returncode == 0, run.output
    assert vault.secrets == {path: {"login": NAME, "password": following}}
    former = {"former": BEFORE, "former_login": NAME}
    assert site.stored() == {NAME: {"login": NAME, "current": following, **former}}

    # The third login is that of the mail server with its new password, after the check beforehand and the controller's.
    refusal = {"match": "smtp:auth", "kind": "smtp_reply", "text": "535 Incorrect authentication data"}
    site.emulator.faults({**refusal, "skip": 2, "times": 1})
    assert site.rotate(*given, store_tasks=str(tasks)).returncode == 2
    assert site.outcomes() == {NAME: "rolled_back"}
    assert vault.secrets == {path: {"login": NAME, "password": following}}


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
    assert is_untouched(site)
