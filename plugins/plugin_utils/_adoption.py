# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins and passwords in the vendor's CSV. Pure, no I/O."""

from __future__ import annotations

import csv
import io

from ..module_utils._postfix.password_maps import Pair

_COLUMNS = ("username", "domain", "password")


class AdoptionError(ValueError):
    """Something cannot be read; one sentence without a secret."""


def csv_pairs(text: str) -> list[Pair]:
    """The logins of the vendor's CSV: username, domain and password, or what its first line names, in any order.

    A row without a username is a domain user; one without a password is left out.
    """
    first = next(csv.reader(io.StringIO(text)), [])
    # What the vendor's own page takes has three columns without names.
    bare = len(first) == len(_COLUMNS) and not {name.strip().lower() for name in first} & set(_COLUMNS)
    rows = csv.DictReader(io.StringIO(text), fieldnames=_COLUMNS if bare else None)
    names = {str(name).strip().lower(): name for name in rows.fieldnames or ()}
    missing = [column for column in _COLUMNS if column not in names]
    if missing:
        raise AdoptionError(
            f"the CSV has no column {', '.join(missing)}; its first line must name {', '.join(_COLUMNS)}"
        )
    pairs = []
    for row in rows:
        username, domain, password = ((row[names[column]] or "").strip() for column in _COLUMNS)
        if domain and password:
            local = username.rpartition("@")[0] or username
            pairs.append(Pair(f"{local}@{domain}" if local else domain, password))
    return list(dict.fromkeys(pairs))
