# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test on this machine, without a container: `python -m tests.tools.ansible_test sanity|units [OPTION...]`.

ansible-test wants the collection under `ansible_collections/` and refuses links, so it works on a copy. It makes
virtual environments of its own and would fetch pip's bootstrap file from outside the package index; here Python's own
ensurepip is that file. Its caches and settings live in a home of their own under build/. In its options, `running`
stands for the Python that runs this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ansible_test
from ansible.release import __version__ as core_version

from tests import ROOT
from tests.tools.committed import copy_project
from tests.tools.pythons import find_pythons

BUILD = ROOT / "build"
PACKAGE = Path(ansible_test.__file__).parent

# ansible-test calls this file as pip's `get-pip.py`, with options that ensurepip does not need.
BOOTSTRAP = """\
import ensurepip
ensurepip.bootstrap()
"""

# ansible-core 2.22 takes these from a source archive outside the package index; here their release does.
RELEASED = {"dill": "0.4.1"}


def prefer_releases() -> None:
    """Let the requirements of ansible-test, in our own environment, name releases instead of source archives."""
    for path in PACKAGE.glob("_data/requirements/*.txt"):
        lines = path.read_text().splitlines(keepends=True)
        names = [line.partition(" @ ")[0] for line in lines]
        better = [f"{name}=={RELEASED[name]}\n" if name in RELEASED else line for name, line in zip(names, lines)]
        if better != lines:
            path.write_text("".join(better))


def pip_versions() -> set[str]:
    """Return the versions of pip that this ansible-core names for its environments."""
    source = PACKAGE / "_internal" / "python_requirements.py"
    return {line.split("'")[1] for line in source.read_text().splitlines() if line.strip().startswith("pip='")}


def prepare_home(home: Path) -> None:
    """Fill the home that ansible-test gets: the bootstrap files, a quiet pip and the caller's package index."""
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in pip_versions():
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(BOOTSTRAP)
    (home / ".pip").mkdir(exist_ok=True)
    (home / ".pip" / "pip.conf").write_text("[global]\nquiet = 2\n")
    settings = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "pip"
    link = home / ".config" / "pip"
    if settings.is_dir() and not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(settings)


def offer_pythons(folder: Path) -> str:
    """Return a search path on which each Python that works has its name, and no shim that fails when called."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for version, program in find_pythons().items():
        (folder / f"python{version}").symlink_to(program)
    others = [entry for entry in os.get_exec_path() if Path(entry).name != "shims"]
    return os.pathsep.join([str(Path(sys.executable).parent), str(folder), *others])


def main() -> int:
    running = "{}.{}".format(*sys.version_info)
    command, *options = (running if argument == "running" else argument for argument in sys.argv[1:])
    if command == "units":  # its pytest takes no other plugins than ansible-test's own
        options = ["--venv", "--python", running, *options]
    collection = BUILD / "ansible_collections" / "smarthost" / "spamexperts"
    home = BUILD / "home"
    copy_project(collection)
    # Without a repository of its own the copy counts as what it is to the outer one: ignored.
    subprocess.run(["git", "init", "--quiet", collection], check=True)
    prepare_home(home)
    prefer_releases()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"HOME": str(home), "PATH": offer_pythons(BUILD / "pythons")}
    print(f"ansible-core {core_version}", flush=True)
    program = Path(sys.executable).parent / "ansible-test"
    return subprocess.run(
        [program, command, "--color", "no", *options], cwd=collection, env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
