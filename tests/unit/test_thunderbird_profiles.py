# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which profile a person's Thunderbird really uses, and what makes it use a new one."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird import profiles
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.errors import ThunderbirdError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.install_hash import install_hash
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.installation import (
    FLATPAKS,
    PACKAGE,
    SNAP,
    Installation,
    Kind,
    libraries,
)

# Written by Thunderbird 153 of Debian at its first start: the profile with Default=1 is the empty one.
FIRST_START = """[Profile1]
Name=default
IsRelative=1
Path=tp2xj57f.default
Default=1

[InstallFDC34C9F024745EB]
Default=6um0abt2.default-default
Locked=1

[Profile0]
Name=default-default
IsRelative=1
Path=6um0abt2.default-default

[General]
StartWithLastProfile=1
Version=2

"""


def home_with(root: Path, registry: str, *directories: str, kind: Kind = PACKAGE, used: tuple[str, ...] = ()) -> Path:
    base = root / kind.root
    base.mkdir(parents=True)
    (base / "profiles.ini").write_text(registry)
    for name in directories:
        (base / name).mkdir()
        if name in used:
            (base / name / "prefs.js").touch()
    return root


@pytest.mark.parametrize(
    ("directory", "written"),
    [
        # Each was written by Thunderbird 153, running from that directory.
        ("/t", "DEAE161061C80146"),
        ("/tb/x", "F53CF2B42594084A"),
        ("/opt/thunderbird", "9238613B8C3D2579"),
        ("/usr/lib/thunderbird", "FDC34C9F024745EB"),
        ("/app/lib/thunderbird", "BD520B11F73A6B64"),
        ("/usr/lib64/thunderbird", "3DDF446CE6CB1A45"),
        ("/home/münchen/thunderbird", "43D1286F0B383644"),
        ("/opt/Thunderbird 153/thunderbird-beta", "60DD6B0A8C59227A"),
        ("/usr/local/lib/mozilla/very/long/folder/thunderbird-153.7.0esr", "BA6FF633A6828A34"),
    ],
)
def test_the_hash_of_an_installation_is_thunderbirds(directory: str, written: str) -> None:
    assert install_hash(directory) == written


def test_the_profile_of_the_installation_counts(tmp_path: Path) -> None:
    home = home_with(tmp_path, FIRST_START, "tp2xj57f.default", "6um0abt2.default-default")
    assert profiles.find(home, every=False) == [home / ".thunderbird/6um0abt2.default-default"]
    assert len(profiles.find(home, every=True)) == 2


def test_a_snap_goes_by_the_default_profile(tmp_path: Path) -> None:
    """Measured: with SNAP_INSTANCE_NAME set, Thunderbird 153 uses Default=1 and reads no [Install...] section."""
    home = home_with(tmp_path, FIRST_START, "tp2xj57f.default", "6um0abt2.default-default", kind=SNAP)
    assert profiles.find(home, every=False) == [home / SNAP.root / "tp2xj57f.default"]


def test_every_kind_of_installation_is_looked_at(tmp_path: Path) -> None:
    for kind in (PACKAGE, SNAP, *FLATPAKS):
        home_with(tmp_path, FIRST_START, "tp2xj57f.default", "6um0abt2.default-default", kind=kind)
    assert len(profiles.find(tmp_path, every=False)) == 5


def test_without_an_installation_the_only_profile_with_preferences_counts(tmp_path: Path) -> None:
    registry = FIRST_START.replace("InstallFDC34C9F024745EB", "Other")
    home = home_with(
        tmp_path, registry, "tp2xj57f.default", "6um0abt2.default-default", used=("6um0abt2.default-default",)
    )
    assert profiles.find(home, every=False) == [home / ".thunderbird/6um0abt2.default-default"]


def test_profiles_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    registry = FIRST_START.replace("InstallFDC34C9F024745EB", "Other")
    names = ("tp2xj57f.default", "6um0abt2.default-default")
    home = home_with(tmp_path, registry, *names, used=names)
    with pytest.raises(ThunderbirdError, match="does not tell which of its profiles is in use; give one of them"):
        profiles.find(home, every=False)


def test_a_removed_program_whose_profile_is_gone_is_passed_over(tmp_path: Path) -> None:
    registry = f"{FIRST_START}\n[Install0123456789ABCDEF]\nDefault=gone.default-release\n"
    home = home_with(tmp_path, registry, "tp2xj57f.default", "6um0abt2.default-default")
    assert [path.name for path in profiles.find(home, every=False)] == ["6um0abt2.default-default"]


def test_a_profile_that_is_named_but_not_there_is_refused(tmp_path: Path) -> None:
    home = home_with(tmp_path, FIRST_START, "tp2xj57f.default")
    with pytest.raises(ThunderbirdError, match=r"6um0abt2\.default-default, which does not exist"):
        profiles.find(home, every=False)


