# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mail server opens to others: who may send through it, who can read its passwords, and whom it asks."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .password_maps import map_files
from .tables import split

_OPEN = stat.S_IROTH
_ENDINGS = ("", ".db", ".lmdb", ".cdb")
_PROBES = ("reject_unverified_sender", "reject_unverified_recipient")


def exposure(known: Mapping[str, str]) -> dict[str, Any]:
    """known: the effective value of every parameter."""
    maps = map_files(known.get("smtp_sasl_password_maps", ""))[0]
    files = dict.fromkeys(f"{path}{ending}" for path in maps for ending in _ENDINGS)
    restrictions = " ".join(value for name, value in known.items() if _restricts(name))
    asks = any(probe in restrictions for probe in _PROBES)
    own_way = known.get("address_verify_relayhost", "") != known.get("relayhost", "") or known.get(
        "address_verify_default_transport", ""
    ) != known.get("default_transport", "")
    return {
        "domain": known.get("mydomain", ""),
        "mynetworks": split(known.get("mynetworks", "")),
        "readable_password_files": [path for path in files if _is_open(path)],
        "verification_probes": asks and not own_way,
    }


def _restricts(name: str) -> bool:
    return name.startswith("smtpd_") and name.endswith("_restrictions")


def _is_open(path: str) -> bool:
    """Whether everybody on the host can read it, as far as its own mode says."""
    try:
        return bool(Path(path).stat().st_mode & _OPEN)
    except OSError:
        return False
