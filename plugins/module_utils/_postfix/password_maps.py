# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logins that a mail server has, whoever wrote its tables. Pure, no I/O."""

from __future__ import annotations

import re
from typing import NamedTuple

#: Map types whose entries stand as text in the file that they name.
_TEXT_MAPS = {"hash", "btree", "lmdb", "cdb", "dbm", "texthash"}
#: All others of the manual. Only these are named: what stands in place of a type may be a part of a password.
_OTHER_MAP = re.compile(
    "cidr|environ|fail|inline|internal|ldap|memcache|mongodb|mysql|netinfo|nis|nisplus|pcre|pgsql|pipemap|randmap|regexp|"
    "sdbm|socketmap|sqlite|static|tcp|unionmap|unix"
)
#: A map with its type; what stands in braces is one piece, whatever is in it.
_MAP = re.compile(r"(?:[^\s,{]|\{(?:[^{}]|\{[^{}]*\})*\}?)+")
#: What Postfix takes for a blank. Python knows more of them, and more ends of a line, which a password may hold.
_BLANKS = " \t\v\f\r"


class Pair(NamedTuple):
    """A login and a password."""

    login: str
    password: str


def map_files(setting: str) -> tuple[list[str], list[str]]:
    """The text files behind smtp_sasl_password_maps, and the types of the maps that have none."""
    files, others = [], []
    for name in _MAP.findall(setting):
        kind, _colon, path = name.removeprefix("proxy:").partition(":")
        if kind in _TEXT_MAPS and path.startswith("/"):
            files.append(path)
        else:
            others.append(kind if kind in _TEXT_MAPS or _OTHER_MAP.fullmatch(kind) else "unknown")
    return files, list(dict.fromkeys(others))


def map_pairs(text: str) -> list[Pair]:
    """The logins of a map's source: lines of key, blank, login, colon and password; a line that begins with a blank
    continues the one before.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        bare = line.strip(_BLANKS)
        if not bare or bare.startswith("#"):
            continue
        if line[0] in _BLANKS and lines:
            lines[-1] += line
        else:
            lines.append(line)
    pairs = []
    for line in lines:
        value = re.sub(f"[^{_BLANKS}]*", "", line.strip(_BLANKS), count=1)
        login, colon, password = value.lstrip(_BLANKS).partition(":")
        if colon and login and password:
            pairs.append(Pair(login, password))
    return list(dict.fromkeys(pairs))
