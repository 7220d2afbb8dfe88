# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet as a whole: made, described for Ansible, and removed again, also after a crash."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from tests.fleet.host import Host
from tests.fleet.network import FIRST_HOST, FleetError, Network
from tests.support.emulator import Emulator

SMARTHOST_NAME = "smarthost.fleet.test"
#: Where a host has the certificate authority of the emulator.
AUTHORITY = "/etc/ssl/fleet-ca.pem"
MOST_HOSTS = 40
_PROGRAMS = ("ip", "unshare", "nsenter", "mount", "postfix", "ssh", "ssh-keygen", "/usr/sbin/sshd", "/usr/bin/python3")
_STATE = "fleet.json"


def why_impossible() -> str:
    """Why no fleet can be made here, as one sentence; empty when it can."""
    if os.geteuid() != 0:
        return "The fleet needs root, for network namespaces and mounts; run this as root."
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"The fleet needs {', '.join(missing)}; install the packages with: tests/install_packages test"
    return ""


class Fleet:
    """N mail servers, reachable over SSH; use it as a context manager, or call `up` and `down`.

    directory: where everything of the fleet is kept; it must be empty or missing, and `down` removes it. A temporary
    one unless given. Raises FleetError.
    """

    def __init__(self, hosts: int = 4, directory: Path | None = None) -> None:
        if not 1 <= hosts <= MOST_HOSTS:
            raise FleetError(f"a fleet has 1 to {MOST_HOSTS} hosts, not {hosts}")
        self.directory = Path(tempfile.mkdtemp(prefix="fleet-")) if directory is None else directory.resolve()
        self.inventory = self.directory / "inventory.yml"
        self.hosts: list[Host] = []
        self._count = hosts
        # What is in a folder that somebody else has named may be another fleet.
        self._ours = directory is None

    def __enter__(self) -> Fleet:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.down()

    def up(self) -> None:
        """Make the network, start all hosts at once and wait for them."""
        impossible = why_impossible()
        if impossible:
            raise FleetError(impossible)
        if self.directory.exists() and any(self.directory.iterdir()):
            raise FleetError(
                f"{self.directory} is not empty; remove an old fleet with: "
                f"python -m tests.fleet down --directory {self.directory}"
            )
        self._ours = True
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)  # Postfix's own users must be able to pass
        self.network = Network.claim()
        state = {"number": self.network.number}
        (self.directory / _STATE).write_text(json.dumps(state) + "\n", encoding="utf-8")
        self.network.connect()
        self._make_key(self.directory / "ssh_key")
        known_hosts = [self._add_host(position) for position in range(self._count)]
        (self.directory / "known_hosts").write_text("".join(known_hosts), encoding="utf-8")
        for host in self.hosts:
            host.start()
        for host in self.hosts:
            host.wait()
        self.write_inventory()

    def down(self) -> None:
        """End and remove everything of this fleet, and nothing of another one."""
        if self._ours:
            remove(self.directory)

    @property
    def emulator_namespace(self) -> str:
        """The network namespace that is kept for the emulator."""
        return self.network.emulator

    @property
    def emulator_address(self) -> str:
        """The address in that namespace; the hosts know it as SMARTHOST_NAME too."""
        return self.network.emulator_address

    def trust(self, ca_file: str) -> None:
        """Give every host the certificate authority of the emulator, as AUTHORITY."""
        authority = Path(ca_file).read_text(encoding="utf-8")
        for host in self.hosts:
            host.path(AUTHORITY).write_text(authority, encoding="utf-8")

    def _add_host(self, position: int) -> str:
        """Make one host's network and directory; return its line for known_hosts."""
        name, address = f"h{position + 1}", self.network.address(FIRST_HOST + position)
        home = self.directory / name
        home.mkdir()
        self._make_key(home / "host_key")
        shutil.copy(self.directory / "ssh_key.pub", home / "authorized_keys")
        hosts_file = f"{address} {name}.fleet.test {name}\n{self.network.emulator_address} {SMARTHOST_NAME}"
        host = Host(name, address, self.network, home, hosts_file)
        host.connect()
        self.hosts.append(host)
        return f"{address} {(home / 'host_key.pub').read_text(encoding='utf-8')}"

    @staticmethod
    def _make_key(path: Path) -> None:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fleet", "-f", str(path)], check=True)

    def write_inventory(
        self, variables: Mapping[str, Any] | None = None, host_variables: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Write the inventory: all hosts in the group mail_relays, with further variables for all and for some."""
        ssh = [
            "-F /dev/null",
            f"-o UserKnownHostsFile={self.directory / 'known_hosts'}",
            "-o GlobalKnownHostsFile=/dev/null",
            "-o StrictHostKeyChecking=yes",
            "-o IdentitiesOnly=yes",
            "-o ConnectTimeout=3",
            "-o ServerAliveInterval=1",
            "-o ServerAliveCountMax=4",
        ]
        connection = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.directory / "ssh_key"),
            "ansible_ssh_common_args": " ".join(ssh),
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        special = host_variables or {}
        hosts = {host.name: {"ansible_host": host.address, **special.get(host.name, {})} for host in self.hosts}
        group = {"hosts": hosts, "vars": connection}
        content = {"all": {"vars": dict(variables or {}), "children": {"mail_relays": group}}}
        self.inventory.write_text("---\n" + yaml.safe_dump(content), encoding="utf-8")

    @property
    def ansible_environment(self) -> dict[str, str]:
        """What ansible needs besides the inventory, so that no SSH connection outlives the fleet for long."""
        return {
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.directory / "cp"),
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=20s",
        }


def fleet_emulator(fleet: Fleet) -> Emulator:
    """An emulator, to be started, that the hosts of this fleet reach as SMARTHOST_NAME."""
    return Emulator(hosts=[fleet.emulator_address], names=[SMARTHOST_NAME], namespace=fleet.emulator_namespace)


def remove(directory: Path) -> bool:
    """Remove the fleet of this directory, whatever is left of it; false where there is none."""
    state = directory / _STATE
    if not state.exists():
        if directory.exists() and not any(directory.iterdir()):
            directory.rmdir()
        return False
    number = int(json.loads(state.read_text(encoding="utf-8"))["number"])
    for control in (directory / "cp").glob("*"):
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={control}", "fleet"], capture_output=True, check=False)
    Network(number).remove()
    with suppress(FileNotFoundError):
        shutil.rmtree(directory)
    return True
