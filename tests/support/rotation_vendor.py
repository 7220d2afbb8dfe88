# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vendor in memory and mail servers of one line each: the controller's half of a rotation without a playbook."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import yaml
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import MOST_REFUSALS
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils import _rotation

from tests.support.killed import Run, World

Pair = tuple[str, str]
WORKS = dict.fromkeys(
    ("create_users", "remove_users", "read_users", "change_passwords", "change_limits", "lock_users"), True
)
#: What may become of a call of outgoing_users.
HEARD, LOST, HALF, REFUSED, LIE = "heard", "lost", "half", "refused", "lie"


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
        #: Whether a former password goes on to work beside the new one; for good, or until then.
        self.keeps_old = False
        self.keeps_old_until = 0.0
        #: Logins of which every "done" is a lie, and why nobody sees the list.
        self.lies_about: set[str] = set()
        self.list_trouble = ""
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
        if self._keeps_old() and password == user.before:
            return True
        return password == (user.before if user.before and self.clock < user.since else user.password)

    def _keeps_old(self) -> bool:
        return self.keeps_old or self.clock < self.keeps_old_until

    def in_force(self) -> list[Pair]:
        """Every pair that the smarthost takes, now or in a moment."""
        return [
            (login, password)
            for login, user in self.users.items()
            for password in (user.password, user.before)
            if password and (password == user.password or self._keeps_old() or self.clock < user.since)
        ]

    def call(self, module: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a module."""
        return copy.deepcopy(getattr(self, f"_{module}")(arguments))

    def _api_info(self, _arguments: Mapping[str, Any]) -> dict[str, Any]:
        if self.trouble:
            return {"failed": True, "msg": self.trouble}
        return {"changed": False, "works": self.works}

    def _outgoing_user_info(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if self.list_trouble:
            return {"failed": True, "msg": self.list_trouble}
        shown = [
            {**_named(login), "locked": user.locked, "limits": user.limits}
            for login, user in sorted(self.users.items())
            if login.partition("@")[2] in arguments["domains"]
        ]
        return {"changed": False, "users": shown}

    def _smtp_login_info(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        enough = self.refusals + MOST_REFUSALS - int(arguments.get("refused_logins", 0))
        found = [self._tried(entry, enough) for entry in arguments["logins"]]
        if arguments.get("fail_on_refusal", True) and not all(proof["accepted"] for proof in found):
            return {"failed": True, "msg": "a login was refused"}
        return {"changed": False, "logins": found}

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
            done = done and login not in self.lies_about
            said = self._managed(login, user, really=done) if behaviour != REFUSED else {}
            if behaviour in (LOST, REFUSED) or (behaviour == HALF and not done):
                reason = "the password is too short" if behaviour == REFUSED else "the connection broke; run again"
                said = {"action": "failed", "reason": reason}
            shown.append({**_named(login), **said})
        used = self._prove_written(arguments, wanted, shown)
        failed = any(user["action"] == "failed" for user in shown)
        return {
            "changed": True,
            "users": [user for user in shown if arguments.get("return_unchanged") or user["action"] != "unchanged"],
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
        assert password not in login, "outgoing_users refuses a password that is a part of the login"
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


class Site(World):
    """A store, a vendor, and mail servers: host -> the name of its credential."""

    def __init__(self, folder: Path, hosts: Mapping[str, str], names: Sequence[str] = ()) -> None:
        super().__init__(folder / "store")
        self.hosts = dict(hosts)
        names = sorted({*hosts.values(), *names})
        old = {name: f"old password of {name}" for name in names}
        entries = {name: {"login": name, "current": password} for name, password in old.items()}
        self.path.write_text(yaml.safe_dump({"format": 1, "credentials": entries}), encoding="utf-8")
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
        self.in_check_mode = False

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
        other = super().copy(number)
        assert isinstance(other, Site)
        other.pairs, other.vendor = dict(self.pairs), copy.deepcopy(self.vendor)
        return other

    def check(self, what: str) -> None:
        """At every moment the store has every password that is in force."""
        missing = set(self.vendor.in_force()) - self.known()
        assert not missing, f"after {what} the store has forgotten {missing}"

    def rotate(
        self, rotation: Mapping[str, Any], kill_at: Optional[int] = None, *, check: bool = False
    ) -> dict[str, Any]:
        """Run a rotation; its report, with what was handed over to another store before as `in_use_again`.

        Raises KilledError at this transition, and RuntimeError where it stops.
        """
        self.in_check_mode = check
        result: dict[str, Any] = self.run(_Run, rotation, kill_at=kill_at)
        if "stopped" in result:
            raise RuntimeError(result["stopped"])
        return result

    # What the child asks of the world

    def _do_call(self, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        changes_nothing = self.in_check_mode and module == "outgoing_users"
        return (copy.deepcopy(self.vendor) if changes_nothing else self.vendor).call(module, arguments)

    def _do_sleep(self, seconds: float) -> None:
        self.vendor.clock += seconds

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
        answer = self.vendor.call("smtp_login_info", {"logins": logins, "fail_on_refusal": False})
        self.vendor.reachable = before
        found: list[dict[str, Any]] = answer["logins"]
        return found


class _Run(Run):
    """The child."""

    _world: Site

    def _call(self, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.transition()
        result: dict[str, Any] = self.ask("call", module, arguments)
        self.transition()
        return result

    def whole(self, rotation: Mapping[str, Any]) -> dict[str, Any]:
        """All phases, with what mail servers do in between."""
        data: dict[str, Any] = {}
        hosts: dict[str, Any] = {}
        clients = self._world.clients
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
                "others": self._world.others if phase == "prepare" else {},
                "proofs": self._proved(data) if phase == "finish" else [],
                "not_handed_over": self._world.not_handed_over if phase == "finish" else [],
                "clients": clients if phase in ("plan", "finish") else {},
            }
            work = _rotation.Rotation({**_NOTHING, **given}, self.store(), self._call, **self._options())
            try:
                getattr(work, phase)()
            except ValueError as problem:
                work.release()
                return {"stopped": str(problem), "calls": work.calls}
            again = data.get("in_use_again", [])
            data = dict(work.data)
            if phase == "plan":
                hosts = {host: self._looked_at(host) for host in data["plan"]["hosts"]}
            if phase == "decide":
                hosts = self._reverted(data, hosts)
            self.transition()
        work.release()
        return {**data, "in_use_again": again}

    def _looked_at(self, host: str) -> dict[str, Any]:
        reason = self._world.troubles.get(host)
        return {"state": "broken", "reason": reason} if reason else {"state": "ready"}

    def _options(self) -> dict[str, Any]:
        return {"check_mode": self._world.in_check_mode, "sleep": lambda seconds: self.ask("sleep", seconds)}

    def _proved(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        if not data["prover"]:
            return []
        stored = self._world.stored()
        logins = [{"login": entry["login"], "password": stored[entry["name"]]["next"]} for entry in data["to_prove"]]
        found: list[dict[str, Any]] = self.ask("prove", data["prover"], logins)
        return found

    def _in_use(self, host: str) -> Pair:
        entry = self._store_entry(self._world.hosts[host])
        switched = entry.get("in_use") == "next"
        return (entry["next_login"], entry["next"]) if switched else (entry["login"], entry["current"])

    def _store_entry(self, name: str) -> dict[str, str]:
        return self._world.stored()[name]

    def _uses(self) -> dict[str, Any]:
        return {"uses": {**{host: [self._in_use(host)[0]] for host in self._world.hosts}, **self._world.uses}}

    def _activated(self, data: Mapping[str, Any], hosts: dict[str, Any]) -> dict[str, Any]:
        if not data["accepted"]:
            return hosts
        return {host: self.ask("activate", host, self._in_use(host)) for host in hosts}

    def _reverted(self, data: Mapping[str, Any], hosts: dict[str, Any]) -> dict[str, Any]:
        back = {host for entry in data["decided"] if entry["name"] in data["returned"] for host in entry["hosts"]}
        states = {host: self.ask("activate", host, self._in_use(host)) for host in back}
        return {
            host: {**state, "state": "rolled_back"} if states.get(host, {}).get("state") == "active" else state
            for host, state in hosts.items()
        }


_NOTHING: dict[str, Any] = {
    "accounts": [],
    "account": {},
    "smarthost": None,
    "smarthost_port": None,
    "smarthost_tls": None,
    "smarthost_ca_path": None,
    "senders": [],
    "described_passwords": {},
    "others": {},
    "proofs": [],
    "not_handed_over": [],
    "path": "store",
}
