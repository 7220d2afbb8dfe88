# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logins that a site has already: in Postfix maps, in Thunderbirds, in a CSV; and what is to be done with each.

Pure, no I/O.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ..module_utils._declaration.only import login_of
from ..module_utils._names import InputError, is_network, normalise_domain
from ..module_utils._passwords import check_password
from ..module_utils._users.user import IP, Key, normalise_username
from ._credentials import Credential

_COLUMNS = ("username", "domain", "password")
_DELIMITERS = ",;\t"

#: What becomes of a login.
CREATED, UNCHANGED, REFUSED, UNPROVEN = "created", "unchanged", "refused", "unproven"
CONFLICT, FOREIGN, NOBODY = "conflict", "foreign", "nobody"

#: For what somebody uses a login: an option of a sender, and what it would hold there.
RELAY, DEFAULT_FOR, PEOPLE, OTHER = "relay", "default_for", "people", ""


class FoundError(ValueError):
    """Something cannot be read; one sentence without a secret."""


class Found(NamedTuple):
    """A login in one place. password: empty where the place does not show it. use: one of the words above.

    detail: for `relay` and `default_for` the host, for `people` the host and the person, otherwise words.
    """

    login: str
    password: str
    place: str
    use: str = OTHER
    detail: Any = ""

    def __repr__(self) -> str:
        """Without the password, as for every secret here."""
        return f"Found({self.login!r}, {self.place!r})"


