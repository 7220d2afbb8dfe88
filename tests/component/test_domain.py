# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module domain against a server that lists outgoing users, and against one that offers the public calls only."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._domains import apply

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import PASSWORD

WHOLE: dict[str, Any] = {
    "domain": "example.com",
    "incoming": True,
    "outgoing": True,
    "archiving": True,
    "destinations": ["mail1.example.com", "mail2.example.com:2525"],
    "abuse_contact": "abuse@example.com",
}
SHOWN = {
    "domain": "example.com",
    "exists": True,
    "products": {"incoming": True, "outgoing": True, "archiving": True},
    "destinations": ["mail1.example.com:25", "mail2.example.com:2525"],
    "abuse_contact": "abuse@example.com",
}
SENDERS = [
    {"domain": "example.com", "username": "alice", "password": PASSWORD},
    {"domain": "example.com", "username": "192.0.2.0/28"},
    {"domain": "example.com", "password": PASSWORD},
    {"domain": "example.org", "username": "bob", "password": PASSWORD},
]
NAMES = ["192.0.2.0/28 of example.com", "alice@example.com", "domain user of example.com"]


def state(run: ModuleRun) -> dict[str, Any]:
    """What a result says of the domain, without what was done."""
    done = ("action", "removed_outgoing_users", "reason", "code")
    return {name: value for name, value in run.result["domain"].items() if name not in done}


def removed(run: ModuleRun) -> list[str]:
    users: list[str] = run.result["domain"].get("removed_outgoing_users", [])
    return users


class Server:
    """An emulator, and the module run against it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def run(self, *, check: Any = False, diff: Any = False, **options: Any) -> ModuleRun:
        return run_module("domain", {**self.emulator.connection, **options}, check=check, diff=diff)

    def stored(self, name: str = "example.com") -> dict[str, Any] | None:
        return next((domain for domain in self.emulator.state()["domains"] if domain["name"] == name), None)

    @property
    def writes(self) -> int:
        return int(self.emulator.counters()["writes"])

    def calls(self) -> list[str]:
        """The calls that write, in their order."""
        paths = [request["path"].split("/") for request in self.emulator.requests()]
        names = [f"{path[2]}/{path[3]}" for path in paths]
        return [name for name in names if name.endswith(("/add", "/edit", "/remove", "/set", "/setproducts"))]


@pytest.fixture(params=["full", "documented"])
def server(request: pytest.FixtureRequest) -> Server:
    """Both kinds of server: what a domain is about is documented in public."""
    name = {"full": "emulator", "documented": "documented_emulator"}[request.param]
    return Server(request.getfixturevalue(name))


@pytest.fixture
def full(emulator: Emulator) -> Server:
    return Server(emulator)


@pytest.fixture
def documented(documented_emulator: Emulator) -> Server:
    return Server(documented_emulator)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for what never comes."""
    monkeypatch.setattr(apply, "SETTLE_SECONDS", 0.3)


# Adding


def test_a_new_domain_is_added_whole_and_a_second_run_changes_nothing(server: Server) -> None:
    predicted = server.run(**WHOLE, check=True, diff=True)
    assert server.writes == 0
    first = server.run(**WHOLE, diff=True)
    assert first.changed
    assert first.result["domain"]["action"] == "created"
    assert state(first) == state(predicted) == SHOWN
    assert first.result["diff"] == predicted.result["diff"] == {"before": {}, "after": {"example.com": SHOWN}}
    assert server.calls() == ["domain/add", "domain/setproducts", "domainadmincontact/set"]
    stored = server.stored()
    assert stored is not None
    assert stored["products"] == {"incoming": 1, "outgoing": 1, "archiving": 1}
    assert stored["destinations"] == ["mail1.example.com::25", "mail2.example.com::2525"]
    assert stored["administrator_contact"] == "abuse@example.com"
    server.emulator.reset_counters()
    for check in (True, False):
        second = server.run(**WHOLE, check=check, diff=True)
        assert not second.changed
        assert second.result["domain"]["action"] == "unchanged"
        assert state(second) == SHOWN
        assert second.result["diff"]["before"] == second.result["diff"]["after"]
    assert server.writes == 0


