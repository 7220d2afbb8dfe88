# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a plan is sent: what becomes of lost replies, refusals, partial failures and lists that lag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.client import ApiError, ErrorKind, Reply
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.connection import Smarthost
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import (
    LoginProof,
    Refusals,
    Verdict,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import apply, plan
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.current import Current, Proof
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.proof import note_invisible
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import (
    Key,
    OutgoingUser,
    State,
    parse_wanted,
)

from tests.support import wire
from tests.support.wire import OTHER, PASSWORD

ALICE = Key("example.com", "alice")
SETTERS = ("set_password", "set_limits", "lock", "unlock")
LOST = ApiError(ErrorKind.LOST_REPLY, "the reply was lost")
EXISTS = ApiError(ErrorKind.ALREADY_EXISTS, "it exists", ("it exists",))
MISSING = ApiError(ErrorKind.NOT_FOUND, "no such user")
BROKEN = ApiError(ErrorKind.OTHER, "it is broken")


def listed(**fields: Any) -> list[dict[str, Any]]:
    return [{"username": "alice", **fields}]


class Client:
    """Gives each call its next answer; a call without one succeeds, and a list is empty."""

    def __init__(self, **answers: Sequence[object]) -> None:
        self.answers = {name: list(given) for name, given in answers.items()}
        self.calls: list[str] = []

    def call(self, call: str, parameters: Any = (), *, write: bool, secrets: Any = ()) -> Reply:
        name = call.partition("/")[2]
        self.calls.append(name)
        given = self.answers.get(name)
        answer = given.pop(0) if given else [] if name == "list" else None
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer)


class Logins:
    """What the smarthost says to the next logins, and how many were tried."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)
        self.tried = 0
        monkeypatch.setattr(apply, "prove_login", self._prove)

    def _prove(self, _server: Smarthost, login: str, _password: str, *, refusals: Refusals) -> LoginProof:
        self.tried += 1
        verdict = self.verdicts.pop(0)
        refusals.used += verdict is Verdict.REFUSED
        return LoginProof(login, verdict)


def run(
    client: Client,
    *wanted: dict[str, Any],
    methods: Sequence[str] = (),
    state: Optional[State] = None,
    proof: Optional[Proof] = None,
    refusals: int = 0,
    go_on: bool = True,
    wait: float = 0,
    **rules: Any,
) -> tuple[list[plan.Change], list[str]]:
    """Plan and send. state: of alice, as the list shows it; None: she is not known."""
    table = wire.methods(*methods)
    current = Current(listed=frozenset({"example.com"}) if table.find("list") else frozenset())
    if state is not None:
        current.users[ALICE] = OutgoingUser(ALICE, "user", state)
    if proof:
        current.proofs[ALICE] = proof
    entries = [
        parse_wanted({"domain": "example.com", "username": "alice", **entry}, position, "on_mismatch")
        for position, entry in enumerate(wanted)
    ]
    warnings: list[str] = []
    changes = plan.Planner(current, entries, table, plan.Rules(**rules)).plan()
    sender: Any = client
    applier = apply.Applier(sender, table, Smarthost("mail"), warnings.append, Refusals(refusals))
    applier.apply(changes, 1, go_on)
    invisible = applier.settle(changes, wait, 1)
    if warning := note_invisible(invisible, wait):
        warnings.append(warning)
    return changes, warnings


PRESENT = {"password": PASSWORD}
ABSENT = {"state": "absent"}


def test_a_lost_add_that_a_login_shows_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    Logins(monkeypatch, Verdict.ACCEPTED)
    client = Client(add=[LOST])
    (change,), _warnings = run(client, PRESENT)
    assert (change.action, client.calls) == ("created", ["add"])


@pytest.mark.parametrize(
    ("verdicts", "methods", "expected"),
    [
        # It had not arrived, or arrived late: then it works the second time.
        ([Verdict.REFUSED, Verdict.ACCEPTED], (), ("created", "set", ["add", "add"])),
        # It was there before, with another password.
        ([Verdict.REFUSED, Verdict.REFUSED], SETTERS, ("updated", "set", ["add", "add", "password"])),
        ([Verdict.REFUSED, Verdict.REFUSED], (), ("failed", "unknown", ["add", "add"])),
        # The smarthost cannot be asked, so nobody knows; it is asked once only.
        ([Verdict.UNKNOWN], SETTERS, ("updated", "set", ["add", "add", "password"])),
    ],
)
def test_already_exists_after_a_lost_add_is_not_believed_blindly(
    monkeypatch: pytest.MonkeyPatch,
    verdicts: list[Verdict],
    methods: Sequence[str],
    expected: tuple[str, str, list[str]],
) -> None:
    logins = Logins(monkeypatch, *verdicts)
    client = Client(add=[LOST, EXISTS])
    (change,), _warnings = run(client, PRESENT, methods=methods, proof=Proof.REFUSED)
    assert (change.action, change.password, client.calls) == expected
    assert logins.tried == len(verdicts)
    assert "exists with another password" not in change.reason, "it may be its own"


@pytest.mark.parametrize("recreate", [False, True])
@pytest.mark.parametrize("proof", [None, Proof.REFUSED, Proof.UNKNOWN])
def test_what_a_lost_add_may_have_made_is_not_said_to_have_another_password(
    monkeypatch: pytest.MonkeyPatch, proof: Optional[Proof], recreate: bool
) -> None:
    """The brake is on, so that nobody can look; nor is anybody removed without a reason."""
    Logins(monkeypatch)
    client = Client(add=[LOST, EXISTS])
    (change,), _warnings = run(client, PRESENT, proof=proof, refusals=2, recreate_for_password=recreate)
    assert (change.action, change.password, change.changed) == ("unknown", "unknown", True)
    assert client.calls == ["add", "add"]
    assert "the reply to its add was lost" in change.reason
    assert "update_password: always" in change.reason


def test_who_exists_already_is_tried_when_nobody_has_tried_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A domain that was said to be new has users after all."""
    Logins(monkeypatch, Verdict.ACCEPTED, Verdict.REFUSED)
    for action, password in (("unchanged", "kept"), ("failed", "unknown")):
        client = Client(add=[EXISTS])
        (change,), _warnings = run(client, PRESENT)
        assert (change.action, change.password, client.calls) == (action, password, ["add"])
    assert "alice@example.com exists with another password" in change.reason


