# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever server, whatever it loses: what a run says is true, and a run without faults reaches what is wanted."""

from __future__ import annotations

import copy
from typing import Any, Optional

from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.client import ApiError, ErrorKind, Reply
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import (
    MOST_REFUSALS,
    LoginProof,
    Smarthost,
    Verdict,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import apply, plan
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import current as _current
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import methods as _methods
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import Wanted, parse_wanted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DOMAIN = "a.example"
PASSWORD, OTHER = "Correct-Horse-42", "Another-Horse-43"
ADDRESS = {"domain": "domain", "username": "username"}
CALLS: dict[str, Any] = {
    "list": {"call": "a/list", "parameters": {"domain": "domain"}},
    "set_password": {"call": "a/password", "parameters": {**ADDRESS, "password": "password"}},
    "set_limits": {"call": "a/limits", "parameters": {**ADDRESS, "per_hour": "per_hour", "enabled": "enabled"}},
    "lock": {"call": "a/lock", "parameters": ADDRESS},
    "unlock": {"call": "a/unlock", "parameters": ADDRESS},
}
NAMES = ("alice", "bob", "carol", "dave", "", "192.0.2.1")
DEFAULTS = {"password": None, "locked": "0", "per_hour": "inherit", "enabled": "1"}


class Server:
    """The panel and its smarthost, in memory. faults: what happens to the next writes; None is nothing."""

    def __init__(self, users: dict[str, dict[str, Any]], overwrite: bool, down: bool) -> None:
        self.users = {name: {**DEFAULTS, **user} for name, user in users.items()}
        self.overwrite = overwrite
        self.down = down
        self.faults: list[Optional[str]] = []
        self.refusals = 0

    def call(self, call: str, parameters: Any = (), *, write: bool, secrets: Any = ()) -> Reply:
        sent = dict(parameters)
        if not write:
            hidden = ("password",)
            rows = [{"username": n, **{k: v for k, v in u.items() if k not in hidden}} for n, u in self.users.items()]
            return Reply(rows)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "before":
            raise ApiError(ErrorKind.LOST_REPLY, "lost")
        if fault == "broken":
            raise ApiError(ErrorKind.SERVER_FAULT, "broken")
        self._write(call.partition("/")[2], sent)
        if fault == "after":
            raise ApiError(ErrorKind.LOST_REPLY, "lost")
        return Reply()

    def _write(self, call: str, sent: dict[str, str]) -> None:
        name = sent.get("ip", sent.get("username", ""))
        if call in ("add", "addip"):
            if name in self.users and not (self.overwrite and call == "add"):
                raise ApiError(ErrorKind.ALREADY_EXISTS, "already exists", ("it exists already",))
            self.users.setdefault(name, dict(DEFAULTS))["password"] = sent.get("password")
            return
        if name not in self.users:
            raise ApiError(ErrorKind.NOT_FOUND, "no such user")
        if call == "remove":
            del self.users[name]
        elif call in ("lock", "unlock"):
            self.users[name]["locked"] = str(int(call == "lock"))
        else:
            self.users[name].update({key: value for key, value in sent.items() if key not in ADDRESS})

    def login(self, _server: Smarthost, login: str, password: str) -> LoginProof:
        if self.down:
            return LoginProof(login, Verdict.UNKNOWN, "it is down")
        user = self.users.get(login.partition("@")[0] if "@" in login else "")
        right = user is not None and user["password"] == password
        self.refusals += not right
        return LoginProof(login, Verdict.ACCEPTED if right else Verdict.REFUSED)

    def logins(self, server: Smarthost, pairs: list[tuple[str, str]], *, connections: int) -> list[LoginProof]:
        return [
            self.login(server, *pair)
            if self.refusals < MOST_REFUSALS
            else LoginProof(pair[0], Verdict.UNKNOWN, "not asked any more")
            for pair in pairs
        ]


def run(server: Server, wanted: list[Wanted], methods: _methods.Methods, recreate: bool) -> list[plan.Change]:
    """What the module does, without its options."""
    server.refusals = 0
    client: Any = server
    rules = plan.Rules(recreate_for_password=recreate, allow_domain_user_removal=True)
    patched = vars(_current)["prove_logins"], vars(apply)["prove_login"]
    vars(_current)["prove_logins"], vars(apply)["prove_login"] = server.logins, server.login
    try:
        current = _current.read_lists(client, methods, {DOMAIN}, 1)
        asked = [entry for entry in wanted if entry.present and entry.update_password == "on_mismatch"]
        _current.prove_passwords(
            current, asked, Smarthost("mail"), domain_login="domain", connections=1, warn=lambda _text: None
        )
        changes = plan.plan(current, wanted, methods, rules)
        applier = apply.Applier(client, methods, Smarthost("mail"), lambda _text: None, server.refusals)
        applier.apply(changes, 1, True)
    finally:
        vars(_current)["prove_logins"], vars(apply)["prove_login"] = patched
    assert server.refusals <= MOST_REFUSALS
    return changes


def holds(server: Server, entry: Wanted) -> bool:
    """Whether the server has what this entry wants, the password apart."""
    user = server.users.get(entry.key.username)
    if user is None or not entry.present:
        return (user is None) is not entry.present
    wire = {"limits.per_hour": "per_hour", "limits.enabled": "enabled", "locked": "locked"}
    return all(user[wire[name]] == str(int(value)) for name, value in entry.user.state.items())


def check_what_is_said(
    server: Server, before: dict[str, dict[str, Any]], wanted: list[Wanted], changes: list[plan.Change]
) -> None:
    """What the result says of each user is true; who is not named stays as it was."""
    said = {change.key: change for change in changes}
    for entry in wanted:
        name, change = entry.key.username, said[entry.key]
        user = server.users.get(name)
        if not change.changed:
            assert user == before.get(name), change
        if change.action in ("created", "updated", "removed", "unchanged"):
            assert holds(server, entry), change
            if change.password == "set" or (change.password == "kept" and entry.update_password == "on_mismatch"):
                assert user is not None
                assert user["password"] == entry.password, change
    named = {entry.key.username for entry in wanted}
    assert {n: u for n, u in server.users.items() if n not in named} == {
        n: u for n, u in before.items() if n not in named
    }


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
    st.tuples(st.sampled_from(["present", "present", "absent"]), st.booleans(), attributes),
    min_size=1,
)
faults = st.lists(st.sampled_from([None, None, "before", "after", "broken"]), max_size=12)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    users=existing,
    chosen=entries,
    offered=st.sets(st.sampled_from(sorted(CALLS))),
    when=st.sampled_from(["on_mismatch", "on_mismatch", "on_create", "always"]),
    faults=faults,
    overwrite=st.booleans(),
    recreate=st.booleans(),
    down=st.booleans(),
)
def test_what_a_run_says_is_true_and_the_next_one_arrives(
    users: dict[str, Any],
    chosen: dict[str, Any],
    offered: set[str],
    when: str,
    faults: list[Optional[str]],
    overwrite: bool,
    recreate: bool,
    down: bool,
) -> None:
    methods = _methods.Methods({name: CALLS[name] for name in sorted(offered)}, False, lambda: None)
    wanted = []
    for position, (name, (state, with_password, given_attributes)) in enumerate(chosen.items()):
        kind = "domain" if not name else "ip" if name[0].isdigit() else "user"
        entry = {"domain": DOMAIN, "username": name, "authentication_method": kind, "state": state}
        if with_password and kind != "ip":
            entry["password"] = PASSWORD
        wanted.append(parse_wanted({**entry, **given_attributes}, position, when))
    server = Server(users, overwrite, down)

    before = copy.deepcopy(server.users)
    server.faults = list(faults)
    check_what_is_said(server, before, wanted, run(server, wanted, methods, recreate))

    server.faults = []
    before = copy.deepcopy(server.users)
    check_what_is_said(server, before, wanted, run(server, wanted, methods, recreate))

    before = copy.deepcopy(server.users)
    changes = run(server, wanted, methods, recreate)
    check_what_is_said(server, before, wanted, changes)
    if when != "always":  # a third run has nothing left to do
        assert server.users == before
