# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that lie beside those in use, complete and looked up, so that using them is only a rename."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from . import maps
from .changes import Plan
from .commands import Instance
from .maps import Table


def stageable(plan: Plan) -> list[Table]:
    """The tables that differ, if nothing else does and Postfix notices new ones by itself."""
    more = (
        plan.changes_configuration
        or plan.chroot_files
        or plan.write_filter
        or plan.reopen_tables
        or plan.originals != plan.remembered_before
    )
    return [] if more else plan.tables


def missing(instance: Instance, tables: Sequence[Table]) -> list[Table]:
    """What to stage, as far as it is not staged yet."""
    staged = [replace(table, path=table.path + maps.STAGED) for table in tables]
    return [table for table in staged if not maps.is_right(instance, table)]


def activation(tables: Sequence[Table]) -> str:
    """The shell command that puts the staged tables in use; the index first, as `maps.install` does."""
    commands = []
    for table in tables:
        staged = table.path + maps.STAGED
        index = maps.index_path(table.path, table.kind)
        if index:
            commands.append(["mv", "-f", f"{maps.index_path(staged, table.kind)}", index])
        commands.append(["mv", "-f", staged, table.path])
    return " && ".join(map(shlex.join, commands))
