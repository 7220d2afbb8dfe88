# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What postfix_relay writes: whole, only where needed, and taken back without a trace."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.support.module import ModuleRun, run_module
from tests.support.postfix import ScratchPostfix
from tests.support.relay import lookup, snapshot
from tests.support.relay import relay as run_relay

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]
PASSWORD = 'Zitrone "x\\ {a} $b # ü😀'


def relay(postfix: ScratchPostfix, *, check: bool = False, **options: Any) -> ModuleRun:
    """One login for everything unless the options say otherwise."""
    usual: dict[str, Any] = {"smarthost": "localhost"}
    if options.get("authentication") != "ip" and options.get("state") != "absent":
        usual.update(default_login="web@example.com", default_password=PASSWORD)
    return run_relay(postfix, check=check, **{**usual, **options})


def test_one_login(postfix: ScratchPostfix) -> None:
    run = relay(postfix)
    assert run.changed, run.message
    table = f"hash:{postfix.config_directory}/smarthost_passwords"
    parameters = postfix.parameters()
    assert parameters["relayhost"] == "[localhost]:587" == run.result["next_hop"]
    assert parameters["smtp_sasl_password_maps"] == table
    assert parameters["smtp_tls_security_level"] == "secure"
    assert parameters["smtp_tls_CAfile"] == "/etc/ssl/certs/ca-certificates.crt"
    assert lookup(postfix, table, "[localhost]:587") == f"web@example.com:{PASSWORD}"


def test_default_smarthost(postfix: ScratchPostfix) -> None:
    options = {"default_login": "a@example.com", "default_password": PASSWORD}
    run = run_module("postfix_relay", {"config_directory": str(postfix.config_directory), **options})
    assert run.result["next_hop"] == "[4489.smtp.antispamcloud.com]:587" == postfix.parameters()["relayhost"]


def test_second_run_changes_nothing(postfix: ScratchPostfix) -> None:
    relay(postfix)
    before = {path: path.stat().st_mtime_ns for path in postfix.config_directory.iterdir()}
    run = relay(postfix)
    assert not run.changed
    assert run.result["changes"] == []
    assert {path: path.stat().st_mtime_ns for path in postfix.config_directory.iterdir()} == before


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"authentication": "ip"},
        {"logins": [{"login": "b@example.org", "password": PASSWORD, "senders": ["@example.org"]}]},
        {"only_named_senders": True, "senders": ["example.net"], "connection_reuse": True},
    ],
)
def test_present_then_absent_is_the_identity(postfix: ScratchPostfix, options: dict[str, Any]) -> None:
    postfix.set(relayhost="[old.example]:25", smtp_tls_security_level="may", smtp_destination_concurrency_limit="7")
    parameters, files = postfix.parameters(), snapshot(postfix.config_directory)
    predicted = relay(postfix, check=True, **options)
    assert snapshot(postfix.config_directory) == files, "check mode has changed something"
    run = relay(postfix, **options)
    assert predicted.changed
    assert run.changed, run.message
    assert predicted.result["diff"] == run.result["diff"]
    assert predicted.result["changes"] == run.result["changes"]
    assert not relay(postfix, check=True, **options).changed
    away = relay(postfix, check=True, state="absent")
    run = relay(postfix, state="absent")
    assert away.result["diff"] == run.result["diff"]
    assert postfix.parameters() == parameters
    assert snapshot(postfix.config_directory) == files
    assert not relay(postfix, state="absent").changed


def test_only_root_reads_passwords(postfix: ScratchPostfix) -> None:
    relay(postfix)
    relay(postfix, default_password=PASSWORD + "2")
    modes = {path.name: path.stat().st_mode & 0o777 for path in postfix.config_directory.glob("smarthost_*")}
    assert modes.pop("smarthost_status_filter") == 0o644
    assert set(modes.values()) == {0o600}
    assert set(modes) == {"smarthost_passwords", "smarthost_passwords.db", "smarthost_originals.json"}


def test_open_index_is_closed(postfix: ScratchPostfix) -> None:
    relay(postfix)
    index = postfix.config_directory / "smarthost_passwords.db"
    index.chmod(0o644)
    assert relay(postfix).changed
    assert index.stat().st_mode & 0o777 == 0o600