def test_a_bare_domain_leaves_everything_to_the_server(server: Server) -> None:
    predicted = server.run(domain="example.com", check=True, diff=True)
    run = server.run(domain="example.com", diff=True)
    assert run.result["diff"] == predicted.result["diff"]
    assert run.result["diff"] == {"before": {}, "after": {"example.com": {"domain": "example.com", "exists": True}}}
    assert "destinations" not in predicted.result["domain"]
    assert run.result["domain"]["destinations"] == ["mail.example.com:25"]
    assert run.result["domain"]["products"] == {"incoming": True, "outgoing": False, "archiving": False}
    assert server.calls() == ["domain/add"]


@pytest.mark.parametrize("disables", [True, False])
def test_adding_may_switch_the_outgoing_product_off(server: Server, disables: bool) -> None:
    server.emulator.quirks(domain_add_disables_outgoing=disables)
    run = server.run(domain="example.com", outgoing=True)
    assert run.changed
    assert run.result["domain"]["products"] == {"incoming": True, "outgoing": True, "archiving": False}
    assert server.calls() == ["domain/add", "domain/setproducts"][: 1 + disables]
    assert not server.run(domain="example.com", outgoing=True).changed


def test_a_domain_goes_out_in_punycode_and_comes_back_in_unicode(server: Server) -> None:
    options = {"domain": "MÜLLER.example", "destinations": ["post.müller.example"], "abuse_contact": "a@müller.example"}
    run = server.run(**options)
    assert run.result["domain"]["domain"] == "müller.example"
    assert run.result["domain"]["destinations"] == ["post.müller.example:25"]
    assert run.result["domain"]["abuse_contact"] == "a@müller.example"
    assert server.stored("xn--mller-kva.example")
    assert not server.run(**{**options, "domain": "xn--mller-kva.example"}).changed
    assert server.run(domain="müller.example", state="absent").changed


@pytest.mark.parametrize("missing", ["present0", "error"])
def test_a_domain_of_somebody_else_is_never_taken_over(server: Server, missing: str) -> None:
    server.emulator.quirks(domain_exists_missing=missing)
    server.emulator.seed(domains=[{"name": "example.com", "owner": "other@example.test"}])
    for check in (True, False):
        run = server.run(**WHOLE, check=check)
        assert run.failed
        assert not run.changed
        assert "belongs to somebody else; it is not taken over" in run.message
        assert run.code == run.result["domain"]["code"] == "foreign"
    assert server.calls() == ["domain/add"]
    assert server.emulator.counters()["effective_writes"] == 0
    assert not server.run(domain="example.com", state="absent").changed
    stored = server.stored()
    assert stored is not None
    assert stored["owner"] == "other@example.test"


@pytest.mark.parametrize("exists", ["present0", "error"])
def test_a_domain_that_the_server_calls_not_yours_may_be_missing(
    server: Server, exists: str, warnings: list[str]
) -> None:
    server.emulator.quirks(domain_exists_missing=exists, missing_domain="not_yours")
    predicted = server.run(**WHOLE, check=True, diff=True)
    assert predicted.changed, predicted.message
    assert state(predicted) == SHOWN
    assert ["does not tell a domain that is missing" in warning for warning in warnings] == [True]
    assert server.writes == 0
    done = server.run(**WHOLE, diff=True)
    assert state(done) == SHOWN
    assert done.result["diff"] == predicted.result["diff"]
    assert len(warnings) == 1


@pytest.mark.parametrize("missing", ["present0", "error", "No such domain."])
def test_a_missing_domain_is_added_whatever_the_server_says_of_it(server: Server, missing: str) -> None:
    if missing in ("present0", "error"):
        server.emulator.quirks(domain_exists_missing=missing)
    else:
        server.emulator.faults({"match": "domain/exists", "kind": "body", "text": f"ERROR: {missing}\n", "times": 2})
    assert server.run(**WHOLE, check=True).changed
    assert server.writes == 0
    assert state(server.run(**WHOLE)) == SHOWN


# Changing


