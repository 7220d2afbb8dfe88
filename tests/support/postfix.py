# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private Postfix instance in a directory of its own: real programs, loopback only, never /etc/postfix."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = {daemon_directory}
mail_owner = postfix
setgid_group = postdrop
myhostname = client.test.example
mydestination = client.test.example, localhost
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
syslog_name = scratch-{port}
# Names come from /etc/hosts alone: no test mail can reach the network.
smtp_host_lookup = native
alternate_config_directories =
alias_maps =
"""
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


#: Where a mail, or something about one, is kept.
_QUEUES = ("active", "bounce", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "trace")


def make_older(path: Path) -> None:
    """Date a file back: for two seconds after a change every program of Postfix pauses before it reads main.cf."""
    then = time.time() - 60
    if path.stat().st_mtime > then:
        os.utime(path, (then, then))


@functools.cache
def _daemon_directory() -> str:
    command = ["postconf", "-d", "-h", "daemon_directory"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def path_with_main_instance(postfix: ScratchPostfix, folder: Path) -> str:
    """A PATH on which this instance is the main one; the machine's own is nobody's to touch, and may not be set up."""
    program, directory = folder / "postconf", postfix.config_directory
    program.write_text(
        f'#!/bin/sh\n[ "$*" != "-d -h config_directory" ] || exec echo {directory}\n'
        f'MAIL_CONFIG={directory} exec {shutil.which("postconf")} "$@"\n'
    )
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


class ScratchPostfix:
    """A whole Postfix of one's own; use it as a context manager, or call `start` and `close`.

    It needs root, as every Postfix does. `settings` are further lines of main.cf. `home` is the directory of the
    instance: a given one is made if missing and stays, otherwise a temporary one is made and removed by `close`.
    `wrapper` is a command that runs Postfix's programs, for namespaces.
    """

    #: The folders of a queue, as Postfix makes them.
    _queue: ClassVar[dict[str, os.stat_result]] = {}

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        home: Path | None = None,
        wrapper: Sequence[str] = (),
    ) -> None:
        self._temporary = home is None
        self.home = Path(tempfile.mkdtemp(prefix="scratch-postfix-")) if home is None else home
        self.port = free_port()
        self.wrapper = list(wrapper)
        self.config_directory = self.home / "etc"
        self.log_file = self.home / "mail.log"
        for name in ("etc", "spool", "data"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o755)  # Postfix's own users must be able to pass
        shutil.chown(self.home / "data", "postfix")
        self._daemons = _daemon_directory()
        lines = MAIN_CF.format(home=self.home, port=self.port, daemon_directory=self._daemons)
        lines += "".join(f"{name} = {value}\n" for name, value in (settings or {}).items())
        (self.config_directory / "main.cf").write_text(lines, encoding="utf-8")
        (self.config_directory / "master.cf").write_text(MASTER_CF.format(port=self.port), encoding="utf-8")
        make_older(self.config_directory / "main.cf")
        for name in ("dynamicmaps.cf", "postfix-files"):
            if (Path("/etc/postfix") / name).exists():
                shutil.copy(Path("/etc/postfix") / name, self.config_directory / name)
        for name in ("dynamicmaps.cf.d", "postfix-files.d"):
            if (Path("/etc/postfix") / name).is_dir():
                shutil.copytree(Path("/etc/postfix") / name, self.config_directory / name, dirs_exist_ok=True)

    def __enter__(self) -> ScratchPostfix:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Life

    def start(self) -> None:
        """Start the master process and wait until the SMTP port answers."""
        self._begin()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), smtplib.SMTP("127.0.0.1", self.port, timeout=5):
                return
            time.sleep(0.05)
        raise AssertionError(f"the scratch Postfix did not answer on port {self.port}: {self.log()[-2000:]}")

    def _begin(self) -> None:
        """Start as `postfix start` does, which first makes and looks through the queue with some sixty programs.

        That is done once; the queues of others are made as it made that one.
        """
        spool = self.home / "spool"
        if not ScratchPostfix._queue:
            self.run("postfix", "start")
            ScratchPostfix._queue = {path.name: path.stat() for path in spool.iterdir()}
            return
        for name, status in ScratchPostfix._queue.items():
            (spool / name).mkdir(exist_ok=True)
            os.chown(spool / name, status.st_uid, status.st_gid)
            (spool / name).chmod(stat.S_IMODE(status.st_mode))
        self.run(f"{self._daemons}/master", "-w")

    @property
    def master_pid(self) -> int | None:
        """The id of the running master process, None when it is not running."""
        try:
            pid = int((self.home / "spool" / "pid" / "master.pid").read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
            directory = Path(f"/proc/{pid}/cwd").resolve()
        except (OSError, ValueError):
            return None
        return pid if command == "master" and directory == (self.home / "spool").resolve() else None

    def _listens(self) -> bool:
        """Whether somebody has the port; for a moment these may be children of a master that is gone."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as connections that are over have it too
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                return True
        return False

    def stop(self) -> None:
        """End the master by its own id; it takes its children with it."""
        pid = self.master_pid
        if pid is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                if self.master_pid is None and not self._listens():
                    return
                time.sleep(0.02)

    def close(self) -> None:
        """Stop, and remove the directory if it was made here."""
        self.stop()
        if self._temporary:
            shutil.rmtree(self.home, ignore_errors=True)

    def run(self, program: str, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run one of Postfix's commands on this instance and return what it prints."""
        done = subprocess.run(
            [*self.wrapper, program, "-c", str(self.config_directory), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{program} {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        if program == "postconf" and arguments[0] in {"-e", "-X"}:
            make_older(self.config_directory / "main.cf")
        return done.stdout

    # Configuration

    def parameters(self) -> dict[str, str]:
        """What `postconf -n` says: only what main.cf sets."""
        lines = (line.partition("=") for line in self.run("postconf", "-n").splitlines())
        return {name.strip(): value.strip() for name, _separator, value in lines}

    def set(self, **parameters: str) -> None:
        """Set parameters in main.cf by hand, as an administrator would."""
        self.run("postconf", "-e", *(f"{name} = {value}" for name, value in parameters.items()))

    def reload(self) -> None:
        """Make the running daemons read main.cf again."""
        self.run("postfix", "reload")

    # Mail

    def inject(
        self,
        sender: str,
        recipient: str,
        subject: str = "test",
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Hand in one mail over SMTP, as a program on the host would; return its queue id. `sender` "" is a bounce.

        `port` is that of another of its services, `headers` are further ones.
        """
        message = EmailMessage()
        message["From"] = sender or "MAILER-DAEMON@client.test.example"
        message["To"] = recipient
        message["Subject"] = subject
        for name, value in (headers or {}).items():
            message[name] = value
        message.set_content("hello")
        with smtplib.SMTP("127.0.0.1", port or self.port, timeout=30) as smtp:
            smtp.ehlo_or_helo_if_needed()
            for command, reply in (
                ("MAIL", smtp.mail(sender)),
                ("RCPT", smtp.rcpt(recipient)),
                ("DATA", smtp.data(message.as_bytes())),
            ):
                if reply[0] >= 400:
                    raise AssertionError(f"the scratch Postfix refused {command}: {reply}")
        found = re.search(rb"queued as (\w+)", reply[1])
        assert found, reply
        return found.group(1).decode()

    def clean(self) -> None:
        """Remove all mail and the log so far, and let the queue manager forget which servers were down.

        What is under way meanwhile, such as a bounce, would come to queue and log later; so nothing runs meanwhile.
        """
        self.stop()
        for name in _QUEUES:
            for path in (self.home / "spool" / name).rglob("*"):
                if path.is_file():
                    path.unlink()
        self.log_file.write_text("", encoding="utf-8")
        self.start()

    def flush(self) -> None:
        """Try every deferred mail again now."""
        self.run("postqueue", "-f")

    def queue(self) -> list[dict[str, Any]]:
        """What waits: one object per mail, as `postqueue -j` prints it."""
        return [json.loads(line) for line in self.run("postqueue", "-j").splitlines()]

    def reasons(self) -> list[str]:
        """Why mail waits, one text for each recipient that has been tried."""
        return [
            recipient["delay_reason"]
            for mail in self.queue()
            for recipient in mail["recipients"]
            if "delay_reason" in recipient
        ]

    def log(self) -> str:
        """The mail log so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def statuses(self) -> list[str]:
        """The outcome of every delivery so far, in order: sent, deferred, bounced."""
        return re.findall(r"\bto=<.*\bstatus=(\w+)", self.log())

    def wait_until_quiet(self) -> None:
        """Wait until no mail is being tried: the queue is empty, or everything in it has been deferred."""
        self._wait(lambda: all(mail["queue_name"] == "deferred" for mail in self.queue()), "is still being tried", 20)

    def wait_until_empty(self, timeout: float = 20) -> None:
        """Wait until every mail has left."""
        self._wait(lambda: not self.queue(), "still waits", timeout)

    def _wait(self, is_over: Callable[[], bool], what: str, timeout: float) -> None:
        """Wait for this; raise AssertionError when the time is over.

        A queue manager that is on its way out because of a reload may take a mail, or the news of one, with it. The
        next one begins with the next news, which may be five minutes later: so it gets some here, of no mail.
        """
        begin = time.monotonic()
        woken = 0
        while time.monotonic() < begin + timeout:
            if is_over():
                return
            if time.monotonic() > begin + woken + 1:
                woken += 1
                self.run("postkick", "public", "qmgr", "I", check=False)
            time.sleep(0.05)
        raise AssertionError(f"mail {what} after {timeout} s: {self.queue()}\n{self.log()[-4000:]}")
