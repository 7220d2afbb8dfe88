# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits for the smarthost, as `postqueue -j` and the mail log tell it; the reasons are Postfix's own."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import bounces
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.bounces import count_bounces, lines_since
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import (
    Answer,
    Instance,
    PostfixError,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.queue import (
    Lifetimes,
    Queue,
    parse,
    seconds_of,
    sentence,
    span,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.reasons import (
    GROUPS,
    Way,
    code_of,
    group,
    server_of,
)

from tests import ROOT

NAME = "4489.smtp.example"
AT = f"{NAME}[192.0.2.1]"
WAY = Way(NAME, local=frozenset({"here.example"}))
NOW = 1_800_000_000
DAY = 86400


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("password", f"SASL authentication failed; server {AT} said: 535 Incorrect authentication data"),
        ("password", f"host {AT} said: 530 5.7.0 Authentication required (in reply to MAIL FROM command)"),
        ("password", f"host {AT} said: 554 Message submission is for authorised users only! (in reply to MAIL)"),
        ("password", f"host {AT} said: 451 You have been denied authentication (in reply to MAIL FROM command)"),
        ("password", f"SASL authentication failed; server {AT} said: 535 5.7.8 no TLS for you"),
        ("busy", f"host {AT} refused to talk to me: 421 Too many concurrent SMTP connections from this IP address"),
        ("busy", f"host {AT} said: 451 Too Many Connections (in reply to MAIL FROM command)"),
        ("busy", f"host {AT} said: 421 4.3.2 shutting down (in reply to end of DATA command)"),
        ("limit", f"host {AT} said: 451 Too many messages. Please wait for a while and try again. (in reply to DATA)"),
        ("limit", f"host {AT} said: 451 Per-minute connection limit exceeded (in reply to MAIL FROM command)"),
        (
            "lock",
            f"host {AT} said: 451 Your account is locked. Please contact the administrator: a@b (in reply to DATA)",
        ),
        ("lock", f"host {AT} said: 535 account suspended"),
        ("tls", f"TLS is required, but was not offered by host {AT}"),
        ("tls", f"TLS is required, but host {AT} refused to start TLS: 454 4.7.0 not now"),
        ("tls", "Server certificate not trusted"),
        ("tls", "Server certificate not verified"),
        ("tls", "Cannot start TLS: handshake failure"),
        ("tls", f"SASL authentication failed; cannot authenticate to server {AT}: no mechanism available"),
        ("unreachable", f"connect to {AT}:587: Connection refused"),
        ("unreachable", f"connect to {AT}:587: Connection timed out"),
        ("unreachable", f"connect to {NAME}[2001:db8::1]:587: Network is unreachable"),
        ("unreachable", f"conversation with {AT} timed out while receiving the initial server greeting"),
        ("unreachable", f"lost connection with {AT} while sending end of data -- message may be sent more than once"),
        ("unreachable", f"Host or domain name not found. Name service error for name={NAME} type=A: Host not found"),
        ("other", f"host {AT} said: 451 Come back later (in reply to MAIL FROM command)"),
        ("other", "mail transport unavailable"),
        ("not_tried", ""),
    ],
)
def test_reasons_are_grouped_and_found_to_be_of_the_smarthost(name: str, reason: str) -> None:
    for text in (reason, f"delivery temporarily suspended: {reason}" if reason else ""):
        assert group(text).name == name
        assert WAY.leads(text, "a@elsewhere.example")
        assert Way(NAME.upper(), is_general=NAME not in reason).leads(text, "a@elsewhere.example")
        assert not Way("other.example", is_general=False).leads(text, "a@elsewhere.example")


def test_each_group_has_a_remedy() -> None:
    assert len({each.remedy for each in GROUPS}) == len({each.name for each in GROUPS}) == len(GROUPS)


@pytest.mark.parametrize(
    ("reason", "recipient"),
    [
        ("connect to mx.elsewhere.example[192.0.2.9]:25: Connection timed out", "a@elsewhere.example"),
        # What another server writes is no name of a server.
        (f"host mx.b.example[192.0.2.9] said: 451 you are not {AT}", "a@b.example"),
        ("host mail.here.example[private/dovecot-lmtp] said: 452 4.2.2 Quota exceeded", "a@other.example"),
        ("cannot update mailbox /var/mail/a: File too large", "a@HERE.example"),
        ("Name service error for name=b.example type=MX: Host not found, try again", "a@b.example"),
        ("", "root"),
    ],
)
def test_mail_for_others_does_not_wait_for_the_smarthost(reason: str, recipient: str) -> None:
    assert not WAY.leads(reason, recipient)


def test_a_reply_cannot_name_another_server_instead() -> None:
    assert server_of(f"host {AT} said: 451 wait for host evil.example[192.0.2.66]") == NAME
    assert code_of(f"host {AT} said: 451 and evil said: 535 no") == "451"
    assert server_of("x[y]z [1] name") is None


