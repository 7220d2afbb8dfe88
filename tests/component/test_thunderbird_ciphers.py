# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cipher a saved password gets: one AES entry would hide all passwords from an older Thunderbird."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.module import ModuleRun, run_module
from tests.support.thunderbird_profile import (
    KNOWS_AES,
    OWN_LOGIN,
    PROGRAM_LIBRARY,
    SYSTEM_LIBRARY,
    make_profile,
    passwords,
    read_logins,
    set_primary_password,
    snapshot,
)

pytestmark = pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed")

PASSWORD = "Correct-Horse-42"
OWN = (OWN_LOGIN["origin"], OWN_LOGIN["username"])
OURS = ("smtp://4489.smtp.antispamcloud.com", "info@example.com")
needs_aes = pytest.mark.skipif(not KNOWS_AES, reason="the NSS of this Thunderbird is older than 3.113, without AES")
LIBRARIES = {"program": PROGRAM_LIBRARY, "system": SYSTEM_LIBRARY}


def run(profile: Path, **options: str) -> ModuleRun:
    arguments = {"profile": str(profile), "login": OURS[1], "password": PASSWORD, **options}
    done = run_module("thunderbird_outgoing_server", arguments)
    assert not done.failed, done.message
    return done


@pytest.mark.parametrize("writer", LIBRARIES)
@pytest.mark.parametrize("made_by", LIBRARIES)
def test_a_profile_with_3des_stays_so(tmp_path: Path, made_by: str, writer: str) -> None:
    """Every pair of NSS versions of this machine, except the old one on a key database of the new one."""
    profile = make_profile(tmp_path / "profile", library=LIBRARIES[made_by])
    if (made_by, writer) == ("program", "system"):
        before = snapshot(profile)
        arguments = {"profile": str(profile), "login": OURS[1], "password": PASSWORD, "nss_library": SYSTEM_LIBRARY}
        done = run_module("thunderbird_outgoing_server", arguments)
        if done.failed:
            assert done.code == "conflict"
            assert "nss_library" in done.message
            assert {name: seen[::2] for name, seen in snapshot(profile).items()} == {
                name: seen[::2] for name, seen in before.items()
            }
            return
    else:
        run(profile, nss_library=LIBRARIES[writer])
    assert [login["aes"] for login in read_logins(profile, library=LIBRARIES[made_by])] == [False, False]
    for reader in (LIBRARIES[made_by], PROGRAM_LIBRARY):
        assert passwords(profile, library=reader) == {OWN: OWN_LOGIN["password"], OURS: PASSWORD}


@needs_aes
def test_a_profile_with_aes_stays_so(tmp_path: Path) -> None:
    profile = make_profile(tmp_path / "profile", aes=True)
    run(profile)
    assert [login["aes"] for login in read_logins(profile)] == [True, True]
    run(profile, password="Another-Horse-43")
    assert [login["aes"] for login in read_logins(profile)] == [True, True]
    assert passwords(profile) == {OWN: OWN_LOGIN["password"], OURS: "Another-Horse-43"}


def test_a_new_profile_gets_3des(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "times.json").touch()
    run(profile)
    assert [login["aes"] for login in read_logins(profile)] == [False]


@needs_aes
def test_an_old_library_and_a_profile_with_aes(tmp_path: Path) -> None:
    """A library that does not know AES fails before it writes anything."""
    profile = make_profile(tmp_path / "profile", aes=True)
    before = snapshot(profile)
    arguments = {"profile": str(profile), "login": OURS[1], "password": PASSWORD, "nss_library": SYSTEM_LIBRARY}
    done = run_module("thunderbird_outgoing_server", arguments)
    if not done.failed:
        pytest.skip("the system's NSS knows AES")
    assert "nss_library" in done.message
    assert {name: seen[::2] for name, seen in snapshot(profile).items()} == {
        name: seen[::2] for name, seen in before.items()
    }


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_profile_with_a_primary_password(tmp_path: Path, library: str) -> None:
    chosen = LIBRARIES[library]
    profile = make_profile(tmp_path / "profile", library=SYSTEM_LIBRARY)
    set_primary_password(profile, "primary secret")
    run(profile, primary_password="primary secret", nss_library=chosen)
    assert passwords(profile, library=chosen, primary_password="primary secret") == {
        OWN: OWN_LOGIN["password"],
        OURS: PASSWORD,
    }
    before = snapshot(profile)
    assert run(profile, primary_password="primary secret", nss_library=chosen).changed is False
    assert snapshot(profile) == before
    # It goes without the primary password, as nothing has to be decrypted.
    run(profile, state="absent")
    assert list(passwords(profile, library=chosen, primary_password="primary secret")) == [OWN]


def test_a_primary_password_that_the_profile_does_not_have_is_not_used(tmp_path: Path) -> None:
    profile = make_profile(tmp_path / "profile")
    run(profile, primary_password="primary secret")
    assert passwords(profile)[OURS] == PASSWORD
