# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of `apply` without a playbook: the real modules, at the emulator's panel in memory.

Each write that the panel is asked for is a transition, as are the modules and the writes of the store. Mail servers and
people's Thunderbird are one line each; what the playbook does with them stands in `_ApplyRun`.
"""

from __future__ import annotations

import copy
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

import requests
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api import client, parallel
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains import apply as _domains
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost import login as _login
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import MOST_REFUSALS, Verdict
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import apply as _users
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils import _apply, _apply_vendor
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._store import Store

from tests.emulator.api import reply_to
from tests.emulator.faults import Faults
from tests.emulator.help_page import help_page
from tests.emulator.methods import offered
from tests.emulator.panel import Panel
from tests.emulator.smtp import user_of_login
from tests.emulator.state import Domain, State, User
from tests.support.killed import Run, World
from tests.support.module import run_module

Pair = tuple[str, str]
ADMINISTRATOR = "admin"
#: The options of the action where nothing is given.
NOTHING: dict[str, Any] = {
    **{"domains_path": "/nowhere", "domains": [], "defaults": {}, "only": {}, "accounts": {}, "prove": "new"},
    **{"mail_servers": [], "groups": {}, "own_logins": {}},
    **{"smarthost": "smarthost.test", "smarthost_port": None, "smarthost_tls": None},
    "smarthost_ca_path": None,
    **{"remove": False, "remove_limit": 5, "leaving": None, "details": False, "result_file": None},
    **{"store_is_kept": True, "hands_over": False, "run": {}, "hosts": {}, "clients": {}},
    "make_password": lambda: f"new password {os.urandom(8).hex()}",
}


@dataclass
class Account:
    """One account of the vendor. methods: as the emulator has them."""

    methods: str = "full"
    away: bool = False
    panel: Panel = field(default_factory=lambda: Panel(State(ADMINISTRATOR)))


class ApplyWorld(World):
    """What is declared, the store, the accounts, mail servers (host -> logins that it has) and people's Thunderbird."""

    def __init__(
        self,
        folder: Path,
        *domains: dict[str, Any],
        accounts: Mapping[str, Account] | None = None,
        hosts: Iterable[str] = (),
        clients: Iterable[str] = (),
        **options: Any,
    ) -> None:
        """domains: descriptions. options: those of the action."""
        _load_modules()
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder / "store")
        self.domains = list(domains)
        self.accounts = dict(accounts or {"default": Account()})
        self.options = options
        self.faults = Faults()
        self.hosts: dict[str, list[Pair]] = {host: [] for host in hosts}
        self.own_logins: dict[str, list[Pair]] = {}
        self.groups: dict[str, list[str]] = {}
        self.clients: dict[str, dict[str, str]] = {host: {} for host in clients}
        #: Mail servers and computers that cannot be reached, and mail servers that cannot be changed.
        self.away: set[str] = set()
        self.broken: set[str] = set()
        #: Whether the smarthost can be asked for a login.
        self.answers = True
        self.day = "2030-01-01"
        #: Hashes of passwords that were in force before anybody declared anything.
        self.foreign: set[str] = set()
        self.writes = 0
        self.refusals = 0
        self._present: set[str] = set()

    def add(self, login: str, password: str, account: str = "default", **values: Any) -> None:
        """Have a user at the vendor whom nobody has declared yet."""
        username, _at, domain = login.rpartition("@")
        state = self.accounts[account].panel.state
        if domain not in state.domains:
            state.add_domain(Domain(domain, ADMINISTRATOR))
        user = User(domain, username, "user" if username else "domain", state.hashed(password))
        state.put_user(user)
        user.values.update(values)
        self.foreign.add(user.password_hash)

    def users(self) -> dict[str, User]:
        """Everybody at the vendor, by login."""
        return {
            f"{user.username}@{user.domain}".lstrip("@"): user
            for account in self.accounts.values()
            for user in account.panel.state.all_users()
        }

    def accepts(self, login: str, password: str) -> bool:
        """Whether the smarthost takes this login now."""
        states = (account.panel.state for account in self.accounts.values())
        return any(user_of_login(state, login, password) for state in states)

    def passwords(self) -> dict[str, str]:
        """The password in the store, by its name."""
        return {name: entry["current"] for name, entry in self.stored().items()}

    def declared(self, *states: str) -> dict[str, dict[str, Any]]:
        """Login -> its entry, of those in one of these states, or all."""
        found = {}
        for one in self.domains:
            for sender in one["senders"]:
                login = f"{sender.get('username', '')}@{one['domain']}".lstrip("@")
                if not states or sender.get("state", "present") in states:
                    found[login] = sender
        return found

    def copy(self, number: int) -> ApplyWorld:
        """The same in a folder of its own."""
        other = super().copy(number)
        assert isinstance(other, ApplyWorld)
        for name in ("accounts", "faults", "hosts", "clients", "domains", "_present"):
            setattr(other, name, copy.deepcopy(getattr(self, name)))
        other.is_measured = False  # it is killed somewhere; what lines there are, whole runs have shown
        return other

    def apply(self, kill_at: Optional[int] = None, **options: Any) -> dict[str, Any]:
        """Run it; its report and `changed`. Raises KilledError at this transition, and RuntimeError where it stops."""
        self.writes = self.refusals = 0
        self._present = set()
        for account in self.accounts.values():
            account.panel.state.ahead += 1000  # long after the run before
        result: dict[str, Any] = self.run(_ApplyRun, {**self.options, **options}, kill_at=kill_at)
        if "stopped" in result:
            raise RuntimeError(result["stopped"])
        return result

    def state(self) -> str:
        """What the next run finds, without the digits of made passwords."""
        names = {entry["current"]: f"password of {name}" for name, entry in self.stored().items()}
        hashes = {
            account.panel.state.hashed(password): shown
            for account in self.accounts.values()
            for password, shown in names.items()
        }
        users = {
            login: (hashes.get(user.password_hash, user.password_hash in self.foreign), user.values)
            for login, user in sorted(self.users().items())
        }
        domains = [sorted(account.panel.state.domains.items()) for account in self.accounts.values()]
        text = repr((users, domains, self.content(), self.hosts, self.clients))
        for password, shown in names.items():
            text = text.replace(password, shown)
        return re.sub("new password [0-9a-f]+", "a password that is forgotten", text)

    def check(self, what: str) -> None:
        """At every moment: every password that is in force is in the store, nobody who is declared is removed, no mail
        server has a login that works no more, and no more logins are refused than may be.
        """
        stored = [
            entry[part] for entry in self.stored().values() for part in ("current", "next", "former") if part in entry
        ]
        for account in self.accounts.values():
            state = account.panel.state
            known = {state.hashed(password) for password in stored} | self.foreign
            lost = [user.key for user in state.all_users() if user.password_hash and user.password_hash not in known]
            assert not lost, f"after {what}, nobody knows the passwords of {lost}"
        assert self.refusals <= MOST_REFUSALS, f"{self.refusals} logins were refused"
        users = self.users()
        gone = self._present - set(users)
        assert not gone, f"after {what}, {gone} are gone, who are declared"
        self._present = set(self.declared("present", "locked")) & set(users)
        for host, pairs in self.hosts.items():
            for login, password in pairs:
                assert self.accepts(login, password), f"after {what}, {host} cannot log in as {login}"

    # What the child asks of the world

    def _do_api(self, name: str, path: str) -> tuple[str, str]:
        """What became of it ("away", "lost" or "answered"), and the answer."""
        account = self.accounts[name]
        if account.away:
            return "away", ""
        calls = offered(account.methods, "plain")
        raw = path.removeprefix("/api/")
        call = "/".join(raw.split("/")[:2]).rstrip("/")
        self.writes += call in calls and calls[call].write
        _seconds, fault = self.faults.take(call)
        if fault and fault.kind == "reset_before":
            return "lost", ""
        text = help_page(calls) if call == "help" else reply_to(account.panel, calls, raw, fault)[0].as_json()
        return ("lost" if fault and fault.kind == "reset_after" else "answered"), text

    def _do_login(self, login: str, password: str) -> Optional[bool]:
        if not self.answers:
            return None
        accepted = self.accepts(login, password)
        self.refusals += not accepted
        return accepted

    def _do_sleep(self, seconds: float) -> None:
        for account in self.accounts.values():
            account.panel.state.ahead += seconds

    def _do_set_up(self, host: str, pairs: list[Pair]) -> bool:
        """Whether it sends so now: it has proven from its own address what is new to it."""
        new = [pair for pair in pairs if pair not in self.hosts[host]]
        if new and not (self.answers and all(self.accepts(*pair) for pair in new)):
            return False
        self.hosts[host] = pairs
        return True

    def _do_thunderbird(self, host: str, people: list[dict[str, Any]]) -> None:
        for person in people:
            if person.get("state") == "absent":
                self.clients[host].pop(person["login"], None)
            else:
                self.clients[host][person["login"]] = person["password"]


