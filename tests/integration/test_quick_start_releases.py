# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a bare Debian to a sent mail, to the letter, the installation included.

What is not as on the page: Galaxy is not asked, so the line that installs the collection names the artefact of this
work tree; what an installed machine has and debootstrap does not make, a person who may use sudo, is there; and the
emulator's authority is trusted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT
from tests.fleet import Fleet, why_impossible
from tests.support.debian import Debian
from tests.support.emulator import Emulator
from tests.support.playbook import PlaybookRun, run_program
from tests.support.quick_start import QUICK_STARTS, NewUser, installation, new_user, quick_start, trust

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_impossible()), reason=why_impossible()),
    pytest.mark.timeout(1800),
]
HOME = "/home/you"
FROM_GALAXY = "ansible-galaxy collection install smarthost.spamexperts"
#: What this machine trusts, as there may be a proxy between it and the package index.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


class BareUser(NewUser):
    """A person on a fresh Debian."""

    def __init__(self, fleet: Fleet, emulator: Emulator, system: Debian) -> None:
        system.run("sh", "-c", "apt-get -qq update && apt-get -qqy install --no-install-recommends sudo >/dev/null")
        system.run("useradd", "--create-home", "--shell=/bin/bash", "you")
        (system.root / "etc/sudoers.d/you").write_text("you ALL=(ALL) NOPASSWD: ALL\n", encoding="utf-8")
        super().__init__(fleet, emulator, system.root / HOME.lstrip("/"))
        self.system = system
        ssh = self.folder / ".ssh"
        ssh.mkdir(mode=0o700)
        shutil.copy(self.folder / "known_hosts", ssh)
        shutil.copy(fleet.directory / "ssh_key", ssh / "id_ed25519")
        shutil.copy(self.folder / "hosts", system.root / "etc/hosts")
        shutil.copy(emulator.ca_file, self.folder / "emulator.pem")
        shutil.copy(AUTHORITIES, self.folder / "authorities.pem")
        folder = system.work / "artefact"
        program = str(Path(sys.executable).with_name("ansible-galaxy"))
        command = [program, "collection", "build", "--output-path", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        (self.artefact,) = folder.iterdir()
        shutil.copy(self.artefact, self.folder)

    def environment(self) -> dict[str, str]:
        """What a login shell has; and whom to trust."""
        index = {name: value for name, value in os.environ.items() if name.startswith("PIP_INDEX")}
        usual = {"HOME": HOME, "USER": "you", "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        return {**usual, **index, "PIP_CERT": f"{HOME}/authorities.pem", **trust(f"{HOME}/emulator.pem")}

    def type(self, *commands: str) -> PlaybookRun:
        """Type these commands into one shell, in the folder of the site."""
        self.system.run("chown", "--recursive", "you:you", HOME)
        script = "\n".join(["set -e", f"cd {HOME}/site", *commands, ""])
        command = self.system.command("bash", "-c", script, user="you")
        given = f"{self.emulator.api_password}\n"
        return run_program(command, self.environment(), given=given, timeout=900)

    def close(self) -> None:
        """End what ssh has left running for the next task."""
        end = f"for control in {HOME}/.ansible/cp/*; do ssh -O exit -o ControlPath=$control x; done"
        self.system.run("sh", "-c", end, check=False)


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Debian]:
    made = Debian(request.param, tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("system", ["bookworm", "trixie"], indirect=True)
@pytest.mark.parametrize("page", QUICK_STARTS)
def test_a_new_user_follows_the_page_from_a_bare_system(system: Debian, page: str) -> None:
    to_do, first = quick_start(page), installation(page)
    assert first[-1] == FROM_GALAXY
    (activate,) = [line for line in first if line.startswith(". ")]
    with new_user("documented", lambda fleet, emulator: BareUser(fleet, emulator, system)) as user:
        assert isinstance(user, BareUser)
        user.write(to_do)
        offline = f"ansible-galaxy collection install --offline {HOME}/{user.artefact.name}"
        run = user.type(*first[:-1], offline)
        assert run.returncode == 0, run.output
        run = user.type(activate, *to_do.commands)
        assert run.returncode == 0, run.output
        assert {mail["client_ip"] for mail in user.emulator.mails()} == {host.address for host in user.fleet.hosts}
        assert len(user.emulator.users()) == 13
        again = user.type(activate, *to_do.commands[:2], to_do.commands[-1])
        assert (again.returncode, again.changed()) == (0, 0), again.output
