# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of all findings together, and of what is accepted."""

from __future__ import annotations

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.accepted import apply, parse
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.finding import RULES, Finding, Unseen
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.report import FAIL_ON, Report, report
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.seen import (
    Computer,
    Passwords,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._names import InputError

from tests.support.audited import ALICE, SERVER, TODAY, USERS, site, user


def findings(code: str, number: int, accepted: str = "") -> list[Finding]:
    return [Finding(code, f"{each:02}", "what", "do", accepted) for each in range(number)]


def unseen(number: int) -> list[Unseen]:
    return [Unseen("DNS", f"part {each:02}", "why") for each in range(number)]


# The whole


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (Report([], []), "Nothing wrong was found, and nothing was left out"),
        (Report([], unseen(1)), "Nothing wrong was found; 1 thing could not be looked at"),
        (Report(findings("missing", 1), []), "1 finding: 1 medium"),
        (Report(findings("missing", 2), unseen(2)), "2 findings: 2 medium; 2 things could not be looked at"),
        (Report(findings("missing", 2, "taken on"), []), "Nothing wrong was found, and nothing was left out"),
    ],
)
def test_the_verdict(made: Report, verdict: str) -> None:
    assert made.verdict == verdict


@pytest.mark.parametrize(
    ("made", "true"),
    [
        (Report([], []), []),
        (Report([], unseen(1)), ["unseen"]),
        (Report(findings("missing", 1), []), ["drift", "medium"]),
        (Report(findings("missing", 1, "taken on"), []), []),
        (Report(findings("refused", 1), []), ["high"]),
        (Report(findings("mail_waits", 1), []), ["high", "queue"]),
        (Report(findings("host_managed", 1), []), ["low"]),
    ],
)
def test_what_a_run_may_fail_on(made: Report, true: list[str]) -> None:
    assert made.failing(FAIL_ON) == true
    for word in FAIL_ON:
        assert made.failing([word]) == ([word] if word in true else [])


@pytest.mark.parametrize(
    ("number", "accepted", "parts", "lines"),
    [
        (0, 0, 0, []),
        (10, 0, 10, []),
        (11, 1, 11, ["and 1 more, which the page has", "not looked at: 1 more, which the page has"]),
        (13, 2, 12, ["and 3 more, which the page has", "not looked at: 2 more, which the page has"]),
    ],
)
def test_ten_of_each_are_said(number: int, accepted: int, parts: int, lines: list[str]) -> None:
    taken = findings("stranger", accepted, "taken on")
    made = Report([*taken, *findings("missing", number)], unseen(parts), ["a note"], {"domain": 1, "sender": 2})
    said = list(made.lines())
    assert [line for line in said if "which the page has" in line] == lines
    assert sum(line.startswith("MEDIUM missing: ") for line in said) == min(number, 10)
    assert sum(line.startswith("not looked at: part ") for line in said) == min(parts, 10)
    noun = "finding" if accepted == 1 else "findings"
    assert [line for line in said if line.startswith("accepted")] == ([f"accepted: {accepted} {noun}"] * bool(accepted))
    assert said[-2:] == ["a note", "1 domain, 2 senders."]


def test_everything_that_was_seen_is_looked_at_and_counted() -> None:
    seen = site(
        users=[*USERS, user("eve")],
        relay={"running": False},
        domain={"abuse_contact": ""},
        dns={"takes_mail": False},
        computers={"desktop1": Computer([{"user": "a", "path": "", "reason": "", "servers": [{"login": "x@y.zz"}]}])},
    )
    made = report(seen, parse([{"code": "stranger", "where": "*", "reason": "ok", "until": TODAY}]), TODAY)
    assert [one.code for one in made.findings] == [
        *("cannot_be_answered", "not_running", "stranger", "undescribed_thunderbird", "no_abuse_contact")
    ]
    assert [one.code for one in made.open] == [one.code for one in made.findings if one.code != "stranger"]
    assert made.totals == {"domain": 1, "sender": 3, "mail server": 1}
    # Whoever is described and has a second login is one sender; who is to be removed, and is not there, is none.
    gone = {"username": "bob", "state": "absent"}
    in_use = {**site().passwords.in_use, "alice@example.com": "alice-b@example.com"}
    moved = site([ALICE, SERVER, gone], users=[user("alice-b"), USERS[1]], passwords=Passwords(in_use))
    assert report(moved, [], TODAY).totals["sender"] == 2


# What is accepted

TAKEN = {"code": "stranger", "where": "Eve@*", "reason": " old ", "until": "2026-12-31"}


def test_the_first_that_takes_it_says_why() -> None:
    given = [Finding("stranger", "eve@Example.com", "w", "d"), Finding("leaver", "eve@example.com", "w", "d")]
    entries = [{**TAKEN, "until": "2026-11-29"}, TAKEN, {**TAKEN, "where": "*"}, {**TAKEN, "code": "refused"}]
    shown, notes = apply(given, parse(entries), TODAY)
    assert [one.accepted for one in shown] == ["old (until 2026-12-31)", ""]
    assert notes == [
        "stranger of Eve@* was accepted until 2026-11-29, and counts again; take the entry out",
        "stranger of * is accepted, and there is none; take the entry out",
        "refused of Eve@* is accepted, and there is none; take the entry out",
    ]


def test_everything_that_is_wrong_with_what_is_accepted_is_said() -> None:
    with pytest.raises(InputError) as raised:
        parse([1, {**TAKEN, "until": "soon"}, {**TAKEN, "code": "x"}])
    assert [part.partition("]")[0] for part in str(raised.value).split("; ")] == [
        f"spamexperts_audit_accepted[{position}" for position in range(3)
    ]


def test_a_finding_as_a_program_gets_it() -> None:
    (one,) = findings("stranger", 1, "taken on")
    assert (one.severity, one.to_result()["accepted"], one.to_result()["why"]) == (
        *("high", "taken on"),
        RULES["stranger"].why,
    )
