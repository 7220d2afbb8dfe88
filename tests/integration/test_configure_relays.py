# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook configure_relays on several mail servers: a new login is tried once, one mail server comes first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.support.emulator import Emulator
from tests.support.playbook import OUT_OF_REACH, PlaybookRun, ansible_environment, inventory_file, run_playbook
from tests.support.postfix import ScratchPostfix, make_older
from tests.support.relay import LOGIN, snapshot
from tests.support.sink import authority_file

pytestmark = pytest.mark.root
WRONG = "Mistyped-Horse-42"


class Site:
    """Three mail servers that send elsewhere. Their Postfix does not run, as nothing here is about mail."""

    def __init__(self, folder: Path, vendor: Emulator, relays: list[ScratchPostfix]) -> None:
        self.folder = folder
        self.vendor = vendor
        self.relays = relays
        self.shared: dict[str, Any] = {
            "outgoing_mail_login": LOGIN["default_login"],
            "outgoing_mail_password": LOGIN["default_password"],
        }
        self.hosts: dict[str, dict[str, Any]] = {}

    def run(self, *arguments: str, **environment: str) -> PlaybookRun:
        """Run the playbook, and start to count afresh before."""
        inventory = inventory_file(self.folder / "inventory.yml", self.vendor, *self.relays, **self.shared)
        content = yaml.safe_load(inventory.read_text(encoding="utf-8"))
        for name, variables in self.hosts.items():
            content["all"]["children"]["mail_relays"]["hosts"].setdefault(name, {}).update(variables)
        inventory.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        self.vendor.reset_counters()
        for relay in self.relays:
            make_older(relay.config_directory / "main.cf")
        environment = {**ansible_environment(self.folder / "build"), **environment}
        run = run_playbook("smarthost.spamexperts.configure_relays", ["-i", str(inventory), *arguments], environment)
        for secret in (WRONG, LOGIN["default_password"]):
            assert secret not in run.output
        return run

    @property
    def auths(self) -> tuple[int, int]:
        """How often somebody has logged in since the last run began, and how often in vain."""
        counters = self.vendor.counters()
        return counters["auths"] - counters["auths_refused"], counters["auths_refused"]

    def files(self) -> list[Any]:
        return [snapshot(relay.config_directory) for relay in self.relays]

    def set_up(self) -> list[bool]:
        """Which of them send through the smarthost."""
        return ["localhost" in relay.parameters().get("relayhost", "") for relay in self.relays]


@pytest.fixture
def site(tmp_path: Path, vendor: Emulator) -> Iterator[Site]:
    relays = [ScratchPostfix({"relayhost": "[127.0.0.1]:9"}) for _number in range(3)]
    yield Site(tmp_path, vendor, relays)
    for relay in relays:
        relay.close()


def test_a_wrong_password_is_tried_once_and_no_mail_server_is_touched(site: Site) -> None:
    site.shared["outgoing_mail_password"] = WRONG
    before = site.files()
    run = site.run("-vvv")
    assert run.returncode != 0
    assert site.auths == (0, 1)
    assert site.files() == before
    assert "The login server@example.com was refused: " in run.output
    assert "It was tried once, by the controller; this mail server was left as it is" in run.output
    assert "mail1 was to be set up first, alone, and was not, see above; this mail server was left" in run.output
    assert {host: counts["failed"] for host, counts in run.recap().items()} == {
        "localhost": 0,
        "mail1": 1,
        "mail2": 1,
        "mail3": 1,
    }


def test_a_new_login_is_proven_from_the_controller_and_then_from_each_host(site: Site) -> None:
    run = site.run("-vvv")
    assert run.returncode == 0, run.output
    assert site.set_up() == [True, True, True]
    assert site.auths == (4, 0)
    first, others = (
        re.findall(r"changed: \[(\w+)\]", part) for part in run.output.split("Configure Postfix for the smarthost]")[1:]
    )
    assert (first, sorted(others)) == (["mail1"], ["mail2", "mail3"])

    at_rest = site.run()
    assert (at_rest.returncode, at_rest.changed()) == (0, 0), at_rest.output
    assert site.auths == (3, 0), "nothing is new"

    # One of two new ones is wrong: that mail server alone is left as it is.
    before = site.files()
    site.vendor.seed(users=[{"domain": "example.com", "username": "other", "password": "Right-Horse-42"}])
    own = {"outgoing_mail_login": "other@example.com", "outgoing_mail_password": "Right-Horse-42"}
    site.hosts = {"mail2": own, "mail3": {"outgoing_mail_password": WRONG}}
    run = site.run(ANSIBLE_ANY_ERRORS_FATAL="true")
    assert run.returncode != 0
    assert site.auths == (1 + 2, 1)
    assert [counts["failed"] for _host, counts in sorted(run.recap().items())] == [0, 0, 0, 1]
    after = site.files()
    assert (after[0] == before[0], after[1] == before[1], after[2] == before[2]) == (True, False, True)

    # It comes first now, as its login is new, and the others are not touched.
    site.hosts = {"mail3": {"outgoing_mail_password": WRONG}, "mail2": {**own, "outgoing_mail_concurrency": 4}}
    run = site.run()
    assert (site.auths, site.files()) == ((0, 1), after)
    assert "mail3 was to be set up first" in run.output

    away = site.run("-e", "outgoing_mail_state=absent")
    assert away.returncode == 0, away.output
    assert site.auths == (0, 0)


def test_the_first_mail_server_proves_what_the_controller_cannot(site: Site) -> None:
    """The controller does not trust the smarthost here; it could as well be behind a firewall."""
    site.shared["spamexperts_smarthost_ca_path"] = authority_file(trustme.CA(), site.folder)
    site.shared["outgoing_mail_password"] = WRONG
    before = site.files()
    run = site.run()
    assert run.returncode != 0
    assert site.auths == (0, 1)
    assert site.files() == before
    assert "mail1 was to be set up first" in run.output

    site.shared["outgoing_mail_password"] = LOGIN["default_password"]
    run = site.run()
    assert run.returncode == 0, run.output
    assert site.set_up() == [True, True, True]
    assert site.auths == (1 + 2, 0), "the first one before its switch, and the others afterwards"


@pytest.mark.slow
def test_the_others_are_left_where_the_first_fails_and_no_longer_than_that(site: Site) -> None:
    (site.relays[0].config_directory / "smarthost_passwords").write_text("theirs\n")
    before = site.files()
    # Who cannot be looked at is nobody's first.
    site.hosts = {"mail0": OUT_OF_REACH, "mail1": {}}
    run = site.run()
    assert run.returncode != 0
    assert site.files() == before
    assert "smarthost_passwords exists and is not ours" in run.output
    assert "leave it out with --limit" in run.output
    run = site.run("--limit", "mail2,mail3", "--check")
    assert run.returncode == 0, run.output
    assert site.files() == before
    run = site.run("--limit", "mail2,mail3")
    assert run.returncode == 0, run.output
    assert site.set_up() == [False, True, True]
