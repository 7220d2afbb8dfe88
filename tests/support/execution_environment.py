# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment with what the collection's definition names and nothing else, and jobs in it as AWX starts them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.release import __version__ as core_version

from tests import ROOT
from tests.support.documentation import Block, guide_blocks
from tests.support.playbook import PlaybookRun
from tests.support.store import read_store
from tests.tools.artefact import build, install

PROGRAMS = Path(sys.executable).parent
FOLDER = ROOT / "build" / "execution-environment"
#: They fix the versions and bring nothing in.
CONSTRAINTS = [ROOT / "tests" / f"requirements-{name}.txt" for name in ("test", "execution-environment")]


def guide_block(before: str, *words: str) -> Block:
    """The block of the guide to AWX with these words in it, below this marker."""
    (found,) = [
        block
        for block in guide_blocks()
        if block.source.startswith("docs/awx.md:") and before in block.before and all(w in block.text for w in words)
    ]
    return found


def surveys() -> list[dict[str, Any]]:
    """The surveys of the guide to AWX."""
    return [json.loads(block.text) for block in guide_blocks("json") if block.source.startswith("docs/awx.md:")]


def answer(playbook: str, text: str) -> dict[str, str]:
    """What AWX hands over when somebody has answered the question of this playbook's survey."""
    (question,) = [one for survey in surveys() for one in survey["spec"] if one["variable"] in variables_of(playbook)]
    assert question["min"] <= len(text) <= question["max"]
    return {question["variable"]: text}


@dataclass(frozen=True)
class ExecutionEnvironment:
    """What `ansible-builder` would put into an image, without the image.

    collections: the folder with the installed artefact; requirements, packages: what ansible-builder reads from it.
    """

    programs: Path
    collections: Path
    requirements: list[str]
    packages: list[str]


