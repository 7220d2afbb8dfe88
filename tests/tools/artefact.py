# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the artefact, check what is in it, install it into an empty folder and use it from there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests import ROOT
from tests.support.documentation import plugin_names

NAMESPACE, NAME = "smarthost", "spamexperts"
# Everything that the artefact may hold; what ends in "/" with all that is below it.
PRODUCT = (
    "CHANGELOG.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "bindep.txt",
    "changelogs/changelog.yaml",
    "changelogs/config.yaml",
    "docs/",
    "meta/",
    "playbooks/",
    "plugins/",
    "requirements.txt",
    "roles/",
    "tests/config.yml",
)


def strangers(files: list[str]) -> list[str]:
    """Return the files that are no part of the product."""
    return [
        name
        for name in files
        if not any(name.startswith(part) if part.endswith("/") else name == part for part in PRODUCT)
    ]


def build(folder: Path) -> Path:
    """Build the collection as it lies in the work tree and return the artefact."""
    shutil.rmtree(folder, ignore_errors=True)
    command = ["ansible-galaxy", "collection", "build", "--force", "--output-path", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    (artefact,) = folder.glob("*.tar.gz")
    return artefact


def contents(artefact: Path) -> list[str]:
    """Return the names of the files in the artefact."""
    with tarfile.open(artefact) as archive:
        return sorted(member.name for member in archive if not member.isdir())


def install(artefact: Path, folder: Path) -> Path:
    """Install the artefact into an empty folder and return where the collection is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "ansible.cfg").write_text("[defaults]\n")
    command = ["ansible-galaxy", "collection", "install", "--offline", "--collections-path", str(folder), str(artefact)]
    subprocess.run(command, cwd=folder, env=environment(folder), check=True)
    return folder / "ansible_collections" / NAMESPACE / NAME


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which Ansible knows the collections of this folder only and no settings."""
    return {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_CONFIG": str(folder / "ansible.cfg")}


def documented(kind: str, names: list[str], folder: Path) -> None:
    """Read the documentation of all of these as a user would; raises when one cannot be read."""
    full_names = [f"{NAMESPACE}.{NAME}.{name}" for name in names]
    if not full_names:
        return
    command = ["ansible-doc", "--json", "--type", kind, *full_names]
    printed = subprocess.run(command, cwd=folder, env=environment(folder), check=True, stdout=subprocess.PIPE).stdout
    missing = set(full_names) - set(json.loads(printed))
    if missing:
        raise SystemExit(f"ansible-doc prints nothing for: {', '.join(sorted(missing))}")
    print(f"ansible-doc printed {len(full_names)} of type {kind}")


def main() -> int:
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    artefact = build(ROOT / "build" / "artefact")
    files = contents(artefact)
    if foreign := strangers(files):
        print(f"Not a part of the product, add it to build_ignore in galaxy.yml: {', '.join(foreign)}")
        return 1
    folder = ROOT / "build" / "installed"
    collection = install(artefact, folder)
    for kind, subfolder in (("module", "modules"), ("lookup", "lookup")):
        documented(kind, plugin_names(subfolder, collection), folder)
    documented("role", sorted(path.name for path in collection.glob("roles/*")), folder)
    for playbook in sorted(collection.glob("playbooks/*.yml")):
        command = ["ansible-playbook", "--syntax-check", f"{NAMESPACE}.{NAME}.{playbook.stem}"]
        subprocess.run(command, cwd=folder, env=environment(folder), check=True)
    print(f"{artefact.relative_to(ROOT)}: {len(files)} files")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:  # the program has said why
        sys.exit(f"{error.cmd[0]} ended with exit code {error.returncode}")
