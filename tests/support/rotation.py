# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site on the fleet whose credentials are rotated: an emulator, a store, and mail servers that read from it."""

from __future__ import annotations

import json
import smtplib
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.fleet import SMARTHOST_NAME, Fleet, SteadyMail
from tests.support.emulator import Emulator
from tests.support.playbook import PlaybookRun, ansible_environment, run_playbook

ROTATE = "smarthost.spamexperts.rotate_credentials"
STORE_LOOKUP = "{{{{ lookup('smarthost.spamexperts.credential', '{name}'{part}) }}}}"
AUTHORITY = "/etc/ssl/fleet-ca.pem"


class RotationSite:
    """Each host of the fleet logs in with a credential of its own, named after it."""

    def __init__(self, fleet: Fleet, emulator: Emulator, directory: Path, *, discovered: bool = True) -> None:
        self.fleet = fleet
        self.emulator = emulator
        self.directory = directory
        self.store = directory / "store.yml"
        self.report_file = directory / "report.json"
        self._password_file = directory / "vault_password"
        self._password_file.write_text("the vault's own password\n", encoding="utf-8")
        self.connection: dict[str, Any] = {
            **emulator.connection,
            "use_discovered_methods": discovered,
            "retries": 1,
            "retry_time": 5,
        }
        self.environment = {**ansible_environment(directory), **fleet.ansible_environment}
        # The playbooks bring their own, so that they do not depend on this.
        self.environment["ANSIBLE_PIPELINING"] = "0"
        self.old: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """The credentials, one for each host."""
        return [self.name(host.name) for host in self.fleet.hosts]

    @staticmethod
    def name(host: str) -> str:
        """The credential, and first login, of this host."""
        return f"{host}@example.com"

    def set_up(self) -> None:
        """Create users, store and mail servers; afterwards every host sends through the emulator."""
        self.emulator.reset()
        authority = Path(self.emulator.ca_file).read_text(encoding="utf-8")
        for host in self.fleet.hosts:
            host.path(AUTHORITY).write_text(authority, encoding="utf-8")
        self.write_inventory()
        self.play(
            {"smarthost.spamexperts.credential_store": {"path": str(self.store), "names": self.names}},
            hosts="localhost",
        )
        self.remember()
        self.emulator.seed(
            users=[
                {"domain": "example.com", "username": name.partition("@")[0], "password": password}
                for name, password in self.old.items()
            ]
        )
        run = self.run("smarthost.spamexperts.configure_relays")
        assert run.returncode == 0, run.output

    def remember(self) -> None:
        """Take what the store holds now for the old passwords."""
        self.old = {name: entry["current"] for name, entry in self.stored().items()}

    def write_inventory(self, *, own: bool = True) -> None:
        """The site's variables; with `own`, every host reads its login and password from the store."""
        shared = {
            "outgoing_mail_smarthost": SMARTHOST_NAME,
            "outgoing_mail_smarthost_port": self.emulator.smtp_port,
            "outgoing_mail_smarthost_ca_path": AUTHORITY,
            "spamexperts_smarthost": self.fleet.emulator_address,
            "spamexperts_smarthost_ca_path": self.emulator.ca_file,
            "spamexperts_credential_store": str(self.store),
        }
        special = {
            host.name: {
                "outgoing_mail_login": STORE_LOOKUP.format(name=self.name(host.name), part=", part='login'"),
                "outgoing_mail_password": STORE_LOOKUP.format(name=self.name(host.name), part=""),
            }
            for host in self.fleet.hosts
        }
        self.fleet.write_inventory(shared, special if own else {})

    # Runs

    @property
    def arguments(self) -> list[str]:
        """What every run needs."""
        return ["-i", str(self.fleet.inventory), f"--vault-password-file={self._password_file}"]

    def run(self, playbook: str, *arguments: str, **variables: Any) -> PlaybookRun:
        """Run a playbook; nothing of what it prints may be a secret."""
        run = run_playbook(
            playbook, [*self.arguments, *arguments, "-e", f"@{self._variables(variables)}"], self.environment
        )
        self.check_secrets(run.output)
        return run

    def rotate(self, *arguments: str, **rotation: Any) -> PlaybookRun:
        """Run the rotation."""
        return self.run(ROTATE, *arguments, spamexperts_rotation=self.described(rotation))

    def start_rotation(self, log: Path, **rotation: Any) -> subprocess.Popen[bytes]:
        """Start the rotation in a session of its own, to be killed."""
        variables = self._variables({"spamexperts_rotation": self.described(rotation)})
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        with log.open("wb") as stream:
            return subprocess.Popen(
                [program, ROTATE, *self.arguments, "-e", f"@{variables}"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def described(self, rotation: Mapping[str, Any]) -> dict[str, Any]:
        """The rotation with what all tests want of it."""
        return {"everything": True, "report": str(self.report_file), "store_is_kept": True, **rotation}

    def _variables(self, variables: Mapping[str, Any]) -> Path:
        path = self.directory / "variables.yml"
        content = {"spamexperts_accounts": {"default": self.connection}, **variables}
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    def play(self, *tasks: Mapping[str, Any], hosts: str = "mail_relays") -> PlaybookRun:
        """Run a few tasks."""
        book = self.directory / "tasks.yml"
        play = {"hosts": hosts, "gather_facts": False, "tasks": list(tasks)}
        book.write_text(yaml.safe_dump([play]), encoding="utf-8")
        run = self.run(str(book))
        assert run.returncode == 0, run.output
        return run

    # What is true

    def stored(self) -> dict[str, dict[str, str]]:
        """What the store holds."""
        vault = Path(sys.executable).with_name("ansible-vault")
        command = [str(vault), "view", f"--vault-password-file={self._password_file}", str(self.store)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return dict(yaml.safe_load(done.stdout)["credentials"])

    def secrets(self) -> list[str]:
        """Every password that there is or was."""
        stored = self.stored().values() if self.store.exists() else ()
        now = [entry[part] for entry in stored for part in ("current", "next") if part in entry]
        return [self.emulator.api_password, *self.old.values(), *now]

    def check_secrets(self, text: str) -> None:
        """No password stands in the text."""
        for secret in self.secrets():
            assert secret not in text

    def report(self) -> dict[str, Any]:
        """The report of the last run."""
        text = self.report_file.read_text(encoding="utf-8")
        self.check_secrets(text)
        data: dict[str, Any] = json.loads(text)
        return data

    def outcomes(self) -> dict[str, str]:
        """What became of each credential."""
        return {entry["name"]: entry["outcome"] for entry in self.report()["credentials"]}

    def accepts(self, login: str, password: str) -> bool:
        """Whether the emulator takes this login."""
        context = ssl.create_default_context(cafile=self.emulator.ca_file)
        with smtplib.SMTP(self.fleet.emulator_address, self.emulator.smtp_port, timeout=20) as smtp:
            smtp.starttls(context=context)
            try:
                smtp.login(login, password)
            except smtplib.SMTPAuthenticationError:
                return False
            return True

    def check_rotated(self, names: Sequence[str] | None = None) -> None:
        """Everything that must be true after a rotation: at the vendor, in the store and on every host."""
        stored = self.stored()
        for name in self.names if names is None else names:
            entry = stored[name]
            assert "next" not in entry, name
            assert entry["current"] != self.old[name], name
            assert self.accepts(entry["login"], entry["current"]), name
            assert not self.accepts(name, self.old[name]), name
            assert not self.accepts(name.replace("@", "-b@"), self.old[name]), name
        for host in self.fleet.hosts:
            name = self.name(host.name)
            if names is None or name in names:
                assert host.files_with(stored[name]["current"]), "the new password has arrived"
            for old_name in self.names if names is None else names:
                assert host.files_with(self.old[old_name]) == [], host.name
            assert host.run("sh", "-c", "ls -d /root/.ansible/tmp/* 2>/dev/null || true") == ""


@contextmanager
def steady_mail(site: RotationSite, label: str, per_second: float = 5) -> Iterator[list[SteadyMail]]:
    """Mail from every host, as long as the block lasts and a moment longer."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                host.send_steadily(site.name(host.name), "someone@example.org", f"{label}-{host.name}", per_second)
            )
            for host in site.fleet.hosts
        ]
        time.sleep(1)


def check_mail(site: RotationSite, senders: list[SteadyMail]) -> int:
    """Every accepted mail has arrived, once; none came back. How many there were."""
    for host in site.fleet.hosts:
        host.wait_until_empty()
        assert "status=bounced" not in host.log()
    accepted = Counter(subject for sender in senders for subject in sender.accepted)
    prefixes = tuple({subject.partition("-")[0] for subject in accepted})
    received = Counter(mail["subject"] for mail in site.emulator.mails() if mail["subject"].startswith(prefixes))
    assert received - accepted == Counter(), "twice"
    assert accepted - received == Counter(), "lost"
    return sum(accepted.values())