def execution_environment(folder: Path) -> ExecutionEnvironment:
    """Install the artefact below this folder, and what it names into a virtual environment of its own in build/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(PROGRAMS), prepend=os.pathsep)
        collections = install(build(folder / "artefact"), folder / "collections").parents[2]
    written = {kind: folder / f"{kind}.txt" for kind in ("pip", "bindep")}
    writes = [f"--write-{kind}={path}" for kind, path in written.items()]
    command = [str(PROGRAMS / "ansible-builder"), "introspect", *writes, str(collections)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    pip, packages = ([line.partition("#")[0].strip() for line in path.open()] for path in written.values())
    definition = guide_block("ansible-builder reads it").data()["dependencies"]
    wanted = [*pip, definition["ansible_core"]["package_pip"], definition["ansible_runner"]["package_pip"]]

    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "core.txt").write_text(f"ansible-core=={core_version}\n", encoding="utf-8")
    lines = [*wanted, *(f"--constraint {path}" for path in [*CONSTRAINTS, FOLDER / "core.txt"])]
    requirements = FOLDER / "requirements.txt"
    requirements.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    prepare = ["tests/tools/environment", sys.executable, str(FOLDER / "venv"), str(requirements)]
    subprocess.run(prepare, cwd=ROOT, check=True)
    return ExecutionEnvironment(FOLDER / "venv" / "bin", collections, pip, packages)


class Controller:
    """A controller that starts jobs by `ansible-runner`: with a project, an inventory and credentials, as AWX does.

    kept: a folder that stays when a job has ended.
    """

    def __init__(self, folder: Path, environment: ExecutionEnvironment, inventory: Mapping[str, Any]) -> None:
        self.environment = environment
        self.folder = folder
        self.kept = folder / "kept"
        self.inventory = dict(inventory)
        #: What the project has besides its playbooks: path -> text.
        self.project: dict[str, str] = {}
        #: The fields of the credential of our own type.
        self.account: dict[str, str] = {}
        self.private_key = ""
        self.vault_id = "mail"
        self.vault_password = ""
        #: Further variables of the environment.
        self.variables: dict[str, str] = {}
        self._jobs = 0
        self.kept.mkdir()

    def run(self, playbook: str, *options: str, **extra_variables: Any) -> PlaybookRun:
        """Run a playbook of the collection in a folder of its own, and look for secrets in what is left of it."""
        self._jobs += 1
        job = self.last_job
        for part in ("project", "inventory", "env"):
            (job / part).mkdir(parents=True)
        project = guide_block("AWX reads it", "import_playbook").text.replace("apply", playbook)
        assert f"smarthost.spamexperts.{playbook}\n" in f"{project}\n"
        for name, text in {f"{playbook}.yml": project, **self.project}.items():
            path = job / "project" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (job / "inventory" / "hosts.yml").write_text(yaml.safe_dump(self.inventory), encoding="utf-8")
        injector: dict[str, str] = guide_block("AWX reads it", "SPAMEXPERTS_API_PASSWORD").data()["env"]
        fields = {f"{{{{ {name} }}}}": value for name, value in self.account.items()}
        files: dict[str, Any] = {
            "envvars": {
                **{name: fields[value] for name, value in injector.items()},
                **self.variables,
                "ANSIBLE_COLLECTIONS_PATH": str(self.environment.collections),
                "AWX_PRIVATE_DATA_DIR": str(job),
            },
            "extravars": extra_variables,
            "passwords": {rf"Vault password \({self.vault_id}\):\s*?$": self.vault_password},
            "settings": {"job_timeout": 250, "suppress_env_files": True},
        }
        for name, content in files.items():
            (job / "env" / name).write_text(json.dumps(content), encoding="utf-8")
        (job / "env" / "ssh_key").write_text(self.private_key, encoding="utf-8")
        (job / "env" / "cmdline").write_text(f"--vault-id {self.vault_id}@prompt {' '.join(options)}", encoding="utf-8")
        command = ["ansible-runner", "run", str(job), "--playbook", f"{playbook}.yml", "--ident", "1"]
        subprocess.run(
            [self.environment.programs / command[0], *command[1:]],
            env={"PATH": f"{self.environment.programs}{os.pathsep}{os.defpath}", "HOME": str(job), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=280,
        )
        artefacts = job / "artifacts" / "1"
        # The command is kept with its environment; AWX hides each variable with API or PASS in its name.
        self.check_secrets([path for path in artefacts.rglob("*") if path.is_file() and path.name != "command"])
        return PlaybookRun(int((artefacts / "rc").read_text()), (artefacts / "stdout").read_text(encoding="utf-8"))

    @property
    def last_job(self) -> Path:
        """The folder of the last job."""
        return self.folder / f"job{self._jobs}"

    def secrets(self) -> list[str]:
        """Every password that this controller or its store knows."""
        stored = self.stored().values()
        entries = [entry[part] for entry in stored for part in ("current", "next") if part in entry]
        files = [path.read_text().strip() for path in self.kept.glob("*.password")]
        return [self.account["password"], self.vault_password, *entries, *files]

    def check_secrets(self, paths: list[Path]) -> None:
        """No password is in these files, and there are files."""
        assert paths
        text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)
        for secret in self.secrets():
            assert secret not in text

    @property
    def store(self) -> Path:
        """The credential store."""
        return self.kept / "credentials.yml"

    def stored(self) -> dict[str, dict[str, str]]:
        """What the store holds; nothing where there is none yet."""
        return read_store(self.store, self.vault_password) if self.store.exists() else {}


def job_templates() -> dict[str, str]:
    """The playbooks of the guide's table of job templates, each with the rest of its row."""
    chapter = (ROOT / "docs" / "awx.md").read_text(encoding="utf-8").partition("## The job templates")[2]
    return dict(re.findall(r"(?m)^\| `(\w+)` \|(.*)$", chapter.partition("\n## ")[0]))


def variables_of(playbook: str) -> list[str]:
    """The extra variables that the guide's table has for a playbook."""
    return re.findall(r"`(spamexperts_\w+)`", job_templates()[playbook])
