# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Thunderbird is installed, where it keeps profiles, and which NSS library belongs to a profile."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import NamedTuple

from . import files
from .errors import ThunderbirdError
from .install_hash import install_hash

SYSTEM_LIBRARY = "libnss3.so"
# The newest Thunderbird of which it was seen that it reads what is written here.
NEWEST_TESTED = 153


class Kind(NamedTuple):
    """One way of installing Thunderbird.

    `root` is relative to the home directory. `own_path` is the path under which the program sees itself where that
    differs from the host's. A snap has no fixed path, so it goes by `Default=1` in profiles.ini and reads no
    `[Install...]` section (measured with SNAP_INSTANCE_NAME set; nsToolkitProfileService.cpp).
    """

    name: str
    root: str
    directories: tuple[str, ...]
    own_path: str = ""


PACKAGE = Kind(
    "package",
    ".thunderbird",
    ("/usr/lib/thunderbird", "/usr/lib64/thunderbird", "/usr/local/lib/thunderbird", "/opt/thunderbird"),
)
SNAP = Kind("snap", "snap/thunderbird/common/.thunderbird", ("/snap/thunderbird/current/usr/lib/thunderbird",))


def _flatpak(name: str) -> Kind:
    directories = (
        f"{place}/app/{name}/current/active/files/lib/thunderbird"
        for place in ("/var/lib/flatpak", "~/.local/share/flatpak")
    )
    return Kind("flatpak", f".var/app/{name}/.thunderbird", tuple(directories), "/app/lib/thunderbird")


# Their names until 2026, and since.
FLATPAKS = tuple(map(_flatpak, ("org.mozilla.Thunderbird", "org.mozilla.thunderbird", "org.mozilla.thunderbird_esr")))
KINDS = (PACKAGE, SNAP, *FLATPAKS)


class Installation(NamedTuple):
    """One installed Thunderbird."""

    kind: Kind
    directory: Path

    @property
    def section(self) -> str:
        """The name of its section in profiles.ini; empty where it has none."""
        if self.kind is SNAP:
            return ""
        return "Install" + install_hash(self.kind.own_path or str(self.directory.resolve()))


def installations(program_directory: str, home: Path) -> list[Installation]:
    """The given one, or those in the usual places."""
    if program_directory:
        return [Installation(PACKAGE, Path(program_directory))]
    return [
        Installation(kind, path)
        for kind in KINDS
        for path in (Path(directory.replace("~", str(home), 1)) for directory in kind.directories)
        if (path / "application.ini").exists()
    ]


def libraries(profile: Path, nss_library: str, installed: list[Installation]) -> list[str]:
    """NSS libraries to try for `profile`, the best first.

    The program that used the profile last knows every key in it, so its library comes first. Distributions whose
    Thunderbird brings no NSS of its own use the system's.
    """
    if nss_library:
        return [nss_library]
    last = _last_program(profile)
    # A flatpak sees itself under a path that is not the host's, and all flatpaks under the same.
    own = [
        item.directory
        for item in sorted(installed, key=lambda item: f"/{item.kind.root}/" not in str(profile))
        if last and item.kind.own_path == str(last)
    ]
    directories = [last, *own, *(item.directory for item in installed)]
    found = [
        str(directory / SYSTEM_LIBRARY) if (directory / SYSTEM_LIBRARY).exists() else SYSTEM_LIBRARY
        for directory in directories
        if directory and directory.is_dir()
    ]
    return list(dict.fromkeys([*found, SYSTEM_LIBRARY]))


def untested_version(profile: Path, installed: list[Installation]) -> str:
    """The version of the Thunderbird that used the profile last, where it is newer than NEWEST_TESTED; else empty.

    Of a profile that none has used, it is the version of the one that will.
    """
    version = _member(profile / "compatibility.ini", "Compatibility", "LastVersion")
    if not version and installed:
        version = _member(installed[0].directory / "application.ini", "App", "Version")
    version = version.partition("_")[0]  # 153.8.0_20261120213735/20261120213735
    major = re.match(r"[0-9]{1,9}", version)
    return version if major and int(major.group()) > NEWEST_TESTED else ""


def _last_program(profile: Path) -> Path | None:
    directory = _member(profile / "compatibility.ini", "Compatibility", "LastPlatformDir")
    return Path(directory) if directory else None


def _member(path: Path, section: str, name: str) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string((files.read(path, follow=True) or b"").decode())
        return parser[section][name]
    except (configparser.Error, KeyError, ValueError, ThunderbirdError):
        return ""
