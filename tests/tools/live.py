# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try a real account, reading only: what its server offers, and how many domains and outgoing users it shows.

Prints counts and the names of operations, nothing of the account's data. Ends with 1 when the server cannot be asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

NEEDED = ("SPAMEXPERTS_API_URL", "SPAMEXPERTS_API_USERNAME", "SPAMEXPERTS_API_PASSWORD")


def ask(module: str) -> dict[str, Any]:
    """Return the result of a module that only reads."""
    program = str(Path(sys.executable).with_name("ansible"))
    command = [program, "localhost", "--one-line", "--module-name", f"smarthost.spamexperts.{module}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    head, arrow, result = run.stdout.partition(" => ")
    if not arrow:
        return {"failed": True, "msg": (run.stderr or head).strip()}
    return {"failed": run.returncode != 0, **json.loads(result)}


def report(info: dict[str, Any]) -> list[str]:
    """Return what api_info found, a line each."""
    works = [name for name, does in sorted(info["works"].items()) if does]
    missing = sorted(set(info["works"]) - set(works))
    return [
        f"server    {info['version'] or 'of no named version'}, role {info['role'] or 'not named'}",
        f"works     {', '.join(works) or 'nothing'}",
        f"does not  {', '.join(missing) or 'nothing is missing'}",
        *(f"call      {row['operation']}: {row['call'] or 'none'} ({row['source']})" for row in info["methods"]),
    ]


def main() -> int:
    unset = [name for name in NEEDED if not os.environ.get(name)]
    if unset:
        print(f"This asks a real account, and only reads. Set {', '.join(unset)} in the environment, and try again.")
        return 1
    info = ask("api_info")
    if info["failed"]:
        print(f"api_info: {info['msg']}")
        return 1
    print("\n".join(report(info)))
    for module, what in (("domain_info", "domains"), ("outgoing_user_info", "users")):
        answer = ask(module)
        print(f"{what:<10}{answer['msg'] if answer['failed'] else len(answer[what])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
