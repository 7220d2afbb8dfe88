# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation whose API fails, whose disk is full or whose hosts are cut off is finished by the next run."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.fleet import Host, why_impossible
from tests.support.rotation import RotationSite, check_mail, read_only, steady_mail

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())]

FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "code": 429, "retry_after": 1},
    {"kind": "status", "code": 503},
    {"kind": "reset_after"},
]
VENDOR = "Change the passwords at the vendor"
STAGE = "Make everything ready / Ensure that the store has the next passwords before anybody uses them"
SET = f"{VENDOR} / Set the next passwords"
USE = "Let the mail servers use the new passwords"
ACTIVATE = f"{USE} / Put the tables that lie beside in use"
SEND = f"{USE} / Configure Postfix for the smarthost"
COMMIT = "Finish, and report / Let the next passwords be the current ones"
_LABEL = itertools.count()


def check_finished(site: RotationSite, **rotation: Any) -> None:
    """One more run, where something is under way, and all is well."""
    if any("next" in entry for entry in site.stored().values()):
        run = site.rotate(**rotation)
        assert run.returncode == 0, run.output
    site.check_rotated()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "turns"),
    [
        pytest.param("in_place", [["setpassword"]], id="in_place"),
        pytest.param("alternate", [["add", "setlimits"], ["remove"]], id="alternate"),
    ],
)
def test_the_api_fails_at_every_write_in_three_ways(site: RotationSite, strategy: str, turns: list[list[str]]) -> None:
    """One fault after the other, so that each login meets some, and some of them more than are tried again."""
    limits = dict.fromkeys(("limit_per_hour", "limit_per_day"), "777777")
    for entry in site.stored().values():
        site.emulator.call(
            "outgoingusers/setlimits", domain="example.com", username=entry["login"].partition("@")[0], **limits
        )
    with steady_mail(site, f"writes{next(_LABEL)}x") as senders:
        for calls in turns:
            site.emulator.reset_counters()
            site.emulator.faults(
                *({"match": f"outgoingusers/{call}", "times": 1, **fault} for call in calls for fault in FAULTS)
            )
            site.rotate(strategy=strategy)
            requests = site.emulator.counters()["requests"]
            assert all(requests[f"outgoingusers/{call}"] >= len(FAULTS) for call in calls)
            site.check_known()
        site.emulator.faults()
        check_finished(site, strategy=strategy)
    check_mail(site, senders)
    assert {user["limit_per_hour"] for user in site.emulator.users()} == {777777}


@pytest.mark.slow
@pytest.mark.parametrize("call", ["setpassword", "add", "remove"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.get("code", fault["kind"])))
def test_the_api_fails_at_a_write_for_good(site: RotationSite, fault: dict[str, Any], call: str) -> None:
    strategy = "in_place" if call == "setpassword" else "alternate"
    site.emulator.faults({"match": f"outgoingusers/{call}", "times": None, **fault})
    with steady_mail(site, f"forgood{next(_LABEL)}x") as senders:
        site.rotate(strategy=strategy)
        site.check_known()
        site.emulator.faults()
        check_finished(site, strategy=strategy)
    check_mail(site, senders)


@pytest.mark.slow
def test_an_api_that_takes_no_write_leaves_everything_as_it_was(site: RotationSite) -> None:
    site.emulator.faults({"match": "outgoingusers/setpassword", "times": None, "kind": "status", "code": 503})
    before = site.stored()
    run = site.rotate()
    site.emulator.faults()
    assert run.returncode == 2, run.output
    assert set(site.outcomes().values()) == {"not_changed"}
    assert {name: entry["current"] for name, entry in site.stored().items()} == site.old
    for entry in before.values():
        assert site.accepts(entry["login"], entry["current"])
    # The way back instead of the way on.
    assert site.rotate(roll_back=True).returncode == 0
    assert site.stored() == before


@contextmanager
def small_disk(site: RotationSite) -> Iterator[None]:
    """Keep the store on a disk of its own as long as the block lasts."""
    folder, content = site.store.parent, site.store.read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(folder)], check=True)
    try:
        site.store.write_bytes(content)
        yield
        content = site.store.read_bytes()
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        site.store.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("events", [[SET], [STAGE, SET, COMMIT]], ids=len)
def test_the_disk_is_full_when_the_store_is_written(site: RotationSite, events: list[str]) -> None:
    filler = site.store.parent / "filler"
    with small_disk(site), steady_mail(site, f"full{next(_LABEL)}x") as senders:
        for event in events:
            with site.interrupted(event) as run:
                run.wait_for_stop()
                before = site.store.read_bytes()
                with suppress(OSError), filler.open("wb") as stream:
                    while True:
                        stream.write(b"\0" * 512)
                        stream.flush()
                run.go_on()
                assert run.wait() == 2, run.output
                assert "cannot be written: No space left on device; it is as it was before." in " ".join(
                    run.output.split()
                )
            assert site.store.read_bytes() == before
            assert [file for file in site.store.parent.iterdir() if file not in (site.store, filler)] == [
                site.store.parent / ".store.yml.lock"
            ]
            filler.unlink()
            site.check_known()
        check_finished(site)
    check_mail(site, senders)


