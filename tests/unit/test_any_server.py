# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server loses, refuses, delays or only says, and wherever a run is killed: what a run says is true.

That is, true at the far end; no more than three logins are refused, and runs without faults reach what is wanted.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Optional
from unittest import mock

from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.client import ApiError, ErrorKind, Reply
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.connection import Smarthost
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import (
    MOST_REFUSALS,
    LoginProof,
    Refusals,
    Verdict,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import apply, manage, plan, proof
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import current as _current
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import methods as _methods
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import Wanted, parse_wanted
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from tests.support import wire
from tests.support.wire import ADDRESS, CALLS, OTHER, PASSWORD

DOMAIN = "a.example"
NAMES = ("alice", "bob", "carol", "dave", "", "192.0.2.1")
DEFAULTS = {"password": None, "locked": "0", "per_hour": "inherit", "enabled": "1"}
WAIT = 10
Users = dict[str, dict[str, Any]]


class KilledError(BaseException):
    """The process of the run is no more."""


@dataclass
class Faults:
    """What goes wrong in one run.

    writes: what happens to the next writes; None is nothing. add_lies: whether "lie" is told of an add as well.
    list_lag, login_lag: seconds for which lists and logins know nothing of a write. refused: passwords that the server
    does not take. killed_at: the number of the call at which the run is killed, before or after it.
    """

    writes: list[Optional[str]] = field(default_factory=list)
    add_lies: bool = False
    list_lag: float = 0
    login_lag: float = 0
    refused: str = ""
    killed_at: Optional[int] = None
    kill_after: bool = False


class Server:
    """The panel and its smarthost, in memory, with a clock of its own."""

    def __init__(self, users: Users, overwrite: bool, down: bool) -> None:
        self.users: Users = {name: {**DEFAULTS, **user} for name, user in users.items()}
        self.overwrite = overwrite
        self.down = down
        self.clock = 0.0
        self.begin(Faults())

    def begin(self, faults: Faults) -> None:
        """A run begins, long after the one before."""
        self.faults = faults
        self.clock += 1000
        self.calls = 0
        self.dead = False
        self.refusals = 0
        self.listed: list[tuple[float, Users]] = []  # until when a list shows these users
        self.passwords: dict[str, tuple[float, Optional[str]]] = {}  # until when which password works

    # The panel

    def call(self, call: str, parameters: Any = (), *, write: bool, secrets: Any = ()) -> Reply:
        self.clock += 0.1
        number, self.calls = self.calls, self.calls + 1
        dies = number == self.faults.killed_at
        self.dead = self.dead or (dies and not self.faults.kill_after)
        if self.dead:
            raise KilledError
        try:
            if write:
                return self._write(call, dict(parameters))
            return Reply([DOMAIN] if call == "domainslist/get" else self._list())
        finally:
            if dies:
                self.dead = True
                raise KilledError

    def _list(self) -> list[dict[str, Any]]:
        shown = next((users for until, users in self.listed if until > self.clock), self.users)
        return [{"username": n, **{k: v for k, v in u.items() if k != "password"}} for n, u in shown.items()]

    def _write(self, call: str, sent: dict[str, str]) -> Reply:
        operation = call.partition("/")[2]
        fault = self.faults.writes.pop(0) if self.faults.writes else None
        if fault == "before":
            raise ApiError(ErrorKind.LOST_REPLY, "lost")
        if fault == "broken":
            raise ApiError(ErrorKind.SERVER_FAULT, "broken")
        if self.faults.refused and sent.get("password") == self.faults.refused:
            raise ApiError(ErrorKind.OTHER, "the password is refused")
        if fault != "lie" or not (operation == "password" or (operation == "add" and self.faults.add_lies)):
            self.listed.append((self.clock + self.faults.list_lag, copy.deepcopy(self.users)))
            self._change(operation, sent)
        if fault == "after":
            raise ApiError(ErrorKind.LOST_REPLY, "lost")
        return Reply()

    def _change(self, operation: str, sent: dict[str, str]) -> None:
        name = sent.get("ip", sent.get("username", ""))
        if operation in ("add", "addip"):
            if name in self.users and not (self.overwrite and operation == "add"):
                raise ApiError(ErrorKind.ALREADY_EXISTS, "already exists", ("it exists already",))
            self._set_password(name, self.users.setdefault(name, dict(DEFAULTS)), sent.get("password"))
            return
        if name not in self.users:
            raise ApiError(ErrorKind.NOT_FOUND, "no such user")
        if operation == "remove":
            del self.users[name]
        elif operation in ("lock", "unlock"):
            self.users[name]["locked"] = str(int(operation == "lock"))
        elif operation == "password":
            self._set_password(name, self.users[name], sent["password"])
        else:
            self.users[name].update({key: value for key, value in sent.items() if key not in ADDRESS})

    def _set_password(self, name: str, user: dict[str, Any], password: Optional[str]) -> None:
        self.passwords.setdefault(name, (self.clock + self.faults.login_lag, user["password"]))
        user["password"] = password

    # The smarthost

    def logins(
        self, _server: Smarthost, pairs: list[tuple[str, str]], *, refusals: Refusals, keep: int = 0, **_options: Any
    ) -> list[LoginProof]:
        return [self._login(*pair, refusals, keep) for pair in pairs]

    def login(self, _server: Smarthost, login: str, password: str, *, refusals: Refusals) -> LoginProof:
        return self._login(login, password, refusals, 0)

    def _login(self, login: str, password: str, refusals: Refusals, keep: int) -> LoginProof:
        if self.dead:
            raise KilledError
        if self.down or refusals.spent(keep):
            return LoginProof(login, Verdict.UNKNOWN, "it is down" if self.down else "not asked any more")
        self.clock += 0.1
        name = login.partition("@")[0] if "@" in login else ""
        until, before = self.passwords.get(name, (0.0, None))
        user = self.users.get(name)
        works = before if until > self.clock else user and user["password"]
        right = user is not None and works == password
        self.refusals += not right
        refusals.used += not right
        return LoginProof(login, Verdict.ACCEPTED if right else Verdict.REFUSED, "" if right else "it says no")

    # The time

    def monotonic(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds


@contextmanager
def replaced(server: Server) -> Iterator[None]:
    """The smarthost and the clock are the server's."""
    clock = mock.Mock(wraps=time, monotonic=server.monotonic, sleep=server.sleep)
    with (
        mock.patch.multiple(apply, prove_login=server.login, time=clock),
        mock.patch.multiple(proof, prove_login=server.login, prove_logins=server.logins, time=clock),
        mock.patch.object(_current, "prove_logins", server.logins),
    ):
        yield


def run(
    server: Server, wanted: list[Wanted], methods: _methods.Methods, recreate: bool, used: int = 0
) -> Optional[list[plan.Change]]:
    """What the module does, without its options; None where it is killed."""
    options = {"new_domains": [], "concurrency": 1, "wait_timeout": WAIT}
    module: Any = SimpleNamespace(params=options, check_mode=False, warn=lambda _text: None)
    rules = plan.Rules(recreate_for_password=recreate, allow_domain_user_removal=True)
    client: Any = server
    refusals = Refusals(used)
    changes: Optional[list[plan.Change]] = None
    with replaced(server):
        try:
            far_end = manage.FarEnd(client, methods, Smarthost("mail"), refusals)
            changes = manage.reconcile(module, far_end, wanted, rules, continue_on_error=True).changes
        except KilledError:
            assert server.dead
    assert refusals.used == server.refusals + used <= MOST_REFUSALS
    return changes


def holds(server: Server, entry: Wanted) -> bool:
    """Whether the server has what this entry wants, the password apart."""
    user = server.users.get(entry.key.username)
    if user is None or not entry.present:
        return (user is None) is not entry.present
    wire = {"limits.per_hour": "per_hour", "limits.enabled": "enabled", "locked": "locked"}
    return all(user[wire[name]] == str(int(value)) for name, value in entry.user.state.items())


def check_what_is_said(
    server: Server, before: Users, wanted: list[Wanted], changes: Optional[list[plan.Change]]
) -> None:
    """What the result says of each user is true; who is not named stays as it was."""
    named = {entry.key.username for entry in wanted}
    assert {n: u for n, u in server.users.items() if n not in named} == {
        n: u for n, u in before.items() if n not in named
    }
    if changes is None:
        return
    said = {change.key: change for change in changes}
    for entry in wanted:
        name, change = entry.key.username, said[entry.key]
        user = server.users.get(name)
        event(f"{change.action} {change.password}")
        if not change.changed:
            assert user == before.get(name), change
        if change.action in ("created", "updated", "removed", "unchanged"):
            assert holds(server, entry), change
            if change.password == "set" or (change.password == "kept" and entry.update_password == "on_mismatch"):
                assert user is not None
                assert user["password"] == entry.password, change
            if change.password == "kept" and entry.update_password == "on_create":
                # So whoever has made the password just now may forget it.
                assert name in before, change
                assert user is not None
                assert user["password"] == before[name]["password"], change
        if entry.present and name in before and user is None:
            assert change.action == "failed", change
            assert "gone" in change.reason, change


passwords = st.sampled_from([PASSWORD, OTHER])
existing = st.dictionaries(
    st.sampled_from(NAMES),
    st.fixed_dictionaries({"password": passwords, "locked": st.sampled_from(["0", "1"]), "per_hour": st.just("7")}),
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "locked": st.booleans(),
        "limits": st.fixed_dictionaries({}, optional={"per_hour": st.integers(0, 2), "enabled": st.booleans()}),
    },
)
entries = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(
        st.sampled_from(["present", "present", "absent"]), st.booleans(), st.sampled_from([None, OTHER]), attributes
    ),
    min_size=1,
)
faults = st.builds(
    Faults,
    writes=st.lists(st.sampled_from([None, None, "before", "after", "broken", "lie"]), max_size=12),
    list_lag=st.sampled_from([0, 0, 4, 60]),
    login_lag=st.sampled_from([0, 0, 4, 60]),
    refused=st.sampled_from(["", "", PASSWORD]),
    killed_at=st.none() | st.integers(0, 12),
    kill_after=st.booleans(),
)


