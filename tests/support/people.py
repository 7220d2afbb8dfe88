# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People of a host of the fleet, with a Thunderbird profile of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.fleet import Host
from tests.support.thunderbird_profile import passwords


def profile_of(host: Host, person: str) -> Path:
    """The profile that this person uses there."""
    return host.path(f"/home/{person}/.thunderbird/used")


def make_person(host: Host, person: str, made: Path) -> None:
    """An account of the host that uses a copy of this profile."""
    host.run("useradd", "--create-home", person)
    profile = profile_of(host, person)
    # NSS does not open a database by way of /proc, so it was made elsewhere.
    shutil.copytree(made, profile)
    (profile / ".parentlock").touch()
    (profile.parent / "profiles.ini").write_text(
        "[Profile0]\nName=x\nIsRelative=1\nPath=used\n\n[InstallFDC34C9F024745EB]\nDefault=used\nLocked=1\n",
        encoding="utf-8",
    )
    host.run("chown", "-R", f"{person}:", f"/home/{person}")


def saved(host: Host, person: str, folder: Path) -> dict[tuple[str, str], str]:
    """(origin, username) -> password of every login that this person's Thunderbird has saved."""
    return passwords(Path(shutil.copytree(profile_of(host, person), folder / person, dirs_exist_ok=True)))
