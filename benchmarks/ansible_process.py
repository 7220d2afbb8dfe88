# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks, and the very file that ansible-core would run on a host for one task."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import BenchmarkError, Run, run_process
from tests import ROOT
from tests.support.playbook import ansible_environment

OUTGOING_USERS = "smarthost.spamexperts.outgoing_users"
OUTGOING_USER = "smarthost.spamexperts.outgoing_user"


def write_playbook(
    directory: Path, tasks: Sequence[Mapping[str, Any]], variables: Mapping[str, Any] | None = None
) -> Path:
    """Write a playbook for the controller itself; its variables come from a JSON file, which is read fast."""
    playbook, values = directory / "playbook.yml", directory / "variables.json"
    values.write_text(json.dumps(variables or {}), encoding="utf-8")
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "vars_files": [str(values)],
        "tasks": list(tasks),
    }
    playbook.write_text(json.dumps([play], indent=1), encoding="utf-8")
    return playbook


def run_playbook(python: Path, playbook: Path, *arguments: str, **environment: str) -> Run:
    """Run ansible-playbook of this Python's ansible-core. Raises BenchmarkError where the play fails."""
    command = [str(python.with_name("ansible-playbook")), str(playbook), "--inventory=localhost,", *arguments]
    return run_process(command, {**ansible_environment(), **environment})


class ModuleProcess:
    """A module with its arguments, packed by ansible-core as for a host, to be run again and again without a play."""

    def __init__(
        self, python: Path, module: str, arguments: Mapping[str, Any], *, check: bool = False, users: Any = None
    ) -> None:
        """users: the option of that name, apart from the others because it may be long. Runs the module once."""
        self._python = python
        self._directory = tempfile.TemporaryDirectory(prefix="benchmark-")
        home = Path(self._directory.name)
        given = {**arguments, **({"users": "{{ users }}"} if users is not None else {})}
        playbook = write_playbook(home, [{"name": "Pack", module: given}], {"users": users})
        options = ["--check"] if check else []
        peers = str(ROOT / "benchmarks/peers/library")
        kept = {
            "ANSIBLE_LIBRARY": peers,
            "ANSIBLE_KEEP_REMOTE_FILES": "1",
            "ANSIBLE_PIPELINING": "0",
            "ANSIBLE_REMOTE_TMP": str(home / "tmp"),
        }
        run_playbook(python, playbook, *options, **kept)
        packed = list(home.glob(f"tmp/ansible-tmp-*/AnsiballZ_{module.rpartition('.')[2]}.py"))
        if len(packed) != 1:
            raise BenchmarkError(f"ansible-core left {len(packed)} packed modules behind")
        self.path = packed[0]

    def run(self) -> Run:
        """Run it once, as a process of its own."""
        return run_process([str(self._python), str(self.path)])

    def close(self) -> None:
        """Remove the packed module, which holds its arguments."""
        self._directory.cleanup()

    def __enter__(self) -> ModuleProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


__all__ = ["OUTGOING_USER", "OUTGOING_USERS", "ROOT", "ModuleProcess", "run_playbook", "write_playbook"]
