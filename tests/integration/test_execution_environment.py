# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks in an execution environment as AWX uses one: with what the definition names, by ansible-runner."""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.fleet import AUTHORITY, SMARTHOST_NAME, Fleet, fleet_emulator, why_impossible
from tests.support.dns_server import dns_server
from tests.support.emulator import Emulator
from tests.support.execution_environment import (
    PROGRAMS,
    Controller,
    ExecutionEnvironment,
    answer,
    execution_environment,
    guide_block,
    job_templates,
    surveys,
    variables_of,
)
from tests.support.playbook import PlaybookRun

DOMAIN = "example.com"
LOGIN = "web1@example.com"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> ExecutionEnvironment:
    return execution_environment(tmp_path_factory.mktemp("environment"))


def requirements(name: str) -> list[str]:
    """The lines of a file of the collection that name something."""
    return [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


def test_ansible_builder_reads_from_the_artefact_what_the_collection_needs(
    environment: ExecutionEnvironment, tmp_path: Path
) -> None:
    assert environment.requirements == requirements("requirements.txt")
    assert environment.packages == requirements("bindep.txt")
    read = tmp_path / "bindep.txt"
    read.write_text("\n".join(environment.packages), encoding="utf-8")
    # The tests reach hosts over SSH as well, so that this machine has what is named.
    missing = subprocess.run(
        [PROGRAMS / "bindep", "--brief", "--file", read], capture_output=True, text=True, check=False
    )
    assert (missing.returncode, missing.stdout) == (0, "")


def test_ansible_builder_takes_the_definition_of_the_guide(tmp_path: Path) -> None:
    definition = tmp_path / "execution-environment.yml"
    definition.write_text(guide_block("ansible-builder reads it").text, encoding="utf-8")
    context = tmp_path / "context"
    command = ["create", "--output-filename=Containerfile", f"--file={definition}", f"--context={context}"]
    made = subprocess.run([PROGRAMS / "ansible-builder", *command], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "outdated" not in made.stdout + made.stderr
    assert "ansible-galaxy collection install" in (context / "Containerfile").read_text()
    assert yaml.safe_load((context / "_build" / "requirements.yml").read_text()) == {
        "collections": ["smarthost.spamexperts"]
    }


class Site:
    """One mail server, reached over SSH with the key that the machine credential holds."""

    def __init__(self, folder: Path, environment: ExecutionEnvironment, fleet: Fleet, emulator: Emulator) -> None:
        (self.host,) = fleet.hosts
        self.emulator = emulator
        inventory = yaml.safe_load(fleet.inventory.read_text(encoding="utf-8"))
        connection = inventory["all"]["children"]["mail_relays"]["vars"]
        del connection["ansible_ssh_private_key_file"]
        connection["ansible_ssh_common_args"] = connection["ansible_ssh_common_args"].replace(
            "-o IdentitiesOnly=yes", ""
        )
        # The controller is not in the hosts' network, whose names it does not know.
        inventory["all"]["vars"] = {
            "outgoing_mail_smarthost": fleet.emulator_address,
            "outgoing_mail_smarthost_port": emulator.smtp_port,
            "spamexperts_smarthost_ca_path": emulator.ca_file,
        }
        connection["outgoing_mail_smarthost"] = SMARTHOST_NAME
        connection["outgoing_mail_smarthost_ca_path"] = AUTHORITY
        self.controller = Controller(folder, environment, inventory)
        self.controller.account = {
            "url": emulator.api_url,
            "username": emulator.api_username,
            "password": emulator.api_password,
        }
        self.controller.private_key = (fleet.directory / "ssh_key").read_text(encoding="utf-8")
        self.controller.vault_password = secrets.token_urlsafe(18)
        self.controller.variables = {**fleet.ansible_environment, "SPAMEXPERTS_CA_PATH": emulator.ca_file}
        self.variables: dict[str, Any] = {
            "spamexperts_accounts": {"default": {"use_discovered_methods": True}},
            "spamexperts_credential_store": str(self.controller.store),
            "spamexperts_credential_vault_id": self.controller.vault_id,
        }
        self.declare("web1", "alice")
        self.ran: set[str] = set()
        fleet.trust(emulator.ca_file)

    def run(self, playbook: str, *options: str, **extra_variables: Any) -> PlaybookRun:
        """Run one that has nothing to complain of."""
        run = self.controller.run(playbook, *options, **self.variables, **extra_variables)
        assert run.returncode == 0, run.output
        self.ran.add(playbook)
        return run

    def declare(self, *usernames: str) -> None:
        """Describe a domain with these senders, the first of them the mail server itself."""
        senders = [{"username": name, "relay": name == usernames[0]} for name in usernames]
        text = yaml.safe_dump({"domain": "example.com", "senders": senders})
        self.controller.project = {"domains/example.com.yml": text}

    def onboard(self, *options: str) -> PlaybookRun:
        """Onboard the domain, with a store that is still there after the run."""
        return self.run("onboard_domain", *options, spamexperts_store_is_kept=True, **answer("onboard_domain", DOMAIN))

    def users(self) -> set[str]:
        """Who may send, as the vendor knows it."""
        return {user["username"] for user in self.emulator.users()}

    def mail_arrives(self, subject: str) -> bool:
        """Whether a mail of the server arrives under its login."""
        self.host.inject("web1@example.com", "somebody@example.net", subject)
        self.host.wait_until_empty()
        return ("web1@example.com", subject) in [(mail["login"], mail["subject"]) for mail in self.emulator.mails()]


@pytest.fixture(scope="module")
def site(environment: ExecutionEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if why_impossible():
        pytest.skip(why_impossible())
    with Fleet(1) as fleet, fleet_emulator(fleet) as emulator:
        yield Site(tmp_path_factory.mktemp("site"), environment, fleet, emulator)


@pytest.mark.root
def test_a_domain_is_onboarded_from_an_execution_environment(site: Site) -> None:
    run = site.onboard()
    assert run.recap()["h1"]["changed"] >= 1
    assert site.users() == {"web1", "alice"}
    assert site.mail_arrives("onboarded by a job")


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(900)  # twelve jobs, each of which has a time-out of its own
def test_every_job_template_runs_in_an_execution_environment(site: Site) -> None:
    site.onboard()
    assert site.onboard("--check").changed() == 0, "everything is there"
    assert site.controller.store.read_text().splitlines()[0].endswith(f";{site.controller.vault_id}")
    old = site.controller.stored()[LOGIN]["current"]
    assert "there before: 1" in site.run("import_site", spamexperts_describe=False).output
    assert site.run("configure_relays").changed() == 0

    rotation = {"everything": True, "report": str(site.controller.kept / "report.json")}
    writes = site.emulator.counters()["writes"]
    refused = site.controller.run("rotate_credentials", **site.variables, spamexperts_rotation=rotation)
    assert refused.returncode != 0
    assert "This run is in a container" in refused.output
    assert site.emulator.counters()["writes"] == writes
    site.run("rotate_credentials", spamexperts_rotation={**rotation, "store_is_kept": True})
    assert site.controller.stored()[LOGIN]["current"] != old
    assert site.mail_arrives("after the rotation")
    site.controller.check_secrets([site.controller.kept / "report.json"])
    assert "Credentials in no rotation: 2." in site.run("rotation_status").output

    pages = site.controller.kept / "handout"
    site.run("handout", spamexperts_handout_folder=str(pages), spamexperts_handout_passwords=True)
    (page,) = pages.iterdir()
    assert site.controller.stored()["alice@example.com"]["current"] in page.read_text(encoding="utf-8")

    folder = site.controller.kept / "thunderbird"
    site.run("thunderbird_autoconfig", spamexperts_thunderbird_folder=str(folder))
    assert b"alice@example.com" in (folder / "thunderbird.cfg").read_bytes()

    with dns_server() as names:
        place = {"spamexperts_nameservers": [names.host], "spamexperts_nameserver_port": names.port}
        site.run("audit", spamexperts_audit_folder=str(site.controller.kept / "audit"), **place)
    site.controller.check_secrets(list((site.controller.kept / "audit").iterdir()))

    night: dict[str, Any] = {"spamexperts_fail_on": ["drift"]}
    assert site.run("apply", "--check", "--diff", **night).changed() == 0
    site.declare("web1", "alice", "bob")
    drift = site.controller.run("apply", "--check", "--diff", **site.variables, **night)
    assert drift.returncode != 0
    assert "bob@example.com: would be created" in drift.output
    refused = site.controller.run("apply", **site.variables)
    assert refused.returncode != 0
    assert "This run is in a container" in refused.output
    site.declare("web1")
    assert site.run("apply").changed() == 0, "nobody has a new password, and nobody is removed unasked"
    refused = site.controller.run("offboard_user", **site.variables, **answer("offboard_user", "alcie@example.com"))
    assert refused.returncode != 0
    assert site.users() == {"web1", "alice"}
    site.run("offboard_user", **answer("offboard_user", "alice@example.com"))
    assert site.users() == {"web1"}
    assert site.ran == job_templates().keys()


@pytest.mark.root
@pytest.mark.slow
def test_a_store_outside_is_read_and_no_password_is_written(site: Site) -> None:
    """AWX hands over what the store of the site has, as the environment of the job; its disk is thrown away."""
    password = secrets.token_urlsafe(24)
    site.controller.project = {}
    site.controller.variables["MAIL_SERVER_PASSWORD"] = password
    site.controller.inventory["all"]["vars"].update(guide_block("AWX reads it", "MAIL_SERVER_PASSWORD").data())
    run = site.controller.run("apply", spamexperts_accounts=site.variables["spamexperts_accounts"])
    assert run.returncode == 0, run.output
    site.host.inject("server@example.org", "somebody@example.net", "by a password from outside")
    site.host.wait_until_empty()
    assert site.emulator.mails()[-1]["login"] == "server@example.org"
    files = [path for path in site.controller.last_job.rglob("*") if path.is_file()]
    holders = {path.name for path in files if password.encode() in path.read_bytes()}
    assert holders == {"envvars", "command"}, "where ansible-runner itself keeps the environment"


def test_the_guide_says_of_every_playbook_whether_it_is_a_job_template() -> None:
    assert job_templates().keys() == {path.stem for path in ROOT.glob("playbooks/*.yml")} - {"new_store", "new_site"}


@pytest.mark.parametrize("playbook", job_templates())
def test_a_job_template_has_only_variables_that_its_playbook_reads(playbook: str) -> None:
    read = (ROOT / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8")
    for imported in re.findall(r"import_playbook: (?:smarthost\.spamexperts\.)?(\w+)", read):
        read += (ROOT / "playbooks" / f"{imported}.yml").read_text(encoding="utf-8")
    assert [name for name in variables_of(playbook) if not re.search(rf"\b{name}\b", read)] == []


def test_a_survey_is_what_awx_takes_and_asks_for_what_a_playbook_reads() -> None:
    """What its view JobTemplateSurveySpec demands of a survey."""
    variables = {playbook: variables_of(playbook) for playbook in ("offboard_user", "onboard_domain")}
    asked = []
    for survey in surveys():
        assert survey.keys() == {"name", "description", "spec"}
        assert survey["name"]
        for question in survey["spec"]:
            assert question.keys() >= {"type", "question_name", "variable", "required"}
            assert question["type"] == "text"
            assert question["required"] is True
            assert 0 < question["min"] < question["max"]
            asked.append(question["variable"])
    assert sorted(asked) == sorted(name for names in variables.values() for name in names)