def test_no_secret_in_the_result(postfix: ScratchPostfix) -> None:
    first = relay(postfix)
    second = relay(postfix, default_password="Another " + PASSWORD)
    assert second.changed
    shown = json.dumps(second.result["diff"])
    assert "new password" in shown
    for run in (first, second):
        for form in (PASSWORD, json.dumps(PASSWORD)[1:-1], repr(PASSWORD)[1:-1]):
            assert form not in run.raw
    remembered = (postfix.config_directory / "smarthost_originals.json").read_text()
    assert "Zitrone" not in remembered


@pytest.mark.parametrize("damage", ["truncate", "remove", "rebuild", "source"])
def test_damaged_map_is_repaired(postfix: ScratchPostfix, damage: str) -> None:
    relay(postfix)
    source = postfix.config_directory / "smarthost_passwords"
    index = postfix.config_directory / "smarthost_passwords.db"
    table = f"hash:{source}"
    if damage == "truncate":
        index.write_bytes(b"")
    elif damage == "remove":
        index.unlink()
    else:
        content = source.read_text()
        source.write_text(content.replace("[localhost]:587", "[localhost]:25"))
        if damage == "rebuild":
            postfix.run("postmap", table)
            source.write_text(content)
    run = relay(postfix)
    assert run.changed
    assert lookup(postfix, table, "[localhost]:587") == f"web@example.com:{PASSWORD}"


def test_logins_that_are_gone_leave_the_map(postfix: ScratchPostfix) -> None:
    two = [
        {"login": "b@example.org", "password": PASSWORD, "senders": ["@example.org", "Boss@Example.net"]},
        {"login": "c@example.org", "password": PASSWORD, "senders": ["c@example.com"]},
    ]
    relay(postfix, logins=two)
    table = f"hash:{postfix.config_directory}/smarthost_passwords"
    assert lookup(postfix, table, "boss@example.net") == f"b@example.org:{PASSWORD}"
    assert postfix.parameters()["smtp_sender_dependent_authentication"] == "yes"
    relay(postfix, logins=two[1:])
    assert lookup(postfix, table, "boss@example.net") == ""
    assert lookup(postfix, table, "c@example.com") == f"c@example.org:{PASSWORD}"
    relay(postfix)
    assert "smtp_sender_dependent_authentication" not in postfix.parameters() or (
        postfix.parameters()["smtp_sender_dependent_authentication"] == "no"
    )


def test_new_map_type_leaves_no_stale_index(postfix: ScratchPostfix) -> None:
    for kind, index in (("hash", ".db"), ("lmdb", ".lmdb"), ("cdb", ".cdb"), ("texthash", None), ("btree", ".db")):
        run = relay(postfix, map_type=kind)
        assert run.result["map_type"] == kind, run.message
        names = {path.name for path in postfix.config_directory.glob("smarthost_passwords*")}
        assert names == {"smarthost_passwords", *([f"smarthost_passwords{index}"] if index else [])}
        assert postfix.parameters()["smtp_sasl_password_maps"].startswith(f"{kind}:")
        table = f"{kind}:{postfix.config_directory}/smarthost_passwords"
        assert lookup(postfix, table, "[localhost]:587") == f"web@example.com:{PASSWORD}"


NEXT = PASSWORD + "2"


def files_of(postfix: ScratchPostfix) -> set[str]:
    return {path.name for path in postfix.config_directory.glob("smarthost_passwords*")}


