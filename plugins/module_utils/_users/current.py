# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the current state is learnt: the API's list where the server has one, evidence where it has not."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from .._api.client import ApiError, Client, ErrorKind
from .._api.parallel import first_alone
from .._names import InputError, is_network, normalise_domain
from .._smarthost.connection import Smarthost
from .._smarthost.login import Refusals, Verdict, prove_logins
from .methods import LIST, Method, MethodError, Methods, known_name
from .user import (
    AUTHENTICATIONS,
    DOMAIN,
    INHERIT,
    IP,
    LIMIT_NAMES,
    USER,
    Key,
    OutgoingUser,
    State,
    Value,
    Wanted,
    normalise_username,
    setting_text,
)

#: So many refused logins of the run's budget are left for the proof of what is written.
KEPT_FOR_PROOF = 1
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
_BOOLEANS = ("locked", "enabled", "automatic_lock")
_NUMBERS = ("lock_timeout", "maximum_unlocks")
_MOST_DIGITS = 18
_IDENTITY = ("domain", "username", "authentication_method")
#: Fields that are never looked at: what a server should not show, nobody else should show.
_SECRET = re.compile(r"pass|pwd|secret|token|private|hash")
#: What a wire word may stand for, by name; in all else, such as a username, it is what it is.
_WORDS = {
    "authentication_method": AUTHENTICATIONS,
    **dict.fromkeys(_BOOLEANS, ("true", "false")),
    **dict.fromkeys(LIMIT_NAMES, (INHERIT,)),
}


_BAD_REPLY = ErrorKind.BAD_REPLY.value


class Proof(enum.Enum):
    """What an SMTP login with the wanted password has shown."""

    RIGHT = "right"  # the user exists, and this is its password
    REFUSED = "refused"  # no such user, or another password: it proves neither
    UNKNOWN = "unknown"  # the smarthost could not be asked, or is not asked any more


@dataclass
class Current:
    """What is known about the users of an account.

    listed holds the domains whose complete list was read, and new those that this run has added; only there is "not in
    users" the same as "does not exist".
    """

    users: dict[Key, OutgoingUser] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    proofs: dict[Key, Proof] = field(default_factory=dict)
    unreachable: str = ""  # why the smarthost could not be asked, or is not asked any more
    new: frozenset[str] = frozenset()
    is_mute: bool = False  # whether the smarthost has decided on no login at all, and no more are tried

    def exists(self, key: Key) -> Optional[bool]:
        """Whether this user exists; None when that is not known."""
        if key in self.users:
            return True
        if key.domain in self.listed or key.domain in self.new:
            return False
        return True if self.proofs.get(key) is Proof.RIGHT else None

    def user(self, wanted: OutgoingUser) -> OutgoingUser:
        """The user as it is known: completely from a list, by its bare existence otherwise."""
        return self.users.get(wanted.key) or OutgoingUser(wanted.key, wanted.authentication)


#: Why a list is of no use: the answers of a server that shows a call without offering it.
_NO_LIST = (ErrorKind.NO_PERMISSION, ErrorKind.UNSUPPORTED, ErrorKind.BAD_REPLY)


def is_without_list(methods: Methods, problem: Exception) -> bool:
    """Whether reading the list failed, and it is not needed: nobody has named it, and it is of no use."""
    unusable = isinstance(problem, MethodError) or (isinstance(problem, ApiError) and problem.kind in _NO_LIST)
    return unusable and methods.withdraw(LIST)


def read_lists(client: Client, methods: Methods, domains: Iterable[str], concurrency: int) -> Current:
    """Read the outgoing users of these domains, with one request each, or one in all where the list takes no domain.

    Returns an empty state where the server offers no list. Raises ApiError, and MethodError for a list that is not
    understood.
    """
    method = methods.find(LIST)
    wanted = sorted(set(domains))
    if method is None or not wanted:
        return Current()
    users: dict[Key, OutgoingUser] = {}
    if "domain" in method.parameters:

        def read(domain: str) -> list[OutgoingUser]:
            try:
                reply = client.call(method.call, method.encode({"domain": domain}), write=False)
            except ApiError as error:  # a domain that is to be added has no users yet
                if error.kind not in (ErrorKind.NOT_FOUND, ErrorKind.NOT_YOURS, ErrorKind.FOREIGN):
                    raise
                return []
            return parse_rows(reply.result, method, domain)

        lists = first_alone(read, wanted, concurrency)
    else:
        reply = client.call(method.call, method.encode({}), write=False)
        lists = [parse_rows(reply.result, method, "")]
    domains_read = frozenset(wanted)
    for listed in lists:
        users.update({user.key: user for user in listed if user.key.domain in domains_read})
    return Current(users, domains_read)


def parse_rows(result: object, method: Method, domain: str) -> list[OutgoingUser]:
    """The users in a list's reply. domain: what was asked for, for rows that do not repeat it."""
    if isinstance(result, Mapping):  # an empty list, or a list with keys, as PHP encodes it
        result = list(result.values())
    if result is None:
        result = []
    if not isinstance(result, list):
        raise MethodError(f"{method.call} did not answer with a list of outgoing users; {_name_fields()}", _BAD_REPLY)
    rows = _Rows(method, domain)
    return [rows.parse(row) for row in result]


def _name_fields() -> str:
    return "name the right call, and the fields of its answer under api_methods.list.fields."