@pytest.mark.parametrize("product", ["incoming", "outgoing", "archiving"])
@pytest.mark.parametrize("on", [True, False])
def test_one_product_is_switched_without_touching_the_others(server: Server, product: str, on: bool) -> None:
    others = {"incoming": 1, "outgoing": 0, "archiving": 1}
    server.emulator.seed(domains=[{"name": "example.com", **others, product: int(not on)}])
    predicted = server.run(domain="example.com", **{product: on}, check=True, diff=True)
    assert server.writes == 0
    run = server.run(domain="example.com", **{product: on}, diff=True)
    assert run.changed
    assert run.result["diff"] == predicted.result["diff"]
    assert run.result["domain"] == predicted.result["domain"]
    stored = server.stored()
    assert stored is not None
    assert stored["products"] == {**others, product: int(on)}
    assert server.calls() == ["domain/setproducts"]
    assert not server.run(domain="example.com", **{product: on}).changed


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ({"destinations": ["mail2.example.com:26", "mail.example.com"]}, "domain/edit"),
        ({"abuse_contact": "abuse@example.org"}, "domainadmincontact/set"),
    ],
)
def test_one_part_is_changed_without_touching_the_others(server: Server, options: dict[str, Any], call: str) -> None:
    server.emulator.seed(domains=["example.com"])
    before = server.stored()
    predicted = server.run(domain="example.com", **options, check=True, diff=True)
    run = server.run(domain="example.com", **options, diff=True)
    assert run.changed
    assert server.calls() == [call]
    assert run.result["domain"] == predicted.result["domain"]
    assert run.result["diff"] == predicted.result["diff"]
    assert set(state(run)) == {"domain", "exists", *options}
    after = server.stored()
    assert before is not None
    assert after is not None
    assert len([name for name in before if before[name] != after[name]]) == 1
    assert not server.run(domain="example.com", **options).changed


# Removing


def test_a_domain_is_removed_and_a_second_run_changes_nothing(server: Server) -> None:
    server.emulator.seed(domains=["example.com"])
    predicted = server.run(domain="example.com", state="absent", check=True, diff=True)
    assert server.writes == 0
    run = server.run(domain="example.com", state="absent", diff=True)
    assert run.changed
    assert predicted.changed
    assert state(run) == state(predicted) == {"domain": "example.com", "exists": False}
    assert run.result["diff"] == predicted.result["diff"]
    assert run.result["diff"]["before"]["example.com"]["destinations"] == ["mail.example.com:25"]
    assert run.result["diff"]["after"] == {}
    assert server.stored() is None
    server.emulator.reset_counters()
    assert not server.run(domain="example.com", state="absent", diff=True).changed
    assert server.writes == 0


def test_outgoing_users_keep_a_domain_and_are_named(full: Server) -> None:
    full.emulator.seed(users=SENDERS)
    for check in (True, False):
        run = full.run(domain="example.com", state="absent", check=check)
        assert run.failed
        assert not run.changed
        assert f"has outgoing users ({', '.join([NAMES[0], NAMES[1], NAMES[2]])})" in run.message
        assert "set remove_outgoing_users: true" in run.message
    assert full.stored()
    full.emulator.seed(users=[{"domain": "example.com", "username": f"user{number}"} for number in range(9)])
    assert "alice@example.com, user0@example.com, ...)" in full.run(domain="example.com", state="absent").message


@pytest.mark.parametrize("quirk", ["domain_user", "all"])
def test_a_domain_is_removed_with_its_outgoing_users(full: Server, quirk: str) -> None:
    full.emulator.quirks(remove_without_username=quirk)
    full.emulator.seed(users=SENDERS)
    options = {"domain": "example.com", "state": "absent", "remove_outgoing_users": True}
    predicted = full.run(**options, check=True, diff=True)
    assert full.writes == 0
    run = full.run(**options, diff=True)
    assert run.changed
    assert removed(run) == removed(predicted) == NAMES
    assert run.result["diff"] == predicted.result["diff"]
    assert run.result["diff"]["before"]["example.com"]["outgoing_users"] == NAMES
    assert full.stored() is None
    assert [user["domain"] for user in full.emulator.users()] == ["example.org"]
    assert full.calls()[-2:] == ["outgoingusers/remove", "domain/remove"]
    assert full.calls().count("outgoingusers/remove") == 3
    assert not full.run(**options).changed