def entry(
    reason: str = "", *, age: int = 60, queue: str = "deferred", sender: str = "b@here.example", to: str = "a@x.example"
) -> bytes:
    recipient = {"address": to, **({"delay_reason": reason} if reason else {})}
    mail = {"queue_name": queue, "queue_id": "A1", "arrival_time": NOW - age, "sender": sender}
    return json.dumps({**mail, "message_size": 1, "recipients": [recipient]}).encode() + b"\n"


def looked(*lines: bytes, mail: int | None = 5 * DAY, bounce: int | None = DAY) -> dict[str, Any]:
    queue = Queue(WAY, Lifetimes(mail, bounce), NOW)
    for line in lines:
        queue.add(line)
    return {**queue.to_result(), "unreadable": queue.unreadable}


PASSWORD = f"SASL authentication failed; server {AT} said: 535 5.7.8 AGFsaWNlAHNlY3JldA== is wrong, a@x.example"


def test_an_empty_queue() -> None:
    result = looked()
    assert result == {
        **{"waiting": 0, "held": 0, "elsewhere": 0, "oldest_age": None, "first_lost_in": None},
        **{"reasons": [], "unreadable": 0},
    }


def test_what_waits_is_counted_by_mails_and_the_oldest_one_is_found() -> None:
    result = looked(
        entry(PASSWORD, age=7500),
        entry(f"delivery temporarily suspended: {PASSWORD}", age=100),
        entry("Server certificate not verified", age=10),
        entry(age=9000, queue="hold"),
        entry("connect to mx.x.example[192.0.2.9]:25: Connection refused", age=99999),
        entry(queue="active", age=-5),
    )
    groups = {each["group"]: (each["mails"], each["codes"]) for each in result["reasons"]}
    assert groups == {"password": (2, [535]), "tls": (1, []), "not_tried": (1, [])}
    assert result["reasons"][0]["group"] == "password"
    assert (result["waiting"], result["held"], result["elsewhere"]) == (4, 1, 1)
    assert (result["oldest_age"], result["first_lost_in"]) == (7500, 5 * DAY - 7500)


def test_nothing_of_a_mail_and_no_reply_is_in_the_result() -> None:
    text = json.dumps(looked(entry(PASSWORD))) + sentence(looked(entry(PASSWORD)), NAME)
    assert not [word for word in ("AGFsaWNl", "x.example", "here.example", "A1") if word in text]


def test_a_bounce_is_given_up_before_a_mail_that_is_older() -> None:
    result = looked(entry(PASSWORD, age=DAY), entry(PASSWORD, age=60, sender="MAILER-DAEMON"))
    assert result["first_lost_in"] == DAY - 60
    assert looked(entry(PASSWORD, age=6 * DAY))["first_lost_in"] == 0
    assert looked(entry(PASSWORD), mail=None)["first_lost_in"] is None


def test_a_mail_with_several_recipients_is_one_mail() -> None:
    mail = json.loads(entry())
    tried = {"address": "b@x.example", "delay_reason": f"host {AT} said: 421 later"}
    mail["recipients"] = [{"address": "a@x.example", "delay_reason": PASSWORD}, tried, {"address": "root"}]
    result = looked(json.dumps(mail).encode())
    assert result["waiting"] == 1
    assert sorted(each["group"] for each in result["reasons"]) == ["busy", "password"]


NO_TIME = b'{"queue_name":"active","arrival_time":"x","recipients":[]}'


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"{", b"[]", b"null", b'{"queue_name": 1}', b"\xff", entry()[:-30], b"[" * 100000, NO_TIME],
    ids=range(10),
)
def test_a_line_that_says_nothing_is_counted_as_unreadable(line: bytes) -> None:
    assert parse(line) is None
    assert looked(line)["unreadable"] == 1


def test_a_newer_postfix_may_say_more() -> None:
    mail = json.loads(entry(PASSWORD))
    mail |= {"forced_expire": True, "arrival_time": str(NOW), "new": {}}
    assert looked(json.dumps(mail).encode())["waiting"] == 1
    assert parse(entry(to="ä@x.example").replace(b"\\u00e4", b"\xe4")) is not None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5d", 432000), ("12h", 43200), ("0", 0), ("2", 172800), (" 1w ", 604800), ("", None), ("x", None)],
)
def test_times_of_main_cf(value: str, seconds: int | None) -> None:
    assert seconds_of(value) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (86400, "1 d"), (90061, "1 d 1 h"), (86460, "1 d")],
)
def test_times_for_people(seconds: int, text: str) -> None:
    assert span(seconds) == text


