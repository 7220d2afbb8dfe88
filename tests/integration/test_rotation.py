# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation on a fleet of real mail servers: nothing lost, nothing bounced, nothing twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fleet import why_impossible
from tests.fleet.host import Host
from tests.support.rotation import RotationSite, check_mail, read_only, steady_mail

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())]


SET = "Change the passwords at the vendor / Set the next passwords"
USE_OLD = "Let the mail servers use the old passwords again"


def test_in_place_with_mail_flowing(site: RotationSite) -> None:
    calls = site.emulator.counters()["requests"].get("outgoingusers/setpassword", 0)
    with steady_mail(site, "inplace", 12) as senders:
        run = site.rotate("-vvvv")  # what it prints is searched for every password
    assert run.returncode == 0, run.output
    assert '"why": "set the next passwords"' in run.output, "each call is said"
    assert check_mail(site, senders) > 50
    site.check_rotated()
    assert set(site.outcomes().values()) == {"committed"}
    assert all(entry["window_seconds"] < 60 for entry in site.report()["credentials"])
    assert site.emulator.counters()["requests"]["outgoingusers/setpassword"] - calls == len(site.names)
    # More than 20 mails a second in all, and nothing was sent by a host in any other way.
    assert {mail["client_ip"] for mail in site.emulator.mails()} == {host.address for host in site.fleet.hosts}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_in_place_over_tls_from_the_first_byte_with_mail_flowing(site: RotationSite) -> None:
    """Mail flows while the hosts change to it, while the passwords change, and while the hosts change back."""
    with steady_mail(site, "implicit", 12) as senders:
        for step in (True, False):
            site.write_inventory(implicit_tls=step)
            run = site.run("configure_relays")
            assert run.returncode == 0, run.output
            if step:
                began = len(site.emulator.mails())
                run = site.rotate()
                assert run.returncode == 0, run.output
                assert all(mail["begins_with_tls"] for mail in site.emulator.mails()[began + 20 :])
    assert check_mail(site, senders) > 50
    assert not site.emulator.mails()[-1]["begins_with_tls"]
    site.check_rotated()
    assert set(site.outcomes().values()) == {"committed"}


def test_alternate_there_and_back_with_mail_flowing_and_not_one_refused_login(site: RotationSite) -> None:
    first = {name: entry["login"] for name, entry in site.stored().items()}
    second = {name: next(login for login in site.pairs[name] if login != first[name]) for name in site.names}
    limited = first["h1@example.com"].partition("@")[0]
    site.emulator.call("outgoingusers/setlimits", domain="example.com", username=limited, limit_per_hour="777777")
    refused = site.emulator.counters()["auths_refused"]
    for label, logins in (("there", second), ("back", first)):
        site.remember()
        with steady_mail(site, f"alternate{label}", 12) as senders:
            run = site.rotate(strategy="alternate")
        assert run.returncode == 0, run.output
        assert check_mail(site, senders) > 50
        assert site.emulator.counters()["auths_refused"] == refused
        users = {f"{user['username']}@example.com": user for user in site.emulator.users()}
        assert set(users) == set(logins.values()), "the login that nobody uses is gone"
        assert users[logins["h1@example.com"]]["limit_per_hour"] == 777777
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


@pytest.mark.slow
def test_a_host_that_is_cut_off_stops_the_start_or_is_left_for_later(site: RotationSite) -> None:
    before = site.store.read_bytes()
    lost = site.fleet.hosts[1]
    lost.cut_off()
    try:
        run = site.rotate()
        assert run.returncode != 0
        assert "No password was changed, because these mail servers are not well: h2 (not reached)." in run.output
        assert site.store.read_bytes() == before
        run = site.rotate(leave_out_broken_hosts=True)
        assert "Not everything is done, see the report: h2@example.com." in run.output
        assert site.outcomes() == {name: "pending" if name.startswith("h2@") else "committed" for name in site.names}
        status = site.run("rotation_status")
        assert "Credentials in no rotation: 1." in status.output
        assert "h2@example.com has its next password at the vendor, but not on every mail server." in status.output
    finally:
        lost.reconnect()
    # Any later run of the role uses the password that the vendor takes.
    staged = site.stored()["h2@example.com"]["next"]
    run = site.rotate(everything=False, logins=["h2@example.com"])
    assert run.returncode == 0, run.output
    assert site.stored()["h2@example.com"]["current"] == staged
    site.check_rotated()


@contextmanager
def full_disk(host: Host) -> Iterator[None]:
    """Keep Postfix's files on a disk without room as long as the block lasts."""
    host.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt")
    host.run("sh", "-c", "cp -a /etc/postfix/. /mnt; dd if=/dev/zero of=/mnt/filler bs=1k count=64 2>/dev/null || true")
    host.run("mount", "--bind", "/mnt", "/etc/postfix")
    try:
        yield
    finally:
        host.run("umount", "--lazy", "/etc/postfix")
        host.run("umount", "--lazy", "/mnt")


