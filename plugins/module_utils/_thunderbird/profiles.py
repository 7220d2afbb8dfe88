# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the profiles that a person's Thunderbird really uses, and register one for a person who has none."""

from __future__ import annotations

import re
import secrets
import shutil
import string
from pathlib import Path
from typing import NamedTuple

from .errors import ThunderbirdError
from .files import STAGE_PREFIX, left_behind, read
from .installation import KINDS, SNAP, Installation, Kind

Sections = dict[str, dict[str, str]]
_SALT = string.ascii_lowercase + string.digits
_NEW_NAME = r"[a-z0-9]{8}\.default-release"
# Written by Thunderbird at each start of another version than the one before, so also at the first.
_STARTED = "compatibility.ini"
# What this collection writes, too, and what therefore does not tell when Thunderbird was here.
_OURS = ("prefs.js", "logins", "key4.db", "cert9.db", "user.js", ".parentlock", STAGE_PREFIX)


# Where snaps, flatpaks and newer programs that keep to the XDG directories have their profiles, whatever their names.
_OTHER_ROOTS = ("snap/*/common/.thunderbird", ".var/app/*/.thunderbird", ".config/thunderbird")


class NewProfile(NamedTuple):
    """A profile that is not there yet: its directory, and profiles.ini once it names the profile."""

    directory: Path
    registry: Path
    registry_content: bytes


def find(home: Path, *, every: bool) -> list[Path]:
    """Profiles of the person who lives in `home`: those in use, or `every` one that profiles.ini names.

    A first start makes two profiles, and the one with `Default=1` is the empty one: what counts is the `Default=` of
    the `[Install...]` sections. Raises ThunderbirdError where it cannot be told which profile is in use.
    """
    found: list[Path] = []
    for kind in KINDS:
        root = home / kind.root
        sections = _sections(_registry(root), root)
        named = {path: section for section in sections.values() if (path := _directory(root, section))}
        paths = [path for path in named if path.is_dir()] if every else _used(root, kind, sections, named)
        found += [path.resolve() for path in paths]
    return list(dict.fromkeys(found))


def clean_up(home: Path) -> None:
    """Remove what a run that was killed while it made a profile has left, the profile that nothing names included."""
    for root in (home / kind.root for kind in KINDS):
        for stage in left_behind(root):
            profile = root / stage.name[len(STAGE_PREFIX) :]
            named = (_directory(root, section) for section in _sections(_registry(root), root).values())
            if (
                re.fullmatch(_NEW_NAME, profile.name)
                and profile.is_dir()
                and profile not in named
                and not (profile / _STARTED).exists()
            ):
                shutil.rmtree(profile)
            shutil.rmtree(stage)


def _used(root: Path, kind: Kind, sections: Sections, named: dict[Path, dict[str, str]]) -> list[Path]:
    if kind is SNAP:
        used = [path for path, section in named.items() if section.get("Default") == "1"] or list(named)[:1]
    else:
        installs = [section for name, section in sections.items() if _is_install(name)]
        used = list(dict.fromkeys(root / section["Default"] for section in installs if "Default" in section))
        if not used:
            used = [path for path in named if (path / "prefs.js").exists()]
            if len(used) > 1:
                raise ThunderbirdError(
                    f"{root}/profiles.ini does not tell which of its profiles is in use; give one of them as profile: "
                    + ", ".join(str(path) for path in used)
                )
    # A program that was removed leaves its section, and somebody may have removed its profile.
    there = [path for path in used if path.is_dir()]
    if used and not there:
        raise ThunderbirdError(f"{root}/profiles.ini names the profile {used[0]}, which does not exist", "not_found")
    _require_no_later(root, there, [path for path, section in named.items() if section.get("Default") == "1"])
    return there