class _Rows:
    """Reads the rows of one list. Each field's name and each value is looked at once, however many rows have it."""

    def __init__(self, method: Method, domain: str) -> None:
        self._method = method
        self._domain = domain
        self._fields = {wire.lower(): name for name, wire in method.fields.items()}
        self._columns: dict[str, tuple[str, str]] = {}  # name on the wire -> name, attribute ("" for none)
        self._parsed: dict[tuple[str, type, Value], Optional[Value]] = {}

    def parse(self, row: object) -> OutgoingUser:
        """The user of one row. Raises MethodError for a row that is not understood."""
        if not isinstance(row, dict):
            text = f"{self._method.call} answered with a list of something else than users; {_name_fields()}"
            raise MethodError(text, _BAD_REPLY)
        identity: dict[str, str] = {}
        state: State = {}
        for wire, value in row.items():
            name, attribute = self._columns.get(wire) or self._column(wire)
            if value is None or isinstance(value, (dict, list)):
                if name == "username":
                    identity.setdefault(name, "")
            elif name in _IDENTITY:
                identity[name] = str(self._word(name, value))
            elif attribute:
                cell = (name, type(value), value)
                if cell not in self._parsed:
                    self._parsed[cell] = _parse_value(name, self._word(name, value))
                parsed = self._parsed[cell]
                if parsed is not None:
                    state[attribute] = parsed
        return self._user(identity, state)

    def _column(self, wire: str) -> tuple[str, str]:
        name = self._fields.get(wire.lower()) or known_name(wire) or wire.lower()
        self._columns[wire] = name, "" if _SECRET.search(name) else attribute_name(name)
        return self._columns[wire]

    def _word(self, name: str, value: Value) -> Value:
        """The word that this value stands for, where `values` has one; otherwise the value."""
        words = _WORDS.get(name, ()) if self._method.values else ()
        return next((word for word in words if self._method.values.get(word, "").lower() == str(value).lower()), value)

    def _user(self, identity: Mapping[str, str], state: State) -> OutgoingUser:
        call = self._method.call
        if "username" not in identity:
            raise MethodError(f"{call} shows users without a username; {_name_fields()}", _BAD_REPLY)
        try:
            domain = normalise_domain(identity.get("domain", self._domain))
            kind = identity.get("authentication_method", "").lower()
            key, kind, listed_name = _identify(identity["username"].strip(), kind, domain)
        except InputError as problem:
            text = f"{call} shows a user that is not understood ({problem}); {_name_fields()}"
            raise MethodError(text, _BAD_REPLY) from None
        return OutgoingUser(key, kind, state, listed_name)


def _identify(username: str, kind: str, domain: str) -> tuple[Key, str, str]:
    """The key, the authentication method, and the username as the server writes it."""
    if kind == IP and not username:
        raise InputError(f"an IP user of {domain} without an address")
    if kind == DOMAIN or not username or username.lower() in (domain, f"@{domain}"):
        return Key(domain, ""), DOMAIN, ""
    authentication = IP if kind == IP or (kind != USER and is_network(username)) else USER
    try:
        key = Key(domain, normalise_username(authentication, username, domain))
    except InputError:  # nobody can want it by this name, but it is there: it is shown, and purged
        return Key(domain, username.lower()), authentication, username
    return key, authentication, username.partition("@")[0]


def attribute_name(name: str) -> str:
    """The attribute that belongs to a name of the method table."""
    if name in LIMIT_NAMES or name == "enabled":
        return f"limits.{name}"
    return name if name in (*_BOOLEANS, *_NUMBERS) else f"settings.{name}"


def _parse_value(name: str, value: object) -> Optional[Value]:
    text = str(value).strip().lower()
    if name in _BOOLEANS:
        return True if text in _TRUE else False if text in _FALSE else None
    if name in LIMIT_NAMES and text.startswith(INHERIT):
        return INHERIT
    if name in LIMIT_NAMES or name in _NUMBERS:
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
    return setting_text(value) if text else None


def prove_passwords(
    current: Current,
    wanted: Sequence[Wanted],
    server: Smarthost,
    *,
    domain_login: str,
    connections: int,
    refusals: Refusals,
) -> None:
    """Log in with each wanted password whose user exists or may exist, and note in `current` what that has shown.

    A password that was generated in this run cannot be right, so it costs no refused login. Of the budget, one
    refusal is left for the proof of what is written afterwards.
    """
    candidates = []
    for entry in wanted:
        if entry.password_is_new:
            current.proofs[entry.key] = Proof.REFUSED
        elif entry.password is not None and current.exists(entry.key) is not False:
            candidates.append(entry)
    if not candidates:
        return
    last_is_kept = refusals.spent(KEPT_FOR_PROOF) and not refusals.spent()
    proofs = prove_logins(
        server,
        [(entry.login(domain_login), entry.password or "") for entry in candidates],
        connections=connections,
        refusals=refusals,
        keep=KEPT_FOR_PROOF,
    )
    verdicts = {Verdict.ACCEPTED: Proof.RIGHT, Verdict.REFUSED: Proof.REFUSED}
    for entry, proof in zip(candidates, proofs):
        current.proofs[entry.key] = verdicts.get(proof.verdict, Proof.UNKNOWN)
        if proof.verdict is Verdict.UNKNOWN and not current.unreachable:
            current.unreachable = proof.reason
    current.is_mute = not last_is_kept and all(proof.verdict is Verdict.UNKNOWN for proof in proofs)
