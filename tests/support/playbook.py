# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run real playbooks, with an environment of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import ROOT
from tests.support import warm
from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix

_SECONDS = 280.0
#: Variables of a host that cannot be reached.
OUT_OF_REACH: dict[str, Any] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


@dataclass(frozen=True)
class PlaybookRun:
    """What ansible-playbook printed, and how it ended."""

    returncode: int
    output: str

    def recap(self) -> dict[str, dict[str, int]]:
        """Host -> counts of the last lines, such as changed."""
        lines = re.findall(r"^(\S+)\s+: (ok=.*)$", self.output, re.MULTILINE)
        return {host: {n: int(v) for n, v in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in lines}

    def changed(self) -> int:
        """How many tasks changed something, on all hosts."""
        return sum(counts["changed"] for counts in self.recap().values())


def ansible_environment(build: Path = ROOT / "build") -> dict[str, str]:
    """The environment for ansible: nothing of the caller's own Ansible, this collection, no colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "SPAMEXPERTS_"))}
    return {
        **kept,
        "ANSIBLE_CONFIG": str(ROOT / ("tests/support/ansible.cfg" if warm.is_used else "ansible.cfg")),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_HOME": str(build / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(build / "ansible" / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
    }


def inventory_file(path: Path, emulator: Emulator, *relays: ScratchPostfix, **variables: Any) -> Path:
    """Write an inventory in which each scratch Postfix is a mail server that sends through the emulator."""
    hosts = {
        f"mail{number}": {
            "outgoing_mail_config_directory": str(relay.config_directory),
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
        }
        for number, relay in enumerate(relays, 1)
    }
    shared = {
        "outgoing_mail_smarthost": emulator.smtp_host,
        "outgoing_mail_smarthost_port": emulator.smtp_port,
        "outgoing_mail_smarthost_ca_path": emulator.ca_file,
        "spamexperts_smarthost_ca_path": emulator.ca_file,
        **variables,
    }
    content = {"all": {"vars": shared, "children": {"mail_relays": {"hosts": hosts}}}}
    path.write_text("---\n" + yaml.safe_dump(content), encoding="utf-8")
    return path


def run_playbook(
    playbook: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    wrapper: Sequence[str] = (),
    folder: Path | None = None,
) -> PlaybookRun:
    """Run ansible-playbook and wait for it; a failed play is a result, not an exception.

    `wrapper`: a command that runs the program, for namespaces. `folder`: from where it is started.
    """
    if wrapper or not warm.can_run(environment):
        return run_program([*wrapper, warm.PROGRAM, playbook, *arguments], environment, folder=folder)
    return PlaybookRun(*warm.run([playbook, *arguments], environment, folder or Path.cwd(), _SECONDS))


def run_program(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    given: str = "",
    timeout: float = _SECONDS,
) -> PlaybookRun:
    """Run a program that runs playbooks. given: what is typed into it. folder: from where it is started."""
    done = subprocess.run(
        command,
        input=given,
        env=dict(environment),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )
    return PlaybookRun(done.returncode, done.stdout)
