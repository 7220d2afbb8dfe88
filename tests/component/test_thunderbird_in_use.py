# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile that a Thunderbird uses is never written."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.support.thunderbird_module import action, run, warned
from tests.support.thunderbird_profile import PROGRAM_LIBRARY, in_use, preferences_of, snapshot

pytestmark = pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed")

BRANCH = b"mail.smtpserver.spamexperts."


def test_a_profile_in_use_is_refused_with_the_pid(profile: Path) -> None:
    with in_use(profile) as holder:
        before = snapshot(profile)
        done = run(profile)
        assert done.failed
        assert f"in use by Thunderbird (pid {holder.pid})" in done.message
        assert done.code == "in_use"
        assert [(each["action"], each["code"]) for each in done.result["profiles"]] == [("failed", "in_use")]
        assert snapshot(profile) == before


def test_a_lock_that_was_left_behind_does_not_count(profile: Path) -> None:
    with in_use(profile):
        pass
    (profile / "lock").symlink_to("127.0.0.1:+1")
    assert action(run(profile)) == "created"
    assert (profile / ".parentlock").exists()


def test_no_lock_of_ours_is_left(profile: Path) -> None:
    run(profile)
    assert not (profile / ".parentlock").exists()


def test_a_profile_in_use_may_be_as_wanted_already(profile: Path) -> None:
    run(profile)
    with in_use(profile):
        assert action(run(profile)) == "unchanged"


def test_check_mode_warns_of_a_profile_in_use(profile: Path) -> None:
    with in_use(profile) as holder:
        done = run(profile, check=True)
        assert action(done) == "created"
        assert warned(done, f"is in use by Thunderbird (pid {holder.pid})")


def test_waiting_sees_what_the_closing_thunderbird_writes(profile: Path) -> None:
    with in_use(profile) as holder:

        def close() -> None:
            content = (profile / "prefs.js").read_bytes() + b'user_pref("written.at.exit", 1);\n'
            (profile / "prefs.js").write_bytes(content)
            assert holder.stdin
            holder.stdin.close()

        timer = threading.Timer(0.5, close)
        timer.start()
        try:
            assert action(run(profile, wait_for_close=20)) == "created"
        finally:
            timer.join()
    after = preferences_of(profile)
    assert after[b"written.at.exit"] == 1
    assert after[BRANCH + b"port"] == 587


def test_waiting_ends(profile: Path) -> None:
    with in_use(profile):
        done = run(profile, wait_for_close=1)
        assert done.code == "in_use"
        assert "also after 1 s" in done.message
