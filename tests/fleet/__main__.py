# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes and removes a fleet: `python -m tests.fleet up --hosts 4 --directory DIR`, `... down --directory DIR`."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

from tests import ROOT
from tests.fleet.fleet import AUTHORITY, SMARTHOST_NAME, Fleet, remove, why_impossible
from tests.fleet.network import FleetError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="make a fleet with an emulator, and an inventory for it")
    up.add_argument("--hosts", type=int, default=4, help="1 to 40 (4)")
    down = commands.add_parser("down", help="remove it, also after a crash")
    for command in (up, down):
        command.add_argument("--directory", type=Path, required=True, help="where everything of this fleet is kept")
    return parser.parse_args()


def _start_emulator(fleet: Fleet) -> dict[str, str | int]:
    """Start an emulator that outlives this command, in its namespace; return its ready line."""
    home = fleet.directory / "emulator"
    home.mkdir()
    password = home / "api_password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(18), encoding="utf-8")
    command = ["ip", "netns", "exec", fleet.emulator_namespace, sys.executable, "-m", "tests.emulator"]
    command += [f"--host={fleet.emulator_address}", f"--name={SMARTHOST_NAME}"]
    command += [f"--directory={home}", f"--state={home / 'state.json'}"]
    environment = {**os.environ, "EMULATOR_API_PASSWORD": password.read_text(encoding="utf-8")}
    ready = home / "ready.json"
    with ready.open("w", encoding="utf-8") as out, (home / "stderr").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        text = ready.read_text(encoding="utf-8")
        if text.endswith("\n"):
            line: dict[str, str | int] = json.loads(text)
            return line
        time.sleep(0.05)
    raise FleetError(f"the emulator did not start: {(home / 'stderr').read_text(encoding='utf-8')}")


def _up(directory: Path, hosts: int) -> None:
    fleet = Fleet(hosts, directory)
    try:
        fleet.up()
        ready = _start_emulator(fleet)
    except BaseException:
        fleet.down()
        raise
    fleet.trust(str(ready["ca_file"]))
    fleet.write_inventory(
        {
            "outgoing_mail_smarthost": SMARTHOST_NAME,
            "outgoing_mail_smarthost_port": ready["smtp_port"],
            "outgoing_mail_smarthost_ca_path": AUTHORITY,
        }
    )
    print(f"inventory: {fleet.inventory}\napi_url: {ready['api_url']}\ncertificate authority: {ready['ca_file']}")
    print(f"api_username: admin@example.test, its password is in {fleet.directory}/emulator/api_password")


def main() -> int:
    """Run the command; 0, or 1 with one sentence."""
    arguments = _arguments()
    impossible = why_impossible()
    try:
        if impossible:
            raise FleetError(impossible)
        if arguments.command == "up":
            _up(arguments.directory, arguments.hosts)
        elif not remove(arguments.directory.resolve()):
            raise FleetError(f"there is no fleet in {arguments.directory.resolve()}")
    except FleetError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
