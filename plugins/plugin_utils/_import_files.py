# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The descriptions that an import writes: files that are not there yet. One that is there is compared, and stays."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..module_utils._declaration.description import Description, Site, read
from ..module_utils._declaration.only import login_of
from ..module_utils._files import create_file
from ..module_utils._names import is_network
from ..module_utils._users.user import DOMAIN, IP, USER, Key
from ._declared import declared
from ._domain_files import read_text
from ._import_account import Account
from ._import_description import FoundDomain, describe, differences, use_lines
from ._import_found import CREATED, UNCHANGED, Login, Verdict
from ._owner import StopError

DIFFERS, LEFT_OUT = "differs", "left_out"


class Files:
    """The folder `domains/`. result: a line for each domain: path, action and differences."""

    def __init__(self, options: Mapping[str, Any], accounts: Sequence[Account]) -> None:
        """options: as import_site has them. Raises StopError where a description that is there is wrong."""
        self._options = options
        self._accounts = accounts
        self._folder = Path(options["domains_path"]).expanduser()
        self._names = sorted({"default", *options["accounts"]})
        self._texts: dict[Path, str] = {}
        self.new: list[Description] = []
        self.result: list[dict[str, Any]] = []
        self.diffs: list[dict[str, str]] = []
        self._networks: list[tuple[Any, str]] = []
        self._there = self._read_there() if options["describe"] else {}

    def _read_there(self) -> dict[str, Description]:
        given = {**self._options, "path": self._options["domains_path"], "accounts": self._names, "required": False}
        there, _servers, problems, _warnings = declared(given, self._options["groups"], list(self._options["hosts"]))
        if problems:
            more = f" {len(problems) - 1} more." if len(problems) > 1 else ""
            raise StopError(f"{problems[0]}{more} Nothing was changed.")
        for one in there:
            self._note_networks(one)
        return {one.domain: one for one in there}

    def plan(
        self,
        logins: Mapping[Key, Login],
        verdicts: Mapping[Key, Verdict],
        working: Collection[Key],
        networks: Collection[Key],
        stored: Container[str],
    ) -> None:
        """Work out all descriptions. working: whose login works, where nothing lists the users.

        stored: the logins whose passwords the store has, or will have.
        """
        everybody = {*logins, *(key for account in self._accounts for key in account.users)}
        notes = {key: _notes(key, logins.get(key), verdicts.get(key), stored) for key in everybody}
        owners: dict[str, str] = {}
        for account in self._accounts:
            users = account.users
            for domain, shown in sorted(account.domains.items()):
                first = owners.setdefault(domain, account.name)
                if first != account.name:
                    self._say(domain, LEFT_OUT, [f"the account {account.name} has it as well as {first}"])
                    continue
                if shown["products"].get("outgoing") is False:
                    if domain not in self._there:
                        self._say(domain, LEFT_OUT, ["it has no outgoing product"])
                    continue
                mine = [user for key, user in sorted(users.items()) if key.domain == domain]
                doubtful: dict[Key, str] = {}
                if not account.listed:
                    mine = [_bare(key) for key in sorted(working) if key.domain == domain]
                    doubtful = _doubtful(domain, verdicts, working, networks)
                parts = {name: shown[name] for name in ("abuse_contact", "destinations") if shown[name] is not None}
                found = FoundDomain(shown["domain"], account.name, parts, account.listed, mine, notes, doubtful)
                self._plan_one(found, account)

    def _plan_one(self, found: FoundDomain, account: Account) -> None:
        there = self._there.get(found.name)
        if there is not None:
            lines = differences(there, found)
            self._say(found.domain, DIFFERS if lines else UNCHANGED, lines, there.place)
            return
        defaults = self._options["defaults"]
        taken = {
            user["username"]: other
            for user in found.users
            if user["authentication_method"] == IP and (other := self._owner(user["username"], found.name))
        }
        text, left_out = describe(found, defaults, account.settable, taken)
        path = self._folder / f"{found.domain}.yml"
        given = read_text(text, str(path))
        (described, *_none), problems = read([given], defaults, Site(self._options["groups"], self._names))
        if problems:
            raise StopError(f"The description of {found.domain} would not be read: {problems[0]} Nothing was changed.")
        self._note_networks(described)
        self._texts[path] = text
        self.new.append(described)
        self.diffs.append({"before_header": str(path), "after_header": str(path), "before": "", "after": text})
        # What a description cannot say, the defaults may say otherwise.
        beneath = [
            f"{line}, by spamexperts_defaults" for line in differences(described, found) if "described is" in line
        ]
        self._say(found.domain, CREATED, [*left_out, *beneath], str(path))

    def _say(self, domain: str, action: str, lines: Sequence[str], path: str = "") -> None:
        self.result.append({"domain": domain, "path": path, "action": action, "notes": list(lines)})

    def _note_networks(self, one: Description) -> None:
        self._networks += [
            (ipaddress.ip_network(sender.wanted.key.username), one.domain)
            for sender in one.senders
            if sender.wanted.user.authentication == IP
        ]

    def _owner(self, network: str, domain: str) -> str:
        """Another domain that has these addresses, or some of them, in a description; empty where none has."""
        try:
            mine = ipaddress.ip_network(network)
        except ValueError:
            return ""
        same = (other for taken, other in self._networks if taken.version == mine.version and taken.overlaps(mine))
        return next((other for other in same if other != domain), "")

    def write(self) -> None:
        """Write the files. Raises StopError; what is written by then stays, and a further run writes the others."""
        try:
            if self._texts:
                self._folder.mkdir(exist_ok=True)
            for path, text in self._texts.items():
                if not create_file(path, text):
                    entry = next(one for one in self.result if one["path"] == str(path))
                    entry.update(action=DIFFERS, notes=["a file of this name is there, and was left as it is"])
        except OSError as problem:
            raise StopError(
                f"{problem.filename or self._folder} cannot be written: {problem.strerror}. The store has the "
                "passwords already; run again, which writes the descriptions that are missing."
            ) from None


def _bare(key: Key) -> dict[str, Any]:
    method = USER if key.username else DOMAIN
    return {"domain": key.domain, "username": key.username, "authentication_method": method}


def _doubtful(
    domain: str, verdicts: Mapping[Key, Verdict], working: Collection[Key], networks: Collection[Key]
) -> dict[Key, str]:
    """Who may be there, and nobody knows."""
    found = {
        key: f"whether it is there is not known: {verdict.reason}"
        for key, verdict in verdicts.items()
        if key.domain == domain and key not in working
    }
    found.update({key: "whether this address is there is not known" for key in networks if key.domain == domain})
    return found


def _notes(key: Key, login: Login | None, verdict: Verdict | None, stored: Container[str]) -> list[str]:
    """Comments on a sender: who uses its login, and why its password is not in the store."""
    lines = use_lines(login.uses) if login else []
    if login_of(key) not in stored and not is_network(key.username):
        lines.append(f"its password is not in the store: {verdict.reason if verdict else 'it was found nowhere'}")
    return lines
