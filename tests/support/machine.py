# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine as a customer's: with people, a Postfix and the vendor's smarthost under its real name.

Programs see it in a mount namespace, in which /etc, /home and so on are other directories. So what the documentation
shows can run as it stands there, with /etc/postfix, /home/bob, 4489.smtp.antispamcloud.com:587 and the control panel
at https://api.antispamcloud.com, and the machine itself stays as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import ROOT
from tests.support.dns_server import DnsServer, dns_server
from tests.support.emulator import Emulator
from tests.support.playbook import PlaybookRun, ansible_environment, run_playbook
from tests.support.postfix import ScratchPostfix, make_older

SMARTHOST = "4489.smtp.antispamcloud.com"
CONTROL_PANEL = "api.antispamcloud.com"
#: Loopback as well, so that the smarthost has its real port without being in anybody's way.
ADDRESS = f"127.44.{89 + os.getpid() % 100}.{1 + os.getpid() // 100 % 250}"
PEOPLE = {"alice": 20001, "bob": 20002}
NOBODY = 65534  # whom Postfix has to know
#: Directories of the machine that are others in the namespace, in the order in which they are put there.
PLACES = {
    "etc": "/etc",
    "postfix/etc": "/etc/postfix",
    "home": "/home",
    "authorities": "/usr/local/share/ca-certificates",
}


@dataclass(frozen=True)
class TaskResult:
    """One line of the callback `record`."""

    outcome: str
    play: str
    task: str
    action: str
    result: dict[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))


class Machine:
    """The machine; use `machine` to have one."""

    def __init__(self, folder: Path, emulator: Emulator, documented_emulator: Emulator, names: DnsServer) -> None:
        self.folder = folder
        self.emulator = emulator
        self.documented_emulator = documented_emulator
        self.names = names
        mounts = [f"mount --bind {folder / own} {place}" for own, place in PLACES.items()]
        self.wrapper = ["unshare", "--mount", "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh"]
        self.work = folder / "work"
        for name in (*PLACES, "work", "home/root"):
            (folder / name).mkdir(parents=True)
        self._fill_etc(folder / "etc")
        shutil.copy(emulator.ca_file, folder / "authorities" / "example.crt")
        for name, number in PEOPLE.items():
            (folder / "home" / name).mkdir()
            os.chown(folder / "home" / name, number, number)
        self.postfix = ScratchPostfix(home=folder / "postfix", wrapper=self.wrapper)

    def _fill_etc(self, etc: Path) -> None:
        shutil.copytree("/etc", etc, symlinks=True, dirs_exist_ok=True, ignore_dangling_symlinks=True)
        (etc / "postfix").mkdir(exist_ok=True)
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n{ADDRESS} {SMARTHOST} {CONTROL_PANEL}\n")
        numbered = [(int(line.split(":")[2]), line) for line in (etc / "passwd").read_text().splitlines()]
        users = [line for number, line in numbered if number < 1000 or number == NOBODY]
        people = [f"{name}:x:{number}:{number}::/home/{name}:/bin/sh" for name, number in PEOPLE.items()]
        (etc / "passwd").write_text("\n".join([*users, *people]) + "\n")
        with (etc / "group").open("a") as groups:
            groups.writelines(f"{name}:x:{number}:\n" for name, number in PEOPLE.items())
        with (etc / "ssl" / "certs" / "ca-certificates.crt").open("a") as bundle:
            bundle.write(Path(self.emulator.ca_file).read_text())

    def environment(self) -> dict[str, str]:
        """The environment of a person who has set the connection once, as the guides say."""
        return {
            **ansible_environment(self.folder / "ansible"),
            "HOME": "/home/root",
            "SPAMEXPERTS_API_URL": f"https://{CONTROL_PANEL}",
            "SPAMEXPERTS_API_USERNAME": self.emulator.api_username,
            "SPAMEXPERTS_API_PASSWORD": self.emulator.api_password,
            "SPAMEXPERTS_CA_PATH": self.emulator.ca_file,
            "SPAMEXPERTS_SMARTHOST_CA_PATH": self.emulator.ca_file,
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "support" / "callbacks"),
            "ANSIBLE_PIPELINING": "true",  # as the guides say
            "ANSIBLE_GATHERING": "explicit",  # nothing here needs facts that it does not ask for itself
            "RECORDED_RESULTS": str(self.folder / "results"),
        }

    def run(self, playbook: str, variables: Mapping[str, Any], *options: str) -> tuple[PlaybookRun, list[TaskResult]]:
        """Run a playbook with these variables; the machine is every host of the inventory."""
        hosts = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
        groups: dict[str, Any] = {"mail_relays": {"hosts": {"mail1": {}}}, "mail_clients": {"hosts": {"desktop1": {}}}}
        inventory = {"all": {"vars": hosts, "children": groups}}
        (self.work / "inventory.yml").write_text(yaml.safe_dump(inventory))
        (self.work / "variables.yml").write_text(yaml.safe_dump(dict(variables)))
        results = self.folder / "results"
        results.write_text("")
        wrapper = [*self.wrapper, "env", f"--chdir={self.work}"]
        arguments = ["-i", "inventory.yml", "-e", "@variables.yml", *options]
        run = run_playbook(playbook, arguments, self.environment(), wrapper)
        return run, [TaskResult(**json.loads(line)) for line in results.read_text().splitlines()]

    def play(
        self, plays: list[dict[str, Any]], variables: Mapping[str, Any], *options: str
    ) -> tuple[PlaybookRun, list[TaskResult]]:
        """Run these plays as one playbook."""
        (self.work / "play.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
        return self.run("play.yml", variables, *options)


@contextmanager
def machine() -> Iterator[Machine]:
    """A machine with its Postfix running and an empty account at the vendor; gone with the block."""
    emulator = Emulator(hosts=[ADDRESS], names=[SMARTHOST, CONTROL_PANEL], username="you@example.com")
    emulator.api_url, emulator.smtp_port, emulator.smtps_port = f"https://{ADDRESS}:443", 587, 465
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="machine-"))
        stack.enter_context(emulator)
        documented_emulator = stack.enter_context(Emulator("documented"))
        names = stack.enter_context(dns_server(ADDRESS))
        Path(folder).chmod(0o755)  # Postfix's own users must be able to pass
        made = Machine(Path(folder), emulator, documented_emulator, names)
        with made.postfix, _without_pauses(made.postfix):
            yield made


@contextmanager
def _without_pauses(postfix: ScratchPostfix) -> Iterator[None]:
    """Let no program of Postfix wait because main.cf has just changed: that is two seconds for each of dozens."""
    ended = threading.Event()

    def keep_old() -> None:
        while not ended.wait(0.1):
            with suppress(FileNotFoundError):
                make_older(postfix.config_directory / "main.cf")

    thread = threading.Thread(target=keep_old)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