def test_without_a_list_outgoing_users_cannot_be_removed(documented: Server) -> None:
    documented.emulator.seed(users=SENDERS)
    for remove in (True, False):
        run = documented.run(domain="example.com", state="absent", remove_outgoing_users=remove)
        assert run.failed
        assert not run.changed
        assert "was to be removed, but it has outgoing users." in run.message
        assert "api_methods: {list:" in run.message
    assert documented.stored()
    assert documented.emulator.counters()["effective_writes"] == 0
    documented.emulator.seed(domains=["empty.example"])
    predicted = documented.run(domain="empty.example", state="absent", check=True)
    assert predicted.changed
    # A domain of its own, as a process shows each warning only once.
    assert predicted.result["domain"]["action"] == "unknown"
    assert "becomes of empty.example: whether it has outgoing users, which keep a domain from" in predicted.warnings
    assert documented.run(domain="empty.example", state="absent", remove_outgoing_users=True).changed


def test_a_list_of_no_use_is_none_in_check_mode_too(full: Server) -> None:
    """The help page shows it, and the admin may not use it."""
    answer = "ERROR: You have no permission to use this method\n"
    full.emulator.faults({"match": "outgoingusers/list", "kind": "body", "text": answer, "times": None})
    full.emulator.seed(domains=["empty.example"])
    options = {"domain": "empty.example", "state": "absent", "use_discovered_methods": True}
    predicted = full.run(**options, check=True)
    assert predicted.changed, predicted.message
    assert full.run(**options).changed
    full.emulator.seed(users=SENDERS)
    assert "was to be removed, but it has outgoing users." in full.run(**{**options, "domain": "example.com"}).message


def test_the_list_may_be_given(emulator_factory: Callable[..., Emulator]) -> None:
    server = Server(emulator_factory("full", dialect="odd"))
    server.emulator.seed(users=SENDERS)
    fields = {"domain": "zone", "username": "name", "authentication_method": "kind"}
    given = {"list": {"call": "senders/enumerate", "parameters": {"domain": "zone"}, "fields": fields}}
    options = {"domain": "example.com", "state": "absent", "remove_outgoing_users": True}
    assert "api_methods: {list:" in server.run(**options).message
    assert removed(server.run(**options, api_methods=given)) == NAMES


def test_outgoing_users_are_removed_by_the_names_that_the_list_gives_them(full: Server) -> None:
    """Otherwise "not found" would be taken for a list that lags, and the domain would stay."""
    full.emulator.seed(domains=["example.com"])
    rows = [{"username": "Alice"}, {"username": "192.0.2.7/32", "authentication_method": "ip"}, {"username": ""}]
    body = json.dumps({"messages": [], "result": rows})
    full.emulator.faults({"match": "outgoingusers/list", "kind": "body", "text": body, "times": None})
    full.run(domain="example.com", state="absent", remove_outgoing_users=True)
    paths = [request["path"] for request in full.emulator.requests() if "outgoingusers/remove" in request["path"]]
    call = "/api/outgoingusers/remove/domain/example.com"
    assert sorted(paths[:2]) == [f"{call}/username/192.0.2.7/32", f"{call}/username/Alice"]
    assert paths[2:] == [call]


def test_a_list_that_lags_does_no_harm(full: Server) -> None:
    full.emulator.seed(users=SENDERS)
    full.emulator.faults(lag=60)
    alice = {**full.emulator.connection, "users": [{"domain": "example.com", "username": "alice", "state": "absent"}]}
    assert run_module("outgoing_users", {**alice, "wait_timeout": 0}).changed
    run = full.run(domain="example.com", state="absent", remove_outgoing_users=True)
    assert run.changed
    assert removed(run) == [NAMES[0], NAMES[2]]
    assert full.stored() is None


