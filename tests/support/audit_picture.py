# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of the page of an audit, as README shows it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.smarthost.spamexperts.plugins.action.audit import contents
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.accepted import parse
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.report import report

from tests.support.audited import ALICE, SERVER, TODAY, site, user
from tests.support.browser import chromium

ACCEPTED = {
    "code": "by_domain",
    "where": "example.com",
    "reason": "The old scanner can do nothing else until it is replaced.",
    "until": "2027-06-30",
}
WAITING = {
    "group": "password",
    "mails": 12,
    "codes": [535],
    "remedy": "the smarthost refuses the login: find the right password with smtp_login_info, and let apply set it up",
}


def page() -> str:
    """A site as there are many."""
    people = [{"username": name, "limits": {"per_hour": 100}} for name in ("bob", "carol", "dave")]
    senders: list[Mapping[str, Any]] = [
        ALICE,
        SERVER,
        *people,
        {"username": "info", "shared": True},
        {"authentication_method": "domain"},
    ]
    there = [user(name) for name in ("alice", "server1", "bob", "carol")]
    there += [user("info", limits={"enabled": False}), user(method="domain"), user("eve")]
    seen = site(
        senders,
        users=[*there, user("dave", locked=True)],
        relay={"mynetworks": ["127.0.0.0/8", "10.0.0.0/8"], "version": "3.7.11"},
        queue={"waiting": 12, "oldest_age": 7500, "first_lost_in": 424500, "reasons": [WAITING]},
        dmarc={"policy": "none"},
    )
    made = report(seen, parse([ACCEPTED]), TODAY)
    return contents(seen, made, TODAY)["audit.html"].decode("utf-8")


def take_picture(target: Path) -> None:
    """Write it as PNG."""
    with tempfile.TemporaryDirectory() as name:
        taken = Path(name) / "page.png"
        chromium(Path(name), page(), "--window-size=1120,900", "--hide-scrollbars", f"--screenshot={taken}")
        shutil.copyfile(taken, target)


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]))
