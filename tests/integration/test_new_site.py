# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide on a site as a repository: each command, its program and what its pipelines run, as they stand there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.support.documentation import FENCE
from tests.support.emulator import Emulator
from tests.support.playbook import PlaybookRun, ansible_environment, run_program
from tests.support.postfix import ScratchPostfix

pytestmark = pytest.mark.root

BLOCKS: dict[str, list[str]] = {}
for block in FENCE.finditer((ROOT / "docs" / "repository.md").read_text(encoding="utf-8")):
    BLOCKS.setdefault(block["language"], []).append(block["text"])


class Desk:
    """Where somebody types, and where a pipeline runs; Ansible's own settings are those of the site."""

    def __init__(self, folder: Path, emulator: Emulator, postfix: ScratchPostfix) -> None:
        self.folder, self.site = folder, folder / "mail"
        self.emulator, self.postfix = emulator, postfix
        self.home = folder / "home"
        self.home.mkdir()
        environment = ansible_environment(folder)
        del environment["ANSIBLE_CONFIG"]
        self.environment = {
            **environment,
            "HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "SPAMEXPERTS_API_URL": emulator.api_url,
            "SPAMEXPERTS_API_USERNAME": emulator.api_username,
            "SPAMEXPERTS_API_PASSWORD": emulator.api_password,
            "SPAMEXPERTS_CA_PATH": emulator.ca_file,
            "SPAMEXPERTS_SMARTHOST_CA_PATH": emulator.ca_file,
        }

    def type(self, *commands: str, folder: Path | None = None, **environment: str) -> PlaybookRun:
        """Type these commands into a shell."""
        variables = {**self.environment, **environment}
        return run_program(["bash", "-e"], variables, folder=folder or self.site, given="\n".join(commands))

    def name_the_mail_server(self, **variables: Any) -> None:
        """What an administrator enters in the files of the new site."""
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "outgoing_mail_config_directory": str(self.postfix.config_directory),
        }
        inventory = yaml.safe_load((self.site / "inventory.yml").read_text())
        inventory["mail_relays"]["hosts"] = {"mail1": host}
        (self.site / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        shared = {
            "outgoing_mail_smarthost": self.emulator.smtp_host,
            "outgoing_mail_smarthost_port": self.emulator.smtp_port,
            "outgoing_mail_smarthost_ca_path": self.emulator.ca_file,
            "spamexperts_store_is_kept": True,  # the tests may run in a container
            **variables,
        }
        (self.site / "group_vars" / "all.yml").write_text(yaml.safe_dump(shared), encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix) -> Desk:
    made = Desk(tmp_path, emulator, postfix)
    predicted = made.type(f"{BLOCKS['console'][0].splitlines()[0]} --check", folder=tmp_path)
    assert predicted.returncode == 0, predicted.output
    assert not made.site.exists()
    run = made.type(*BLOCKS["console"], folder=tmp_path)
    assert run.returncode == 0, run.output
    return made


def test_a_new_site_passes_its_first_apply(desk: Desk) -> None:
    listed = desk.type("git status --short").output.split()[1::2]
    assert set(listed) == {
        *("inventory.yml", "group_vars/all.yml", "domains/README.md", "domains/example.com.yml", "ansible.cfg"),
        *("requirements.yml", ".gitignore", "credentials.yml"),
    }
    assert (desk.home / ".spamexperts-vault-password").stat().st_mode & 0o777 == 0o600
    assert (desk.site / "credentials.yml").read_text().startswith("$ANSIBLE_VAULT;")
    desk.name_the_mail_server()
    files = {path: path.read_bytes() for path in desk.site.rglob("*") if path.is_file() and ".git" not in path.parts}
    again = desk.type(*BLOCKS["console"], folder=desk.folder)
    assert (again.returncode, again.changed()) == (0, 0), again.output
    assert {path: path.read_bytes() for path in files} == files
    run = desk.type("ansible-playbook smarthost.spamexperts.apply")
    assert run.returncode == 0, run.output
    desk.postfix.inject("alice@example.com", "somebody@example.net", "the first one")
    desk.postfix.wait_until_empty(30)
    assert [mail["login"] for mail in desk.emulator.mails()] == ["server@example.com"]
    run = desk.type("ansible-playbook smarthost.spamexperts.apply")
    assert (run.returncode, run.changed()) == (0, 0), run.output
    assert ".lock" not in desk.type("git status --short").output


@pytest.mark.slow
def test_a_new_site_with_its_mail_servers(desk: Desk) -> None:
    command = BLOCKS["console"][0].splitlines()[0].replace("spamexperts_site=mail", "spamexperts_site=other")
    more = '-e spamexperts_vault_password_file=~/other -e \'{"spamexperts_mail_servers": ["m1.test", "m2.test"]}\''
    run = desk.type(f"{command} {more}", folder=desk.folder)
    assert run.returncode == 0, run.output
    listed = desk.type("ansible-inventory --list", folder=desk.folder / "other")
    assert yaml.safe_load(listed.output)["mail_relays"]["hosts"] == ["m1.test", "m2.test"]


def test_descriptions_from_a_table(desk: Desk) -> None:
    (desk.site / "senders.csv").write_text(
        "\ufeffdomain,username,shared\nd1.example,alice,no\nd1.example,info,yes\nd2.example,bob,no\n", encoding="utf-8"
    )
    desk.name_the_mail_server()
    (program,) = BLOCKS["python"]
    assert len([line for line in program.splitlines() if line.strip()]) <= 12
    run = desk.type(f"python3 - <<'END'\n{program}\nEND", "ansible-playbook smarthost.spamexperts.apply")
    assert run.returncode == 0, run.output
    users = {f"{user['username']}@{user['domain']}" for user in desk.emulator.users()}
    assert users == {"alice@d1.example", "info@d1.example", "bob@d2.example", "server@example.com"}
    described = yaml.safe_load((desk.site / "domains" / "d1.example.yml").read_text())
    assert described["senders"] == [{"username": "alice"}, {"username": "info", "shared": True}]


def pipelines() -> dict[str, tuple[list[str], list[str], dict[str, str]]]:
    """What each forge runs for a proposed change, and after it; with the environment that it sets itself."""
    _store, github, gitlab = (yaml.safe_load(text) for text in BLOCKS["yaml"])
    steps = {job: [step["run"] for step in github["jobs"][job]["steps"] if "run" in step] for job in github["jobs"]}
    own = {name: value for name, value in github["env"].items() if name == "ANSIBLE_CONFIG"}
    scripts = gitlab["check"]["script"], gitlab["apply"]["script"]
    variables = {name: value for name, value in gitlab["variables"].items() if name == "ANSIBLE_CONFIG"}
    return {"GitHub": (steps["check"], steps["apply"], own), "GitLab": (*scripts, variables)}


@pytest.mark.slow
@pytest.mark.parametrize("forge", pipelines())
def test_a_pipeline_shows_what_a_change_would_do_and_does_it_after_the_merge(desk: Desk, forge: str) -> None:
    check, apply, environment = pipelines()[forge]
    kept = desk.folder / "kept"
    kept.mkdir()
    settings = yaml.safe_load(BLOCKS["yaml"][0])
    assert settings["spamexperts_credential_store"].startswith("/")
    (desk.site / "credentials.yml").rename(kept / "credentials.yml")
    desk.name_the_mail_server(**{**settings, "spamexperts_credential_store": str(kept / "credentials.yml")})
    git = "git -c user.name=a -c user.email=a@example.com"
    made = desk.type("git add .", f"{git} commit --quiet --message site")
    assert made.returncode == 0, made.output
    # Checked out into a folder that everybody may write to.
    checkout = desk.folder / "checkout"

    def check_out() -> None:
        run = desk.type(f"rm -rf {checkout}", f"git clone --quiet {desk.site} {checkout}", f"chmod 0777 {checkout}")
        assert run.returncode == 0, run.output

    check_out()
    run = desk.type(*apply, folder=checkout, **environment)
    assert run.returncode == 0, run.output
    description = desk.site / "domains" / "example.com.yml"
    description.write_text(description.read_text().replace("  # - username: alice", "  - username: alice"))
    desk.type(f"{git} commit --quiet --all --message alice")
    check_out()
    desk.emulator.reset_counters()
    run = desk.type(*check, folder=checkout, **environment)
    assert run.returncode == 0, run.output
    assert "alice@example.com: would be created" in run.output
    assert desk.emulator.counters()["writes"] == 0
    run = desk.type(*apply, folder=checkout, **environment)
    assert run.returncode == 0, run.output
    assert {user["username"] for user in desk.emulator.users()} == {"server", "alice"}
    check_out()
    run = desk.type(*apply, folder=checkout, **environment)
    assert (run.returncode, run.changed()) == (0, 0), run.output
