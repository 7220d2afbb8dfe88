# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a description costs grows with what it holds, and with nothing else: counted, as no clock is needed for that."""

from __future__ import annotations

import copy
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.action.credential_store import check_options
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains.manage import DOMAIN_OPTIONS, parse_entries
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains.report import (
    ACTIONS,
    failure,
    result,
    warnings,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._plain import plain
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils import _apply_vendor, _store
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._apply import PHASES, Apply
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._owner import Call
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._store import Store

from tests.support.action import Controller
from tests.support.apply_vendor import NOTHING
from tests.support.killed import PlainVault

COUNT = 60
#: Calls of Python functions for one more sender; a copy of the templating engine alone is 25,000 of them.
MOST_CALLS = 3000
MOST_BYTES = 120_000
#: What else a play knows. A copy of the templating engine has it all.
OTHERS = {f"variable_{number}": [{"name": f"value {each}"} for each in range(20)] for number in range(100)}

Variables = dict[str, Any]


def rotated(count: int) -> Variables:
    """A rotation of all credentials to second logins, each on a mail server of its own."""
    logins = [f"server{number}@example.com" for number in range(count)]
    return {
        "description": {
            "everything": True,
            "strategy": "alternate",
            "alternates": {login: [login, f"b-{login}"] for login in logins},
        },
        "names": logins,
        "uses": {f"mail{number}": [login] for number, login in enumerate(logins)},
        "works": dict.fromkeys(("create_users", "remove_users", "change_passwords"), True),
    }


@contextmanager
def calls_counted() -> Iterator[list[int]]:
    """Count the calls of Python functions; the number is there when the block has ended."""
    count = [0]

    def called(_frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            count[0] += 1

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        yield count
    finally:
        sys.setprofile(before)


def cost(work: Callable[[], object]) -> tuple[int, int]:
    """Calls of Python functions, and the bytes at the peak."""
    with calls_counted() as count:
        work()
    tracemalloc.start()
    try:
        work()
        return count[0], tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check_growth(work: Callable[[int], object]) -> None:
    """The second half costs what the first did, for which no constant part counts; and no more than it may."""
    work(1)  # what is done once is done
    small, middle, large = (cost(partial(work, count)) for count in (COUNT, 2 * COUNT, 4 * COUNT))
    for unit, most in ((0, MOST_CALLS), (1, MOST_BYTES)):
        first, second = (middle[unit] - small[unit]) / COUNT, (large[unit] - middle[unit]) / (2 * COUNT)
        assert second <= most, f"{second} for one more"
        assert second <= max(1.5 * first, 0.05 * most), f"{first}, then {second} for one more"


def test_each_credential_costs_the_same(tmp_path: Path) -> None:
    controller = Controller(tmp_path, [("dev", "vault password one")])
    number = 0

    def work(count: int) -> object:
        nonlocal number
        number += 1
        names = [f"user{each}@example.com" for each in range(count)]
        credentials = [{"name": f"b-{name}", "password": "Correct-Horse-42"} for name in names]
        path = tmp_path / f"store{number}.yml"
        arguments = {"path": str(path), "names": names, "credentials": credentials}
        return controller.run_action("credential_store", arguments)

    check_growth(work)


@pytest.mark.parametrize("senders_each", [True, False], ids=["senders", "domains"])
def test_each_declared_sender_and_domain_costs_the_same(tmp_path: Path, senders_each: bool) -> None:
    """Of one domain with many senders, and of many domains with one."""
    controller = Controller(tmp_path)
    controller.variables.update(OTHERS)

    def work(count: int) -> object:
        sender = {"username": "user", "password": "Correct-Horse-42"}
        many = [{**sender, "username": f"user{number}"} for number in range(count)]
        domains = [{"domain": f"customer{number}.example", "senders": [sender]} for number in range(count)]
        given = [{"domain": "example.com", "senders": many}] if senders_each else domains
        found = controller.run_action("declaration", {"path": str(tmp_path), "domains": given})
        assert not found.get("failed"), found
        return found

    check_growth(work)


def test_each_page_costs_the_same(tmp_path: Path) -> None:
    controller = Controller(tmp_path, [("dev", "vault password one")])
    controller.variables.update(OTHERS)

    def work(count: int) -> object:
        senders = [{"username": f"user{number}", "password": "Correct-Horse-42"} for number in range(count)]
        given = {"path": str(tmp_path / "none"), "domains": [{"domain": "example.com", "senders": senders}]}
        folder = {"folder": str(tmp_path / f"handout{count}"), "passwords": True}
        return controller.run_action("handout", {**given, **folder})

    check_growth(work)


@pytest.mark.parametrize("action", ACTIONS)
def test_each_domain_costs_the_same(action: str) -> None:
    """What is done with domains besides their requests, which another test counts."""

    def work(count: int) -> object:
        given = {**dict.fromkeys(DOMAIN_OPTIONS), "remove_outgoing_users": False, "outgoing": True}
        gone = {**given, "domain": "gone.example", "state": "absent"}
        entries = [{**given, "domain": f"customer{each}.example", "state": "present"} for each in range(count)]
        changes = parse_entries([*entries, gone], "domains[{}]: ")
        for change in changes[:-1]:
            change.action, change.reason, change.after = action, "a reason", change.wanted
        account = {change.wanted.name for change in changes[:-1]}
        said = [*warnings(changes, account), failure(changes)]
        return result(changes, failed=bool(said[-1]), everything=True, with_diff=True)

    check_growth(work)


def test_each_credential_of_a_rotation_costs_the_same(tmp_path: Path) -> None:
    controller = Controller(tmp_path, [("dev", "vault password one")])
    for count in (1, COUNT, 2 * COUNT, 4 * COUNT):
        store = {"path": str(tmp_path / f"store{count}.yml"), "names": rotated(count)["names"]}
        controller.run_action("credential_store", store)

    def work(count: int) -> object:
        given = rotated(count)
        arguments = {"phase": "plan", "path": str(tmp_path / f"store{count}.yml"), "rotation": given["description"]}
        run = {"works": given["works"]}
        result = controller.run_action("rotation", {**arguments, "run": run, "uses": given["uses"]}, check=True)
        assert len(result["run"]["plan"]["credentials"]) == count, result
        return result

    check_growth(work)


class Compared(str):
    """A text that counts how often one is compared."""

    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Compared.comparisons += 1
        return str.__eq__(self, other)


def test_names_are_not_compared_with_all_others() -> None:
    names = [Compared(f"user{number}") for number in range(1000)]
    params = {"credentials": [], "names": names, "state": "present", "password_alphabet": "abcdefghij"}
    check_options({**params, "password_length": 32})
    assert Compared.comparisons < 4 * len(names)


class Lazy(dict):  # type: ignore[type-arg]  # what it is a container of does not matter
    """As ansible-core's: what is taken out is not what lies in it."""

    def __getitem__(self, name: Any) -> Any:
        return f"seen {super().__getitem__(name)}"

    def items(self) -> Any:
        return [(name, self[name]) for name in self]


def test_what_is_plain_holds_what_a_container_gives() -> None:
    given = {"list": [Lazy(a=1), (Lazy(b=2), None)], "text": "x"}
    found = plain(given)
    assert found == {"list": [{"a": "seen 1"}, ({"b": "seen 2"}, None)], "text": "x"}
    assert [type(found["list"][0]), type(found["list"][1]), type(found["list"][1][0])] == [dict, tuple, dict]


def vendor() -> Call:
    """What the modules answer where everybody is as declared."""

    def call(module: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if module == "api_info":
            return {"works": dict.fromkeys(("read_users", "change_limits", "purge"), True)}
        if module == "outgoing_users":
            named = [{name: user.get(name) for name in ("domain", "username")} for user in arguments["users"]]
            others = [{"domain": name, "username": "mallory"} for name in arguments["others_in"]]
            users = [{**user, "action": "created", "password": "set"} for user in named]
            return {"users": users, "refused_logins": 0, "others": others}
        return {}

    return call


@pytest.fixture
def run_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bool, int], Apply]:
    """Makes a run whose phases before this one are over, of one domain with so many senders, or of so many domains."""
    monkeypatch.setattr(_store, "Vault", PlainVault)

    def make(phase: str, senders_each: bool, count: int) -> Apply:
        people = [{"host": "laptop", "user": "somebody"}]
        many = [{"username": f"user{number}", "people": people} for number in range(count)]
        few = [{"username": "user", "relay": True, "people": people}]
        domains = [{"domain": f"customer{number}.example", "senders": few} for number in range(count)]
        domains[0]["senders"] = [{"username": "user", "relay": True, "default_for": ["mail1"]}]
        groups = {name: [name] for name in ("mail1", "laptop")}
        given = [{"domain": "example.com", "senders": many}] if senders_each else domains
        options = {**NOTHING, "domains": given, "groups": groups, "mail_servers": ["mail1"]}
        path = tmp_path / f"{phase}{senders_each}{count}.yml"
        path.unlink(missing_ok=True)
        run = Apply(options, Store(str(path), None), vendor())
        for name in PHASES[: PHASES.index(phase)]:
            getattr(run, name)()
        return run

    return make


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("senders_each", [True, False], ids=["senders", "domains"])
def test_each_sender_and_domain_of_apply_costs_the_same(
    run_of: Callable[[str, bool, int], Apply], phase: str, senders_each: bool
) -> None:
    runs = {count: run_of(phase, senders_each, count) for count in (1, COUNT, 2 * COUNT, 4 * COUNT)}

    def work(count: int) -> object:
        run = runs[count]
        if phase == "begin":
            run._store.path.unlink(missing_ok=True)
        run.data, before = copy.deepcopy(run.data), run.data
        getattr(run, phase)()
        run.data = before
        return run

    check_growth(work)


def test_a_batch_costs_little_for_each_sender_of_other_batches(
    run_of: Callable[[str, bool, int], Apply], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads and writes the whole store."""
    run_of("finish", False, 1)  # what is done once is done
    calls = []
    for batches in (1, 2):
        run = run_of("vendor", False, 2 * COUNT)
        monkeypatch.setattr(_apply_vendor, "_BATCH", 4 * COUNT // batches)
        with calls_counted() as count:
            run.vendor()
        assert sum(call["module"] == "outgoing_users" for call in run.calls) == batches
        calls.append(count[0])
    assert (calls[1] - calls[0]) / (2 * COUNT) < 150
