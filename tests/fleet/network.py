# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces with a common switch, under names and in a range of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FIRST_HOST = 11
ENDED = {"", "X", "Z"}
STANDING = {*ENDED, "T", "t"}
_EMULATOR = 2
_GATEWAY = 1


class FleetError(RuntimeError):
    """The fleet cannot be made or used; one sentence."""


def ip(*arguments: str, check: bool = True) -> str:
    """Run iproute2 and return what it prints."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise FleetError(f"ip {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def namespaces() -> set[str]:
    """The names of all network namespaces of this machine."""
    return {line.split()[0] for line in ip("netns", "list").splitlines() if line}


class Network:
    """A switch in a namespace of its own; the machine, the emulator and each host have a cable to it.

    number: 0 to 255, part of all names and of the range 10.77.NUMBER.0/24.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.switch = f"fleet{number}-switch"
        self.emulator = f"fleet{number}-emulator"
        self.uplink = f"fleet{number}"

    @classmethod
    def claim(cls) -> Network:
        """Take the first free number; the kernel refuses a name that exists."""
        for number in range(256):
            network = cls(number)
            done = subprocess.run(["ip", "netns", "add", network.switch], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return network
            if "File exists" not in done.stderr:
                raise FleetError(f"no network namespace can be made here: {done.stderr.strip()}")
        raise FleetError(
            "all 256 fleet numbers are in use; remove old fleets with: python -m tests.fleet down --directory DIR"
        )

    @property
    def emulator_address(self) -> str:
        """Where the emulator listens."""
        return self.address(_EMULATOR)

    def address(self, last: int) -> str:
        """An address of the range."""
        return f"10.77.{self.number}.{last}"

    def namespace(self, name: str) -> str:
        """The namespace of the host of this name."""
        return f"fleet{self.number}-{name}"

    def all_namespaces(self) -> list[str]:
        """The namespaces of this network that exist."""
        return sorted(name for name in namespaces() if name.startswith(f"fleet{self.number}-"))

    def connect(self) -> None:
        """Build the switch, the machine's own cable and the emulator's namespace."""
        ip("-n", self.switch, "link", "add", "switch", "type", "bridge")
        ip("-n", self.switch, "link", "set", "switch", "up")
        ip("link", "add", self.uplink, "type", "veth", "peer", "name", "machine", "netns", self.switch)
        self._plug("machine")
        ip("addr", "add", f"{self.address(_GATEWAY)}/24", "dev", self.uplink)
        ip("link", "set", self.uplink, "up")
        self.add(self.emulator, "emulator", self.emulator_address)

    def add(self, namespace: str, port: str, address: str) -> None:
        """Make a namespace with this address and a cable to this port of the switch."""
        ip("netns", "add", namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", self.switch, "link", "add", port, "type", "veth", "peer", "name", "e0", "netns", namespace)
        self._plug(port)
        ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "e0")
        ip("-n", namespace, "link", "set", "e0", "up")

    def _plug(self, port: str) -> None:
        ip("-n", self.switch, "link", "set", port, "master", "switch")
        ip("-n", self.switch, "link", "set", port, "up")

    def set_port(self, port: str, *, up: bool) -> None:
        """Pull the cable at the switch, or put it back."""
        ip("-n", self.switch, "link", "set", port, "up" if up else "down")

    def remove(self) -> None:
        """End every process in our namespaces, each by its id, and remove them; what is gone already is no error."""
        for namespace in self.all_namespaces():
            kill_all_in(namespace)
            ip("netns", "del", namespace, check=False)
        ip("link", "del", self.uplink, check=False)


def pids_in(namespace: str) -> list[int]:
    """The ids of the processes in this namespace."""
    return [int(pid) for pid in ip("netns", "pids", namespace, check=False).split()]


def kill_all_in(namespace: str) -> None:
    """End every process in the namespace, and wait until they are gone."""
    deadline = time.monotonic() + 15
    while pids := [pid for pid in pids_in(namespace) if state_of(pid) not in ENDED]:
        if time.monotonic() > deadline:
            raise FleetError(f"processes of {namespace} do not end: {pids}")
        send(signal.SIGKILL, pids)
        time.sleep(0.02)


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    """Send a signal to each of these processes that still exists."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def state_of(pid: int) -> str:
    """The letter for the state of a process, as in proc(5); empty when there is none."""
    return _status(pid)[0]


def processor_seconds(pid: int) -> float:
    """How long this process has had a processor; 0 when there is none."""
    return sum(map(int, _status(pid)[11:13])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int) -> list[str]:
    """What proc(5) says of a process behind its name; an empty state when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return [""]