def test_the_sentence() -> None:
    remedies = {each.name: each.remedy for each in GROUPS}
    one = looked(entry(PASSWORD, age=7500))
    assert sentence(one, NAME) == (
        f"1 mail waits for {NAME}, the oldest one for 2 h 5 min. password (1): {remedies['password']}. "
        "Unless it leaves before, the first one is returned to its sender in 4 d 21 h."
    )
    assert sentence(looked(entry(age=9 * DAY), entry()), NAME).startswith("2 mails wait")
    assert sentence(looked(entry(age=9 * DAY)), NAME).endswith("returned to its sender at the next try.")
    assert sentence(looked(entry(), mail=None), NAME).endswith(f"{remedies['not_tried']}.")


# The log

SINCE = datetime(2026, 5, 2, 10)
NOON = SINCE + timedelta(days=1)
HEAD = "May  3 01:00:00 h postfix/"


def attempt(mail: str, status: str, reply: str = "550 no", relay: str = f"{AT}:587", to: str = "a@x.example") -> str:
    return f"{HEAD}smtp[7]: {mail}: to=<{to}>, relay={relay}, delay=1, dsn=5.0.0, status={status} ({reply})"


def expired(mail: str) -> str:
    return f"{HEAD}qmgr[7]: {mail}: from=<b@x>, status=expired, returned to sender"


def gone(mail: str) -> str:
    return f"{HEAD}qmgr[7]: {mail}: removed"


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ([], 0),
        ([attempt("A", "bounced")], 1),
        ([attempt("A", "bounced"), gone("A")], 1),
        # A mail is one, however many recipients it has, and its queue id is another's afterwards.
        ([attempt("A", "bounced"), attempt("A", "bounced", to="b@x.example"), gone("A")], 1),
        ([attempt("A", "bounced"), gone("A"), attempt("A", "bounced"), gone("A"), attempt("A", "sent")], 2),
        ([attempt("A", "deferred"), gone("A")], 0),
        ([attempt("A", "deferred"), expired("A"), gone("A")], 1),
        ([attempt("A", "deferred"), expired("A").replace("expired", "force-expired"), gone("A")], 1),
        ([attempt("A", "deferred", f"delivery temporarily suspended: {PASSWORD}", "none"), expired("A")], 1),
        ([attempt("A", "deferred", "Cannot start TLS: handshake failure", "none"), expired("A")], 1),
        # Of other servers, of this host, and of another instance.
        ([expired("A"), gone("A")], 0),
        ([attempt("A", "bounced", relay="mx.x.example[192.0.2.9]:25")], 0),
        ([attempt("A", "bounced", "unknown user", "local", "a@here.example")], 0),
        ([attempt("A", "deferred", "Host not found, name=x.example type=MX", "none"), expired("A")], 0),
        ([attempt("A", "bounced").replace("postfix/", "postfix-out/")], 0),
        (["May  3 01:00:00 h dovecot: status=bounced", "", "status=", ": removed"], 0),
    ],
)
def test_what_was_returned_is_counted(lines: list[str], number: int) -> None:
    assert count_bounces(lines, SINCE, NOON, WAY, "postfix")[0].number == number


def sent_as(mail: str, sender: str) -> str:
    return f"{HEAD}qmgr[7]: {mail}: from=<{sender}>, size=9, nrcpt=1 (queue active)"


def test_the_senders_are_those_of_mail_for_the_smarthost() -> None:
    """Each mail once, however often it is tried; not of bounces, of other servers' mail, and not without end."""
    lines = [sent_as("A", "a@X.example"), attempt("A", "deferred"), sent_as("A", "a@x.example"), attempt("A", "sent")]
    lines += [gone("A"), sent_as("B", ""), attempt("B", "sent"), gone("B"), sent_as("C", "root"), attempt("C", "sent")]
    lines += [sent_as("D", "d@other.example"), attempt("D", "sent", relay="mx.x.example[192.0.2.9]:25")]
    lines += [sent_as("E", '"a@b"@quoted.example'), attempt("E", "bounced")]
    found, _reach = count_bounces(lines, SINCE, NOON, WAY, "postfix")
    assert dict(found.senders) == {"a@x.example": 2, '"a@b"@quoted.example': 1}
    made_up = [line for n in range(10_100) for line in (sent_as(f"M{n}", f"a@d{n}.example"), attempt(f"M{n}", "sent"))]
    assert len(count_bounces(made_up, SINCE, NOON, WAY, "postfix")[0].senders) == 10_000


@pytest.mark.parametrize(
    ("stamps", "reach"),
    [
        ([], 0),
        (["no time"], 0),
        (["May  3 09:00:00"], 3600),
        (["May  2 09:59:59"], DAY),
        (["May  2 09:59:59", "May  3 09:00:00"], DAY),
        (["broken", "May  3 09:59:00", "May  3 09:59:30"], 60),
        (["May  3 11:00:00"], 0),
    ],
)
def test_how_far_the_log_reaches(stamps: list[str], reach: int) -> None:
    assert count_bounces([f"{stamp} h x" for stamp in stamps], SINCE, NOON, WAY, "postfix")[1] == reach