LOCKS = ("smtp_sasl_tls_security_options", "smtp_sasl_tls_verified_security_options", "smtp_sasl_mechanism_filter")


def take_the_locks_away(host: Host) -> None:
    """Leave a mail server as it was set up before there were the two locks."""
    host.run("postconf", "-X", *LOCKS)
    file = host.path("/etc/postfix/smarthost_originals.json")
    remembered = json.loads(file.read_text(encoding="utf-8"))
    for name in LOCKS:
        del remembered["parameters"][name]
    file.write_text(json.dumps(remembered), encoding="utf-8")
    host.run("postconf", "-e", "smtp_sasl_security_options = noanonymous")
    host.run("postfix", "reload")


@pytest.mark.slow
def test_a_mail_server_that_was_set_up_before_the_two_locks(site: RotationSite) -> None:
    """More than a table differs there, so nothing can lie beside; the step that follows the vendor's does it all."""
    host = site.fleet.hosts[1]
    take_the_locks_away(host)
    with steady_mail(site, "before-locks", 12) as senders:
        run = site.rotate()
    assert run.returncode == 0, run.output
    assert check_mail(site, senders) > 50
    site.check_rotated()
    assert set(site.outcomes().values()) == {"committed"}
    locks = host.run("postconf", "-h", *LOCKS).splitlines()
    assert locks == ["noplaintext, noanonymous", "noanonymous", "plain, login"]


@pytest.mark.slow
def test_a_mail_server_that_cannot_take_the_next_password_is_found_before_any_change(site: RotationSite) -> None:
    host = site.fleet.hosts[1]
    with full_disk(host):
        run = site.rotate()
        assert run.returncode == 2, run.output
        assert re.search(r"No password was changed, because these mail servers are not well: h2 \(.*space", run.output)
        for name, entry in site.stored().items():
            assert site.accepts(entry["login"], site.old[name])
    assert site.rotate(roll_back=True).returncode == 0
    assert {name: entry["current"] for name, entry in site.stored().items()} == site.old


@pytest.mark.slow
def test_exactly_the_login_that_fails_is_rolled_back(site: RotationSite) -> None:
    host, before = site.fleet.hosts[1], site.stored()
    with steady_mail(site, "failing") as senders:
        with site.interrupted(SET, USE_OLD) as run:
            run.wait_for_stop()
            with read_only(host):  # the next password lies there, and cannot be used
                run.go_on()
                run.wait_for_stop()
            run.go_on()
            assert run.wait() == 2
            site.check_secrets(run.output)
            assert "Not everything is done, see the report: h2@example.com." in run.output
        assert site.outcomes() == {
            name: "rolled_back" if name.startswith("h2@") else "committed" for name in site.names
        }
    check_mail(site, senders)
    assert site.stored()["h2@example.com"] == before["h2@example.com"]
    assert site.accepts(before["h2@example.com"]["login"], site.old["h2@example.com"])
    assert sorted(path.name for path in host.path("/etc/postfix").glob("smarthost_passwords*")) == [
        "smarthost_passwords",
        "smarthost_passwords.db",
    ]
    site.check_rotated([name for name in site.names if not name.startswith("h2@")])


@pytest.mark.slow
def test_a_mail_server_that_cannot_go_back_is_finished_by_the_next_run(site: RotationSite) -> None:
    host, before = site.fleet.hosts[1], site.stored()
    with steady_mail(site, "goback") as senders:
        with site.interrupted(SET) as run:
            run.wait_for_stop()
            with read_only(host):
                run.go_on()
                assert run.wait() == 2
            site.check_secrets(run.output)
        name = site.name(host.name)
        assert site.outcomes()[name] == "rolling_back"
        entry = site.stored()[name]
        assert (entry["current"], entry["in_use"], "next" in entry) == (site.old[name], "current", True)
        assert site.accepts(entry["login"], site.old[name])
        back = site.rotate(everything=False, logins=[name], roll_back=True)
        assert back.returncode == 0, back.output
    check_mail(site, senders)
    assert site.stored()[name] == before[name]
    site.check_rotated([other for other in site.names if other != name])


def test_in_an_emergency_the_vendor_is_changed_although_a_host_cannot_be_reached(site: RotationSite) -> None:
    lost, login = site.fleet.hosts[1], site.stored()["h2@example.com"]["login"]
    lost.cut_off()
    try:
        run = site.rotate(emergency=True)
        assert "Not everything is done" in run.output
        assert not site.accepts(login, site.old["h2@example.com"])
        assert site.outcomes()["h2@example.com"] == "pending"
    finally:
        lost.reconnect()
    assert site.rotate(emergency=True, everything=False, logins=["h2@example.com"]).returncode == 0
    site.check_rotated()


def test_two_rotations_at_once(site: RotationSite) -> None:
    with site.interrupted(SET) as first:
        first.wait_for_stop()
        second = site.rotate()
        assert second.returncode == 2
        assert f"is kept by another run (process {first.pid}); wait until it has ended." in second.output
        first.go_on()
        assert first.wait() == 0, first.output
    site.check_rotated()