def test_already_exists_after_a_lost_add_is_ours_where_the_list_had_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    Logins(monkeypatch, Verdict.REFUSED)
    client = Client(add=[LOST, EXISTS])
    (change,), _warnings = run(client, PRESENT, methods=("list",))
    assert (change.action, client.calls) == ("created", ["add", "list", "add"])


def test_a_second_loss_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Logins(monkeypatch, Verdict.REFUSED)
    (change,), _warnings = run(Client(add=[LOST, LOST]), PRESENT)
    assert (change.action, change.reason, change.changed) == ("failed", "the reply was lost", True)


def test_the_brake_on_refused_logins_holds_over_all_users(monkeypatch: pytest.MonkeyPatch) -> None:
    logins = Logins(monkeypatch, Verdict.REFUSED, Verdict.REFUSED)
    client = Client(add=[LOST, None] * 3)
    changes, _warnings = run(client, *({**PRESENT, "username": name} for name in ("a1", "a2", "a3")), refusals=1)
    assert [change.action for change in changes] == ["created"] * 3
    assert logins.tried == 1, "of three refusals, the last one is kept for the proof of what was written"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(Verdict.ACCEPTED, ["password"]), (Verdict.REFUSED, ["password"] * 2), (Verdict.UNKNOWN, ["password"] * 2)],
)
def test_a_lost_password_is_looked_for(monkeypatch: pytest.MonkeyPatch, verdict: Verdict, expected: list[str]) -> None:
    Logins(monkeypatch, verdict)
    client = Client(password=[LOST], list=[listed()])
    (change,), _warnings = run(client, PRESENT, methods=("list", *SETTERS), state={}, proof=Proof.REFUSED)
    assert change.action == "updated"
    assert client.calls[: len(expected)] == expected


@pytest.mark.parametrize(
    ("wanted", "call", "shown", "sent"),
    [
        ({"limits": {"per_hour": 5}}, "limits", listed(per_hour=5), 1),
        ({"limits": {"per_hour": 5}}, "limits", listed(per_hour=4), 2),
        ({"limits": {"per_hour": 5}}, "limits", [], 2),
        ({"locked": True}, "lock", listed(locked=1), 1),
        ({"locked": False}, "unlock", listed(locked=1), 2),
    ],
)
def test_a_lost_change_is_looked_for_in_the_list(
    wanted: dict[str, Any], call: str, shown: list[dict[str, Any]], sent: int
) -> None:
    answers: dict[str, list[Any]] = {call: [LOST], "list": [shown]}
    client = Client(**answers)
    (change,), _warnings = run(client, wanted, methods=("list", *SETTERS), state={"locked": not wanted.get("locked")})
    assert change.action == "updated"
    assert client.calls.count(call) == sent