@cache
def _load_modules() -> None:
    """Have in this process what each child would load anew, which takes half of its time."""
    for name in ("api_info", "domains", "outgoing_users"):
        import_module(f"ansible_collections.smarthost.spamexperts.plugins.modules.{name}")
    run_module("smtp_login_info", {"logins": []})


class _Alone:
    """In the place of a pool of threads: one after the other."""

    def __init__(self, **_options: Any) -> None:
        """Nothing to begin."""

    def __enter__(self) -> _Alone:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing to end."""

    @staticmethod
    def map(work: Callable[..., Any], *items: Iterable[Any]) -> list[Any]:
        """The results."""
        return [work(*each) for each in zip(*items)]


class _ApplyRun(Run):
    """The child."""

    _world: ApplyWorld

    def whole(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """All phases, with what the playbook does in between."""
        self._replace()
        self._check_mode = bool(options.get("check"))
        data: dict[str, Any] = {}
        hosts: dict[str, Any] = {}
        clients: dict[str, Any] = {}
        changed = False
        for phase in _apply.PHASES:
            if phase == "finish":
                hosts, clients = self._set_up(data), self._enter(data)
            given = {**self._options(), **options, "run": data, "hosts": hosts, "clients": clients}
            work = _apply.Apply(given, self.store(), self._call, check_mode=self._check_mode)
            try:
                getattr(work, phase)()
            except ValueError as problem:
                work.release()
                return {"stopped": str(problem)}
            data = json.loads(json.dumps(work.data))
            changed = changed or work.changed
            self.transition()
        work.release()
        return {**data["report"], "changed": changed or any(state.get("changed") for state in hosts.values())}

    def _options(self) -> dict[str, Any]:
        world = self._world
        groups = {**world.groups, **{name: [name] for name in (*world.hosts, *world.clients)}}
        connection = {"api_username": ADMINISTRATOR, "api_password": "the password of the API", "retries": 0}
        return {
            **NOTHING,
            "domains": world.domains,
            "accounts": {
                name: {**connection, "api_url": f"https://{name}.test", "use_discovered_methods": True}
                for name in world.accounts
            },
            "mail_servers": list(world.hosts),
            "groups": {**groups, "mail_relays": list(world.hosts)},
            "own_logins": {host: ["outgoing_mail_login"] for host in world.own_logins},
        }

    def _replace(self) -> None:
        """In this child only: the world's API, smarthost and clock, and one thing after the other."""
        for module in (_users, _domains, _login, parallel):
            setattr(module, "ThreadPoolExecutor", _Alone)  # noqa: B010 - mypy knows that it is a class
        # Below the client, so that its reading of replies is tried.
        adapter: Any = client._Adapter
        adapter.send = lambda _adapter, request, **_options: self._send(request)
        attempts: Any = _login._Attempts
        attempts._connect = lambda _attempts, _stack: None
        attempts._authenticate = lambda _attempts, _client, *pair: self._authenticate(*pair)
        slept, monotonic = [0.0], time.monotonic

        def sleep(seconds: float) -> None:
            slept[0] += seconds
            self.ask("sleep", seconds, changes=False)

        clock: Any = time
        clock.sleep, clock.monotonic = sleep, lambda: monotonic() + slept[0]
        for module in (_apply, _apply_vendor):
            setattr(module, "today", lambda: self._world.day)  # noqa: B010 - it is imported there

    def _send(self, request: Any) -> requests.Response:
        url = urlsplit(request.url)
        account = str(url.hostname).partition(".")[0]
        name = "/".join(url.path.split("/")[2:4])
        calls = offered(self._world.accounts[account].methods, "plain")
        writes = name in calls and calls[name].write
        if writes:
            self.transition()
        outcome, text = self.ask("api", account, url.path, changes=writes)
        if writes:
            self.transition()
        client._PROGRESS.sent = outcome != "away"
        if outcome != "answered":
            raise requests.ConnectionError(ConnectionResetError() if outcome == "lost" else OSError(111, "refused"))
        response = requests.Response()
        response.status_code = 200
        response._content = text.encode()
        return response

    def _authenticate(self, login: str, password: str) -> tuple[Verdict, str]:
        accepted = self.ask("login", login, password, changes=False)
        if accepted is None:
            return Verdict.UNKNOWN, "it could not be reached on port 587"
        return (Verdict.ACCEPTED, "") if accepted else (Verdict.REFUSED, "535 No")

    def _call(self, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.transition()
        with_log = run_module(module, arguments, check=self._check_mode)
        self.transition()
        return with_log.result

    # What the playbook does

    def _set_up(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of each mail server: as playbooks/tasks/apply looks at it, and sets it up, the first alone."""
        world, present = self._world, {host: list(pairs) for host, pairs in self._world.hosts.items()}
        states = {
            host: {} if host in world.away else {"seen": True, "done": True, "logins": [pair[0] for pair in pairs]}
            for host, pairs in present.items()
            if host in data["looked_at"]
        }
        wanted: dict[str, list[Pair]] = {}
        for host, server in data["mail_servers"].items():
            states[host] = {}
            pairs = self._pairs(host, server)
            if host not in world.away and pairs is not None:
                wanted[host] = pairs
                states[host] = {"seen": True, "logins": [login for login, _password in present[host]]}
        new = {host: [pair for pair in pairs if pair not in present[host]] for host, pairs in wanted.items()}
        refused = self._refused([pair for pairs in new.values() for pair in pairs], data.get("refusals", 0))
        order = sorted(wanted, key=lambda host: not new[host])
        for host in order:
            alone_failed = host != order[0] and "done" not in states[order[0]]
            if alone_failed or host in world.broken or refused & set(new[host]):
                continue
            changed = present[host] != wanted[host]
            if changed and not self._check_mode:
                self.transition()
                is_set_up = self.ask("set_up", host, wanted[host])
                self.transition()
                if not is_set_up:
                    continue
            logins = [login for login, _password in wanted[host]]
            states[host] = {"seen": True, "done": True, "changed": changed, "logins": logins}
        return states

    def _pairs(self, host: str, server: Mapping[str, Any]) -> Optional[list[Pair]]:
        """Each login with its password, as the lookup finds it; None where it cannot."""
        if not server:
            return self._world.own_logins[host]
        try:
            return [self._pair(entry) for entry in (server, *server["logins"]) if entry["login"]]
        except ValueError:
            return None

    def _pair(self, entry: Mapping[str, Any]) -> Pair:
        secret = entry["secret"]
        if "credential" not in secret:
            number = int(secret["place"].removeprefix("spamexperts_domains[").removesuffix("]"))
            return entry["login"], self._world.domains[number]["senders"][secret["sender"]]["password"]
        if self._check_mode and secret["credential"] not in self._world.stored():
            return entry["login"], "made-by-the-real-run"
        (found,) = Store(str(self._world.path), None).find([secret["credential"]])
        return found.in_use

    def _refused(self, pairs: Sequence[Pair], used: int) -> set[Pair]:
        if not pairs or self._check_mode:
            return set()
        logins = [{"login": login, "password": password} for login, password in dict.fromkeys(pairs)]
        options = {"smarthost": "smarthost.test", "refused_logins": used, "fail_on_refusal": False}
        answer = self._call("smtp_login_info", {**options, "logins": logins})
        return {
            (entry["login"], entry["password"])
            for entry, proof in zip(logins, answer["logins"])
            if proof["accepted"] is False
        }

    def _enter(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of each computer with somebody's Thunderbird."""
        states = {}
        for host, people in data["clients"].items():
            if host in self._world.away:
                continue
            entries = [
                person if person.get("state") == "absent" else {**person, "password": self._pair(person)[1]}
                for person in people
            ]
            if not self._check_mode:
                self.ask("thunderbird", host, entries)
            states[host] = {"done": True, "changed": False}
        return {host: states.get(host, {}) for host in data["clients"]}
