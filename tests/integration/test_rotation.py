# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation on a fleet of real mail servers: nothing lost, nothing bounced, nothing twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet import SMARTHOST_NAME, Fleet, why_impossible
from tests.support.emulator import Emulator
from tests.support.rotation import RotationSite, check_mail, steady_mail

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet(4) as running:
        yield running


@pytest.fixture(scope="module")
def whole_site(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RotationSite]:
    with Emulator(hosts=[fleet.emulator_address], names=[SMARTHOST_NAME], namespace=fleet.emulator_namespace) as vendor:
        made = RotationSite(fleet, vendor, tmp_path_factory.mktemp("site"))
        made.set_up()
        yield made


@pytest.fixture
def site(whole_site: RotationSite) -> RotationSite:
    whole_site.remember()
    whole_site.report_file.unlink(missing_ok=True)
    return whole_site


def test_in_place_with_mail_flowing(site: RotationSite) -> None:
    with steady_mail(site, "inplace") as senders:
        run = site.rotate("-vvvv")  # what it prints is searched for every password
    assert run.returncode == 0, run.output
    assert check_mail(site, senders) > 50
    site.check_rotated()
    assert set(site.outcomes().values()) == {"committed"}
    assert all(entry["window_seconds"] < 60 for entry in site.report()["credentials"])
    assert site.emulator.counters()["requests"]["outgoingusers/setpassword"] == len(site.names)
    # 20 mails a second from four hosts, and nothing was sent by a host in any other way.
    assert {mail["client_ip"] for mail in site.emulator.mails()} == {host.address for host in site.fleet.hosts}


def test_alternate_there_and_back_with_mail_flowing_and_not_one_refused_login(site: RotationSite) -> None:
    pairs = {name: [name, name.replace("@", "-b@")] for name in site.names}
    limited = {"domain": "example.com", "username": "h1", "limits_enabled": 1, "limit_per_hour": "777"}
    site.emulator.call("outgoingusers/setlimits", **{name: str(value) for name, value in limited.items()})
    refused = site.emulator.counters()["auths_refused"]
    for position in (1, 0):
        site.remember()
        with steady_mail(site, f"alternate{position}") as senders:
            run = site.rotate(strategy="alternate", alternates=pairs)
        assert run.returncode == 0, run.output
        assert check_mail(site, senders) > 50
        assert site.emulator.counters()["auths_refused"] == refused
        logins = {name: pair[position] for name, pair in pairs.items()}
        users = {f"{user['username']}@example.com": user for user in site.emulator.users()}
        assert set(users) == set(logins.values()), "the login that nobody uses is gone"
        assert users[logins["h1@example.com"]]["limit_per_hour"] == 777
        assert {name: entry["login"] for name, entry in site.stored().items()} == logins
        site.check_rotated()
        refused = site.emulator.counters()["auths_refused"]


def test_check_mode_says_what_would_happen_and_changes_nothing(site: RotationSite) -> None:
    before, writes = site.store.read_bytes(), site.emulator.counters()["writes"]
    files = {host.name: host.path("/etc/postfix/smarthost_passwords").read_bytes() for host in site.fleet.hosts}
    run = site.rotate("--check", "--diff")
    assert run.returncode == 0, run.output
    assert "h1@example.com would get a new password." in run.output
    assert "  h1: ready" in run.output
    assert site.store.read_bytes() == before
    assert site.emulator.counters()["writes"] == writes
    assert not site.report_file.exists()
    for host in site.fleet.hosts:
        assert host.path("/etc/postfix/smarthost_passwords").read_bytes() == files[host.name]


def test_a_host_that_is_cut_off_stops_the_start_or_is_left_for_later(site: RotationSite) -> None:
    before = site.store.read_bytes()
    lost = site.fleet.hosts[1]
    lost.cut_off()
    try:
        run = site.rotate()
        assert run.returncode != 0
        assert "Nothing was changed, because these mail servers are not well: h2 (not reached)." in run.output
        assert site.store.read_bytes() == before
        run = site.rotate(leave_out_broken_hosts=True)
        assert "Not everything is done, see the report: h2@example.com." in run.output
        assert site.outcomes() == {name: "pending" if name.startswith("h2@") else "committed" for name in site.names}
        status = site.run("smarthost.spamexperts.rotation_status")
        assert "3 credentials are in no rotation." in status.output
        assert "h2@example.com has its next password at the vendor, but not on every mail server." in status.output
    finally:
        lost.reconnect()
    # Any later run of the role uses the password that the vendor takes.
    staged = site.stored()["h2@example.com"]["next"]
    run = site.rotate(everything=False, logins=["h2@example.com"])
    assert run.returncode == 0, run.output
    assert site.stored()["h2@example.com"]["current"] == staged
    site.check_rotated()


def test_exactly_the_login_that_fails_is_rolled_back(site: RotationSite) -> None:
    host = site.fleet.hosts[2]
    # The maps of this host cannot be written: the check beforehand cannot see that.
    host.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt")
    host.run("sh", "-c", "cp -a /etc/postfix/. /mnt; dd if=/dev/zero of=/mnt/filler bs=1k count=64 2>/dev/null || true")
    host.run("mount", "--bind", "/mnt", "/etc/postfix")
    try:
        with steady_mail(site, "failing") as senders:
            run = site.rotate()
            assert run.returncode == 2, run.output
            assert "Not everything is done, see the report: h3@example.com." in run.output
            assert site.outcomes() == {
                name: "rolled_back" if name.startswith("h3@") else "committed" for name in site.names
            }
    finally:
        host.run("umount", "--lazy", "/etc/postfix")
        host.run("umount", "--lazy", "/mnt")
    check_mail(site, senders)
    assert site.stored()["h3@example.com"] == {"login": "h3@example.com", "current": site.old["h3@example.com"]}
    assert site.accepts("h3@example.com", site.old["h3@example.com"])
    site.check_rotated([name for name in site.names if not name.startswith("h3@")])


def test_in_an_emergency_the_vendor_is_changed_although_a_host_cannot_be_reached(site: RotationSite) -> None:
    lost = site.fleet.hosts[3]
    lost.cut_off()
    try:
        run = site.rotate(emergency=True)
        assert "Not everything is done" in run.output
        assert not site.accepts("h4@example.com", site.old["h4@example.com"])
        assert site.outcomes()["h4@example.com"] == "pending"
    finally:
        lost.reconnect()
    assert site.rotate(emergency=True, everything=False, logins=["h4@example.com"]).returncode == 0
    site.check_rotated()


def test_two_rotations_at_once(site: RotationSite, tmp_path: Path) -> None:
    site.emulator.faults({"match": "outgoingusers/setpassword", "kind": "latency", "seconds": 8, "times": 1})
    first = site.start_rotation(tmp_path / "first.log")
    try:
        deadline = time.monotonic() + 90
        while "Set the next passwords" not in (tmp_path / "first.log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        second = site.rotate()
        assert second.returncode == 2
        assert f"is kept by another run (process {first.pid}); wait until it has ended." in second.output
        assert first.wait(120) == 0, (tmp_path / "first.log").read_text()
    finally:
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
    site.emulator.faults()
    site.check_rotated()
