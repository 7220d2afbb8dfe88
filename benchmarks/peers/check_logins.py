# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try logins at a smarthost one after the other, with smtplib alone.

check_logins.py SETTINGS.json; the settings: host, port, ca_file, users.
"""

from __future__ import annotations

import json
import smtplib
import ssl
import sys
from pathlib import Path


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    context = ssl.create_default_context(cafile=settings["ca_file"])
    accepted = 0
    for user in settings["users"]:
        with smtplib.SMTP(settings["host"], settings["port"], timeout=30) as client:
            client.starttls(context=context)
            client.login(f"{user['username']}@{user['domain']}", user["password"])
            accepted += 1
    print(json.dumps({"accepted": accepted}))


if __name__ == "__main__":
    main()
