# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: onboard a domain at the emulator, send a real mail through a scratch Postfix, and run it all again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment, inventory_file, run_playbook
from tests.support.postfix import ScratchPostfix

VARIABLES = """\
spamexperts_onboarding:
  domain: example.com
  abuse_contact: postmaster@example.com
  senders:
    - username: alice                  # user authentication, recommended
      password_file: {folder}/alice    # generated there
      limits: {{per_hour: 200}}
    - username: info                   # several people share this address: its limits are switched off
      password_file: {folder}/info
      shared: true
    - authentication_method: domain    # one password for all addresses: the mail server's login here
      password_file: {folder}/domain
      relay: true
    - username: 192.0.2.25             # by address, discouraged
      authentication_method: ip
"""

REAL = """
The same playbook against the real service, with nothing of this demo:

  source .venv/bin/activate                                  # in this checkout; or install the collection
  export SPAMEXPERTS_API_URL=https://api.antispamcloud.com   # or your provider's host
  export SPAMEXPERTS_API_USERNAME=you@example.com            # an admin with "Allow Control Panel API usage"
  read -rs SPAMEXPERTS_API_PASSWORD && export SPAMEXPERTS_API_PASSWORD
  ansible-playbook smarthost.spamexperts.onboard_domain -i inventory -e @example.com.yml --check --diff

with your mail servers in the group mail_relays of the inventory, and a file like the one above. The smarthost is
4489.smtp.antispamcloud.com:587 unless outgoing_mail_smarthost and outgoing_mail_smarthost_port name another.
"""


class DemoError(Exception):
    """The demo did not show what it should; one sentence."""


def say(text: str = "") -> None:
    """Print at once, so that the demo can be followed."""
    print(text, flush=True)


def onboard(folder: Path, environment: dict[str, str], *, show: bool) -> str:
    """Run the playbook, show its summary if asked for, and return its recap."""
    arguments = ["-i", str(folder / "inventory.yml"), "-e", f"@{folder / 'example.com.yml'}"]
    # The emulator's calls beyond the public ones are its own, so that they may be used without a look.
    arguments += ["-e", '{"spamexperts_accounts": {"default": {"use_discovered_methods": true}}}']
    started = time.monotonic()
    run = run_playbook("smarthost.spamexperts.onboard_domain", arguments, environment)
    if run.returncode:
        raise DemoError(f"the playbook ended with {run.returncode}:\n{run.output}")
    for line in summary(run.output) if show else ():
        say(f"   | {line}")
    recap = " ".join(re.findall(r"changed=\d+", run.output))
    say(f"   {recap.replace(' ', ', ')} (controller, mail server) in {time.monotonic() - started:.0f} s")
    return recap


def summary(output: str) -> list[str]:
    """The lines of the playbook's last task."""
    block = re.search(r'"msg": (\[\n.*?\n    \])', output, re.DOTALL)
    if not block:
        raise DemoError(f"the playbook printed no summary:\n{output}")
    return list(json.loads(block.group(1)))


def show_mail(emulator: Emulator, postfix: ScratchPostfix) -> None:
    """Send one mail, and show what the smarthost has received."""
    postfix.inject("alice@example.com", "somebody@example.net", "A real mail")
    postfix.wait_until_empty(30)
    mails: list[dict[str, Any]] = emulator.mails()
    if len(mails) != 1 or not mails[0]["tls"] or mails[0]["login"] != "example.com":
        raise DemoError(f"the smarthost received something else: {mails}")
    mail = mails[0]
    say(
        f"   received: from {mail['mail_from']} to {mail['recipients'][0]}, subject {mail['subject']!r}, "
        f"login {mail['login']}, {mail['tls_version']}"
    )


def demonstrate(folder: Path) -> None:
    """The whole demo, in a folder that is removed afterwards."""
    with Emulator("full") as emulator, ScratchPostfix() as postfix:
        say(f"1. The emulator stands in for the vendor: {emulator.api_url}, smarthost localhost:{emulator.smtp_port}")
        say(f"2. A Postfix of its own runs in {postfix.home}; the machine's /etc/postfix is not touched")
        variables = VARIABLES.format(folder=folder)
        (folder / "example.com.yml").write_text(variables, encoding="utf-8")
        inventory_file(folder / "inventory.yml", emulator, postfix)
        environment = {**ansible_environment(), **emulator_environment(emulator)}
        say("3. ansible-playbook smarthost.spamexperts.onboard_domain -i inventory.yml -e @example.com.yml, with it:")
        say("".join(f"   > {line}\n" for line in variables.splitlines()))
        onboard(folder, environment, show=True)
        say("4. A mail goes through that Postfix:")
        show_mail(emulator, postfix)
        say("5. The same playbook again:")
        if onboard(folder, environment, show=False) != "changed=0 changed=0":
            raise DemoError("the second run changed something")
    say("6. Emulator and Postfix have ended; nothing is left behind.")
    say(REAL)


def emulator_environment(emulator: Emulator) -> dict[str, str]:
    """The connection as environment variables, as a user of the real service would set them."""
    return {
        "SPAMEXPERTS_API_URL": emulator.api_url,
        "SPAMEXPERTS_API_USERNAME": emulator.api_username,
        "SPAMEXPERTS_API_PASSWORD": emulator.api_password,
        "SPAMEXPERTS_CA_PATH": emulator.ca_file,
    }


def main() -> int:
    """Run the demo; returns the exit code."""
    if os.geteuid() != 0:
        say("make demo starts a real Postfix, which needs root: run it as root, or as `sudo make demo`.")
        return 2
    with tempfile.TemporaryDirectory(prefix="smarthost-demo-") as name:
        try:
            demonstrate(Path(name))
        except (DemoError, AssertionError, subprocess.SubprocessError) as problem:
            say(f"The demo failed: {problem}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
