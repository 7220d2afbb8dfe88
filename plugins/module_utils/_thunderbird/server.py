# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outgoing server in a profile's preferences: what is there, what is wanted, and the way back.

Preference names: Thunderbird's SmtpServer.sys.mjs and OutgoingServerService.sys.mjs. Our entry has a key of its own
in `mail.smtpservers`, so the person's servers are never edited. What we put in the place of something else is
remembered in preferences below `smarthost.spamexperts.<entry>.`, so that it can be put back.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .._names import IMPLICIT, STARTTLS, InputError, host_name, port_number
from .preferences import Preferences

ENCRYPTIONS = {STARTTLS: 2, IMPLICIT: 3}
AUTHENTICATIONS = {"password": 3, "none": 1}

SERVERS = "mail.smtpservers"
DEFAULT_SERVER = "mail.smtp.defaultserver"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FOREIGN_ENTRY = re.compile(r"(default|smtp\d*|ews\d*|graph\d*)")


class OutgoingServer(NamedTuple):
    """One outgoing server as Thunderbird's dialogue shows it; `login` is empty without authentication."""

    host: str
    port: int
    encryption: str
    authentication: str
    login: str
    description: str

    @property
    def origin(self) -> str:
        """Under which the password is saved: SmtpServer.sys.mjs, _getServerURISpec."""
        return f"smtp://[{self.host}]" if ":" in self.host else f"smtp://{self.host}"


class SavedLogin(NamedTuple):
    """A login that was added for our entry, as the run that did it left it."""

    guid: str
    origin: str
    username: str


def validate(server: OutgoingServer) -> OutgoingServer:
    """The server in the spelling that Thunderbird looks for; InputError where it could not use it."""
    host = host_name(server.host)
    port_number(server.port)
    if has_control_character(server.description + server.login):
        raise InputError("login and description may not hold control characters")
    if not server.login.isascii():
        raise InputError(f"login: Thunderbird reads only ASCII here, and {server.login!r} is not")
    login = server.login if server.authentication == "password" else ""
    return server._replace(host=host, login=login)


def _spelled(address: str) -> str:
    """An address in one of the ways in which it may be written: in small letters, and in ASCII where that can be."""
    local, at, domain = address.lower().rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address.lower()


def has_control_character(text: str) -> bool:
    """Is there anything in it that would end a line or a string of a protocol?"""
    return _CONTROL.search(text) is not None


