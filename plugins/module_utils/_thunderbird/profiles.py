# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the profiles that a person's Thunderbird really uses, and register one for a person who has none."""

from __future__ import annotations

import re
import secrets
import string
from pathlib import Path
from typing import NamedTuple

from .errors import ThunderbirdError
from .files import read
from .installation import KINDS, SNAP, Installation, Kind

Sections = dict[str, dict[str, str]]
_SALT = string.ascii_lowercase + string.digits


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
        content = read(root / "profiles.ini")
        if content is None:
            continue
        sections = _sections(content, root)
        named = {path: section for section in sections.values() if (path := _directory(root, section))}
        paths = [path for path in named if path.is_dir()] if every else _used(root, kind, sections, named)
        found += [path.resolve() for path in paths]
    return list(dict.fromkeys(found))


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
        raise ThunderbirdError(f"{root}/profiles.ini names the profile {used[0]}, which does not exist")
    return there


def new(home: Path, installed: list[Installation]) -> NewProfile:
    """A profile that the first of the installed programs will use at its first start.

    Thunderbird ignores a new profile unless the section of its own installation names it (a snap: unless it has
    `Default=1`). Raises ThunderbirdError where there is no program whose section could be named.
    """
    if not installed:
        raise ThunderbirdError(
            f"there is no Thunderbird profile below {home} and no Thunderbird on this host that would use a new one; "
            "install it or give its program_directory"
        )
    installation = installed[0]
    root = home / installation.kind.root
    name = "".join(secrets.choice(_SALT) for _digit in range(8)) + ".default-release"
    content = read(root / "profiles.ini") or b""
    sections = _sections(content, root)
    number = 0
    while f"Profile{number}" in sections:
        number += 1
    taken = {section.get("Name") for section in sections.values()}
    titles = (f"default-release{suffix}" for suffix in ("", *range(2, len(taken) + 3)))
    title = next(title for title in titles if title not in taken)
    profile = f"[Profile{number}]\nName={title}\nIsRelative=1\nPath={name}\n"
    if installation.section:
        text = f"[{installation.section}]\nDefault={name}\nLocked=1\n\n{profile}"
    else:
        text = f"{profile}Default=1\n"
    if "General" not in sections:
        text += "\n[General]\nStartWithLastProfile=1\nVersion=2\n"
    if content:
        text = ("\n" if content.endswith(b"\n") else "\n\n") + text
    return NewProfile(root / name, root / "profiles.ini", content + text.encode())


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
