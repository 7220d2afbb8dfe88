# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One mail server of the fleet."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.fleet.host_init import SYSTEM_LOG
from tests.fleet.network import STANDING, FleetError, Network, kill_all_in, pids_in, processor_seconds, send, state_of
from tests.support.postfix import make_older

_INIT = Path(__file__).with_name("host_init.py")
_START_SECONDS = 60


class Host:
    """A host with its own root, processes, network, sshd and Postfix.

    Its files are in `directory` and survive `reboot`.
    """

    def __init__(self, name: str, address: str, network: Network, directory: Path, hosts_file: str) -> None:
        self.name = name
        self.address = address
        self.directory = directory
        self._network = network
        self._namespace = network.namespace(name)
        self._hosts_file = hosts_file

    # Life

    def connect(self) -> None:
        """Make the host's network; once."""
        self._network.add(self._namespace, self.name, self.address)

    def start(self) -> None:
        """Switch the host on; `wait` says when it is there."""
        unshare = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL"]
        command = ["ip", "netns", "exec", self._namespace, *unshare]
        command += ["/usr/bin/python3", str(_INIT), str(self.directory), self.name, self._hosts_file]
        with (self.directory / "console.log").open("a", encoding="utf-8") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )

    def wait(self) -> None:
        """Wait until sshd answers; Postfix runs by then."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((self.address, 22), timeout=2) as connection:
                    if connection.recv(4) == b"SSH-":
                        return
            except OSError:
                time.sleep(0.05)
        raise FleetError(f"host {self.name} did not start: {(self.directory / 'console.log').read_text()[-1000:]}")

    def stop(self) -> None:
        """Pull the plug: every process of the host ends at once."""
        kill_all_in(self._namespace)
        if hasattr(self, "_process"):
            self._process.wait()

    def reboot(self) -> None:
        """Pull the plug and start again on the same files."""
        self.stop()
        self.start()
        self.wait()

    def cut_off(self) -> None:
        """Pull the network cable."""
        self._network.set_port(self.name, up=False)

    def reconnect(self) -> None:
        """Put the cable back."""
        self._network.set_port(self.name, up=True)

    def pause(self) -> None:
        """Let every process of the host stand still, as on a machine that is far too slow."""
        deadline = time.monotonic() + 10
        while moving := [pid for pid in pids_in(self._namespace) if state_of(pid) not in STANDING]:
            if time.monotonic() > deadline:
                raise FleetError(f"host {self.name} cannot be paused")
            send(signal.SIGSTOP, moving)

    def resume(self) -> None:
        """Let them go on."""
        send(signal.SIGCONT, pids_in(self._namespace))

    @contextmanager
    def slowed_down(self, standing: float = 3) -> Iterator[None]:
        """Let the host stand still so many times as long as it has had a processor, again and again.

        A machine that is busy with other things is a brake by itself: by the clock the host would hardly get anywhere.
        nsenter stops itself when it sees that its program has been stopped, which may be after both were to go on:
        so they are told to at each turn, whether the host has worked or not.
        """
        over = threading.Event()

        def brake() -> None:
            before = self._processor_seconds()
            while not over.wait(0.1):
                now = self._processor_seconds()
                worked = sum(max(0.0, seconds - before.get(pid, 0.0)) for pid, seconds in now.items())
                if worked:
                    send(signal.SIGSTOP, list(now))
                    over.wait(standing * worked)
                self.resume()
                before = now

        thread = threading.Thread(target=brake)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.resume()

    def _processor_seconds(self) -> dict[int, float]:
        """How long each process of the host has had a processor."""
        return {pid: processor_seconds(pid) for pid in pids_in(self._namespace)}

    # Programs and files

    @property
    def init_pid(self) -> int:
        """The id of the host's first process, as the machine sees it."""
        for pid in pids_in(self._namespace):
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            except OSError:
                continue
            inner = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(inner) > 1 and inner[-1] == "1":
                return pid
        raise FleetError(f"host {self.name} is switched off")

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs a program on the host, without SSH."""
        target = ["nsenter", f"--target={self.init_pid}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]
        return [*target, "--root", "--wd", *clean, *arguments]

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run a program on the host and return what it prints."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=120)
        if check and done.returncode:
            raise FleetError(f"{self.name}: {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        if arguments[:2] in {("postconf", "-e"), ("postconf", "-X")}:
            make_older(self.path("/etc/postfix/main.cf"))
        return done.stdout

    def path(self, name: str) -> Path:
        """A file of the running host, as the machine reaches it."""
        return Path(f"/proc/{self.init_pid}/root") / name.lstrip("/")

    def files_with(self, *texts: str | bytes) -> list[str]:
        """The files of the running host that contain one of these texts; files of the machine below it left out."""
        places = {
            self.directory / "upper": "/",
            self.directory / "home": "/root",
            self.path("/run"): "/run",
            self.path("/tmp"): "/tmp",  # noqa: S108 - the host's
        }
        wanted = b"\n".join(text.encode() if isinstance(text, str) else text for text in texts)
        found = subprocess.run(
            ["grep", "-rlsaF", "-D", "skip", "-f", "-", *map(str, places)],
            input=wanted,
            capture_output=True,
            check=False,
        ).stdout
        files = [Path(os.fsdecode(line)) for line in found.splitlines()]
        return [
            str(Path(inside) / file.relative_to(outside))
            for file in files
            for outside, inside in places.items()
            if file.is_relative_to(outside)
        ]

    def system_log(self) -> bytes:
        """What programs of the host have sent to syslog."""
        path = self.path(SYSTEM_LOG)
        return path.read_bytes() if path.exists() else b""

    # Mail

    def inject(self, sender: str, recipient: str, subject: str = "test") -> None:
        """Hand in one mail with sendmail, as a program on the host would."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, recipient, subject
        message.set_content("hello")
        done = subprocess.run(
            self.command("sendmail", "-f", sender, recipient),
            input=message.as_bytes(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise FleetError(f"{self.name}: sendmail refused a mail: {done.stderr!r}")

    def send_steadily(self, sender: str, recipient: str, prefix: str, per_second: float) -> SteadyMail:
        """Hand in mail all the time until it is stopped."""
        return SteadyMail(self, sender, recipient, prefix, per_second)

    def queue(self) -> list[dict[str, Any]]:
        """What waits: one object for each mail, as `postqueue -j` prints it."""
        return [json.loads(line) for line in self.run("postqueue", "-j").splitlines()]

    def wait_until_empty(self, timeout: float = 60) -> None:
        """Wait until every mail has left."""
        deadline = time.monotonic() + timeout
        while self.queue():
            if time.monotonic() > deadline:
                raise FleetError(f"{self.name}: mail still waits after {timeout} s: {self.queue()[:2]}")
            time.sleep(0.1)

    def log(self) -> str:
        """The host's mail log."""
        path = self.path("/var/log/mail.log")
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


class SteadyMail:
    """A program on a host that hands in mail at a steady rate; each accepted mail has a subject of its own.

    It is a context manager; afterwards `accepted` holds the subjects that Postfix has taken.
    """

    def __init__(self, host: Host, sender: str, recipient: str, prefix: str, per_second: float) -> None:
        self.accepted: list[str] = []
        arguments = (sender, recipient, prefix, str(per_second))
        source = Path(__file__).with_name("steady_mail.py").read_text(encoding="utf-8")
        self._process = subprocess.Popen(
            host.command("/usr/bin/python3", "-c", source, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
        )

    def __enter__(self) -> SteadyMail:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop, and learn what was accepted; the program ends when its input does."""
        if self._process.returncode is None:
            output, _nothing = self._process.communicate(timeout=30)
            self.accepted = output.split()
