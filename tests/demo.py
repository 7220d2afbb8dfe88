# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: declare a domain, apply it at the emulator, send a real mail, and let somebody leave."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment, inventory_file, run_playbook
from tests.support.postfix import ScratchPostfix

APPLY = "smarthost.spamexperts.apply"
LEAVER = """\
  - username: alice      # a password and limits of her own
    limits:
      per_hour: 200
"""
DESCRIPTION = f"""\
domain: example.com
abuse_contact: postmaster@example.com
senders:
{LEAVER}\
  - username: info       # several people share this address: its limits are switched off
    shared: true
  - username: server1    # the mail server logs in as it
    relay: true
"""

REAL = """
The same against the real service, with nothing of this demo, is in README.md: "From nothing to a sent mail".
"""


class DemoError(Exception):
    """The demo did not show what it should; one sentence."""


def say(text: str = "") -> None:
    """Print at once, so that the demo can be followed."""
    print(text, flush=True)


def quote(text: str, mark: str) -> None:
    """Print what is not ours."""
    say("".join(f"   {mark} {line}\n" for line in text.splitlines()).rstrip("\n"))


def apply(folder: Path, environment: dict[str, str], *options: str) -> str:
    """Run the playbook, show the report, and return the counts of its recap."""
    arguments = ["-i", "inventory.yml", "--vault-password-file", "vault-password", *options]
    say(f"   $ ansible-playbook {' '.join([APPLY, *arguments])}")
    started = time.monotonic()
    run = run_playbook(APPLY, arguments, environment, folder=folder)
    if run.returncode:
        raise DemoError(f"the playbook ended with {run.returncode}:\n{run.output}")
    quote("\n".join(report(run.output)), "|")
    recap = ", ".join(re.findall(r"changed=\d+", run.output))
    say(f"   {recap} (controller, mail server) in {time.monotonic() - started:.0f} s")
    return recap


def report(output: str) -> list[str]:
    """The lines of the playbook's report."""
    block = re.search(r"TASK \[Show the report\].*?\"msg\": (\[\n.*?\n    \])", output, re.DOTALL)
    if not block:
        raise DemoError(f"the playbook printed no report:\n{output}")
    return list(json.loads(block.group(1)))


def show_mail(emulator: Emulator, postfix: ScratchPostfix) -> None:
    """Send one mail, and show what the smarthost has received."""
    postfix.inject("alice@example.com", "somebody@example.net", "A real mail")
    postfix.wait_until_empty(30)
    mails: list[dict[str, Any]] = emulator.mails()
    if len(mails) != 1 or not mails[0]["tls"] or mails[0]["login"] != "server1@example.com":
        raise DemoError(f"the smarthost received something else: {mails}")
    mail = mails[0]
    say(
        f"   received: from {mail['mail_from']} to {mail['recipients'][0]}, subject {mail['subject']!r}, "
        f"login {mail['login']}, {mail['tls_version']}"
    )


def show_senders(emulator: Emulator) -> None:
    """Show who may send at the vendor."""
    names = [f"{user['username']}@{user['domain']}" for user in emulator.users()]
    say(f"   at the vendor: {', '.join(sorted(names))}")
    if "alice@example.com" in names:
        raise DemoError("alice@example.com may still send")


def demonstrate(folder: Path) -> None:
    """The whole demo, in a folder that is removed afterwards."""
    described = folder / "domains" / "example.com.yml"
    described.parent.mkdir()
    described.write_text(DESCRIPTION, encoding="utf-8")
    password = folder / "vault-password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(32), encoding="utf-8")
    with Emulator("full") as emulator, ScratchPostfix() as postfix:
        say(f"1. The emulator stands in for the vendor: {emulator.api_url}, smarthost localhost:{emulator.smtp_port}.")
        say(f"   A Postfix of its own runs in {postfix.home}; the machine's /etc/postfix is not touched.")
        # The emulator's calls beyond the public ones are its own, so that they may be used without a look.
        accounts = {"default": {"use_discovered_methods": True}}
        # Nothing of the demo outlives it, the store neither.
        inventory_file(
            folder / "inventory.yml", emulator, postfix, spamexperts_accounts=accounts, spamexperts_store_is_kept=True
        )
        environment = {**ansible_environment(), **emulator_environment(emulator)}
        say("2. Who may send is declared in domains/example.com.yml:")
        quote(DESCRIPTION, ">")
        say("3. It is brought about. The passwords are made, and kept in credentials.yml, encrypted:")
        apply(folder, environment)
        say("4. A mail goes through that Postfix:")
        show_mail(emulator, postfix)
        say("5. The same again:")
        if apply(folder, environment) != "changed=0, changed=0":
            raise DemoError("the second run changed something")
        say("6. Alice leaves: her lines are taken out of the description, and she is gone everywhere:")
        described.write_text(DESCRIPTION.replace(LEAVER, ""), encoding="utf-8")
        apply(folder, environment, "-e", "spamexperts_remove=true")
        show_senders(emulator)
    say("Emulator and Postfix have ended; nothing is left behind.")
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