@pytest.mark.parametrize(("kind", "index"), [("hash", ".db"), ("lmdb", ".lmdb"), ("cdb", ".cdb"), ("btree", ".db")])
def test_staged_table_is_used_by_one_command(postfix: ScratchPostfix, kind: str, index: str) -> None:
    relay(postfix, map_type=kind)
    table = f"{kind}:{postfix.config_directory}/smarthost_passwords"
    before = snapshot(postfix.config_directory)
    given: dict[str, Any] = {"map_type": kind, "default_password": NEXT, "state": "staged"}
    predicted = relay(postfix, check=True, **given)
    assert snapshot(postfix.config_directory) == before, "check mode has changed something"
    run = relay(postfix, **given)
    assert run.changed, run.message
    assert predicted.changed
    assert predicted.result["diff"] == run.result["diff"]
    assert predicted.result["activation"] == run.result["activation"]
    assert run.result["changes"] == [f"{postfix.config_directory}/smarthost_passwords"]
    assert (run.result["reloaded"], run.result["flushed"]) == (False, False)
    after = snapshot(postfix.config_directory)
    new = {name: mode & 0o777 for name, (_hash, mode) in after.items() if name not in before}
    assert new == dict.fromkeys((f"smarthost_passwords.next{index}", "smarthost_passwords.next"), 0o600)
    assert {name: after[name] for name in before} == before, "what is in use stays"
    again = relay(postfix, **given)
    assert not again.changed, again.message
    assert again.result["activation"] == run.result["activation"]

    subprocess.run(["/bin/sh", "-c", run.result["activation"]], check=True)
    assert lookup(postfix, table, "[localhost]:587") == f"web@example.com:{NEXT}"
    assert files_of(postfix) == {"smarthost_passwords", f"smarthost_passwords{index}"}
    assert not relay(postfix, map_type=kind, default_password=NEXT).changed


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_staged_table_that_is_never_used_is_removed(postfix: ScratchPostfix, state: str) -> None:
    relay(postfix)
    relay(postfix, default_password=NEXT, state="staged")
    assert "smarthost_passwords.next.db" in files_of(postfix)
    run = relay(postfix, state=state)
    assert run.changed, run.message
    assert f"{postfix.config_directory}/smarthost_passwords.next" in run.result["changes"]
    assert files_of(postfix) == ({"smarthost_passwords", "smarthost_passwords.db"} if state == "present" else set())
    assert not relay(postfix, state=state).changed


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({}, {}),  # nothing differs
        ({"map_type": "texthash"}, {"map_type": "texthash", "default_password": NEXT}),  # Postfix reads it once
        ({}, {"concurrency": 2, "default_password": NEXT}),  # more than a table differs
        (None, {}),  # nothing is there yet
    ],
    ids=["nothing", "texthash", "more", "first"],
)
def test_what_cannot_be_staged_is_left_alone(
    postfix: ScratchPostfix, first: dict[str, Any] | None, then: dict[str, Any]
) -> None:
    if first is not None:
        relay(postfix, **first)
    before = snapshot(postfix.config_directory)
    run = relay(postfix, state="staged", **then)
    assert (run.changed, run.result["activation"], run.result["changes"]) == (False, "", []), run.message
    assert snapshot(postfix.config_directory) == before


def test_a_killed_staging_is_cleaned_up(postfix: ScratchPostfix) -> None:
    relay(postfix)
    for name in ("smarthost_passwords.next.new", "smarthost_passwords.next.new.db", "smarthost_passwords.next.db"):
        (postfix.config_directory / name).write_text("x")
    assert relay(postfix).changed
    assert files_of(postfix) == {"smarthost_passwords", "smarthost_passwords.db"}


def test_administrator_wins_when_taken_back(postfix: ScratchPostfix, warnings: list[str]) -> None:
    postfix.set(smtp_destination_concurrency_limit="7")
    relay(postfix)
    postfix.set(smtp_destination_concurrency_limit="3")
    relay(postfix, state="absent")
    assert postfix.parameters()["smtp_destination_concurrency_limit"] == "3"
    assert [text for text in warnings if "smtp_destination_concurrency_limit was changed by hand" in text]


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({}, "relayhost", "[localhost]:2525"),
        ({"dedicated_transport": True}, "default_transport", "smarthost:[elsewhere.example]:25"),
    ],
)
def test_logins_are_not_taken_from_a_way_that_still_leads_to_the_smarthost(
    postfix: ScratchPostfix, options: dict[str, Any], name: str, value: str
) -> None:
    assert relay(postfix, **options).changed
    postfix.set(**{name: value})
    before = snapshot(postfix.config_directory)
    for check in (True, False):
        assert "still leads to the smarthost" in relay(postfix, check=check, state="absent").message
    assert snapshot(postfix.config_directory) == before
    postfix.set(**{name: "smtp" if name == "default_transport" else "[old.example]:25"})
    assert relay(postfix, state="absent").changed


