# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create outgoing users with limits: one session of requests, and a pool of threads.

create_users.py SETTINGS.json; the settings: api_url, username, password, ca_file, concurrency, users.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    session = requests.Session()
    session.auth = (settings["username"], settings["password"])
    session.verify = settings["ca_file"]
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=settings["concurrency"]))

    def call(name: str, **parameters: Any) -> None:
        pairs = "".join(f"/{key}/{quote(str(value), safe='')}" for key, value in parameters.items())
        response = session.get(f"{settings['api_url']}/api/{name}{pairs}/format/json/", timeout=30)
        response.raise_for_status()
        messages = response.json()["messages"]
        if isinstance(messages, dict) and messages.get("error"):
            raise RuntimeError(f"{name}: {messages['error']}")

    def create(user: dict[str, Any]) -> None:
        address = {"domain": user["domain"], "username": user["username"]}
        call("outgoingusers/add", **address, password=user["password"])
        call("outgoingusers/setlimits", **address, limit_per_hour=user["limits"]["per_hour"])

    with ThreadPoolExecutor(settings["concurrency"]) as pool:
        created = len(list(pool.map(create, settings["users"])))
    print(json.dumps({"created": created}))


if __name__ == "__main__":
    main()
