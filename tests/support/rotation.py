# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site on the fleet whose credentials are rotated: an emulator, a store, and mail servers that read from it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.fleet import AUTHORITY, SMARTHOST_NAME, Fleet, SteadyMail
from tests.fleet.host import Host
from tests.support.emulator import Emulator
from tests.support.interrupted import InterruptedRun, read_timeline, with_timeline
from tests.support.playbook import PlaybookRun
from tests.support.site import Site, from_store

ROTATE = "smarthost.spamexperts.rotate_credentials"


class RotationSite(Site):
    """Each host of the fleet logs in with a credential of its own, named after it."""

    def __init__(self, fleet: Fleet, emulator: Emulator, directory: Path) -> None:
        super().__init__(directory, emulator, fleet.inventory)
        self.fleet = fleet
        self.store = directory / "disk" / "store.yml"
        self.store.parent.mkdir(mode=0o700)
        self._timeline_file = directory / "timeline"
        self._whole_timelines: dict[str, list[dict[str, Any]]] = {}
        self.api_options.update(retries=1, retry_time=5)
        self.environment.update(fleet.ansible_environment)
        # The playbooks bring their own, so that they do not depend on this.
        self.environment["ANSIBLE_PIPELINING"] = "0"
        # On the hosts and, for its own tasks, on the controller; nobody else uses this folder.
        self.remote_folder = directory / "remote"
        self.environment["ANSIBLE_REMOTE_TEMP"] = str(self.remote_folder)

    @property
    def names(self) -> list[str]:
        """The credentials, one for each host."""
        return [self.name(host.name) for host in self.fleet.hosts]

    @property
    def pairs(self) -> dict[str, list[str]]:
        """The two logins of each credential, for the strategy alternate."""
        return {name: [name, name.replace("@", "-b@")] for name in self.names}

    @staticmethod
    def name(host: str) -> str:
        """The credential, and first login, of this host."""
        return f"{host}@example.com"

    def set_up(self) -> None:
        """Create users, store and mail servers; afterwards every host sends through the emulator."""
        self.emulator.reset()
        self.fleet.trust(self.emulator.ca_file)
        self.write_inventory()
        self.change_store(names=self.names)
        self.remember()
        self.emulator.seed(
            users=[
                {"domain": "example.com", "username": name.partition("@")[0], "password": password}
                for name, password in self.old.items()
            ]
        )
        run = self.run("configure_relays")
        assert run.returncode == 0, run.output

    def make_whole(self) -> None:
        """Set the site up unless it is as a rotation leaves it; then remember the passwords of now for the old ones."""
        self.emulator.faults()
        for host in self.fleet.hosts:
            host.reconnect()
            if host.queue():
                host.run("postsuper", "-d", "ALL")
        self.report_file.unlink(missing_ok=True)
        if not self.store.exists() or not self._is_whole():
            self.store.unlink(missing_ok=True)
            self.set_up()
        self.remember()

    def _is_whole(self) -> bool:
        return all(
            "next" not in entry and self.accepts(entry["login"], entry["current"]) for entry in self.stored().values()
        )

    def remember(self) -> None:
        """Take what the store holds now for the old passwords."""
        self.old = {name: entry["current"] for name, entry in self.stored().items()}

    def write_inventory(self, *, own: bool = True, implicit_tls: bool = False) -> None:
        """The site's variables; with `own`, every host reads its login and password from the store.

        With `implicit_tls` TLS begins before the first word, as on port 465.
        """
        shared = {
            "outgoing_mail_smarthost": SMARTHOST_NAME,
            "outgoing_mail_smarthost_port": self.emulator.smtps_port if implicit_tls else self.emulator.smtp_port,
            **({"outgoing_mail_smarthost_tls": "implicit"} if implicit_tls else {}),
            "outgoing_mail_smarthost_ca_path": AUTHORITY,
            "spamexperts_smarthost": self.fleet.emulator_address,
            "spamexperts_smarthost_ca_path": self.emulator.ca_file,
            "spamexperts_credential_store": str(self.store),
        }
        special = {
            host.name: {
                "outgoing_mail_login": from_store(self.name(host.name), "login"),
                "outgoing_mail_password": from_store(self.name(host.name)),
            }
            for host in self.fleet.hosts
        }
        self.fleet.write_inventory(shared, special if own else {})

    # Runs

    def rotate(self, *arguments: str, **rotation: Any) -> PlaybookRun:
        """Run the rotation."""
        environment = with_timeline(self.environment, self._timeline_file)
        described = self.described(rotation)
        return self.run("rotate_credentials", *arguments, environment=environment, spamexperts_rotation=described)

    def interrupted(self, *stops: str | int, **rotation: Any) -> InterruptedRun:
        """Start a rotation that stands still at these events; see tests.support.interrupted."""
        variables = self.write_variables({"spamexperts_rotation": self.described(rotation)})
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        return InterruptedRun(
            [program, ROTATE, *self.arguments, "-e", f"@{variables}"],
            with_timeline(self.environment, self._timeline_file),
            self.folder / "interrupted.log",
            stops,
        )

    def moment(self, fraction: float, strategy: str) -> tuple[str, float]:
        """A point of a whole rotation: an event, and how many seconds after it.

        Measured once for each strategy: a run that ends an interrupted one, or goes back, has other events.
        """
        if strategy not in self._whole_timelines:
            run = self.rotate(strategy=strategy)
            assert run.returncode == 0, run.output
            self.remember()
            self._whole_timelines[strategy] = read_timeline(self._timeline_file)
        timeline = self._whole_timelines[strategy]
        lines = [line for line in timeline if not line["event"].endswith(" / done")]
        wanted = lines[0]["at"] + fraction * (timeline[-1]["at"] - lines[0]["at"])
        last = max((line for line in lines if line["at"] <= wanted), key=lambda line: float(line["at"]))
        return str(last["event"]), wanted - float(last["at"])

    def described(self, rotation: Mapping[str, Any]) -> dict[str, Any]:
        """The rotation with what all tests want of it."""
        pairs = {"alternates": self.pairs} if rotation.get("strategy") == "alternate" else {}
        return super().described({**pairs, **rotation})

    # What is true

    def accepts(self, login: str, password: str) -> bool:
        """Whether the emulator takes this login."""
        return self.emulator.accepts(login, password, self.fleet.emulator_address)

    def check_rotated(self, names: Sequence[str] | None = None) -> None:
        """Everything that must be true after a rotation: at the vendor, in the store and on every host."""
        chosen = self.names if names is None else names
        stored = self.stored()
        old = [self.old[name] for name in chosen]
        for name in chosen:
            entry = stored[name]
            assert "next" not in entry, name
            assert entry["current"] not in old, name
            assert self.accepts(entry["login"], entry["current"]), name
            assert not self.accepts(name, self.old[name]), name
            assert not self.accepts(name.replace("@", "-b@"), self.old[name]), name
        for host in self.fleet.hosts:
            if self.name(host.name) in chosen:
                assert host.files_with(stored[self.name(host.name)]["current"]), "the new password has arrived"
            assert host.files_with(*old) == [], host.name
        self.check_folders()

    def check_known(self) -> None:
        """At any moment: the store knows a password that the vendor takes, and nothing in clear lies about."""
        for name, entry in self.stored().items():
            pairs = [(entry["login"], entry["current"]), (entry.get("next_login", ""), entry.get("next", ""))]
            assert any(self.accepts(*pair) for pair in pairs if all(pair)), name
        for file in self.folder.rglob("*"):
            if file.is_file() and file.name != "variables.yml":
                content = file.read_bytes()
                assert not [name for name in self.secrets() if name.encode() in content], file
        self.check_folders()

    def check_folders(self) -> None:
        """No task has left its arguments, here or on a host that is switched on.

        The report, which the controller copies, is no argument, and is looked at by check_known.
        """
        left = [file for file in self.remote_folder.glob("*/*") if not file.name.startswith(".source")]
        for host in self.fleet.hosts:
            left += host.path(str(self.remote_folder)).glob("*")
        assert left == [], left


@contextmanager
def read_only(host: Host) -> Iterator[None]:
    """Nothing of Postfix's configuration can be changed as long as the block lasts."""
    host.run("mount", "--bind", "/etc/postfix", "/etc/postfix")
    host.run("mount", "-o", "remount,bind,ro", "/etc/postfix")
    try:
        yield
    finally:
        host.run("umount", "--lazy", "/etc/postfix")


@contextmanager
def steady_mail(site: RotationSite, label: str, per_second: float = 5) -> Iterator[list[SteadyMail]]:
    """Mail from every host, as long as the block lasts and a moment longer. No label may begin with another one."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                host.send_steadily(site.name(host.name), "someone@example.org", f"{label}-{host.name}", per_second)
            )
            for host in site.fleet.hosts
        ]
        time.sleep(0.5)


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
