# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was there before us: remembered in a file on the host that only root reads, so that `absent` can undo."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Optional

from . import files
from .commands import Instance, PostfixError

FILE = "smarthost_originals.json"
VERSION = 1


@dataclass
class Remembered:
    """One parameter of main.cf: its value before us (None: not set), and the value that we gave it.

    While a run is under way `earlier` holds the values of ours that may still stand there.
    """

    original: Optional[str]
    ours: str
    earlier: list[str] = field(default_factory=list)


@dataclass
class Service:
    """One service of master.cf: its first eight words and the parameters that it overrides."""

    words: list[str]
    options: dict[str, str]

    @property
    def definition(self) -> str:
        """The entry as master.cf holds it, on one line."""
        return " ".join([*self.words, *(f"-o {{{name}={value}}}" for name, value in self.options.items())])


@dataclass
class Originals:
    """Everything that we changed on this instance. No password is ever among it.

    `files` are names in the configuration directory that are ours. `unended` are main.cf and master.cf where their last
    line had no newline, each with a digest of that line; `digests` those of the whole files, as they were before we
    changed them for the first time. `unfinished` is true from before a run's first
    change until Postfix has taken over its last one: after a kill the next run reloads although nothing differs.
    """

    parameters: dict[str, Remembered] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    unended: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    unfinished: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing of ours is on this instance."""
        return not (self.parameters or self.services or self.files)


def load(instance: Instance) -> Originals:
    """Read what was remembered; nothing is remembered before the first run."""
    path = instance.path(FILE)
    content = files.read(path)
    if content is None:
        return Originals()
    try:
        data = json.loads(content)
        if data["version"] != VERSION:
            raise ValueError(data["version"])
        return Originals(
            parameters={name: Remembered(**entry) for name, entry in data["parameters"].items()},
            services={name: Service(**entry) for name, entry in data["services"].items()},
            files=list(data["files"]),
            unended=dict(data.get("unended", {})),
            digests=dict(data.get("digests", {})),
            unfinished=data["unfinished"],
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PostfixError(
            f"{path} cannot be understood, so the original values of this Postfix are not known; restore the file "
            "from a backup, or move it away to take the present state as the original one."
        ) from None


def save(instance: Instance, originals: Originals) -> None:
    """Write what is remembered, whole or not at all."""
    data = {"version": VERSION, **asdict(originals)}
    content = json.dumps(data, indent=1, sort_keys=True) + "\n"
    files.replace(instance.path(FILE), content.encode(), 0o600)


def forget(instance: Instance) -> None:
    """Remove the file: nothing of ours is left."""
    files.remove(instance.path(FILE))
