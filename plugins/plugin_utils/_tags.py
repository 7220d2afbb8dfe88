# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What --tags leaves of a playbook whose tasks have no tags of their own."""

from __future__ import annotations

from collections.abc import Iterable


def ignored_tags(own: Iterable[str], wanted: Iterable[str]) -> str:
    """Why a run with these --tags would do nothing; empty where it does what was asked for.

    own: the tags of a task that has `always` and what it inherited, as from an import_playbook. Whoever has given tags
    there chooses by them, so that what is left out then is left out on purpose.
    """
    tags = sorted(set(wanted))
    if set(own) - {"always"} or {"all", "untagged"} & set(tags):
        return ""
    return (
        f"This run is limited to the tags {', '.join(tags)}, which no task of this playbook has, so it would do "
        "nothing and end well. Run it without --tags, or give the tag to the import_playbook that brings it. Nothing "
        "was changed."
    )
