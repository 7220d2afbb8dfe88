# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logins that a mail server has, whoever wrote its tables. Pure, no I/O."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple, Optional

from .._names import ascii_name
from .tables import split

#: Map types whose entries stand as text in the file that they name.
_TEXT_MAPS = {"hash", "btree", "lmdb", "cdb", "dbm", "texthash"}
#: All others of the manual. Only these are named: what stands in place of a type may be a part of a password.
_OTHER_MAP = re.compile(
    "cidr|environ|fail|inline|internal|ldap|memcache|mongodb|mysql|netinfo|nis|nisplus|pcre|pgsql|pipemap|randmap|regexp|"
    "sdbm|socketmap|sqlite|static|tcp|unionmap|unix"
)
#: What Postfix takes for a blank. Python knows more of them, and more ends of a line, which a password may hold.
_BLANKS = " \t\v\f\r"


class Pair(NamedTuple):
    """A login and a password."""

    login: str
    password: str


class Entry(NamedTuple):
    """What a map gives for a key: a next hop as the map writes it, the name of a server, or a sender."""

    key: str
    pair: Pair

    @property
    def server(self) -> Optional[str]:
        """The server whose login it is, without its port; None for that of a sender."""
        return None if "@" in self.key else hop_server(self.key)


def hop_server(text: str) -> str:
    """The server of a next hop such as `[smart.test]:587`, without its port."""
    bracketed = re.match(r"\[([^\]]*)\]", text)
    return server_name(bracketed.group(1) if bracketed else text.rpartition(":")[0] or text)


def server_name(text: str) -> str:
    """A server as it is compared: an address in its usual spelling, whether or not Postfix marks it, or a name."""
    text = text.lower().strip("[]").removeprefix("ipv6:")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ascii_name(text) or text


def map_files(setting: str) -> tuple[list[str], list[str]]:
    """The text files behind smtp_sasl_password_maps, and the types of the maps that have none."""
    files, others = [], []
    for name in split(setting):
        kind, _colon, path = name.removeprefix("proxy:").partition(":")
        if kind in _TEXT_MAPS and path.startswith("/"):
            files.append(path)
        else:
            others.append(kind if kind in _TEXT_MAPS or _OTHER_MAP.fullmatch(kind) else "unknown")
    return files, list(dict.fromkeys(others))


def map_entries(text: str) -> list[Entry]:
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
    entries = []
    for line in lines:
        key, _blank, value = re.sub(f"[{_BLANKS}]+", " ", line.strip(_BLANKS), count=1).partition(" ")
        login, colon, password = value.partition(":")
        if colon and login and password:
            entries.append(Entry(key, Pair(login, password)))
    return entries