def validate_entry(entry: str) -> None:
    """InputError where the entry's name would not work, or is one that Thunderbird gives to others."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", entry) or _FOREIGN_ENTRY.fullmatch(entry):
        raise InputError(
            f"entry: {entry!r} cannot be used; it needs lower-case letters, digits and underscores, "
            "begins with a letter, and is not a name that Thunderbird gives itself, such as smtp1"
        )


class ServerEntry:
    """Our entry in one profile's preferences; `default_servers`: the list of entries where the profile has none."""

    def __init__(self, preferences: Preferences, entry: str, default_servers: str = "") -> None:
        self.preferences = preferences
        self.entry = entry
        self._default_servers = default_servers
        self._memory = f"smarthost.spamexperts.{entry}."

    def current(self) -> OutgoingServer | None:
        """What is there, or None where the list of servers does not name our entry."""
        return self._server(self.entry) if self.entry in self._entries() else None

    def describe(self) -> dict[str, Any]:
        """The state for diff and result."""
        server = self.current()
        return {
            "server": server._asdict() if server else None,
            "default_server": self._is_default(),
            "identities": sorted(
                address for identity, address in self._identities().items() if self._uses_ours(identity)
            ),
        }

    @property
    def saved_login(self) -> SavedLogin | None:
        """The saved login that was added for this entry; None where none was, or another server shares it by now.

        Servers with the same host and name share one password. It is not told by what the entry says now: whoever
        has changed that in the dialogue has made Thunderbird forget our login, and what is saved since is theirs; and
        user.js or a policy may have taken the entry out of the list while its password is still there.
        """
        login = SavedLogin(*(self.preferences.text(name) for name in self._saved_login_names()))
        others = (self._server(entry) for entry in self._entries() if entry != self.entry)
        shared = any((other.origin.lower(), other.login) == (login.origin, login.username) for other in others)
        return login if login.guid and not shared else None

    @saved_login.setter
    def saved_login(self, login: SavedLogin | None) -> None:
        for name, value in zip(self._saved_login_names(), login or (None, None, None)):
            self._put(name, value)

    def _saved_login_names(self) -> list[str]:
        return [self._memory + name for name in ("saved_login", "saved_origin", "saved_username")]

    def put(self, server: OutgoingServer) -> None:
        """Make our entry what `server` says."""
        branch = f"mail.smtpserver.{self.entry}."
        self.preferences.set(branch + "type", "smtp")
        self.preferences.set(branch + "hostname", server.host)
        self.preferences.set(branch + "port", server.port)
        self.preferences.set(branch + "try_ssl", ENCRYPTIONS[server.encryption])
        self.preferences.set(branch + "authMethod", AUTHENTICATIONS[server.authentication])
        self._put(branch + "username", server.login or None)
        self.preferences.set(branch + "description", server.description)
        entries = self._entries()
        if self.entry not in entries:
            self.preferences.set(SERVERS, ",".join([*entries, self.entry]))

    def set_default(self, wanted: bool) -> None:
        """Make our entry the default server, or give the place back."""
        if wanted and not self._is_default():
            self._take(DEFAULT_SERVER, "default_server")
        elif not wanted and self._is_default():
            self._give_back(DEFAULT_SERVER, "default_server")

    def set_identities(self, addresses: list[str]) -> list[str]:
        """Let exactly these identities use our entry; returns the addresses that the profile has no identity for."""
        wanted = {_spelled(address): address.lower() for address in addresses}
        identities = {identity: _spelled(address) for identity, address in self._identities().items()}
        for identity, address in identities.items():
            name = f"mail.identity.{identity}.smtpServer"
            if address in wanted and not self._uses_ours(identity):
                self._take(name, f"identity.{identity}")
            elif address not in wanted and self._uses_ours(identity):
                self._give_back(name, f"identity.{identity}")
        return sorted(wanted[address] for address in wanted.keys() - set(identities.values()))

    def remove(self) -> None:
        """Take everything out that was put in, and give back what was there before."""
        entries = self._entries()
        if self.entry in entries:
            entries.remove(self.entry)
            servers = ",".join(entries)
            self._put(SERVERS, None if servers == self._default_servers else servers)
        self.set_default(wanted=False)
        for name in self.preferences.names("mail.identity."):
            match = re.fullmatch(r"mail\.identity\.([^.]+)\.smtpServer", name)
            if match and self._uses_ours(match.group(1)):
                self._give_back(name, f"identity.{match.group(1)}")
        for name in self.preferences.names(f"mail.smtpserver.{self.entry}.") + self.preferences.names(self._memory):
            self.preferences.remove(name)

    def _server(self, entry: str) -> OutgoingServer:
        return _read(self.preferences, entry)

    def _entries(self) -> list[str]:
        given = self.preferences.get(SERVERS)
        servers = self.preferences.text(SERVERS) if given is not None else self._default_servers
        return [entry for entry in servers.split(",") if entry]

    def _identities(self) -> dict[str, str]:
        """Identity -> address in lower case, of the identities that an account has."""
        found = {}
        for account in self.preferences.text("mail.accountmanager.accounts").split(","):
            for identity in self.preferences.text(f"mail.account.{account}.identities").split(","):
                address = self.preferences.text(f"mail.identity.{identity}.useremail")
                if address:
                    found[identity] = address.lower()
        return found

    def _is_default(self) -> bool:
        return self.preferences.text(DEFAULT_SERVER) == self.entry

    def _uses_ours(self, identity: str) -> bool:
        return self.preferences.text(f"mail.identity.{identity}.smtpServer") == self.entry

    def _take(self, name: str, memory: str) -> None:
        self._put(self._memory + memory, self.preferences.get(name))
        self.preferences.set(name, self.entry)

    def _give_back(self, name: str, memory: str) -> None:
        before = self.preferences.get(self._memory + memory)
        # A server that is gone by now is not put back: Thunderbird then goes by its default.
        self._put(name, before if before == "" or before in self._entries() else None)
        self.preferences.remove(self._memory + memory)

    def _put(self, name: str, value: str | int | bool | None) -> None:
        if value is None:
            self.preferences.remove(name)
        else:
            self.preferences.set(name, value)


def servers_of(preferences: Preferences) -> list[OutgoingServer]:
    """The outgoing servers of a profile."""
    entries = preferences.text(SERVERS).split(",")
    return [_read(preferences, entry) for entry in entries if entry]


def _read(preferences: Preferences, entry: str) -> OutgoingServer:
    branch = f"mail.smtpserver.{entry}."
    port = preferences.get(branch + "port")
    return OutgoingServer(
        host=preferences.text(branch + "hostname"),
        port=port if isinstance(port, int) else 0,
        encryption=_name_of(ENCRYPTIONS, preferences.get(branch + "try_ssl")),
        authentication=_name_of(AUTHENTICATIONS, preferences.get(branch + "authMethod")),
        login=preferences.text(branch + "username"),
        description=preferences.text(branch + "description"),
    )


def _name_of(table: dict[str, int], number: object) -> str:
    return next((name for name, value in table.items() if value == number), f"other ({number})")
