# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and edit logins.json without touching a byte of the other logins.

The format is that of Thunderbird's LoginStore.sys.mjs (version 3): one object with `nextId` and the list `logins`.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any, NamedTuple

from .errors import ThunderbirdError

EMPTY = b'{"nextId":1,"logins":[],"potentiallyVulnerablePasswords":[],"version":3}'
NEWEST_VERSION = 3
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_NEEDED = ("guid", "hostname", "encryptedUsername", "encryptedPassword")

Login = dict[str, Any]


class _Span(NamedTuple):
    value: Any
    start: int
    end: int


class LoginsFile:
    """The saved logins of one logins.json; `content` is the file as bytes.

    Raises ThunderbirdError where the content is not a list of logins that this code understands.
    """

    def __init__(self, content: bytes, *, backup: bool = False) -> None:
        name = "logins-backup.json, from which Thunderbird would restore logins.json," if backup else "logins.json"
        try:
            self._text = content.decode("utf-8")
            self._scan()
        except (ValueError, IndexError, KeyError, TypeError, RecursionError):
            raise ThunderbirdError(
                f"{name} is not the list of saved logins that Thunderbird writes; restore it from "
                + ("a backup, or remove it if nothing in it is needed" if backup else "logins-backup.json or a backup")
            ) from None
        if self.version > NEWEST_VERSION:
            raise ThunderbirdError(
                f"{name} has format version {self.version} and this collection knows versions up to "
                f"{NEWEST_VERSION}; a newer release of the collection is needed",
                "unsupported",
            )

    @property
    def content(self) -> bytes:
        """The file as bytes."""
        return self._text.encode("utf-8")

    @property
    def logins(self) -> list[Login]:
        """A copy of every login, in the order of the file."""
        return [dict(span.value) for span in self._logins if not span.value.get("deleted")]

    def replace(self, login: Login) -> None:
        """Put `login` in the place of the one with the same guid."""
        span = self._find(login["guid"])
        self._splice(span.start, span.end, _dump(login))

    def remove(self, guid: str) -> None:
        """Take the login with this guid out."""
        index = self._logins.index(self._find(guid))
        start, end = self._logins[index].start, self._logins[index].end
        if index + 1 < len(self._logins):
            end = self._logins[index + 1].start
        elif index:
            start = self._logins[index - 1].end
        self._splice(start, end, "")

    def add(self, guid: str, origin: str, encrypted_username: str, encrypted_password: str) -> None:
        """Append a login as Thunderbird would for an outgoing server."""
        number = self._next_id.value
        self._splice(self._next_id.start, self._next_id.end, str(number + 1))
        now = milliseconds()
        login = {
            "id": number,
            "hostname": origin,
            "httpRealm": origin,
            "formSubmitURL": None,
            "usernameField": "",
            "passwordField": "",
            "encryptedUsername": encrypted_username,
            "encryptedPassword": encrypted_password,
            "guid": guid,
            "encType": 1,
            "timeCreated": now,
            "timeLastUsed": now,
            "timePasswordChanged": now,
            "timesUsed": 1,
        }
        end = self._logins[-1].end if self._logins else self._list_start
        self._splice(end, end, ("," if self._logins else "") + _dump(login))

    def _find(self, guid: str) -> _Span:
        return next(span for span in self._logins if span.value["guid"] == guid)

    def _splice(self, start: int, end: int, new: str) -> None:
        self._text = self._text[:start] + new + self._text[end:]
        self._scan()

    def _scan(self) -> None:
        """Find the places of `nextId` and of each login.

        ValueError, IndexError, KeyError or TypeError where they are not.
        """
        members: dict[str, _Span] = {}
        logins: list[_Span] = []
        position = self._expect(0, "{")
        while True:
            key, position = _DECODER.raw_decode(self._text, position)
            start = self._expect(position, ":")
            if not isinstance(key, str) or key in members:
                raise ValueError("not a member")
            if key == "logins":
                self._list_start = self._expect(start, "[")
                position = self._elements(self._list_start, logins)
                value: Any = None
            else:
                value, position = _DECODER.raw_decode(self._text, start)
            members[key] = _Span(value, start, position)
            position = self._skip(position)
            if self._text[position] == "}":
                break
            position = self._expect(position, ",")
        if self._skip(position + 1) != len(self._text) or "logins" not in members:
            raise ValueError("no list of logins")
        self._logins = logins
        self._next_id = members["nextId"]
        self.version = int(members["version"].value) if "version" in members else 1
        if isinstance(self._next_id.value, bool) or not isinstance(self._next_id.value, int):
            raise ValueError("nextId")  # noqa: TRY004 - the file is wrong, not the caller

    def _elements(self, position: int, logins: list[_Span]) -> int:
        """Collect the elements of the list that begins before `position`; returns the place after its end."""
        position = self._skip(position)
        if self._text[position] == "]":
            return position + 1
        while True:
            value, end = _DECODER.raw_decode(self._text, position)
            # Of a login that was deleted while logins are synchronised, no more than its guid stays.
            needed = _NEEDED[:1] if isinstance(value, dict) and value.get("deleted") is True else _NEEDED
            if not isinstance(value, dict) or not all(isinstance(value[name], str) for name in needed):
                raise ValueError("not a login")
            logins.append(_Span(value, position, end))
            position = self._skip(end)
            if self._text[position] == "]":
                return position + 1
            position = self._expect(position, ",")

    def _skip(self, position: int) -> int:
        match = _SPACE.match(self._text, position)
        return match.end() if match else position

    def _expect(self, position: int, character: str) -> int:
        """The place of what follows `character`, which must come next, and of the space around it."""
        position = self._skip(position)
        if self._text[position] != character:
            raise ValueError(character)
        return self._skip(position + 1)


def milliseconds() -> int:
    """Now, as Thunderbird counts: milliseconds since 1970."""
    return int(time.time() * 1000)


def _dump(login: Login) -> str:
    return json.dumps(login, separators=(",", ":"))
