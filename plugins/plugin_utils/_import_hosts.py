# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has: the logins in the maps of its Postfix, and those in the Thunderbirds of its people. Only reads."""

from __future__ import annotations

import base64
import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..module_utils._postfix.password_maps import Entry, hop_server, map_entries, map_files, server_name
from ..module_utils._postfix.tables import direct, split
from ..module_utils._smarthost.options import DEFAULT_SMARTHOST
from ..module_utils._users.user import Key
from ._import_found import DEFAULT_FOR, OTHER, PEOPLE, RELAY, Found, FoundError

_PASSWORDS, _RELAYHOST, _BY_SENDER = "smtp_sasl_password_maps", "relayhost", "sender_dependent_relayhost_maps"
#: Runs a module on the host, also in check mode, whatever becomes of it: its name and its options.
Run = Callable[[str, dict[str, Any]], dict[str, Any]]


class Seen(NamedTuple):
    """What a host has. unread: what could not be read, or is not for the smarthost, one piece of a sentence each."""

    found: list[Found]
    unread: list[str]


class MailServer:
    """A host with Postfix."""

    def __init__(self, host: str, run: Run, smarthost: Optional[str], config_directory: Optional[str]) -> None:
        self._host = host
        self._run = run
        self._smarthost = server_name(smarthost or DEFAULT_SMARTHOST)
        self._directory = ["-c", config_directory] if config_directory else []

    def look(self) -> Seen:
        """Its logins at the smarthost. Raises FoundError where there is no Postfix, or one that does not work."""
        settings = self._settings()
        files, others = map_files(settings.get(_PASSWORDS, ""))
        unread = [f"a map of type {kind}" for kind in others]
        entries: list[tuple[str, Entry]] = []
        for file in files:
            read = self._run("ansible.builtin.slurp", {"src": file})
            if read.get("failed"):
                unread.append(f"{file}: {read.get('msg') or 'it cannot be read'}")
                continue
            text = base64.b64decode(read["content"]).decode("utf-8", "surrogateescape")
            entries += [(file, entry) for entry in map_entries(text)]
        senders = [entry.key for _file, entry in entries if entry.server is None]
        try:
            hops = self._hops(senders, settings)
        except FoundError as problem:
            hops = {}
            unread += [f"the login of {sender}, as where its mail goes is not known: {problem}" for sender in senders]
        found = []
        for file, entry in entries:
            if entry.server is None and entry.key not in hops:
                continue
            # A password of another provider is nothing that the smarthost may hear.
            server = hops[entry.key] if entry.server is None else entry.server
            if server in ("", self._smarthost):
                found.append(self._found(entry, settings))
            else:
                what = "a login" if entry.server else f"the login of {entry.key}"
                unread.append(f"{file}: {what} at {server}, which is not the smarthost {self._smarthost}")
        return Seen(list(dict.fromkeys(found)), list(dict.fromkeys(unread)))

    def _found(self, entry: Entry, settings: Mapping[str, str]) -> Found:
        """The login, and for what this host uses it, as far as a description can say that."""
        login, password = entry.pair
        use, detail = RELAY, self._host
        if entry.server is not None:
            use = DEFAULT_FOR if hop_server(settings.get(_RELAYHOST, "")) == self._smarthost else RELAY
        else:
            sender, owner = Key.of_login(entry.key), Key.of_login(login)
            if sender is None or owner is None or sender.username or sender.domain != owner.domain:
                use, detail = OTHER, f"{self._host} logs in as it for mail of {entry.key}"
        return Found(login, password, self._host, use, detail)

    def _hops(self, senders: Sequence[str], settings: Mapping[str, str]) -> dict[str, str]:
        """Each of these senders with the server that takes its mail; none where Postfix decides by the recipient.

        As Postfix does it: the address in all tables, in their order, and then its domain.
        """
        relayhost = hop_server(settings.get(_RELAYHOST, ""))
        asked = {sender: (sender, f"@{sender.rpartition('@')[2]}") for sender in senders}
        keys = {key for pair in asked.values() for key in pair}
        tables = [direct(table) for table in split(settings.get(_BY_SENDER, ""))] if senders else []
        answers: dict[str, str] = {}
        for table in tables:
            answers = {**self._lookup(table, keys), **answers}
        hops = {}
        for sender, pair in asked.items():
            answer = next((answers[key] for key in pair if key in answers), "DUNNO")
            hops[sender] = relayhost if answer == "DUNNO" else hop_server(answer)
        return hops

    def _lookup(self, table: str, keys: set[str]) -> dict[str, str]:
        """What a table says of these keys, whatever its type."""
        given = "".join(f"{key}\n" for key in sorted(keys))
        argv = ["postmap", *self._directory, "-q", "-", table]
        asked = self._run("ansible.builtin.command", {"argv": argv, "stdin": given, "stdin_add_newline": False})
        if asked.get("rc") == 1 and not asked.get("stderr"):
            return {}
        lines = self._output(asked, "postmap").splitlines()
        return {key: value for key, _tab, value in (line.partition("\t") for line in lines)}

    def _settings(self) -> dict[str, str]:
        argv = ["postconf", *self._directory, "-x", _PASSWORDS, _RELAYHOST, _BY_SENDER]
        text = self._output(self._run("ansible.builtin.command", {"argv": argv}), argv[0])
        pairs = (line.partition("=") for line in text.splitlines())
        return {name.strip(): value.strip() for name, _equals, value in pairs}

    def _output(self, asked: Mapping[str, Any], program: str) -> str:
        """What a program of Postfix prints. Raises FoundError, as ansible.builtin.command would not say it."""
        if not asked.get("failed"):
            return str(asked["stdout"])
        # Without a duration nothing was started, and the code is that of the error.
        if asked.get("rc") == errno.ENOENT and "delta" not in asked:
            raise FoundError(
                f"{self._host} has no program {program} in the path of this task's user, so no Postfix was found; "
                "leave the host out, or use become where that finds it"
            )
        words = str(asked.get("stderr", "")).strip() or str(asked.get("msg"))
        raise FoundError(f"{program} fails on {self._host}: {words.splitlines()[-1]}; mend its Postfix, and run again")


def look_at_people(host: str, run: Run, smarthost: Optional[str]) -> Seen:
    """The logins in the Thunderbirds of the people of a host. Raises FoundError."""
    arguments = {**({"smarthost": smarthost} if smarthost else {}), "passwords": True}
    answer = run("smarthost.spamexperts.thunderbird_outgoing_server_info", arguments)
    if answer.get("failed"):
        raise FoundError(f"the Thunderbirds on {host} cannot be read: {answer.get('msg')}")
    found, unread = [], []
    for profile in answer["profiles"]:
        place = f"the Thunderbird of {profile['user']} on {host}"
        if profile["reason"]:
            unread.append(f"{place}: {profile['reason']}")
        for server in profile["servers"]:
            password = base64.b64decode(server.get("password", "")).decode("utf-8", "surrogateescape")
            detail = {"host": host, "user": profile["user"]}
            found.append(Found(server["login"], password, place, PEOPLE, detail))
    return Seen(found, unread)