def test_a_lost_change_that_nothing_shows_is_an_error() -> None:
    (change,), _warnings = run(Client(limits=[LOST]), {"limits": {"per_hour": 5}}, methods=SETTERS)
    assert change.action == "failed"
    assert "nothing shows whether it was done; run again" in change.reason
    assert change.changed


@pytest.mark.parametrize(
    ("answers", "action"),
    [([LOST, MISSING], "removed"), ([LOST, None], "removed"), ([LOST, BROKEN], "failed"), ([MISSING], "unchanged")],
)
def test_a_removal_answers_for_itself(answers: list[Any], action: str) -> None:
    (change,), _warnings = run(Client(remove=answers), ABSENT)
    assert change.action == action


def test_a_failure_in_the_middle_has_changed_something() -> None:
    client = Client(limits=[BROKEN])
    entry = {**PRESENT, "limits": {"per_hour": 5}}
    (change,), _warnings = run(client, entry, methods=("list", *SETTERS))
    assert (change.action, change.reason, change.changed) == ("failed", "it is broken", True)
    assert plan.diff([change]) == {"before": {}, "after": {}}
    (untouched,), _warnings = run(Client(add=[BROKEN]), entry, methods=("list", *SETTERS))
    assert (untouched.action, untouched.changed) == ("failed", False)


def test_a_user_whose_removal_may_have_been_carried_out_is_said_to_be_gone() -> None:
    client = Client(remove=[LOST, LOST], list=[listed()])
    (change,), _warnings = run(
        client, PRESENT, methods=("list",), state={}, proof=Proof.REFUSED, recreate_for_password=True
    )
    assert client.calls == ["remove", "list", "remove"]
    assert (change.action, change.code) == ("failed", "lost_reply")
    assert "It may be gone, and cannot send" in change.reason


def test_a_user_that_cannot_be_added_anew_is_said_to_be_still_there() -> None:
    client = Client(add=[EXISTS])
    (change,), _warnings = run(
        client, PRESENT, methods=("list",), state={}, proof=Proof.REFUSED, recreate_for_password=True
    )
    assert client.calls == ["remove", "add"]
    assert (change.code, change.reason) == (
        "already_exists",
        "alice@example.com was removed to be added anew, but it still exists; run again.",
    )


REFUSED = ApiError(ErrorKind.OTHER, "the password is refused.")


@pytest.mark.parametrize(
    ("answers", "former", "words"),
    [
        ([REFUSED], None, ["adding it failed: the password is refused. It is gone, and cannot send"]),
        ([LOST, LOST], None, ["It may be gone"]),
        ([REFUSED, REFUSED], OTHER, ["with its former password failed as well", "It is gone"]),
        ([REFUSED, LOST], OTHER, ["with its former password failed as well", "It may be gone"]),
        ([LOST, LOST], OTHER, ["It may be gone"]),
    ],
)
def test_a_user_whose_new_password_is_refused_after_its_removal_is_said_to_be_gone(
    monkeypatch: pytest.MonkeyPatch, answers: list[Any], former: Optional[str], words: list[str]
) -> None:
    Logins(monkeypatch, Verdict.REFUSED)
    client = Client(add=answers)
    entry = {**PRESENT, "former_password": former}
    (change,), _warnings = run(
        client, entry, methods=("list",), state={}, proof=Proof.REFUSED, recreate_for_password=True
    )
    assert (change.action, change.changed) == ("failed", True)
    for word in ("alice@example.com was removed to be added anew", *words):
        assert word in change.reason


@pytest.mark.parametrize("world", [("list",), ()])
def test_a_user_whose_new_password_is_refused_gets_its_former_one_again(world: tuple[str, ...]) -> None:
    """With all that it has to have, as its removal has lost that."""
    client = Client(add=[REFUSED, None] if world else [EXISTS, REFUSED, None])
    entry = {**PRESENT, "former_password": OTHER, "limits": {"per_hour": 5}}
    state: Optional[State] = {} if world else None
    (change,), _warnings = run(
        client, entry, methods=(*world, "set_limits"), state=state, proof=Proof.REFUSED, recreate_for_password=True
    )
    assert (change.action, change.changed) == ("failed", True)
    assert client.calls[-4:] == ["remove", "add", "add", "limits"]
    assert "the password is refused. It has its former password again" in change.reason


