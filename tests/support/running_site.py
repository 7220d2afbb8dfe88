# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that has run for years: four mail servers, each set up by hand in its own way, and nothing written down."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.fleet import AUTHORITY, SMARTHOST_NAME, Fleet, Host
from tests.support.emulator import Emulator
from tests.support.people import make_person, profile_of
from tests.support.playbook import PlaybookRun, run_program
from tests.support.rotation import RotationSite
from tests.support.thunderbird_profile import add_server, make_profile, set_primary_password, snapshot

#: The login with which each mail server sends, and as whom.
LOGINS = {"h1": "web1@example.com", "h2": "web2@example.com", "h3": "shop@example.org", "h4": "example.net"}
SENDERS = {"h1": "alice@example.com", "h2": "bob@example.com", "h3": "shop@example.org", "h4": "info@example.net"}
PASSWORDS = {
    "web1@example.com": "quo'te\"back\\slash: and blank",
    "web2@example.com": "the password of web2",
    "shop@example.org": "the password of the shop",
    "example.net": "the domain's password",
    "alice@example.com": "what only Alice knows",
}
#: Whose Thunderbird sends through the smarthost, on which of these hosts; the other's has a primary password.
PERSON, PERSON_LOGIN, CAREFUL = "alice", "alice@example.com", "carol"
#: Of another provider, where nobody else may hear it.
ELSEWHERE = "the other provider's password"
OTHER = "[smtp.other.example]:587"


def user_of(login: str, **more: Any) -> dict[str, Any]:
    """A user as the emulator takes it."""
    local, _at, domain = login.rpartition("@")
    kind = "user" if local else "domain"
    return {
        "domain": domain,
        "username": local,
        "password": PASSWORDS[login],
        "authentication_method": kind,
        **more,
    }


