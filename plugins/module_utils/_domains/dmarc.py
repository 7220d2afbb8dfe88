# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the DMARC record of a domain asks of its mail (RFC 7489), and whether a DKIM key can be used (RFC 6376)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from .spf import Lookup

_SELECTOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\Z")
_BLANKS = re.compile(r"\s+")
_LIKE_DMARC = re.compile(r"\s*v\s*=\s*dmarc", re.IGNORECASE)
_POLICIES = ("none", "quarantine", "reject")
_VALUES = {"p": _POLICIES, "sp": _POLICIES, "aspf": ("r", "s"), "adkim": ("r", "s")}
#: Names above a domain that are asked; receivers ask no more.
_MOST_NAMES = 8
#: Bytes of a public key of 1024 bits with its frame; receivers take no shorter ones (RFC 8301).
_SHORTEST_RSA = 160
_ED25519 = 32


@dataclass
class Dmarc:
    """place: the domain whose record it is, itself or one above; empty where there is none.

    policy: what that asks for mail of the domain itself; empty where receivers do not use the record.
    """

    place: str = ""
    record: Optional[str] = None
    policy: str = ""
    aspf: str = "r"
    adkim: str = "r"
    problems: list[str] = field(default_factory=list)


def is_selector(text: str) -> bool:
    """Whether a DKIM selector may have this name."""
    return bool(_SELECTOR.match(text))


def find_dmarc(domain: str, lookup: Lookup) -> Dmarc:
    """The record that receivers use for mail of this domain. Raises LookupFailure."""
    labels = domain.split(".")
    # Of a long name the domain itself, and then those above it from the eighth label on.
    starts = [0, *range(max(1, len(labels) - _MOST_NAMES + 1), len(labels) - 1)]
    for start in starts:
        place = ".".join(labels[start:])
        records = [text for text in lookup(f"_dmarc.{place}", "TXT") if _LIKE_DMARC.match(text)]
        if len(records) > 1:
            return Dmarc(place, problems=[f"there are {len(records)} records, and receivers then use none"])
        if records:
            return read_dmarc(records[0], place, is_above=place != domain)
    return Dmarc()


def read_dmarc(record: str, place: str, *, is_above: bool) -> Dmarc:
    """is_above: the record is that of a domain above the one whose mail it is about."""
    found = Dmarc(place, record)
    tags, problems = _tags(record)
    if not re.match(r"\s*v\s*=\s*DMARC1\s*(;|\Z)", record):
        found.problems.append("it does not begin with 'v=DMARC1;', so that receivers do not use it")
        return found
    problems += [
        f"{name}={tags[name]} is none of {', '.join(values)}"
        for name, values in _VALUES.items()
        if name in tags and tags[name].lower() not in values
    ]
    if "p" not in tags:
        problems.append("it has no p=, without which receivers do nothing")
    if "pct" in tags and not (tags["pct"].isdigit() and int(tags["pct"]) <= 100):
        problems.append(f"pct={tags['pct']} is no number from 0 to 100")
    for name in ("rua", "ruf"):
        if any(not each.strip().lower().startswith("mailto:") for each in tags.get(name, "mailto:").split(",")):
            problems.append(f"{name} has to be a list of mailto: addresses")
    policy = (tags.get("sp", "") if is_above else "") or tags.get("p", "")
    found.policy = policy.lower() if policy.lower() in _POLICIES else ""
    found.aspf, found.adkim = (tags.get(name, "r").lower() for name in ("aspf", "adkim"))
    found.problems += problems
    return found


def problems_of_key(records: list[str]) -> list[str]:
    """Why receivers cannot use the DKIM key of a selector. records: of its name; there is at least one."""
    if len(records) > 1:
        return [f"it has {len(records)} records, and receivers may take any"]
    tags, problems = _tags(records[0])
    if tags.get("v", "DKIM1") != "DKIM1":
        return [f"v={tags['v']} is not DKIM1"]
    if "p" not in tags:
        return ["it has no p=, which is the key"]
    if not tags["p"]:
        return ["its key is withdrawn (p= is empty)"]
    kind = tags.get("k", "rsa").lower()
    try:
        key = base64.b64decode(_BLANKS.sub("", tags["p"]), validate=True)
    except (binascii.Error, ValueError):
        return ["its key is not base64, as of a record that was cut off"]
    if kind == "rsa" and len(key) < _SHORTEST_RSA:
        problems.append("its key has less than 1024 bits, and receivers take no such key")
    elif kind == "ed25519" and len(key) != _ED25519:
        problems.append("its key is none of ed25519")
    elif kind not in ("rsa", "ed25519"):
        problems.append(f"k={tags['k']} is neither rsa nor ed25519")
    if "y" in tags.get("t", "").split(":"):
        problems.append("it is marked as a test (t=y), so that receivers may take mail for unsigned")
    return problems


def _tags(record: str) -> tuple[Mapping[str, str], list[str]]:
    """The tags of a record, and what is none."""
    tags: dict[str, str] = {}
    problems = []
    for part in record.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not equals and name:
            problems.append(f"{part.strip()!r} is no tag")
        elif name in tags:
            problems.append(f"it has {name}= more than once")
        elif name:
            tags[name] = value.strip()
    return tags, problems
