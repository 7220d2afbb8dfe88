# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup tables that a running Postfix never sees half: built under a new name, looked up, then renamed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from . import files
from .commands import Instance, PostfixError
from .dates import changed_at, date_back

# What postmap appends to the name of the source; texthash is read without an index.
INDEX_SUFFIXES: dict[str, Optional[str]] = {
    "hash": ".db",
    "btree": ".db",
    "lmdb": ".lmdb",
    "cdb": ".cdb",
    "texthash": None,
}
# Where a table waits to be used; what a killed `install` leaves has the suffix of `files.NEW`.
STAGED = ".next"
HEADER = "# Managed by Ansible (smarthost.spamexperts.postfix_relay); what is changed here is lost.\n"


@dataclass(frozen=True)
class Table:
    """A wanted map: where, of which type, what it holds and who may read it."""

    path: str
    kind: str
    mode: int
    entries: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """The map as Postfix names it, `type:path`."""
        return f"{self.kind}:{self.path}"


def render(entries: Mapping[str, str]) -> bytes:
    """The source of a map."""
    return (HEADER + "".join(f"{key} {value}\n" for key, value in entries.items())).encode()


def parse(source: Optional[bytes]) -> dict[str, str]:
    """The entries of a source that `render` made; what an older run left is read by the same rules."""
    entries: dict[str, str] = {}
    for line in (source or b"").decode("utf-8", "replace").split("\n"):
        key, _separator, value = line.partition(" ")
        if value and not key.startswith("#"):
            entries.setdefault(key, value)
    return entries


def choose_kind(instance: Instance, wanted: Optional[str]) -> str:
    """The map type to use: the wanted one or the one that this Postfix prefers, if it can be used here."""
    kind = wanted or instance.default_map_type()
    available = [name for name in instance.map_types() if name in INDEX_SUFFIXES]
    if kind in available:
        return kind
    source = "map_type" if wanted else "default_database_type of this Postfix"
    raise PostfixError(
        f"{source}: '{kind}' cannot be used here; set map_type to one of these, which this Postfix offers: "
        f"{', '.join(available) or 'none'}. More come with packages such as postfix-lmdb or postfix-cdb.",
        "unsupported",
    )


def is_right(instance: Instance, table: Table) -> bool:
    """Whether source and index say exactly this, and are readable by nobody else.

    The index is asked, not compared: its age and postmap's exit code prove nothing.
    """
    paths = [path for path in (table.path, index_path(table.path, table.kind)) if path]
    if files.read(table.path) != render(table.entries) or not all(Path(path).exists() for path in paths):
        return False
    if not all(files.is_private(path, table.mode) for path in paths):
        return False
    return instance.lookup(table.name, table.entries) == dict(table.entries)


def can_be_opened(instance: Instance, table: Table) -> bool:
    """Whether Postfix can use the map that is there, whatever it says."""
    index = index_path(table.path, table.kind) or table.path
    # A program of Postfix that meets a missing map waits for a second before it says so.
    return Path(index).exists() and instance.lookup(table.name, table.entries) is not None


def install(instance: Instance, table: Table, extra: Mapping[str, str]) -> None:
    """Put the map in place. `extra` are entries that the running Postfix still needs until its next reload.

    The new index takes the place of the old before the source does: a kill between the two leaves a complete index,
    and a source that differs from what is wanted, so the next run finishes the work.
    """
    # Ours first, so that a map without extra entries is what the next run wants to see, byte for byte.
    entries = {**table.entries, **{key: value for key, value in extra.items() if key not in table.entries}}
    new = files.write_new(table.path, render(entries), table.mode)
    new_index = index_path(new, table.kind)
    try:
        if new_index:
            files.remove(new_index)
            instance.build_index(f"{table.kind}:{new}")
        else:
            date_back(new, changed_at(table.path))
        found = instance.lookup(f"{table.kind}:{new}", entries)
        wrong = [key for key, value in table.entries.items() if (found or {}).get(key) != value]
        if wrong:
            raise PostfixError(
                f"the new map {new} does not give back what was written for {', '.join(wrong[:3])}; "
                "the old map stays in place. Check that the disk is not full and that postmap works.",
                "command_failed",
            )
        if new_index:
            Path(new_index).chmod(table.mode)
            files.rename(new_index, f"{table.path}{INDEX_SUFFIXES[table.kind]}")
        files.rename(new, table.path)
    except BaseException:
        # A password must not stay behind in a file that nobody uses.
        for path in (new_index, new):
            if path:
                files.remove(path)
        raise


def leftovers(path: str, kind: Optional[str]) -> list[str]:
    """Files next to a map that nothing uses: indexes of other types, and what a killed run or a staged one left.

    `kind` is the type in use; with None the map itself is meant too.
    """
    kept = [] if kind is None else [path, index_path(path, kind)]
    suffixes = sorted({suffix for suffix in INDEX_SUFFIXES.values() if suffix})
    candidates = [path] if kind is None else []
    for base in (path, path + files.NEW, path + STAGED, path + STAGED + files.NEW):
        candidates += [base + suffix for suffix in suffixes] + [f"{base}.cdb.tmp"]
        if base != path:
            candidates.append(base)
    return [name for name in candidates if name not in kept and os.path.lexists(name)]


def index_path(path: str, kind: str) -> Optional[str]:
    """The file that postmap makes of this source; None where Postfix reads the source itself."""
    suffix = INDEX_SUFFIXES[kind]
    return None if suffix is None else path + suffix
