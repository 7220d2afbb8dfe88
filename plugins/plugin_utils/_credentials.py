# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials of a store: for each name a login and its password, and the next ones while a rotation runs; and who
was declared to send. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import yaml

from ..module_utils._names import InputError
from ..module_utils._passwords import check_password

FORMAT = 1
CREATED = "created"
UPDATED = "updated"
STAGED = "staged"
SWITCHED = "switched"
COMMITTED = "committed"
ROLLED_BACK = "rolled_back"
REVERTED = "reverted"
REFUSED = "refused"
REMOVED = "removed"
UNCHANGED = "unchanged"

_COMMENT = "Written by smarthost.spamexperts.credential_store. To change it by hand: ansible-vault edit"
_FIELDS = {
    *("login", "current", "next", "next_login", "in_use", "locked", "leaked", "refused"),
    *("former", "former_login", "made", "proven"),
}
#: Values of `made`.
UNTRIED, OTHER_IN_FORCE = "untried", "other_in_force"


@dataclass(frozen=True)
class Credential:
    """One credential. `name` stays the same for ever; `login` and `current` are what the smarthost accepts now.

    `next` and `next_login` are empty unless a rotation is under way. `switched` says that the vendor
    takes the next ones already, so that everybody has to use them. `locked` says that the rotation has locked the login
    at the vendor, or was about to, so that it has to unlock it. `leaked` says that strangers know `current`, so that it
    is never used again. `refused` says that the vendor has refused `next`, so that another one may be made. `former`
    and `former_login` are what `current` and `login` were before the last rotation: nobody uses them, but should the
    vendor turn out to take them still, they are not lost. `made` says that `current` was made here and no login has
    shown yet that the vendor has it: UNTRIED, or OTHER_IN_FORCE where one was refused. `proven` is the day on which a
    login has shown that `current` works.
    """

    name: str
    login: str
    current: str = field(repr=False)
    next: str = field(default="", repr=False)
    next_login: str = ""
    switched: bool = False
    locked: bool = False
    leaked: bool = False
    refused: bool = False
    former: str = field(default="", repr=False)
    former_login: str = ""
    made: str = ""
    proven: str = ""

    @property
    def rotating(self) -> bool:
        """Whether a rotation is under way."""
        return bool(self.next)

    @property
    def in_use(self) -> tuple[str, str]:
        """The login and password to use now."""
        return (self.next_login, self.next) if self.switched else (self.login, self.current)

    def to_result(self) -> dict[str, Any]:
        """The credential as results and diffs show it: never with a password."""
        shown: dict[str, Any] = {"name": self.name, "login": self.login, "rotating": self.rotating}
        if self.rotating:
            shown.update(next_login=self.next_login, switched=self.switched, locked=self.locked, leaked=self.leaked)
        return shown