def test_users_that_no_list_shows_yet_are_explained(full: Server) -> None:
    full.emulator.seed(users=SENDERS[:1])
    refusal = "You may not remove example.com while that domain has outgoing users."
    full.emulator.faults({"match": "domain/remove", "kind": "body", "text": f"ERROR: {refusal}\n", "times": 1})
    options = {"domain": "example.com", "state": "absent", "remove_outgoing_users": True}
    run = full.run(**options)
    assert run.failed
    assert run.changed
    assert removed(run) == ["alice@example.com"]
    assert "although all that it listed were removed; its lists may lag, so run again." in run.message
    assert full.run(**options).changed


def test_a_user_that_cannot_be_removed_keeps_the_domain(full: Server) -> None:
    full.emulator.seed(domains=[{"name": "example.com", "outgoing": 0}], users=SENDERS[:1])
    options = {"domain": "example.com", "state": "absent", "remove_outgoing_users": True}
    run = full.run(**options)
    assert run.failed
    assert not run.changed
    assert "stays, because the alice@example.com could not be removed" in run.message
    assert "The domain's outgoing product is off; the server may want it on for this." in run.message
    full.run(domain="example.com", outgoing=True)
    full.emulator.faults({"match": "outgoingusers/remove", "kind": "api_not_allowed", "times": 1})
    broken = full.run(**options)
    assert broken.failed
    assert "product is off" not in broken.message
    assert full.run(**options).changed


# Faults


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "half_reply"])
@pytest.mark.parametrize("call", ["domain/add", "domain/setproducts", "domainadmincontact/set"])
def test_a_lost_reply_is_settled_by_reading(server: Server, call: str, kind: str) -> None:
    server.emulator.faults({"match": call, "kind": kind, "times": 1})
    run = server.run(**WHOLE, retry_time=5)
    assert not run.failed, run.message
    assert state(run) == SHOWN
    arrived = 1 if kind != "reset_before" else 2
    assert server.emulator.counters()["requests"][call] == arrived
    assert not server.run(**WHOLE).changed


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "half_reply"])
@pytest.mark.parametrize("call", ["domain/edit", "domain/remove", "outgoingusers/remove"])
def test_a_lost_reply_of_a_change_or_removal_is_settled(full: Server, call: str, kind: str) -> None:
    full.emulator.seed(users=SENDERS[:1])
    full.emulator.faults({"match": call, "kind": kind, "times": 1})
    if call == "domain/edit":
        run = full.run(domain="example.com", destinations=["mail9.example.com"])
        assert run.result["domain"]["destinations"] == ["mail9.example.com:25"]
    else:
        run = full.run(domain="example.com", state="absent", remove_outgoing_users=True)
        assert not run.failed, run.message
        assert removed(run) == ["alice@example.com"]
        assert full.stored() is None
    assert run.changed
    # A user's removal is sent again, and "no such user" then tells that it had been done; the others are looked at.
    repeated = kind == "reset_before" or call == "outgoingusers/remove"
    assert full.emulator.counters()["requests"][call] == 1 + repeated


@pytest.mark.parametrize("call", ["domain/setproducts", "domainadmincontact/set", "domain/getroute"])
def test_a_server_that_does_not_know_its_new_domain_at_once_is_waited_for(server: Server, call: str) -> None:
    server.emulator.faults({"match": call, "kind": "body", "text": "ERROR: No such domain.\n", "times": 1})
    run = server.run(**WHOLE)
    assert not run.failed, run.message
    assert state(run) == SHOWN
    counts = server.emulator.counters()["requests"]
    assert (counts[call], counts["domain/exists"]) == (2, 2)


