# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from nothing to a sent mail as README and Schnellstart print it, and a user who follows it to the letter."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import ROOT
from tests.fleet import Fleet
from tests.support.documentation import FENCE
from tests.support.emulator import Emulator
from tests.support.machine import CONTROL_PANEL, SMARTHOST
from tests.support.playbook import PlaybookRun, ansible_environment, run_program

#: Each page with the heading of the part that is followed.
QUICK_STARTS = {"README.md": "From nothing to a sent mail", "docs/schnellstart.md": "Von nichts zur ersten Mail"}
#: Each page with the heading of the part that says how to install.
INSTALLATIONS = {"README.md": "Install", "docs/schnellstart.md": "Was Sie brauchen"}
#: Where a host has the authorities that its programs trust.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class QuickStart:
    """files: name -> text, as the page prints them. commands: one a line. later: those of the rest of the page."""

    files: dict[str, str]
    commands: list[str]
    later: list[str]

    @property
    def yaml_lines(self) -> list[str]:
        """All lines of YAML that somebody has to write."""
        return [line for text in self.files.values() for line in text.splitlines() if line.strip()]

    @property
    def programs(self) -> list[str]:
        """Each program that is started, also where several stand on a line."""
        return [part for line in self.commands for part in re.split(r"&&|\|\||[;|]", line) if part.strip()]


def quick_start(page: str) -> QuickStart:
    """What the page tells a new user to write and to type."""
    part, *rest = _parts(page, QUICK_STARTS[page])
    files: dict[str, str] = {}
    for block in FENCE.finditer(part):
        if block["language"] == "yaml":
            name = re.findall(r"`([\w./-]+\.yml)`", part[: block.start()])[-1]
            assert name not in files, f"{page}: the block after {name} has no file of its own"
            files[name] = block["text"]
    return QuickStart(files, _typed(part), _typed("".join(rest)))


def installation(page: str) -> list[str]:
    """What the page tells the user of a Debian to type first."""
    part, *_rest = _parts(page, INSTALLATIONS[page])
    return _typed(re.sub(r"^On (Red Hat|macOS).*?```.*?```\n", "", part, flags=re.DOTALL | re.MULTILINE))


def _parts(page: str, heading: str) -> list[str]:
    """The part of the page below this heading, and all later ones."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.split(r"^## ", text.partition(f"\n## {heading}\n")[2], flags=re.MULTILINE)


def _typed(text: str) -> list[str]:
    """The lines that somebody types at a shell."""
    blocks = [block["text"] for block in FENCE.finditer(text) if block["language"] == "console"]
    return "".join(blocks).replace("\\\n", " ").splitlines()


def trust(authority: str) -> dict[str, str]:
    """Where the controller has the authority of the emulator, which is none of those that everybody trusts."""
    return {"SPAMEXPERTS_CA_PATH": authority, "SPAMEXPERTS_SMARTHOST_CA_PATH": authority}


class NewUser:
    """Somebody with an empty folder, an account, and two mail servers that are reached by SSH as root."""

    def __init__(self, fleet: Fleet, emulator: Emulator, folder: Path) -> None:
        self.fleet = fleet
        self.emulator = emulator
        self.folder = folder
        self.site = folder / "site"
        self.site.mkdir()
        (folder / "home").mkdir()
        names = [f"mail{number}.example.com" for number in range(1, len(fleet.hosts) + 1)]
        vendor = f"{fleet.emulator_address} {SMARTHOST} {CONTROL_PANEL}\n"
        hosts = [f"{host.address} {name}\n" for host, name in zip(fleet.hosts, names, strict=True)]
        (folder / "hosts").write_text("".join(["127.0.0.1 localhost\n", vendor, *hosts]), encoding="utf-8")
        known = (fleet.directory / "known_hosts").read_text(encoding="utf-8")
        for host, name in zip(fleet.hosts, names, strict=True):
            known = known.replace(f"{host.address} ", f"{name} ")
            with host.path("/etc/hosts").open("a", encoding="utf-8") as file:
                file.write(vendor)
            with host.path(AUTHORITIES).open("a", encoding="utf-8") as file:
                file.write(Path(emulator.ca_file).read_text(encoding="utf-8"))
        (folder / "known_hosts").write_text(known, encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """What a person has: Ansible, a key for the mail servers; and whom to trust, as nobody signed the emulator."""
        ssh = f"-F /dev/null -o UserKnownHostsFile={self.folder / 'known_hosts'} -o StrictHostKeyChecking=yes"
        return {
            **ansible_environment(self.folder / "ansible"),
            **self.fleet.ansible_environment,
            "HOME": str(self.folder / "home"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_PRIVATE_KEY_FILE": str(self.fleet.directory / "ssh_key"),
            "ANSIBLE_SSH_COMMON_ARGS": ssh,
            **trust(self.emulator.ca_file),
        }

    def write(self, page: QuickStart) -> None:
        """Write the files as the page prints them."""
        for name, text in page.files.items():
            (self.site / name).parent.mkdir(exist_ok=True)
            (self.site / name).write_text(text, encoding="utf-8")

    def type(self, *commands: str) -> PlaybookRun:
        """Type these commands into one shell, and the password of the API when it is asked for; stop at a failure."""
        script = "\n".join(["set -e", f"mount --bind {self.folder / 'hosts'} /etc/hosts", *commands, ""])
        command = ["unshare", "--mount", "bash", "-c", script]
        given = f"{self.emulator.api_password}\n"
        return run_program(command, self.environment(), folder=self.site, given=given, timeout=900)

    def close(self) -> None:
        """Leave nothing behind beside the folder."""


@contextmanager
def new_user(methods: str, make: Callable[[Fleet, Emulator], NewUser]) -> Iterator[NewUser]:
    """A new user at a vendor that knows these methods; the vendor has its real names and ports."""
    with Fleet(2) as fleet:
        emulator = Emulator(
            methods,
            hosts=[fleet.emulator_address],
            names=[SMARTHOST, CONTROL_PANEL],
            username="you@example.com",
            namespace=fleet.emulator_namespace,
        )
        emulator.api_url, emulator.smtp_port = f"https://{fleet.emulator_address}:443", 587
        with emulator:
            user = make(fleet, emulator)
            try:
                yield user
            finally:
                user.close()