class Credentials:
    """All credentials of a store. Each change gives one of the words above; problems raise InputError."""

    def __init__(self, entries: Mapping[str, Credential] | None = None) -> None:
        self._entries = dict(entries or {})
        #: Who was declared to send, domain by domain, as module_utils/_declaration/identities writes it.
        self.declared: dict[str, Any] = {}
        #: As they stand in the file. Whoever needs one of ten thousand does not wait for all.
        self._unread: dict[str, object] = {}

    @classmethod
    def from_text(cls, text: str) -> Credentials:
        """Read what `to_text` wrote or a person changed, in JSON or YAML. Each credential is checked when it is asked
        for. Messages never quote the text, as it holds passwords.
        """
        data = _parsed(text)
        if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("credentials"), dict):
            raise InputError(f"it is not a credential store of format {FORMAT}, which has format and credentials")
        credentials = cls()
        credentials._unread = {str(name): entry for name, entry in data["credentials"].items()}
        declared = data.get("declared", {})
        if not isinstance(declared, dict) or not all(isinstance(entry, dict) for entry in declared.values()):
            raise InputError("what it says of declared domains is no dictionary; correct it, or take declared out")
        credentials.declared = {str(domain): entry for domain, entry in declared.items()}
        return credentials

    def copy(self) -> Credentials:
        """The same, for changes."""
        other = Credentials(self.entries)
        other.declared = dict(self.declared)
        return other

    def to_text(self) -> str:
        """The plain text of the store: JSON, which is read much faster than YAML, with a line for each credential."""
        lines = []
        for name, entry in sorted(self.entries.items()):
            shown = {"login": entry.login, "current": entry.current}
            if entry.rotating:
                shown.update(next_login=entry.next_login, next=entry.next)
                shown["in_use"] = "next" if entry.switched else "current"
                shown.update({"locked": "yes"} if entry.locked else {})
                shown.update({"leaked": "yes"} if entry.leaked else {})
                shown.update({"refused": "yes"} if entry.refused else {})
            if entry.former:
                shown.update(former_login=entry.former_login, former=entry.former)
            shown.update({"made": entry.made} if entry.made else {})
            shown.update({"proven": entry.proven} if entry.proven else {})
            lines.append(f"    {_json(name)}: {_json(shown)}")
        head = f'{{\n  "comment": {_json(_COMMENT)},\n  "format": {FORMAT},\n  "credentials": {{'
        declared = [f"    {_json(domain)}: {_json(entry)}" for domain, entry in sorted(self.declared.items())]
        more = ',\n  "declared": {' + _lines(declared) + "}" if declared else ""
        return f"{head}{_lines(lines)}}}{more}\n}}\n"

    @property
    def entries(self) -> dict[str, Credential]:
        """All of them, by name."""
        for name in list(self._unread):
            self._read(name)
        return self._entries

    def get(self, name: str) -> Credential:
        """The credential of this name."""
        if name in self._unread:
            self._read(name)
        if name not in self._entries:
            raise InputError(f"it has no credential {name}; create it with smarthost.spamexperts.credential_store")
        return self._entries[name]

    def _read(self, name: str) -> None:
        self._entries[name] = _credential(name, self._unread[name])
        del self._unread[name]

    def ensure(
        self, name: str, login: str, password: Optional[str], make: Callable[[], str], *, overwrite: bool
    ) -> str:
        """Have the credential, with this password or a new one; an existing one changes only with `overwrite`."""
        if password is not None:
            check_password(password, login or name)
        present = self.entries.get(name)
        if present is None:
            self.entries[name] = Credential(name, login or name, make() if password is None else password)
            return CREATED
        if login and login != present.login:
            raise InputError(
                f"{name} is there with the login {present.login}, not {login}; remove it first, or correct it"
            )
        if not overwrite or password is None or password == present.current:
            return UNCHANGED
        if present.rotating:
            raise InputError(
                f"{name} is in the middle of a rotation; finish it, or roll it back, before you set a password"
            )
        self.entries[name] = replace(present, current=password, made="", proven="")
        return UPDATED

    def make(self, name: str, make: Callable[[], str]) -> str:
        """Have a credential for the login of this name, with a password that nobody has been told yet."""
        if name in self.entries:
            return UNCHANGED
        self.entries[name] = Credential(name, name, make(), made=UNTRIED)
        return CREATED

    def prove(self, name: str, day: str) -> str:
        """Remember that a login has shown on this day that the present password works; a later day is no change."""
        present = self.get(name)
        self.entries[name] = replace(present, made="", proven=day)
        return UPDATED if present.made or not present.proven else UNCHANGED

    def doubt(self, name: str) -> str:
        """Remember that the smarthost has refused a password that was made here and may never have been in force."""
        present = self.get(name)
        if present.made == OTHER_IN_FORCE:
            return UNCHANGED
        self.entries[name] = replace(present, made=OTHER_IN_FORCE)
        return UPDATED

    def stage(
        self,
        name: str,
        next_login: str,
        make: Callable[[], str],
        *,
        locked: bool = False,
        leaked: bool = False,
        renew: bool = False,
    ) -> str:
        """Have a next password; one that is there already is kept, since the vendor may know it.

        `renew` makes another one all the same, where it is known that the vendor has refused this one. `locked`
        remembers that the login is going to be locked, `leaked` that strangers know the present password; both are
        forgotten with the end of the rotation only.
        """
        present = self.get(name)
        wanted = next_login or present.login
        if present.rotating:
            if wanted != present.next_login:
                raise InputError(
                    f"{name} is in the middle of a rotation to the login {present.next_login}, not {wanted}; "
                    "finish it, or roll it back first"
                )
            marked = replace(present, locked=present.locked or locked, leaked=present.leaked or leaked)
            if renew and present.refused and not present.switched:
                marked = replace(marked, next=make(), refused=False)
            self.entries[name] = marked
            return UNCHANGED if marked == present else STAGED
        self.entries[name] = replace(present, next=make(), next_login=wanted, locked=locked, leaked=leaked)
        return STAGED

    def switch(self, name: str) -> str:
        """Remember that the vendor takes the next login and password, so that they are the ones in use."""
        present = self.get(name)
        if present.switched:
            return UNCHANGED
        if not present.rotating:
            raise InputError(f"{name} has no next password that could be in use; stage it first")
        self.entries[name] = replace(present, switched=True, refused=False)
        return SWITCHED

    def refuse(self, name: str) -> str:
        """Remember that the vendor has refused the next password, so that `stage` may make another one."""
        present = self.get(name)
        if present.refused or present.switched or not present.rotating:
            return UNCHANGED
        self.entries[name] = replace(present, refused=True)
        return REFUSED

    def revert(self, name: str) -> str:
        """Remember that the vendor takes the login and password from before again; the next ones are kept."""
        present = self._without_leak(name)
        if not present.switched:
            return UNCHANGED
        self.entries[name] = replace(present, switched=False)
        return REVERTED

    def commit(self, name: str) -> str:
        """Let the next login and password be the current ones, and the old ones the former ones, in place of others."""
        present = self.get(name)
        if not present.rotating:
            return UNCHANGED
        self.entries[name] = Credential(
            name, present.next_login, present.next, former=present.current, former_login=present.login
        )
        return COMMITTED

    def forget_former(self, name: str) -> str:
        """Forget the password from before the last rotation."""
        present = self.get(name)
        if not present.former:
            return UNCHANGED
        self.entries[name] = replace(present, former="", former_login="")
        return UPDATED

    def roll_back(self, name: str) -> str:
        """Forget the next login and password."""
        present = self._without_leak(name)
        if not present.rotating:
            return UNCHANGED
        self.entries[name] = replace(
            present, next="", next_login="", switched=False, locked=False, leaked=False, refused=False
        )
        return ROLLED_BACK

    def _without_leak(self, name: str) -> Credential:
        present = self.get(name)
        if present.leaked:
            raise InputError(
                f"the password of {name} from before has leaked, so it is not rolled back; finish the rotation"
            )
        return present

    def remove(self, name: str) -> str:
        """Forget the credential."""
        return REMOVED if self.entries.pop(name, None) else UNCHANGED


