# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each person's Thunderbird on a host. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UPDATED, FAILED, WOULD_UPDATE = "updated", "failed", "would_update"


def updated(person: Mapping[str, Any]) -> bool:
    """Whether every profile of this person has the new password."""
    return bool(person["state"] == UPDATED)


def people(client: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One for each person of a host with a login: login, state, and, as far as they are known, reason and profiles.

    client: state of the host, logins, reason, and, where its profiles were worked at, people (the login of each, empty
    without one) and results (of thunderbird_outgoing_server, one for each of them).
    """
    results = client.get("results") or ()
    if not results:
        shared = {"state": client["state"], **({"reason": client["reason"]} if client.get("reason") else {})}
        return [{"login": login, **shared} for login in client["logins"]]
    found = []
    for login, result in zip(client["people"], results):
        failed = bool(result.get("failed"))
        person: dict[str, Any] = {"login": login, "state": FAILED if failed else UPDATED}
        if failed:
            person["reason"] = str(result.get("msg") or "a task failed")
        profiles = [
            {name: profile[name] for name in ("path", "action", "reason") if profile.get(name)}
            for profile in result.get("profiles") or ()
        ]
        found += [{**person, **({"profiles": profiles} if profiles else {})}] if login else []
    return found
