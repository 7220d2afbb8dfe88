# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vendor in memory and mail servers that are one line each: the controller's half of a rotation without a playbook.

A run works in a forked child, which ends at a chosen transition by os._exit, so that nothing unwinds. Vendor and mail
servers live in the parent, as they do when a controller dies. The store is a real file, without its encryption.
"""

from __future__ import annotations

import copy
import itertools
import os
import pickle
import posix
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import yaml
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import MOST_REFUSALS
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils import _rotation, _store

KILLED = 42
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Pair = tuple[str, str]
WORKS = dict.fromkeys(
    ("create_users", "remove_users", "read_users", "change_passwords", "change_limits", "lock_users"), True
)
#: What may become of a call of outgoing_users.
HEARD, LOST, HALF, REFUSED, LIE = "heard", "lost", "half", "refused", "lie"


class PlainVault:
    """In the place of ansible-vault, whose key derivation would take most of the time."""

    secrets: tuple[Any, ...] = ()

    def __init__(self, _loader: Any) -> None:
        """Nothing to open."""

    def decrypt(self, content: bytes) -> tuple[bytes, Any]:
        """Give the content as it is."""
        return content, None

    def encrypt(self, plain: bytes, _key: Any) -> bytes:
        """Give the content as it is."""
        return plain


@dataclass
class User:
    """An outgoing user of the vendor."""

    password: str
    locked: bool = False
    limits: dict[str, Any] = field(default_factory=dict)
    #: The password that is in force at the smarthost until the clock says `since`.
    before: str = ""
    since: float = 0.0


class Vendor:
    """The API and the smarthost, as the four modules show them."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self.users = {login: User(password, limits={"per_hour": 7}) for login, password in users.items()}
        self.works = dict(WORKS)
        #: Why nobody gets in.
        self.trouble = ""
        self.behaviour: Callable[[int], str] = lambda _number: HEARD
        self.reachable = True
        #: Logins that get in, and may send nobody's mail.
        self.silenced: set[str] = set()
        #: Whether a former password goes on to work beside the new one.
        self.keeps_old = False
        self.lag = 0.0
        self.clock = 0.0
        self.sets: list[Pair] = []
        self.made: list[str] = []
        self.refusals = 0
        #: The logins that smtp_login_info has tried.
        self.tried: list[str] = []
        self._calls = 0

    def accepts(self, login: str, password: str) -> bool:
        """Whether the smarthost takes this login now."""
        user = self.users.get(login)
        if user is None:
            return False
        if self.keeps_old and password == user.before:
            return True
        return password == (user.before if user.before and self.clock < user.since else user.password)

    def in_force(self) -> list[Pair]:
        """Every pair that the smarthost takes, now or in a moment."""
        return [
            (login, password)
            for login, user in self.users.items()
            for password in (user.password, user.before)
            if password and (password == user.password or self.keeps_old or self.clock < user.since)
        ]

    def call(self, module: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a module."""
        return copy.deepcopy(getattr(self, f"_{module}")(arguments))

    def _api_info(self, _arguments: Mapping[str, Any]) -> dict[str, Any]:
        if self.trouble:
            return {"failed": True, "msg": self.trouble}
        return {"changed": False, "works": self.works}

    def _outgoing_user_info(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        shown = [
            {**_named(login), "locked": user.locked, "limits": user.limits}
            for login, user in sorted(self.users.items())
            if login.partition("@")[2] in arguments["domains"]
        ]
        return {"changed": False, "users": shown}

    def _smtp_login_info(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        enough = self.refusals + MOST_REFUSALS - int(arguments.get("refused_logins", 0))
        return {"changed": False, "logins": [self._tried(entry, enough) for entry in arguments["logins"]]}

    def _tried(self, entry: Mapping[str, Any], enough: int) -> dict[str, Any]:
        self.tried.append(entry["login"])
        if self.refusals >= enough:
            return {"login": entry["login"], "accepted": None, "reason": "not tried"}
        if not self.reachable:
            return {"login": entry["login"], "accepted": None, "reason": "it could not be reached on port 587"}
        accepted = self.accepts(entry["login"], entry["password"])
        self.refusals += not accepted
        shown = {"login": entry["login"], "accepted": accepted, "reason": "" if accepted else "535 No"}
        if accepted and entry["login"] in self.silenced:
            return {**shown, "may_send": False, "reason": "it may not send"}
        return {**shown, **({"may_send": accepted or None} if entry.get("senders") else {})}

    def _outgoing_users(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        behaviour = self.behaviour(self._calls)
        self._calls += 1
        wanted = arguments["users"]
        shown = []
        for place, user in enumerate(wanted):
            login = f"{user['username']}@{user['domain']}"
            done = behaviour in (HEARD, LOST) or (behaviour == HALF and place < len(wanted) / 2)
            said = self._managed(login, user, really=done) if behaviour != REFUSED else {}
            if behaviour in (LOST, REFUSED) or (behaviour == HALF and not done):
                reason = "the password is too short" if behaviour == REFUSED else "the connection broke; run again"
                said = {"action": "failed", "reason": reason}
            shown.append({**_named(login), **said})
        used = self._prove_written(arguments, wanted, shown)
        failed = any(user["action"] == "failed" for user in shown)
        return {
            "changed": True,
            "users": shown,
            "refused_logins": used,
            **({"failed": True, "msg": "some failed"} if failed else {}),
        }

    def _prove_written(
        self, arguments: Mapping[str, Any], wanted: list[dict[str, Any]], shown: list[dict[str, Any]]
    ) -> int:
        """Log in with what was set, the first time with patience, as outgoing_users does; how many were refused."""
        used, patience = int(arguments.get("refused_logins", 0)), float(arguments.get("wait_timeout", 10))
        for user, said in zip(wanted, shown):
            if said.get("password") != "set":
                continue
            accepted = self.accepts(said["login"], user["password"]) if self.reachable else None
            for part in (0.2, 0.8) if patience else ():
                if accepted is not False or used >= MOST_REFUSALS - 1:
                    break
                used, self.refusals, self.clock = used + 1, self.refusals + 1, self.clock + part * patience
                accepted = self.accepts(said["login"], user["password"])
            patience = 0
            if accepted is None or (accepted is False and used >= MOST_REFUSALS):
                said.update(password="unknown", action="unknown" if said["action"] == "updated" else said["action"])
            elif not accepted:
                used, self.refusals = used + 1, self.refusals + 1
                del said["password"]
                said.update(action="failed", reason="it is said to be set, 535 No")
        return used

    def _managed(self, login: str, wanted: Mapping[str, Any], *, really: bool) -> dict[str, Any]:
        user = self.users.get(login)
        if wanted.get("state") == "absent":
            if user and really:
                del self.users[login]
            return {"action": "removed" if user else "unchanged"}
        if "locked" in wanted:
            if user and really:
                user.locked = wanted["locked"]
            return {"action": "updated" if user else "failed"}
        password = str(wanted["password"])
        if user is None:
            if really:
                self.users[login] = User(password, limits=dict(wanted.get("limits") or {}))
                self.made.append(login)
                self.sets.append((login, password))
            return {"action": "created", "password": "set"}
        if wanted["update_password"] == "on_mismatch" and self.accepts(login, password):
            return {"action": "unchanged", "password": "kept"}
        if really:
            user.before, user.since = user.password, self.clock + self.lag
            user.password = password
            self.sets.append((login, password))
        return {"action": "updated", "password": "set"}


def _named(login: str) -> dict[str, str]:
    username, _at, domain = login.partition("@")
    return {"domain": domain, "username": username, "login": login}


class KilledError(Exception):
    """The run was killed at the transition that was chosen."""


class Site:
    """A store, a vendor, and mail servers: host -> the name of its credential."""

    #: Whether coverage sees what its runs do, which takes them more than twice the time.
    is_measured = True

    def __init__(self, folder: Path, hosts: Mapping[str, str], names: Sequence[str] = ()) -> None:
        self.path = folder / "store"
        self.hosts = dict(hosts)
        names = sorted({*hosts.values(), *names})
        old = {name: f"old password of {name}" for name in names}
        entries = {name: {"login": name, "current": password} for name, password in old.items()}
        self.path.write_text(yaml.safe_dump({"format": 1, "credentials": entries}), encoding="utf-8")
        self._read: tuple[bytes, dict[str, dict[str, str]]] = (b"", {})
        self.old = old
        self.vendor = Vendor(old)
        #: What each mail server sends with.
        self.pairs: dict[str, Pair] = {host: (name, old[name]) for host, name in hosts.items()}
        #: Mail servers that cannot use a new password, that cannot be reached, and that the smarthost turns away.
        self.broken: set[str] = set()
        self.away: set[str] = set()
        self.turned_away: set[str] = set()
        #: What speaks against it on a mail server of the plan, before anything is changed.
        self.troubles: dict[str, str] = {}
        #: Mail servers without a part in it, each with what postfix_relay_info has seen there.
        self.others: dict[str, dict[str, Any]] = {}
        #: The logins in the variables of mail servers, where they are not those of `hosts`.
        self.uses: dict[str, Any] = {}
        #: The credentials whose passwords another store may not know.
        self.not_handed_over: list[str] = []
        #: Whether a mail server reaches the smarthost where the controller does not, and who was asked.
        self.prover_reaches = False
        self.proved: list[str] = []
        #: The state of each host of Thunderbird, and its logins.
        self.clients: dict[str, dict[str, Any]] = {}

    @property
    def end(self) -> Callable[[int], None]:
        """What ends a process so that nothing unwinds. The one of `os` lets coverage save what it has measured."""
        return os._exit if self.is_measured else posix._exit

    def stored(self) -> dict[str, dict[str, str]]:
        """What the store on the disk holds."""
        content = self.path.read_bytes()
        if content != self._read[0]:
            self._read = content, dict(yaml.load(content, Loader=_LOADER)["credentials"])  # noqa: S506 - a safe one
        return self._read[1]

    def known(self) -> set[Pair]:
        """Every login with each password that the store has for it."""
        found = set()
        for entry in self.stored().values():
            logins = {entry[part] for part in ("login", "next_login", "former_login") if part in entry}
            found |= {
                (login, entry[part]) for login in logins for part in ("current", "next", "former") if part in entry
            }
        return found

    def copy(self, number: int) -> Site:
        """The same in a folder of its own."""
        folder = self.path.with_name(f"copy{number}")
        folder.mkdir(exist_ok=True)
        other = copy.copy(self)
        other.path, other.pairs, other.vendor = folder / "store", dict(self.pairs), copy.deepcopy(self.vendor)
        other.path.write_bytes(self.path.read_bytes())
        return other

    def _check_known(self, what: str) -> None:
        """At every moment the store has every password that is in force."""
        missing = set(self.vendor.in_force()) - self.known()
        assert not missing, f"after {what} the store has forgotten {missing}"

    def rotate(
        self, rotation: Mapping[str, Any], kill_at: Optional[int] = None, *, check: bool = False
    ) -> dict[str, Any]:
        """Run a rotation; its report, with what was handed over to another store before as `in_use_again`.

        Raises KilledError at this transition, and RuntimeError where it stops.
        """
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            code = 1
            if not self.is_measured:
                sys.settrace(None)
            try:
                _Run(self, theirs, kill_at, check=check).whole(rotation)
                code = 0
            finally:
                self.end(code)
        theirs.close()
        result: dict[str, Any] = {}
        with ours, ours.makefile("rb") as incoming, ours.makefile("wb") as outgoing:
            while True:
                try:
                    what, arguments = pickle.load(incoming)  # noqa: S301 - from our own child
                except EOFError:
                    break
                if what == "result":
                    result = arguments[0]
                    continue
                pickle.dump(getattr(self, f"_do_{what}")(*arguments), outgoing)
                outgoing.flush()
                self._check_known(what)
        _pid, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == KILLED:
            raise KilledError
        assert code == 0, "the child has failed, see what it printed"
        if "stopped" in result:
            raise RuntimeError(result["stopped"])
        return result

    # What the child asks of the world

    def _do_call(self, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return self.vendor.call(module, arguments)

    def _do_sleep(self, seconds: float) -> None:
        self.vendor.clock += seconds

    def _do_written(self) -> None:
        """The store has changed; `watch` looks at it."""

    def _do_activate(self, host: str, pair: Pair) -> dict[str, Any]:
        if host in self.away:
            return {"state": "not_reached"}
        if host in self.broken and pair[1] not in self.old.values():
            return {"state": "failed", "reason": "a read-only disk"}
        self.pairs[host] = pair
        accepted = host not in self.turned_away and self.vendor.accepts(*pair)
        return {"state": "active", "proven": [pair[0]]} if accepted else {"state": "failed", "reason": "535 No"}

    def _do_prove(self, host: str, logins: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.proved.append(host)
        before, self.vendor.reachable = self.vendor.reachable, self.prover_reaches
        answer = self.vendor.call("smtp_login_info", {"logins": logins})
        self.vendor.reachable = before
        found: list[dict[str, Any]] = answer["logins"]
        return found


class _Run:
    """The child: it counts its transitions, and ends at one of them."""

    def __init__(self, site: Site, connection: socket.socket, kill_at: Optional[int], *, check: bool) -> None:
        self._site = site
        self._check = check
        self._incoming = connection.makefile("rb")
        self._outgoing = connection.makefile("wb")
        self._kill_at = kill_at
        self._transitions = itertools.count()
        self._made = itertools.count()
        # In this child only. The power stays on.
        for module, name, instead in ((os, "fsync", lambda _handle: None), (_store, "Vault", PlainVault)):
            setattr(module, name, instead)

    def _transition(self) -> None:
        if next(self._transitions) == self._kill_at:
            self._site.end(KILLED)

    def _ask(self, what: str, *arguments: Any) -> Any:
        self._send(what, *arguments)
        return pickle.load(self._incoming)  # noqa: S301 - from our own parent

    def _send(self, what: str, *arguments: Any) -> None:
        pickle.dump((what, arguments), self._outgoing)
        self._outgoing.flush()

    def _call(self, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self._transition()
        result: dict[str, Any] = self._ask("call", module, arguments)
        self._transition()
        return result

    def _store(self) -> _store.Store:
        run = self

        class Watched(_store.Store):
            """The store; each write is a transition."""

            def write(self, credentials: Any, *, check: bool = False) -> None:
                run._transition()
                super().write(credentials, check=check)
                run._ask("written")
                run._transition()

        return Watched(str(self._site.path), None)

    def whole(self, rotation: Mapping[str, Any]) -> None:
        """All phases, with what mail servers do in between."""
        data: dict[str, Any] = {}
        hosts: dict[str, Any] = {}
        clients = self._site.clients
        for phase in _rotation.PHASES:
            if phase == "decide":
                hosts = self._activated(data, hosts)
            given: dict[str, Any] = {
                "phase": phase,
                "run": data,
                "rotation": rotation,
                "hosts": hosts,
                "make_password": lambda: f"new password {os.urandom(8).hex()}",
                **self._uses(),
                "others": self._site.others if phase == "prepare" else {},
                "proofs": self._proved(data) if phase == "finish" else [],
                "not_handed_over": self._site.not_handed_over if phase == "finish" else [],
                "clients": clients if phase in ("plan", "finish") else {},
            }
            work = _rotation.Rotation({**_NOTHING, **given}, self._store(), self._call, **self._options())
            try:
                getattr(work, phase)()
            except ValueError as problem:
                work.release()
                self._send("result", {"stopped": str(problem), "calls": work.calls})
                return
            again = data.get("in_use_again", [])
            data = dict(work.data)
            if phase == "plan":
                hosts = {host: self._looked_at(host) for host in data["plan"]["hosts"]}
            if phase == "decide":
                hosts = self._reverted(data, hosts)
            self._transition()
        work.release()
        self._send("result", {**data, "in_use_again": again})

    def _looked_at(self, host: str) -> dict[str, Any]:
        reason = self._site.troubles.get(host)
        return {"state": "broken", "reason": reason} if reason else {"state": "ready"}

    def _options(self) -> dict[str, Any]:
        return {"check_mode": self._check, "sleep": lambda seconds: self._ask("sleep", seconds)}

    def _proved(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        if not data["prover"]:
            return []
        stored = self._site.stored()
        logins = [{"login": entry["login"], "password": stored[entry["name"]]["next"]} for entry in data["to_prove"]]
        found: list[dict[str, Any]] = self._ask("prove", data["prover"], logins)
        return found

    def _in_use(self, host: str) -> Pair:
        entry = self._store_entry(self._site.hosts[host])
        switched = entry.get("in_use") == "next"
        return (entry["next_login"], entry["next"]) if switched else (entry["login"], entry["current"])

    def _store_entry(self, name: str) -> dict[str, str]:
        return self._site.stored()[name]

    def _uses(self) -> dict[str, Any]:
        return {"uses": {**{host: [self._in_use(host)[0]] for host in self._site.hosts}, **self._site.uses}}

    def _activated(self, data: Mapping[str, Any], hosts: dict[str, Any]) -> dict[str, Any]:
        if not data["accepted"]:
            return hosts
        return {host: self._ask("activate", host, self._in_use(host)) for host in hosts}

    def _reverted(self, data: Mapping[str, Any], hosts: dict[str, Any]) -> dict[str, Any]:
        back = {host for entry in data["decided"] if entry["name"] in data["returned"] for host in entry["hosts"]}
        states = {host: self._ask("activate", host, self._in_use(host)) for host in back}
        return {
            host: {**state, "state": "rolled_back"} if states.get(host, {}).get("state") == "active" else state
            for host, state in hosts.items()
        }


_NOTHING: dict[str, Any] = {
    "accounts": [],
    "account": {},
    "smarthost": None,
    "smarthost_port": None,
    "smarthost_ca_path": None,
    "senders": [],
    "others": {},
    "proofs": [],
    "not_handed_over": [],
    "path": "store",
}