def test_what_is_older_does_not_count() -> None:
    old = attempt("A", "bounced").replace("May  3", "May  1")
    found, reach = count_bounces([old, attempt("B", "bounced")], SINCE, NOON, WAY, "postfix")
    assert (found.number, reach) == (1, DAY)


def write(path: Path, *lines: str, changed: datetime = NOON) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    os.utime(path, (changed.timestamp(), changed.timestamp()))
    return path


@pytest.mark.parametrize("block", [7, 1 << 20])
def test_a_log_is_read_together_with_what_was_rotated_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(bounces, "_BLOCK", block)
    log = write(tmp_path / "mail.log", "May  3 02:00:00 c", "May  3 03:00:00 d")
    write(tmp_path / "mail.log.1", "May  2 23:00:00 b", changed=SINCE + timedelta(hours=13))
    write(tmp_path / "mail.log-20260502", "May  2 12:00:00 a", changed=SINCE + timedelta(hours=2))
    write(tmp_path / "mail.log.2", "May  1 12:00:00 old", changed=SINCE - timedelta(days=1))
    for name in ("mail.log.3.gz", "mail.log.bak", "mail.log-20260502.xz", "mail.log.copy.1.swp"):
        write(tmp_path / name, "May  3 01:00:00 other")
    (tmp_path / "mail.log.9").mkdir()
    (tmp_path / "mail.log.4").symlink_to(tmp_path / "nowhere")
    assert [line[-1] for line in lines_since(log, SINCE)] == ["a", "b", "c", "d"]


def test_a_log_that_rotates_in_the_middle_is_read_once(tmp_path: Path) -> None:
    log = write(tmp_path / "mail.log", "May  3 02:00:00 a", "May  3 03:00:00 b")
    lines = lines_since(log, SINCE)
    assert next(lines)[-1] == "a"
    log.rename(tmp_path / "mail.log.1")
    write(log, "May  3 04:00:00 c")
    assert [line[-1] for line in lines] == ["b"]
    # Between opening the log and looking for the others.
    found = bounces._rotated
    log.unlink()
    (tmp_path / "mail.log.1").rename(log)

    def rotate(*arguments: Any) -> Any:
        log.rename(tmp_path / "mail.log.1")
        return found(*arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bounces, "_rotated", rotate)
        assert [line[-1] for line in lines_since(log, SINCE)] == ["a", "b"]


def test_of_a_long_log_only_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    with log.open("wb") as stream:
        stream.truncate(1 << 40)  # a hole: whoever read all of it would take hours
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n" + 40000 * b"May  1 04:00:00 an old line that is longer than it has to be\n")
        stream.write(b"May  3 05:00:00 x\n")
    found, reach = count_bounces(lines_since(log, SINCE), SINCE, NOON, WAY, "postfix")
    assert (found.number, reach) == (0, DAY)


# A program that prints without end


def read(folder: Path, script: str, seconds: float = 20) -> tuple[bool, list[bytes]]:
    program = folder / "postqueue"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    lines: list[bytes] = []

    def take(line: bytes) -> None:
        lines.append(line)
        del lines[:-3]

    def run(*_arguments: Any) -> Answer:
        raise AssertionError

    return Instance(run, "/etc/postfix").read(take, seconds, "postqueue", "-j"), lines


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_a_program_is_read_line_by_line(folder: Path) -> None:
    assert read(folder, 'echo "$@"; echo "$LC_ALL"') == (True, [b"-c /etc/postfix -j\n", b"C\n"])
    assert read(folder, "head -c 200000 /dev/zero >&2; echo x") == (True, [b"x\n"])


def test_a_program_without_end_is_ended(folder: Path) -> None:
    begin = time.monotonic()
    assert read(folder, "exec yes", 0.3)[0] is False
    assert read(folder, "exec sleep 1000", 0.3) == (False, [])
    assert time.monotonic() - begin < 30


def test_a_program_that_fails(folder: Path) -> None:
    with pytest.raises(PostfixError, match="'postqueue' failed in /etc/postfix: postqueue: fatal: the mail system is"):
        read(folder, "echo a; echo 'postqueue: fatal: the mail system is down' >&2; exit 69")
    with pytest.raises(PostfixError, match="failed in /etc/postfix: 3"):
        read(folder, "exit 3")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PostfixError) as raised:
        Instance(lambda *_: Answer(0, "", ""), "/etc").read(lambda _: None, 1, "postqueue-of-nobody")
    assert raised.value.code == "not_installed"


def test_the_guide_has_each_group() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "queue.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(each.name for each in GROUPS)