def test_an_absolute_path_is_found(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    lines = [
        "[Profile0]",
        "Name=x",
        "IsRelative=0",
        f"Path={elsewhere}",
        "[Install0123456789ABCDEF]",
        f"Default={elsewhere}",
    ]
    registry = "\r\n".join([*lines, ""])
    assert profiles.find(home_with(tmp_path / "home", registry), every=False) == [elsewhere]


def test_nobody_has_a_profile_before_the_first_start(tmp_path: Path) -> None:
    assert profiles.find(tmp_path, every=False) == []


def test_a_registry_that_is_no_text_is_refused(tmp_path: Path) -> None:
    home = home_with(tmp_path, "")
    (home / ".thunderbird/profiles.ini").write_bytes(b"\xff\xfe[\x00")
    with pytest.raises(ThunderbirdError, match=re.escape("profiles.ini is not UTF-8")):
        profiles.find(home, every=False)


def test_a_new_profile_is_locked_to_the_installation(tmp_path: Path) -> None:
    new = profiles.new(tmp_path, [Installation(PACKAGE, Path("/usr/lib/thunderbird"))])
    name = new.directory.name
    assert re.fullmatch(r"[a-z0-9]{8}\.default-release", name)
    assert new.registry == tmp_path / ".thunderbird/profiles.ini"
    assert new.registry_content.decode() == (
        f"[InstallFDC34C9F024745EB]\nDefault={name}\nLocked=1\n\n"
        f"[Profile0]\nName=default-release\nIsRelative=1\nPath={name}\nDefault=1\n\n"
        "[General]\nStartWithLastProfile=1\nVersion=2\n"
    )


def test_a_new_profile_for_a_snap_or_a_flatpak(tmp_path: Path) -> None:
    snap = profiles.new(tmp_path, [Installation(SNAP, Path("/snap/thunderbird/current/usr/lib/thunderbird"))])
    assert snap.directory.parent == tmp_path / "snap/thunderbird/common/.thunderbird"
    assert "Install" not in snap.registry_content.decode()
    assert "Default=1" in snap.registry_content.decode()
    flatpak = profiles.new(tmp_path, [Installation(FLATPAKS[0], Path("/var/lib/flatpak/thunderbird"))])
    assert "[InstallBD520B11F73A6B64]" in flatpak.registry_content.decode()


def test_a_new_profile_joins_a_registry_that_is_there(tmp_path: Path) -> None:
    registry = "[Profile0]\nName=default-release\nIsRelative=1\nPath=old\n\n[General]\nStartWithLastProfile=1\n"
    home = home_with(tmp_path, registry)
    new = profiles.new(home, [Installation(PACKAGE, Path("/opt/thunderbird"))])
    added = new.registry_content.decode()
    assert added.startswith(registry + "\n[Install9238613B8C3D2579]\n")
    assert "[Profile1]\nName=default-release2\n" in added
    assert added.count("[General]") == 1
    new.directory.mkdir()
    new.registry.write_bytes(new.registry_content)
    assert profiles.find(home, every=False) == [new.directory]


def test_without_a_program_there_is_no_new_profile(tmp_path: Path) -> None:
    with pytest.raises(ThunderbirdError, match="no Thunderbird on this host"):
        profiles.new(tmp_path, [])


def test_the_library_of_the_program_that_used_the_profile_comes_first(tmp_path: Path) -> None:
    for name in ("used", "installed", "without"):
        (tmp_path / name).mkdir()
    for name in ("used", "installed"):
        (tmp_path / name / "libnss3.so").touch()
    profile = tmp_path / "profile"
    profile.mkdir()
    installed = [Installation(PACKAGE, tmp_path / "installed"), Installation(PACKAGE, tmp_path / "gone")]
    assert libraries(profile, "", installed) == [f"{tmp_path}/installed/libnss3.so", "libnss3.so"]
    (profile / "compatibility.ini").write_text(f"[Compatibility]\nLastVersion=153%x\nLastPlatformDir={tmp_path}/used\n")
    assert libraries(profile, "", installed)[0] == f"{tmp_path}/used/libnss3.so"
    # As on Fedora, whose Thunderbird uses the system's library.
    (profile / "compatibility.ini").write_text(f"[Compatibility]\nLastPlatformDir={tmp_path}/without\n")
    assert libraries(profile, "", installed)[0] == "libnss3.so"
    (profile / "compatibility.ini").write_bytes(b"\xff broken")
    assert libraries(profile, "", installed)[0] == f"{tmp_path}/installed/libnss3.so"
    assert libraries(profile, "/given/libnss3.so", installed) == ["/given/libnss3.so"]
    (profile / "compatibility.ini").unlink()
    os.mkfifo(profile / "compatibility.ini")
    assert libraries(profile, "", installed)[0] == f"{tmp_path}/installed/libnss3.so"


def test_the_library_of_a_flatpak_that_used_the_profile_comes_first(tmp_path: Path) -> None:
    """It knows itself under a path that is not there on the host."""
    for name in ("package", "flatpak"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "libnss3.so").touch()
    (tmp_path / "compatibility.ini").write_text("[Compatibility]\nLastPlatformDir=/app/lib/thunderbird\n")
    installed = [Installation(PACKAGE, tmp_path / "package"), Installation(FLATPAKS[0], tmp_path / "flatpak")]
    assert libraries(tmp_path, "", installed)[0] == f"{tmp_path}/flatpak/libnss3.so"
