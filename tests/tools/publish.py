# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send an artefact to Galaxy, with the token in ANSIBLE_GALAXY_TOKEN: `python -m tests.tools.publish ARTEFACT`.

ansible-galaxy reads no such variable: it takes a token from its arguments, which every user of the machine sees, or
from a file. So there is a file, for as long as it runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import ROOT

BUILD = ROOT / "build"


def publish(artefact: str, token: str) -> int:
    """Send the artefact and return the exit code of ansible-galaxy."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=BUILD, prefix="galaxy-token-", encoding="utf-8") as file:
        json.dump({"token": token}, file)
        file.flush()
        environment = {**os.environ, "ANSIBLE_GALAXY_TOKEN_PATH": file.name}
        del environment["ANSIBLE_GALAXY_TOKEN"]
        program = Path(sys.executable).with_name("ansible-galaxy")
        return subprocess.run([program, "collection", "publish", artefact], env=environment, check=False).returncode


def main() -> int:
    token = os.environ.get("ANSIBLE_GALAXY_TOKEN", "").strip()
    if not token:
        print("Set ANSIBLE_GALAXY_TOKEN to the API token of your account at Galaxy.")
        return 1
    return publish(sys.argv[1], token)


if __name__ == "__main__":
    sys.exit(main())