@example(  # of the budget only what is kept for the proof is left, and the server has not added whom it says it has
    users={},
    chosen={"carol": ("present", True, None, {})},
    offered=set(),
    when="on_mismatch",
    disturbed=Faults(writes=["lie"]),
    overwrite=False,
    recreate=False,
    down=False,
    used=MOST_REFUSALS - 1,
    new=False,
)
@example(  # the reply to its add is lost, and the smarthost knows of its password later
    users={},
    chosen={"alice": ("present", True, None, {})},
    offered=set(),
    when="on_create",
    disturbed=Faults(writes=["after"], login_lag=60),
    overwrite=False,
    recreate=False,
    down=False,
    used=0,
    new=True,
)
@settings(max_examples=6 * settings().max_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    users=existing,
    chosen=entries,
    offered=st.sets(st.sampled_from(sorted(CALLS))),
    when=st.sampled_from(["on_mismatch", "on_mismatch", "on_create", "always"]),
    disturbed=faults,
    overwrite=st.booleans(),
    recreate=st.booleans(),
    down=st.booleans(),
    used=st.integers(0, MOST_REFUSALS),
    new=st.booleans(),
)
def test_what_a_run_says_is_true_and_later_ones_arrive(
    users: dict[str, Any],
    chosen: dict[str, Any],
    offered: set[str],
    when: str,
    disturbed: Faults,
    overwrite: bool,
    recreate: bool,
    down: bool,
    used: int,
    new: bool,
) -> None:
    methods = wire.methods(*sorted(offered))
    wanted = []
    for position, (name, (state, with_password, former, given_attributes)) in enumerate(chosen.items()):
        kind = "domain" if not name else "ip" if name[0].isdigit() else "user"
        entry = {"domain": DOMAIN, "username": name, "authentication_method": kind, "state": state}
        if with_password and kind != "ip":
            entry.update(password=PASSWORD, former_password=former, password_is_new=new and when == "on_create")
        wanted.append(parse_wanted({**entry, **given_attributes}, position, when))
    server = Server(users, overwrite, down)
    # Nothing but a login shows that an add was not done, so only a run that can log in can know.
    can_prove = (when != "on_create" or new) and not down and used < MOST_REFUSALS
    disturbed = copy.deepcopy(disturbed)
    disturbed.add_lies = can_prove

    before = copy.deepcopy(server.users)
    server.begin(disturbed)
    check_what_is_said(server, before, wanted, run(server, wanted, methods, recreate, used))

    for _again in range(4):  # without a list, each run finds two wrong passwords
        before = copy.deepcopy(server.users)
        server.begin(Faults())
        check_what_is_said(server, before, wanted, run(server, wanted, methods, recreate))

    if when != "always":  # the last one had nothing left to do
        assert server.users == before