def test_what_a_user_that_was_made_anew_has_lost_is_named() -> None:
    """A lock that is not set again would let it send."""
    state: State = {"locked": True, "limits.per_hour": 5}
    offered = ("list", "lock", "set_limits")
    client = Client(lock=[BROKEN])
    (change,), _warnings = run(
        client, PRESENT, methods=offered, state=state, proof=Proof.REFUSED, recreate_for_password=True
    )
    assert client.calls == ["remove", "add", "lock"]
    assert change.action == "failed"
    assert change.reason.startswith("alice@example.com was removed and added anew with its new password. What it had")
    assert "(missing: lock, set_limits)" in change.reason


def test_a_wrong_api_login_in_the_middle_of_making_a_user_anew_stops_the_others() -> None:
    refused = ApiError(ErrorKind.CREDENTIALS, "the login is wrong")
    client = Client(add=[refused])
    table = wire.methods("list")
    keys = [Key("example.com", name) for name in ("a1", "a2")]
    current = Current({key: OutgoingUser(key, "user") for key in keys}, frozenset({"example.com"}))
    current.proofs = dict.fromkeys(keys, Proof.REFUSED)
    wanted = [
        parse_wanted({"domain": "example.com", "username": key.username, **PRESENT}, position, "on_mismatch")
        for position, key in enumerate(keys)
    ]
    changes = plan.Planner(current, wanted, table, plan.Rules(recreate_for_password=True)).plan()
    sender: Any = client
    apply.Applier(sender, table, Smarthost("mail"), print, Refusals()).apply(changes, 1, True)
    assert [change.action for change in changes] == ["failed", "not_attempted"]
    assert client.calls == ["remove", "add"]


def test_a_user_that_turns_out_to_exist_is_made_anew() -> None:
    client = Client(add=[EXISTS, None], remove=[MISSING])
    (change,), _warnings = run(client, PRESENT, proof=Proof.REFUSED, recreate_for_password=True)
    assert (change.action, client.calls) == ("updated", ["add", "remove", "add"])


def test_nothing_more_is_sent_after_a_failure_when_told_so() -> None:
    client = Client(add=[BROKEN])
    changes, _warnings = run(client, *({**PRESENT, "username": name} for name in ("a1", "a2")), go_on=False)
    assert [change.action for change in changes] == ["failed", "not_attempted"]
    assert client.calls == ["add"]


@pytest.mark.parametrize(
    ("lines", "shown", "words"),
    [
        (("'192.0.2.1' is in use by the domain 'example.org'",), None, "another domain has it"),
        (("'192.0.2.1' is in use by the domain 'example.com'",), None, ""),
        (("Already there.",), [], "another domain has it"),
        (("Already there.",), [{"username": "192.0.2.1"}], ""),
    ],
)
def test_an_address_that_another_domain_has_is_an_error(
    lines: tuple[str, ...], shown: Optional[list[dict[str, Any]]], words: str
) -> None:
    client = Client(addip=[ApiError(ErrorKind.ALREADY_EXISTS, "it exists", lines)], list=[shown or []])
    sender = {"username": "192.0.2.1", "authentication_method": "ip"}
    (change,), _warnings = run(client, sender, methods=() if shown is None else ("list",))
    assert words in change.reason
    assert change.action == ("failed" if words else "unchanged")


def test_a_list_that_lags_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    client = Client(list=[[], listed()])
    _changes, warnings = run(client, PRESENT, methods=("list",), wait=5)
    assert (client.calls, warnings) == (["add", "list", "list"], [])


@pytest.mark.parametrize(
    ("answer", "words"), [(BROKEN, "cannot be read to see it there: it is broken"), ("1", "did not answer with a list")]
)
def test_a_list_that_fails_after_the_writes_is_a_warning(answer: object, words: str) -> None:
    (change,), (warning,) = run(Client(list=[answer]), PRESENT, methods=("list",), wait=5)
    assert change.action == "created"
    assert words in warning


def test_a_list_that_never_shows_it_is_a_warning() -> None:
    (change,), (warning,) = run(Client(remove=[None], list=[listed()]), ABSENT, methods=("list",), state={}, wait=0.1)
    assert "1 change not visible in the server's list" in warning
    assert change.action == "unknown", "the server may have said so only"
    assert change.changed
    assert "its list does not show it" in change.reason