@dataclass
class Login:
    """What all places say of one login. places: password -> the places that have it."""

    key: Key
    places: dict[str, list[str]] = field(default_factory=dict, repr=False)
    uses: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name for AUTH, and that of its credential."""
        return login_of(self.key)

    @property
    def password(self) -> str:
        """The password; empty where no place shows one, or two differ."""
        return next(iter(self.places)) if len(self.places) == 1 else ""

    @property
    def where(self) -> str:
        """The places, as a message names them."""
        return _names([place for places in self.places.values() for place in places])


class Verdict(NamedTuple):
    """What becomes of a login; reason: why it is not in the store, without a secret."""

    action: str
    reason: str = ""


def csv_logins(text: str, place: str) -> tuple[list[Found], list[Key]]:
    """The logins of the vendor's CSV, and the senders that are known by their address.

    Its columns are username, domain and password, or what its first line names, in any order. A row without a username
    is a domain user. Raises FoundError.
    """
    text = text.removeprefix("\ufeff")  # Excel puts a byte-order mark in front
    delimiter, columns = _form(text)
    rows = csv.DictReader(io.StringIO(text), fieldnames=columns, delimiter=delimiter)
    names = {str(name).strip().lower(): name for name in rows.fieldnames or ()}
    missing = [column for column in _COLUMNS[:2] if column not in names]
    if missing:
        raise FoundError(
            f"the CSV has no column {', '.join(missing)}; its first line must name username and domain, and password "
            "where it has passwords"
        )
    found, networks = [], []
    for row in rows:
        username, domain, password = ((row.get(names.get(column, "")) or "").strip() for column in _COLUMNS)
        if not domain:
            continue
        local = username.rpartition("@")[0] or username
        if is_network(local):
            try:
                networks.append(Key(normalise_domain(domain), normalise_username(IP, local, domain)))
            except InputError as problem:
                raise FoundError(f"the CSV, line {rows.line_num}: {problem}") from None
        else:
            found.append(Found(f"{local}@{domain}" if local else domain, password, place))
    return list(dict.fromkeys(found)), list(dict.fromkeys(networks))


def _form(text: str) -> tuple[str, Optional[Sequence[str]]]:
    """The character between the columns, and their names where the first line does not give them."""
    first: dict[str, list[str]] = {}
    for delimiter in _DELIMITERS:
        row = next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
        first[delimiter] = [name.strip().lower() for name in row]
    for delimiter, names in first.items():
        if set(_COLUMNS[:2]) <= set(names):
            return delimiter, None
    for delimiter, names in first.items():
        # What the vendor's own page takes has three columns without names.
        if len(names) == len(_COLUMNS) and not set(names) & set(_COLUMNS):
            return delimiter, _COLUMNS
    return _DELIMITERS[0], None


def gathered(found: Iterable[Found]) -> tuple[dict[Key, Login], list[str]]:
    """The logins by who has them, however they are written, and one sentence for each that nobody can have."""
    logins: dict[Key, Login] = {}
    strange = []
    for one in found:
        key = Key.of_login(one.login)
        if key is None:
            strange.append(f"{one.place}: {one.login!r} is not the login of an outgoing user")
            continue
        login = logins.setdefault(key, Login(key))
        if one.password and one.place not in login.places.setdefault(one.password, []):
            login.places[one.password].append(one.place)
        if one.detail and (one.use, one.detail) not in login.uses:
            login.uses.append((one.use, one.detail))
    return logins, list(dict.fromkeys(strange))


class Site(NamedTuple):
    """What is known of whose login it can be.

    domains: those of the accounts; None where nobody has asked. listed: whether the account has shown all users of a
    domain. users: those that it has shown.
    """

    domains: Optional[Container[str]]
    listed: Callable[[str], bool] = lambda _domain: False
    users: frozenset[Key] = frozenset()


def before_trial(login: Login, stored: Mapping[Key, Credential], site: Site) -> Optional[Verdict]:
    """What can be said of a login before anybody tries it; None where it has to be tried.

    stored: the credentials of the store, by whose logins they are.
    """
    where = login.where or "somebody"
    entry = stored.get(login.key)
    others = set(login.places) - ({entry.current, entry.next} if entry else set())
    verdict: Optional[Verdict] = None
    if site.domains is not None and login.key.domain not in site.domains:
        verdict = Verdict(FOREIGN, f"{where} has it, and the account has no domain {login.key.domain}")
    elif entry and not others:
        verdict = Verdict(UNCHANGED)
    elif len(login.places) > 1:
        what = "the store has another one than some of them" if entry else "they are not the same"
        verdict = Verdict(CONFLICT, f"its passwords in {where}: {what}, and none of them was tried")
    elif site.listed(login.key.domain) and login.key not in site.users:
        verdict = Verdict(NOBODY, f"{where} has it, and the account has no such user")
    elif not login.password:
        verdict = Verdict(UNPROVEN, "no place shows its password")
    elif entry is None:
        try:
            check_password(login.password, login.name)
        except InputError as problem:
            verdict = Verdict(REFUSED, f"{where}: {problem}")
    return verdict


def after_trial(login: Login, proof: Mapping[str, Any], entry: Optional[Credential]) -> Verdict:
    """What the smarthost's answer means. proof: an entry of the result of smtp_login_info. entry: of the store."""
    if proof["accepted"] is None:
        return Verdict(UNPROVEN, str(proof["reason"]))
    if not proof["accepted"]:
        reason = "another place, or the store, has another password" if entry else str(proof["reason"])
        return Verdict(REFUSED, f"{login.where}: {reason}")
    if entry is not None:
        return Verdict(CONFLICT, f"{login.where}: it works, but the store has another password")
    return Verdict(CREATED)


def by_key(entries: Mapping[str, Credential]) -> dict[Key, Credential]:
    """The credentials by whose logins they are; one whose rotation is under way has two.

    One that has another login than its name keeps its name for itself.
    """
    logins = [(login, entry) for entry in entries.values() for login in (entry.name, entry.login, entry.next_login)]
    by_rank = sorted(logins, key=lambda pair: pair[0] not in (pair[1].login, pair[1].next_login), reverse=True)
    return {key: entry for login, entry in by_rank if login and (key := Key.of_login(login))}


def _names(places: Sequence[str]) -> str:
    shown = list(dict.fromkeys(places))
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