def _require_no_later(root: Path, used: list[Path], defaults: list[Path]) -> None:
    """ThunderbirdError where `used` by profiles.ini are not those that Thunderbird was last started with.

    With MOZ_LEGACY_PROFILES=1, as on NixOS, it takes the profile with Default=1 (measured with 153).
    """
    for other in defaults:
        if used and other not in used and _last_use(other) > max(_last_use(path) for path in used):
            raise ThunderbirdError(
                f"{root}/profiles.ini gives the profile {used[0]} to the installed Thunderbird, but {other}, its "
                "Default=1, was used later, as Thunderbird does with MOZ_LEGACY_PROFILES=1; give the right one as "
                "profile"
            )


def _last_use(profile: Path) -> float:
    """When Thunderbird last wrote something in this profile, in seconds since 1970; 0 where it never did."""
    if not (profile / _STARTED).exists():
        return 0
    return max(path.lstat().st_mtime for path in profile.iterdir() if not path.name.startswith(_OURS))


def new(home: Path, installed: list[Installation]) -> NewProfile:
    """A profile that the first of the installed programs will use at its first start.

    Thunderbird ignores a new profile unless the section of its own installation names it (a snap: unless it has
    `Default=1`). Raises ThunderbirdError where there is no program whose section could be named.
    """
    if not installed:
        raise ThunderbirdError(
            f"there is no Thunderbird profile below {home} and no Thunderbird on this host that would use a new one; "
            "install it or give its program_directory",
            "not_installed",
        )
    known = {home / kind.root for kind in KINDS}
    for pattern in _OTHER_ROOTS:
        for registry in home.glob(f"{pattern}/profiles.ini"):
            if registry.parent not in known:
                raise ThunderbirdError(
                    f"no profile is made, as {registry} is that of another Thunderbird, of a kind that is not known "
                    "here; give the profile that is used as profile"
                )
    installation = installed[0]
    root = home / installation.kind.root
    name = "".join(secrets.choice(_SALT) for _digit in range(8)) + ".default-release"
    content = read(root / "profiles.ini") or b""
    sections = _sections(content, root)
    number = 0
    while f"Profile{number}" in sections:
        number += 1
    titles_in_use = {section.get("Name") for section in sections.values()}
    titles = (f"default-release{suffix}" for suffix in ("", *range(2, len(titles_in_use) + 3)))
    title = next(title for title in titles if title not in titles_in_use)
    profile = f"[Profile{number}]\nName={title}\nIsRelative=1\nPath={name}\n"
    # What a snap goes by, and everything else with MOZ_LEGACY_PROFILES=1.
    if not installation.section or not any(section.get("Default") == "1" for section in sections.values()):
        profile += "Default=1\n"
    text = f"[{installation.section}]\nDefault={name}\nLocked=1\n\n{profile}" if installation.section else profile
    if "General" not in sections:
        text += "\n[General]\nStartWithLastProfile=1\nVersion=2\n"
    if content:
        text = ("\n" if content.endswith(b"\n") else "\n\n") + text
    return NewProfile(root / name, root / "profiles.ini", content + text.encode())


def _registry(root: Path) -> bytes:
    """The content of profiles.ini, which home-manager makes a link; empty where there is none."""
    return read(root / "profiles.ini", follow=True) or b""


def _sections(content: bytes, root: Path) -> Sections:
    """Name -> members; as tolerant as Thunderbird's own reader (nsINIParser), which skips what it cannot read."""
    sections: Sections = {}
    section: dict[str, str] = {}
    try:
        text = content.decode("utf-8")
    except ValueError:
        raise ThunderbirdError(f"{root}/profiles.ini is not UTF-8 text") from None
    for line in text.split("\n"):
        heading = re.fullmatch(r"\[(.+)\]\s*", line)
        if heading:
            section = sections.setdefault(heading.group(1), {})
        elif "=" in line and not line.startswith((";", "#")):
            name, value = line.split("=", 1)
            section[name.strip()] = value.strip()
    return sections


def _directory(root: Path, section: dict[str, str]) -> Path | None:
    if "Path" not in section:
        return None
    return root / section["Path"] if section.get("IsRelative") != "0" else Path(section["Path"])


def _is_install(name: str) -> bool:
    return re.fullmatch(r"Install[0-9A-F]{1,16}", name) is not None