def test_what_adding_has_not_done_is_done_afterwards(server: Server) -> None:
    other = '{"messages": {}, "result": ["other.example.net::25"]}'
    server.emulator.faults({"match": "domain/getroute", "kind": "body", "text": other, "times": 1})
    run = server.run(**WHOLE)
    assert state(run) == SHOWN
    assert server.calls() == ["domain/add", "domain/setproducts", "domainadmincontact/set", "domain/edit"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("new", [True, False])
def test_what_was_accepted_and_is_not_shown_is_no_success(server: Server, new: bool) -> None:
    if not new:
        server.emulator.seed(domains=[{"name": "example.com", "outgoing": 0}])
    server.emulator.faults(
        {"match": "domain/setproducts", "kind": "body", "text": '{"messages": {}, "result": true}', "times": 1}
    )
    run = server.run(**WHOLE)
    assert run.failed
    assert run.changed
    assert "does not show it after 0 seconds (domain/setproducts); check whether your account" in run.message
    assert state(server.run(**WHOLE)) == SHOWN


def test_after_two_lost_replies_the_failure_says_so(server: Server) -> None:
    server.emulator.faults({"match": "domain/setproducts", "kind": "reset_before", "times": 2})
    run = server.run(**WHOLE)
    assert run.failed
    assert run.changed
    assert "domain/setproducts" in run.message
    assert state(server.run(**WHOLE)) == SHOWN


@pytest.mark.usefixtures("impatient")
def test_a_lost_reply_and_somebody_elses_domain(server: Server) -> None:
    server.emulator.seed(domains=[{"name": "example.com", "owner": "other@example.test"}])
    server.emulator.faults({"match": "domain/add", "kind": "reset_after", "times": 1})
    run = server.run(**WHOLE)
    assert run.failed
    assert "see whether it belongs to somebody else" in run.message
    assert server.emulator.counters()["effective_writes"] == 0


def test_a_removal_that_was_done_by_somebody_else_is_no_error(server: Server) -> None:
    server.emulator.seed(domains=["example.com"])
    server.emulator.faults({"match": "domain/remove", "kind": "body", "text": "ERROR: No such domain.\n", "times": 1})
    run = server.run(domain="example.com", state="absent")
    assert not run.failed
    assert not run.changed


def test_a_removal_that_is_refused_says_why(server: Server) -> None:
    server.emulator.seed(domains=["example.com"])
    server.emulator.faults({"match": "domain/remove", "kind": "api_not_allowed"})
    run = server.run(domain="example.com", state="absent")
    assert run.failed
    assert not run.changed
    assert "API usage" in run.message


@pytest.mark.usefixtures("impatient")
def test_what_the_server_accepts_but_does_not_do_is_a_failure(server: Server) -> None:
    server.emulator.seed(domains=["example.com"])
    accepted = {"messages": {"success": ["Saved"]}, "result": None}
    server.emulator.faults({"match": "domain/setproducts", "kind": "body", "text": json.dumps(accepted)})
    run = server.run(domain="example.com", archiving=True)
    assert run.failed
    assert run.changed
    assert "(domain/setproducts); check whether your account has this product" in run.message


@pytest.mark.parametrize("call", ["domain/exists", "domain/getroute"])
def test_what_the_server_shows_late_is_waited_for(server: Server, call: str) -> None:
    """As a cache would: the reading after the write shows the state before it."""
    late = {"domain/exists": {"present": 0}, "domain/getroute": ["mail.example.com::25"]}[call]
    text = json.dumps({"messages": [], "result": late})
    if call == "domain/getroute":
        server.emulator.seed(domains=["example.com"])
    server.emulator.faults({"match": call, "kind": "body", "text": text, "skip": 1, "times": 1})
    assert state(server.run(**WHOLE)) == SHOWN


def test_a_part_that_the_server_does_not_show_is_left_out(server: Server) -> None:
    server.emulator.seed(domains=["example.com"])
    refused = {"kind": "body", "text": "ERROR: You have no permission to call this method\n"}
    calls = ("domain/getproducts", "domain/getroute", "domainadmincontact/get")
    server.emulator.faults(*({"match": call, **refused} for call in calls))
    run = server.run(domain="example.com")
    assert not run.changed
    assert state(run) == {"domain": "example.com", "exists": True}
    new = server.run(domain="other.example")
    assert new.changed
    assert state(new) == {"domain": "other.example", "exists": True}
    server.emulator.reset_counters()
    for option in ("outgoing", "destinations", "abuse_contact"):
        wanted = server.run(domain="example.com", **{option: WHOLE[option]})
        assert wanted.failed
        assert "no permission" in wanted.message
    assert server.run(domain="new.example", check=True).changed
    assert server.writes == 0


@pytest.mark.parametrize(
    ("match", "fault", "sentence"),
    [
        ("*", {"kind": "bad_credentials"}, "check api_username and api_password"),
        ("*", {"kind": "inactive"}, "inactive"),
        ("*", {"kind": "ip_not_allowed"}, "add this address"),
        ("domain/exists", {"kind": "sqlstate"}, "SQLSTATE"),
        ("domain/exists", {"kind": "html"}, "web page"),
        ("domain/exists", {"kind": "half_reply"}, "connection"),
        ("domain/exists", {"kind": "status", "code": 503}, "503"),
        ("domain/exists", {"kind": "body", "text": "42"}, "did not answer with 1 or 0"),
        ("domain/exists", {"kind": "body", "text": '{"messages":[],"result":null}'}, "did not answer with 1 or 0"),
        (
            "domain/getproducts",
            {"kind": "body", "text": '{"messages":[],"result":"x"}'},
            "did not answer with products",
        ),
        ("domain/getproducts", {"kind": "body", "text": "ERROR: No such domain.\n"}, "No such domain"),
        ("domain/getroute", {"kind": "body", "text": '{"messages":[],"result":7}'}, "list of destinations"),
        ("domain/getroute", {"kind": "body", "text": '\ufeff\n{"messages":'}, "JSON that ends in the middle"),
    ],
)
def test_a_bad_answer_fails_with_one_sentence_and_without_a_write(
    server: Server, match: str, fault: dict[str, Any], sentence: str
) -> None:
    server.emulator.seed(domains=["example.com"])
    server.emulator.faults({"match": match, **fault})
    run = server.run(**WHOLE, retries=1, retry_time=1)
    assert run.failed
    assert sentence in run.message
    assert "\n" not in run.message
    assert not run.changed
    assert server.emulator.api_password not in run.raw
    assert server.writes == 0


@pytest.mark.parametrize("check", [True, False])
def test_a_server_fault_while_the_owner_is_asked_for(full: Server, check: bool) -> None:
    full.emulator.faults({"match": "domain/getproducts", "kind": "html", "times": 1})
    run = full.run(**WHOLE, check=check)
    assert run.failed
    assert run.changed is not check  # the domain had been added
    assert state(full.run(**WHOLE)) == SHOWN


def test_a_limit_of_the_account_is_said(server: Server) -> None:
    limit = "You have reached the allowed limit of domains"
    server.emulator.faults({"match": "domain/add", "kind": "body", "text": f"ERROR: {limit}\n"})
    run = server.run(domain="example.com")
    assert run.failed
    assert not run.changed
    assert limit in run.message


@pytest.mark.parametrize(
    "options",
    [
        {"domain": ""},
        {"domain": "com"},
        {"domain": "exa\x00mple.com"},
        {"domain": "example.com/format/json"},
        {"domain": "a" * 250 + ".example"},
        {"domain": "example.com", "destinations": []},
        {"domain": "example.com", "destinations": [""]},
        {"domain": "example.com", "destinations": ["mail.example.com", "MAIL.example.com:25"]},
        {"domain": "example.com", "destinations": ["mail.example.com:99999"]},
        {"domain": "example.com", "destinations": ["https://mail.example.com"]},
        {"domain": "example.com", "abuse_contact": ""},
        {"domain": "example.com", "abuse_contact": "abuse"},
        {"domain": "example.com", "abuse_contact": "abuse@"},
        {"domain": "example.com", "state": "gone"},
        {"domain": "example.com", "outgoing": "perhaps"},
        {"domain": "example.com", "product": True},
        {"outgoing": True},
        {"domain": "example.com", "api_methods": {"list": {"call": "nothing"}}},
        {"domain": "example.com", "api_url": "http://localhost"},
    ],
)
def test_bad_options_fail_without_a_request(full: Server, options: dict[str, Any]) -> None:
    run = full.run(**options)
    assert run.failed
    assert run.message
    assert "\n" not in run.message
    assert "Traceback" not in run.raw
    assert full.emulator.requests() == []