def _lines(entries: Sequence[str]) -> str:
    return "".join(("\n", ",\n".join(entries), "\n  ")) if entries else ""


def _parsed(text: str) -> object:
    """What the text says, as JSON or else as YAML, which takes a comment or a last comma that a person has put in."""
    try:
        try:
            return json.loads(text)
        except json.JSONDecodeError as problem:
            wrong_json = f"it is not valid JSON in line {problem.lineno}"
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        wrong_yaml = f"it is not valid YAML{f' in line {mark.line + 1}' if mark else ''}"
        raise InputError(wrong_json if text.lstrip().startswith("{") else wrong_yaml) from None
    except RecursionError:
        raise InputError("it is nested too deeply for a credential store") from None


def _json(value: object) -> str:
    """JSON that YAML reads as the same, also after somebody has edited it: there, some characters end a line or may not
    stand in a text. Characters above U+FFFF stay, as YAML knows no pairs of surrogates.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\uffff]", lambda m: m[0] if m[0].isprintable() else f"\\u{ord(m[0]):04x}", text)


def _credential(name: str, entry: object) -> Credential:
    if not isinstance(entry, dict) or not all(isinstance(value, str) and value for value in entry.values()):
        raise InputError(f"the credential {name} has a value that is not a text; write numbers in quotes")
    strange = sorted(str(key) for key in set(entry) - _FIELDS)
    if strange or "current" not in entry:
        raise InputError(f"the credential {name} needs current, and may have {', '.join(sorted(_FIELDS))}; correct it")
    login = str(entry.get("login", name))
    following = str(entry.get("next", ""))
    next_login = str(entry.get("next_login", login)) if following else ""
    switched = bool(following) and entry.get("in_use") == "next"
    locked = bool(following) and entry.get("locked") == "yes"
    leaked = bool(following) and entry.get("leaked") == "yes"
    refused = bool(following) and entry.get("refused") == "yes"
    former = str(entry.get("former", ""))
    former_login = str(entry.get("former_login", login)) if former else ""
    return Credential(
        name,
        login,
        str(entry["current"]),
        following,
        next_login,
        switched,
        locked,
        leaked,
        refused,
        former,
        former_login,
        str(entry.get("made", "")),
        str(entry.get("proven", "")),
    )