def cut_off(site: RotationSite, event: str, strategy: str) -> None:
    """Cut a host off when the rotation is there; a later run finishes it, as soon as the host is back."""
    lost = site.fleet.hosts[1]
    name = site.name(lost.name)
    with steady_mail(site, f"cut{next(_LABEL)}x") as senders:
        try:
            with site.interrupted(event, strategy=strategy) as run:
                run.wait_for_stop()
                lost.cut_off()
                run.go_on()
                run.wait()
                site.check_secrets(run.output)
            site.check_known()
            # Whatever the other host has is at work, without the one that is lost.
            outcomes = site.outcomes()
            assert outcomes.pop(name) in ("pending", "committed")
            assert set(outcomes.values()) == {"committed"}, run.output
        finally:
            lost.reconnect()
        over = not any("next" in entry for entry in site.stored().values())
        check_finished(site, strategy=strategy)
    if over:
        # No run had anything to finish there: Postfix itself would try again, minutes later.
        try_again(lost)
    check_mail(site, senders)


def try_again(host: Host) -> None:
    """Flush a queue, and again, as an attempt that began without a network may fail after that and hold back others."""
    for _attempt in range(15):
        host.run("postqueue", "-f")
        time.sleep(2)
        if not host.queue():
            return


@pytest.mark.slow
def test_a_host_is_cut_off_before_it_has_the_new_password(site: RotationSite) -> None:
    cut_off(site, USE, "in_place")


@pytest.mark.slow
def test_a_host_is_cut_off_before_anything_is_changed(site: RotationSite) -> None:
    lost = site.fleet.hosts[1]
    try:
        with site.interrupted(STAGE) as run:
            run.wait_for_stop()
            lost.cut_off()
            run.go_on()
            assert run.wait() != 0
            assert "No password was changed, because these mail servers are not well: h2 (not reached)." in run.output
            site.check_secrets(run.output)
        for name, entry in site.stored().items():
            assert site.accepts(entry["login"], site.old[name])
    finally:
        lost.reconnect()
    check_finished(site)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["in_place", "alternate"])
@pytest.mark.parametrize(
    "event",
    [
        VENDOR,
        SET,
        f"{SET} / done",
        USE,
        ACTIVATE,
        f"{ACTIVATE} / done",
        SEND,
        f"{SEND} / done",
        f"{USE} / Prove from this host each login that it has not proven yet",
        "Decide about each login, and roll back what failed",
        "Let waiting mail go",
        "Let people's Thunderbird use the new passwords",
        "Finish, and report",
        COMMIT,
    ],
)
def test_a_host_is_cut_off_at_each_phase(site: RotationSite, event: str, strategy: str) -> None:
    cut_off(site, event, strategy)


@pytest.mark.slow
@pytest.mark.parametrize("event", [USE, f"{SEND} / done", "Let waiting mail go"])
def test_a_host_restarts_in_the_middle(site: RotationSite, event: str) -> None:
    host = site.fleet.hosts[1]
    with site.interrupted(event) as run:
        run.wait_for_stop()
        host.reboot()
        run.go_on()
        run.wait()
        site.check_secrets(run.output)
    site.check_known()
    check_finished(site)


@pytest.mark.slow
def test_a_host_that_is_far_too_slow(site: RotationSite) -> None:
    host = site.fleet.hosts[1]
    with steady_mail(site, f"brake{next(_LABEL)}x") as senders:
        with host.slowed_down():
            run = site.rotate()
        assert run.returncode == 0, run.output
    check_mail(site, senders)
    site.check_rotated()


@pytest.mark.slow
def test_the_way_back_fails_as_well(site: RotationSite) -> None:
    """The new passwords stay in force, and known, where the vendor does not take the old ones any more."""
    host = site.fleet.hosts[1]
    writes = {"match": "outgoingusers/setpassword", "skip": len(site.names), "times": None}
    site.emulator.faults({**writes, "kind": "status", "code": 503})
    with site.interrupted(SET) as run:
        run.wait_for_stop()
        with read_only(host):
            run.go_on()
            assert run.wait() == 2, run.output
        site.check_secrets(run.output)
    assert site.outcomes()[site.name(host.name)] == "pending"
    site.check_known()
    site.emulator.faults()
    check_finished(site)
