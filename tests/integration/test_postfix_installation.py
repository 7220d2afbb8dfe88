# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation of Postfix that is interrupted is finished by the next run: it takes mail from its own host only.

The package is on the host from the beginning, and only the program is hidden by which the role looks for it. The real
package is installed in test_postfix_releases, which takes minutes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.fleet import SMARTHOST_NAME, Fleet, fleet_emulator, why_impossible
from tests.fleet.fleet import AUTHORITY
from tests.fleet.host import Host
from tests.support.emulator import Emulator
from tests.support.interrupted import InterruptedRun, with_timeline
from tests.support.playbook import PlaybookRun, ansible_environment, run_playbook

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())]
PASSWORD = "Correct-Horse-42"
PROGRAM = "/usr/sbin/postconf"
NOTE = "/var/lib/smarthost-postfix-unsettled"
PLAY = """\
- name: Set up
  hosts: mail_relays
  gather_facts: false
  roles:
    - smarthost.spamexperts.outgoing_mail
"""
#: A name that no repository has.
IMPOSSIBLE = ("-e", '{"outgoing_mail_packages_by_family": {"Debian": ["smarthost-no-such-package"]}}')


class Site:
    """One host whose Postfix takes mail from the whole network, as some packages have it."""

    def __init__(self, fleet: Fleet, emulator: Emulator, folder: Path) -> None:
        (self.host,) = fleet.hosts
        self.folder = folder
        self.environment = {**ansible_environment(folder), **fleet.ansible_environment, "ANSIBLE_PIPELINING": "1"}
        book = folder / "play.yml"
        book.write_text(PLAY, encoding="utf-8")
        self.arguments = [str(book), "-i", str(fleet.inventory)]
        emulator.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
        self.host.path(AUTHORITY).write_text(Path(emulator.ca_file).read_text(encoding="utf-8"), encoding="utf-8")
        fleet.write_inventory(
            {
                "outgoing_mail_smarthost": SMARTHOST_NAME,
                "outgoing_mail_smarthost_port": emulator.smtp_port,
                "outgoing_mail_smarthost_ca_path": AUTHORITY,
                "outgoing_mail_login": "server@example.com",
                "outgoing_mail_password": PASSWORD,
            }
        )
        # As a package leaves it, whatever the test before has made of it.
        fresh = "cd /etc/postfix && cp -n main.cf main.cf.fresh && cp main.cf.fresh main.cf && rm -f smarthost_*"
        self.host.run("sh", "-c", fresh)
        self.host.run("postconf", "-e", "inet_interfaces=all")

    def run(self, *options: str) -> PlaybookRun:
        """Run the role to its end."""
        return run_playbook(self.arguments[0], [*self.arguments[1:], *options], self.environment)

    def interrupted(self, task: str, *options: str) -> InterruptedRun:
        """Run the role until this task begins."""
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        environment = with_timeline(self.environment, self.folder / "timeline")
        log = self.folder / "interrupted.log"
        return InterruptedRun([program, *self.arguments, *options], environment, log, [f"Set up / {task}"])

    @property
    def interfaces(self) -> str:
        """From where Postfix takes mail."""
        return self.host.run("postconf", "-h", "inet_interfaces").strip()


@contextmanager
def hidden(host: Host) -> Iterator[None]:
    """Let Postfix look as if it were not installed."""
    host.run("mv", PROGRAM, f"{PROGRAM}.hidden")
    try:
        yield
    finally:
        host.run("mv", f"{PROGRAM}.hidden", PROGRAM)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Fleet, Emulator]]:
    with Fleet(1) as fleet, fleet_emulator(fleet) as emulator:
        yield fleet, emulator


@pytest.fixture
def site(running: tuple[Fleet, Emulator], tmp_path: Path) -> Site:
    return Site(*running, tmp_path)


def test_the_next_run_settles_it(site: Site) -> None:
    with hidden(site.host), site.interrupted("Restrict Postfix to the loopback interface") as run:
        run.wait_for_stop()
        run.kill()
    assert site.interfaces == "all"

    predicted = site.run("--check")
    assert predicted.returncode == 0, predicted.output
    assert re.search(r"TASK \[.*Remove the record, as Postfix is restricted\] \**\nchanged: \[h1\]", predicted.output)
    assert site.interfaces == "all"

    main = site.host.path("/etc/postfix/main.cf")
    # An earlier installation may have left a file without a newline at its end; the parameter is then appended.
    lines = [line for line in main.read_text(encoding="utf-8").splitlines() if not line.startswith("inet_interfaces")]
    main.write_text("\n".join([*lines, "smtpd_banner = left"]), encoding="utf-8")
    finished = site.run()
    assert finished.returncode == 0, finished.output
    assert site.interfaces == "loopback-only"
    assert site.host.run("postconf", "-h", "smtpd_banner") == "left\n"
    assert not site.host.path(NOTE).exists()

    again = site.run()
    assert again.returncode == 0, again.output
    assert again.changed() == 0
    assert "Install the packages" not in again.output


@pytest.mark.slow
def test_a_package_that_starts_nothing_is_not_started(site: Site) -> None:
    """As on Red Hat; before the smarthost is set up, mail would leave without it."""
    site.host.run("postfix", "stop")
    try:
        with hidden(site.host), site.interrupted("Restrict Postfix to the loopback interface") as run:
            run.wait_for_stop()
            run.kill()
        finished = site.run("-e", '{"outgoing_mail_start": false}')
        assert finished.returncode == 0, finished.output
        assert site.interfaces == "loopback-only"
        assert site.host.run("sh", "-c", "postfix status || echo stopped").endswith("stopped\n")
    finally:
        site.host.run("postfix", "start")


@pytest.mark.slow
def test_where_nothing_was_installed_nothing_is_to_be_settled(site: Site) -> None:
    """Somebody installs Postfix in another way then, and lets it take mail from the network."""
    with hidden(site.host):
        failed = site.run(*IMPOSSIBLE)
    assert failed.returncode == 2
    assert failed.output.count("smarthost-no-such-package") > 1, "the last message says why"
    assert not site.host.path(NOTE).exists()
    assert site.run().returncode == 0
    assert site.interfaces == "all"


@pytest.mark.slow
def test_what_was_installed_before_another_package_failed_is_settled(site: Site) -> None:
    with ExitStack() as stack:
        with hidden(site.host):
            run = stack.enter_context(site.interrupted("Install the packages", *IMPOSSIBLE))
            run.wait_for_stop()
        run.go_on()
        assert run.wait() == 2
    assert site.interfaces == "all"
    finished = site.run()
    assert finished.returncode == 0, finished.output
    assert site.interfaces == "loopback-only"
