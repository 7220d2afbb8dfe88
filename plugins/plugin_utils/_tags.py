# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What --tags leaves of a playbook whose tasks have no tags of their own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

COLLECTION = "smarthost.spamexperts"


def ignored_tags(wanted: Iterable[str]) -> str:
    """Why a run of a playbook with these --tags would do nothing; empty where it does what was asked for."""
    tags = sorted(set(wanted))
    if {"all", "untagged"} & set(tags):
        return ""
    return (
        f"This run is limited to the tags {', '.join(tags)}, which no task of this playbook has, so it would do "
        "nothing and end well. Run it without --tags. Nothing was changed."
    )


def is_named(playbook: str, arguments: Iterable[str]) -> bool:
    """Whether the command line itself names the playbook of this file, by its path or by the collection's name for it.

    One that a site imports is chosen by the tags of that site, and left out on purpose where they are others.
    """
    name = f"{COLLECTION}.{Path(playbook).stem}"
    return any(text == name or os.path.realpath(text) == os.path.realpath(playbook) for text in arguments)
