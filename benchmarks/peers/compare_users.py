# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the outgoing users of each domain and compare them with the wanted ones; nothing is written.

compare_users.py SETTINGS.json; the settings: api_url, username, password, ca_file, concurrency, users.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    session = requests.Session()
    session.auth = (settings["username"], settings["password"])
    session.verify = settings["ca_file"]
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=settings["concurrency"]))

    def listed(domain: str) -> list[dict[str, Any]]:
        url = f"{settings['api_url']}/api/outgoingusers/list/domain/{domain}/format/json/"
        response = session.get(url, timeout=30)
        response.raise_for_status()
        result: list[dict[str, Any]] = response.json()["result"]
        return result

    wanted = {(user["domain"], user["username"]): user for user in settings["users"]}
    domains = sorted({domain for domain, _username in wanted})
    with ThreadPoolExecutor(settings["concurrency"]) as pool:
        lists = list(pool.map(listed, domains))
    current = {(user["domain"], user["username"]): user for users in lists for user in users}
    missing = [key for key in wanted if key not in current]
    differing = [
        key
        for key, user in wanted.items()
        if key in current and current[key]["limit_per_hour"] != user["limits"]["per_hour"]
    ]
    print(json.dumps({"unchanged": len(wanted) - len(missing) - len(differing)}))


if __name__ == "__main__":
    main()