def test_our_map_goes_from_a_list_that_was_added_to(postfix: ScratchPostfix, warnings: list[str]) -> None:
    relay(postfix, only_named_senders=True, logins=[], senders=["example.net"])
    ours = postfix.parameters()["sender_dependent_default_transport_maps"]
    theirs = "inline:{ { a@b.example = relay:[x.example]:25 } }"
    postfix.set(sender_dependent_default_transport_maps=f"{ours}, {theirs}")
    relay(postfix, state="absent")
    assert postfix.parameters()["sender_dependent_default_transport_maps"] == theirs
    assert [text for text in warnings if f"'{theirs}' stays" in text]
    assert not list(postfix.config_directory.glob("smarthost_*"))


def test_a_table_in_main_cf_keeps_its_spelling(postfix: ScratchPostfix) -> None:
    theirs = "inline:{ { a@b.example = relay:[x.example]:25 } }"
    postfix.set(sender_dependent_default_transport_maps=theirs)
    options: dict[str, Any] = {"only_named_senders": True, "logins": [], "senders": ["example.net"]}
    relay(postfix, **options)
    assert postfix.parameters()["sender_dependent_default_transport_maps"].endswith(f"smarthost_senders, {theirs}")
    assert not relay(postfix, **options).changed
    relay(postfix, state="absent")
    assert postfix.parameters()["sender_dependent_default_transport_maps"] == theirs


def test_edit_by_hand_becomes_the_original(postfix: ScratchPostfix, warnings: list[str]) -> None:
    postfix.set(smtp_destination_concurrency_limit="7")
    relay(postfix)
    postfix.set(smtp_destination_concurrency_limit="3")
    relay(postfix)
    assert [text for text in warnings if "changed by hand from '5' to '3'" in text]
    assert postfix.parameters()["smtp_destination_concurrency_limit"] == "5"
    assert not relay(postfix).changed
    relay(postfix, state="absent")
    assert postfix.parameters()["smtp_destination_concurrency_limit"] == "3"


def test_owner_and_mode_of_main_cf_stay(postfix: ScratchPostfix) -> None:
    main = postfix.config_directory / "main.cf"
    main.chmod(0o640)
    relay(postfix, dedicated_transport=True)
    (postfix.config_directory / "master.cf").chmod(0o640)
    relay(postfix, dedicated_transport=True, concurrency=4)
    assert main.stat().st_mode & 0o777 == 0o640
    assert (postfix.config_directory / "master.cf").stat().st_mode & 0o777 == 0o640


def test_filter_of_the_administrator_stays_first(postfix: ScratchPostfix) -> None:
    own = postfix.config_directory / "own_filter"
    own.write_text("/mailbox full/ 4.2.2 later\n")
    postfix.set(smtp_delivery_status_filter=f"regexp:{own}")
    relay(postfix)
    ours = f"regexp:{postfix.config_directory}/smarthost_status_filter"
    assert postfix.parameters()["smtp_delivery_status_filter"] == f"regexp:{own}, {ours}"
    assert not relay(postfix).changed
    relay(postfix, state="absent")
    assert postfix.parameters()["smtp_delivery_status_filter"] == f"regexp:{own}"


def test_filter_that_would_lose_mail_is_refused(postfix: ScratchPostfix) -> None:
    own = postfix.config_directory / "own_filter"
    own.write_text("/said: 530/ 5.7.1 no\n")
    postfix.set(smtp_delivery_status_filter=f"regexp:{own}")
    files = snapshot(postfix.config_directory)
    run = relay(postfix)
    assert run.failed
    assert "would lose mail silently" in run.message
    assert snapshot(postfix.config_directory) == files


def test_port_25_works_with_a_warning(postfix: ScratchPostfix, warnings: list[str]) -> None:
    assert relay(postfix, smarthost_port=25).result["next_hop"] == "[localhost]:25"
    assert [text.partition(",")[0] for text in warnings] == ["smarthost_port: 25 is for mail between servers"]
    warnings.clear()
    for port in (587, 465):
        relay(postfix, smarthost_port=port)
    assert warnings == []
