# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet is real: SSH, Postfix and a network that can be pulled, and nothing of it stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT
from tests.fleet import SMARTHOST_NAME, Fleet, FleetError, fleet_emulator, why_impossible
from tests.fleet.fleet import remove
from tests.fleet.network import Network, namespaces, pids_in, state_of
from tests.support.playbook import ansible_environment
from tests.support.rotation import RotationSite, check_mail, steady_mail

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(why_impossible()), reason=why_impossible()),
]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(2) as running:
        yield running


def ping(fleet: Fleet) -> str:
    """Let Ansible ping all hosts; what it printed."""
    command = [str(Path(sys.executable).with_name("ansible")), "mail_relays", "-i", str(fleet.inventory)]
    return subprocess.run(
        [*command, "-o", "-m", "ansible.builtin.ping"],
        env={**ansible_environment(), **fleet.ansible_environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_ansible_reaches_every_host_over_ssh(fleet: Fleet) -> None:
    assert ping(fleet).count("SUCCESS") == 2


def test_hosts_are_separate_from_the_machine_and_each_other(fleet: Fleet) -> None:
    first, second = fleet.hosts
    first.run("sh", "-c", "echo mine > /etc/fleet-test; postconf -e relayhost=[fleet.test]")
    assert first.path("/etc/fleet-test").read_text() == "mine\n"
    assert not second.path("/etc/fleet-test").exists()
    assert not Path("/etc/fleet-test").exists()
    assert second.run("postconf", "-h", "relayhost") == "\n"
    assert first.run("hostname") == "h1\n"
    assert "tests.emulator" not in first.run("ps", "ax")


def test_a_mail_goes_from_a_host_to_the_emulator_in_its_namespace(fleet: Fleet) -> None:
    host = fleet.hosts[0]
    with fleet_emulator(fleet) as emulator:
        assert emulator.pid in pids_in(fleet.emulator_namespace)
        emulator.seed(
            users=[{"domain": "example.com", "username": host.address, "authentication_method": "ip"}],
        )
        host.run("postconf", "-e", f"relayhost=[{SMARTHOST_NAME}]:{emulator.smtp_port}")
        host.run("postfix", "reload")
        with host.send_steadily("a@example.com", "b@example.org", "steady", 20) as steady:
            deadline = time.monotonic() + 30
            while len(emulator.mails()) <= 5:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        host.inject("a@example.com", "b@example.org", "single")
        host.wait_until_empty()
        received = sorted(mail["subject"] for mail in emulator.mails())
        assert len(steady.accepted) > 5
        assert received == sorted([*steady.accepted, "single"])
        assert {mail["client_ip"] for mail in emulator.mails()} == {host.address}
        assert host.log().count("status=sent") == len(received)


@pytest.mark.slow  # as the tests that pause, slow down and reboot one; by day hosts are cut off in test_rotation.py
def test_a_host_can_be_cut_off_paused_slowed_down_and_rebooted(fleet: Fleet) -> None:
    first, second = fleet.hosts
    first.cut_off()
    try:
        answer = ping(fleet)
        assert "h1 | UNREACHABLE" in answer
        assert "h2 | SUCCESS" in answer
    finally:
        first.reconnect()
    second.pause()
    states = {state_of(pid) for pid in pids_in(fleet.network.namespace("h2"))}
    second.resume()
    assert states == {"T"}
    # What it has had of a processor, and how long it has waited for one because others had it.
    work = "sum(range(40_000_000)); print(open('/proc/self/schedstat').read())"
    with second.slowed_down():
        begin = time.monotonic()
        worked, waited = (int(part) / 1e9 for part in second.run("python3", "-c", work).split()[:2])
        assert time.monotonic() - begin - waited > 2 * worked
        with subprocess.Popen(second.command("sleep", "1")) as late:
            try:
                while late.pid not in pids_in(fleet.network.namespace("h2")):
                    assert late.poll() is None
                late.send_signal(signal.SIGSTOP)
                assert late.wait(60) == 0
            finally:
                late.kill()
    first.path("/var/kept").write_text("still here")
    first.path("/run/lost").write_text("not any more")
    old = first.init_pid
    first.reboot()
    assert first.init_pid != old
    assert first.path("/var/kept").read_text() == "still here"
    assert not first.path("/run/lost").exists()
    assert ping(fleet).count("SUCCESS") == 2


def test_one_command_makes_a_fleet_and_one_removes_it_after_a_crash(tmp_path: Path) -> None:
    directory = tmp_path / "fleet"
    command = [sys.executable, "-m", "tests.fleet"]
    subprocess.run([*command, "up", "--hosts", "1", "--directory", str(directory)], cwd=ROOT, check=True)
    number = json.loads((directory / "fleet.json").read_text(encoding="utf-8"))["number"]
    host = Network(number).namespace("h1")
    again = subprocess.run(
        [*command, "up", "--directory", str(directory)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    hint = f"is not empty; remove an old fleet with: python -m tests.fleet down --directory {directory}\n"
    assert again.stderr.endswith(hint)
    # The crash: the host's first process and its parent are gone, everything else is still there.
    os.kill(pids_in(host)[0], signal.SIGKILL)
    down = [*command, "down", "--directory", str(directory)]
    subprocess.run(down, cwd=ROOT, check=True)
    assert host not in namespaces()
    assert not directory.exists()
    nothing = subprocess.run(down, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (nothing.returncode, nothing.stderr) == (1, f"there is no fleet in {directory}\n")


def test_two_fleets_at_once(fleet: Fleet) -> None:
    with Fleet(1) as other:
        assert other.network.number != fleet.network.number
        assert other.hosts[0].run("hostname") == "h1\n"
    assert not other.directory.exists()
    assert other.network.all_namespaces() == []
    assert fleet.hosts[0].run("hostname") == "h1\n"


def test_down_after_a_half_made_fleet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    half = Fleet(2, tmp_path / "half")
    monkeypatch.setattr(half, "_make_key", lambda _path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        half.up()
    assert half.network.all_namespaces()
    remove(tmp_path / "half")
    assert half.network.all_namespaces() == []


def test_too_many_hosts() -> None:
    with pytest.raises(FleetError, match="a fleet has 1 to 40 hosts, not 41"):
        Fleet(41)


def test_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert why_impossible() == "The fleet needs root, for network namespaces and mounts; run this as root."


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_hosts_are_made_pinged_rotated_and_removed(tmp_path: Path) -> None:
    with Fleet(20) as large, fleet_emulator(large) as vendor:
        assert ping(large).count("SUCCESS") == 20
        site = RotationSite(large, vendor, tmp_path)
        site.set_up()
        with steady_mail(site, "twenty", 1) as senders:
            run = site.rotate("--forks=10")
        assert run.returncode == 0, run.output
        assert check_mail(site, senders) > 20
        site.check_rotated()
        assert set(site.outcomes().values()) == {"committed"}
        # Once for each login, not for each host.
        assert vendor.counters()["requests"]["outgoingusers/setpassword"] == 20
    assert large.network.all_namespaces() == []
    assert not large.directory.exists()
