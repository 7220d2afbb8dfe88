# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that one run changes, as data: what check mode reports and what is then applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from .maps import Table
from .originals import Originals, Service


@dataclass
class Plan:
    """What a run changes. A value of None takes a parameter out of main.cf.

    `rules` make the way to the smarthost safe and are set before `routes` send mail there; `dropped` and
    `dropped_services` are taken back when no mail is sent there any more. `originals` is what is remembered
    afterwards. `unended` are the files whose last line had no newline before us, as `Originals.unended`. `chroot_files`
    are missing from the chroot. `reopen_tables` tells that a daemon would not notice a new map by itself. `before` and
    `after` are for diff mode, without a secret.
    """

    remembered_before: Originals
    originals: Originals = field(default_factory=Originals)
    unended: dict[str, str] = field(default_factory=dict)
    kind: Optional[str] = None
    chroot_files: list[str] = field(default_factory=list)
    write_filter: bool = False
    tables: list[Table] = field(default_factory=list)
    reopen_tables: bool = False
    services: dict[str, Service] = field(default_factory=dict)
    rules: dict[str, Optional[str]] = field(default_factory=dict)
    routes: dict[str, Optional[str]] = field(default_factory=dict)
    dropped: dict[str, Optional[str]] = field(default_factory=dict)
    dropped_services: list[str] = field(default_factory=list)
    unused_files: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    @property
    def changed_configuration(self) -> list[str]:
        """Which of main.cf and master.cf change."""
        main = self.rules or self.routes or self.dropped
        master = self.services or self.dropped_services
        return [name for name, changes in (("main.cf", main), ("master.cf", master)) if changes]

    @property
    def changes_configuration(self) -> bool:
        """Whether main.cf or master.cf changes and the daemons must read them again."""
        return bool(self.changed_configuration)

    @property
    def changed(self) -> bool:
        """Whether there is anything to do; the end of a run that was killed counts."""
        return bool(
            self.changes_configuration
            or self.chroot_files
            or self.write_filter
            or self.tables
            or self.unused_files
            or self.originals != self.remembered_before
        )
