# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit writes: a page, JSON and CSV, whatever somebody has called a domain, a host or a sender."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import date

import pytest
from ansible_collections.smarthost.spamexperts.plugins.action.audit import contents
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.accepted import parse
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.finding import RULES
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.report import report
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.seen import Account, Host, Passwords, Seen
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._audit_files import csv_text, safe_cell

from tests import ROOT
from tests.support.audited import RELAY, TODAY, USERS, described, site, user

HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}</table>"


def written(seen: Seen, accepted: object = ()) -> dict[str, str]:
    made = report(seen, parse(list(accepted)), TODAY)  # type: ignore[call-overload]  # a list
    return {name: text.decode("utf-8-sig") for name, text in contents(seen, made, TODAY).items()}


def rows(text: str) -> dict[str, dict[str, str]]:
    return {row["sender"]: row for row in csv.DictReader(io.StringIO(text))}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_other_cells_stay() -> None:
    for text in ("", "alice@example.com", "1=1", "a-b", "ü", "'=1"):
        assert safe_cell(text) == text
    written_text = csv_text(["a"], [{"a": 'x"y,\n=z'}, {"a": "\ud800"}]).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(written_text))) == [["a"], ['x"y,\n=z'], ["?"]]


def test_a_sender_whose_name_is_a_formula() -> None:
    seen = site(users=[*USERS, user("=cmd"), user("+a"), user("-b")])
    assert {name for name in rows(written(seen)["senders.csv"]) if name.startswith("'")} == {
        *("'=cmd@example.com", "'+a@example.com", "'-b@example.com"),
    }


def test_each_sender_has_one_row_that_says_what_is_known() -> None:
    shown = rows(written(site(users=[*USERS, user("eve", locked=True)]))["senders.csv"])
    assert sorted(shown) == [f"{name}@example.com" for name in ("alice", "eve", "server1")]
    eve, server = shown["eve@example.com"], shown["server1@example.com"]
    assert (eve["described"], eve["at_vendor"], eve["locked"], eve["findings"]) == ("no", "yes", "yes", "stranger")
    assert (server["mail_servers"], server["place"], server["per_hour"]) == ("mail1", "domains/example.com.yml", "100")
    unknown = rows(written(site(accounts={"default": Account()}))["senders.csv"])["alice@example.com"]
    assert (unknown["at_vendor"], unknown["limits"]) == ("", ""), "nobody knows"


def test_a_second_login_is_the_row_of_its_sender() -> None:
    logins = {"alice@example.com": "alice2@example.com"}
    seen = site(users=[user("alice2"), USERS[1]], passwords=Passwords(logins))
    shown = rows(written(seen)["senders.csv"])
    assert (shown["alice2@example.com"]["described"], "alice@example.com" in shown) == ("yes", False)


def test_nothing_that_somebody_wrote_becomes_a_part_of_the_page() -> None:
    relay = {**RELAY, "next_hop": f"[{HOSTILE}]:587", "objection": HOSTILE, "version": HOSTILE}
    seen = site(accounts={"default": Account(no_users=HOSTILE, no_domains=HOSTILE)})
    seen = replace(seen, hosts={HOSTILE: Host({**relay, "other_logins": [HOSTILE]})})
    text = written(seen)["audit.html"]
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7 * 7 }}" in text
    assert text.count("<script>") == text.count("</script>") == 1
    assert json.loads(written(seen)["audit.json"])["not_looked_at"]


def test_the_page_asks_for_nothing() -> None:
    text = written(site(users=[*USERS, user("eve")]))["audit.html"]
    assert "default-src 'none'" in text
    assert not re.findall(r"\b(?:src|srcset|action|poster|data)=|@import|url\(", text)
    links = set(re.findall(r'href="([^"]*)"', text))
    assert links == {"data:,", "https://github.com/smarthost/spamexperts/blob/main/docs/audit.md#stranger"}


def test_the_page_says_what_was_not_looked_at_and_what_is_accepted() -> None:
    taken = {"code": "stranger", "where": "eve@*", "reason": "her own choice", "until": "2027-01-01"}
    text = written(replace(site(users=[*USERS, user("eve")]), dns=None, no_dns="DNS is silent"), [taken])["audit.html"]
    for piece in ("Accepted: her own choice (until 2027-01-01)", "DNS is silent", 'data-severity="accepted"'):
        assert piece in text
    assert "Nothing was left out" not in text
    assert "Nothing was left out" in written(site())["audit.html"]


def test_the_same_day_writes_the_same() -> None:
    seen = site()
    assert contents(seen, report(seen, [], TODAY), TODAY) == contents(seen, report(seen, [], TODAY), TODAY)
    other = contents(seen, report(seen, [], TODAY), date(2027, 1, 1))
    assert other["audit.html"] != contents(seen, report(seen, [], TODAY), TODAY)["audit.html"]


def test_the_page_of_nine_thousand_senders_is_small() -> None:
    descriptions, users = [], []
    for number in range(300):
        domain, names = f"domain-number-{number}.example", [f"someone{position}" for position in range(30)]
        descriptions += described(*({"username": name} for name in names), domain=domain)
        users += [user(name, domain=domain) for name in names]
    text = written(site(descriptions=descriptions, users=users))["audit.html"]
    assert text.count("someone7@") == 300
    assert len(text) < 6_000_000


def test_the_guide_has_each_finding_with_its_remedy() -> None:
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=\n#|\Z)", text, re.DOTALL | re.MULTILINE))
    assert sorted(sections) == sorted(RULES)
    for code, rule in RULES.items():
        assert rule.severity.capitalize() in sections[code]
        assert re.sub(r"\{\w+\}", "...", rule.to_do) in sections[code]
        assert rule.why in sections[code]