class RunningSite(RotationSite):
    """The mail servers are those of rows 1, 7, 13 and 25 of what people have."""

    def __init__(self, fleet: Fleet, emulator: Emulator, directory: Path) -> None:
        super().__init__(fleet, emulator, directory)
        self.start = directory
        #: Whether the account shows its users.
        self.is_listed = True
        self.old = {**PASSWORDS, "elsewhere": ELSEWHERE}
        self.set_up_by_hand()

    @staticmethod
    def name(host: str) -> str:
        """As whom somebody sends on this host."""
        return SENDERS[host]

    def write_inventory(self, *, own: bool = True, **shared: Any) -> None:
        """The site's variables."""
        super().write_inventory(own=own, **shared)
        content = yaml.safe_load(self.fleet.inventory.read_text(encoding="utf-8"))
        hosts = content["all"]["children"]["mail_relays"]["hosts"]
        hosts["h2"]["outgoing_mail_dedicated_transport"] = True
        # Its other mail goes another way.
        hosts["h4"].update(outgoing_mail_only_named_senders=True, outgoing_mail_senders=["@example.net"])
        self.fleet.inventory.write_text(yaml.safe_dump(content), encoding="utf-8")

    @property
    def ours(self) -> str:
        """The next hop that is the smarthost."""
        return f"[{SMARTHOST_NAME}]:{self.emulator.smtp_port}"

    def set_up_by_hand(self) -> None:
        """What the administrator has done over the years."""
        self.fleet.trust(self.emulator.ca_file)
        self.write_inventory(own=False)
        first, second, third, fourth = self.fleet.hosts
        usual = {"relayhost": self.ours}
        self._host(first, f"{self.ours} {self._pair('h1')}\n{OTHER} me:{ELSEWHERE}\n", **usual)
        by_sender = f"inline:{{ {{ boss@mail.example = {OTHER} }} }}"
        self._host(
            second,
            f"boss@mail.example boss:{ELSEWHERE}\n{self.ours} {self._pair('h2')}\n",
            **usual,
            sender_dependent_relayhost_maps=by_sender,
            smtp_sender_dependent_authentication="yes",
            smtp_tls_policy_maps=f"inline:{{ {{ {OTHER} = may }} }}",
        )
        third.path("/etc/postfix/policy").write_text(f"internal.example dane\n{OTHER} encrypt\n", encoding="utf-8")
        policy = "texthash:/etc/postfix/policy"
        self._host(third, f"{self.ours} {self._pair('h3')}\n", **usual, smtp_tls_policy_maps=policy)
        fourth.path("/etc/postfix/relays").write_text(f"@example.net {self.ours}\n", encoding="utf-8")
        self._host(
            fourth,
            f"@example.net {self._pair('h4')}\n",
            relayhost="[sink.example]:25",
            sender_dependent_relayhost_maps="texthash:/etc/postfix/relays",
            smtp_sender_dependent_authentication="yes",
        )

    @staticmethod
    def _pair(host: str) -> str:
        return f"{LOGINS[host]}:{PASSWORDS[LOGINS[host]]}"

    @staticmethod
    def _host(host: Host, passwords: str, **main: str) -> None:
        RunningSite.make_map(host, passwords)
        settings = {
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": "hash:/etc/postfix/sasl_passwd",
            "smtp_sasl_security_options": "noanonymous",
            "smtp_tls_security_level": "encrypt",
            "smtp_tls_CAfile": AUTHORITY,
            **main,
        }
        host.run("postconf", "-e", *(f"{name}={value}" for name, value in settings.items()))
        host.run("postfix", "reload")

    @staticmethod
    def make_map(host: Host, passwords: str) -> None:
        """Have these logins in the host's map."""
        table = host.path("/etc/postfix/sasl_passwd")
        table.write_text(passwords, encoding="utf-8")
        table.chmod(0o600)
        host.run("postmap", "hash:/etc/postfix/sasl_passwd")

    def add_people(self) -> None:
        """Have people on the first mail server, who have entered the smarthost in their Thunderbird by hand."""
        host = self.fleet.hosts[0]
        for person, primary in ((PERSON, ""), (CAREFUL, "primary secret")):
            profile = make_profile(self.store.parent / "people" / person)
            login = f"{person}@example.com"
            add_server(profile, SMARTHOST_NAME, self.emulator.smtp_port, login, PASSWORDS.get(login, "not to be read"))
            if primary:
                set_primary_password(profile, primary)
            make_person(host, person, profile)
        content = yaml.safe_load(self.fleet.inventory.read_text(encoding="utf-8"))
        content["all"]["children"]["mail_clients"] = {"hosts": {host.name: {}}}
        self.fleet.inventory.write_text(yaml.safe_dump(content), encoding="utf-8")

    def profiles(self) -> dict[str, tuple[int, int, bytes]]:
        """What the profiles of these people are, to the last byte and touch."""
        host = self.fleet.hosts[0]
        return snapshot(*(profile_of(host, person) for person in (PERSON, CAREFUL)))

    def do_what_apply_says(self) -> None:
        """Keep one sender's way to another provider where apply gives the server a transport of its own."""
        table = f"inline:{{ {{ boss@mail.example = smtp:{OTHER} }} }}"
        second = self.fleet.hosts[1]
        second.run("postconf", "-e", f"sender_dependent_default_transport_maps={table}")
        second.run("postfix", "reload")

    def digests(self) -> list[str]:
        """What the configuration of each host is, to the last byte."""
        found = []
        for host in self.fleet.hosts:
            listed = host.run("sh", "-c", "find /etc /root -xdev -type f -exec sha256sum {} + | sort")
            found.append(hashlib.sha256(listed.encode()).hexdigest())
        return found

    def seed(self, *more: dict[str, Any]) -> None:
        """Have the users at the vendor."""
        self.emulator.seed(users=[*(user_of(login) for login in PASSWORDS), *more])

    def import_site(self, *arguments: str, **variables: Any) -> PlaybookRun:
        """Take the site in."""
        return self.run("import_site", *arguments, spamexperts_store_is_kept=True, **variables)

    def apply(self, *arguments: str, **variables: Any) -> PlaybookRun:
        """Apply what is declared."""
        return self.run("apply", *arguments, spamexperts_store_is_kept=True, **variables)

    def type(self, *commands: str) -> PlaybookRun:
        """Type these commands into a shell in the folder of the site, in which everything has its usual name."""
        account = {**self.emulator.connection, **self.api_options}
        variables = {"spamexperts_accounts": {"default": account}, "spamexperts_store_is_kept": True}
        (self.folder / "group_vars").mkdir(exist_ok=True)
        (self.folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")
        inventory = yaml.safe_load(self.fleet.inventory.read_text(encoding="utf-8"))
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        shutil.copy(self.vault_file, self.folder / "FILE")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**self.environment, "PATH": path}
        run = run_program(["bash", "-e"], environment, folder=self.folder, given="\n".join(commands), timeout=600)
        self.check_secrets(run.output)
        return run

    def descriptions(self) -> dict[str, str]:
        """The text of each file, by the name of the domain."""
        return {path.stem: path.read_text(encoding="utf-8") for path in (self.folder / "domains").glob("*.yml")}
