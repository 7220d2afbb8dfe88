# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to a sent mail, to the letter: only the password is another one than the page's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet import why_impossible
from tests.support.quick_start import NewUser, new_user, quick_start

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(why_impossible()), reason=why_impossible()),
    pytest.mark.timeout(1800),
]


@pytest.mark.parametrize(
    ("page", "methods"),
    [("README.md", "documented"), pytest.param("docs/schnellstart.md", "full", marks=pytest.mark.slow)],
)
def test_a_new_user_follows_the_page(tmp_path: Path, page: str, methods: str) -> None:
    to_do = quick_start(page)
    with new_user(methods, lambda fleet, emulator: NewUser(fleet, emulator, tmp_path)) as user:
        user.write(to_do)
        # A new user runs it on a machine; the tests may run in a container, whose disk is thrown away.
        (user.site / "group_vars").mkdir()
        (user.site / "group_vars" / "all.yml").write_text("spamexperts_store_is_kept: true\n", encoding="utf-8")
        run = user.type(*to_do.commands)
        assert run.returncode == 0, run.output
        assert "The smarthost has taken a test mail from mail1.example.com, mail2.example.com." in run.output
        vendor = user.emulator
        login = next(f"{one['username']}@example.com" for one in vendor.users() if one["username"].startswith("server"))
        # One as cron would send it, and one as the login.
        senders = {login, *(f"nobody@{host.name}.fleet.test" for host in user.fleet.hosts)}
        assert {(mail["login"], mail["mail_from"]) for mail in vendor.mails()} == {(login, name) for name in senders}
        assert {mail["client_ip"] for mail in vendor.mails()} == {host.address for host in user.fleet.hosts}
        assert len(vendor.users()) == 13
        assert {one["domain"] for one in vendor.users()} == {"example.com"}
        first, second = user.fleet.hosts
        for host, sender in ((first, "alice@example.com"), (second, "bob@example.com")):
            host.inject(sender, "somebody@example.net", "a person's mail")
            host.wait_until_empty()
        mails = [mail for mail in vendor.mails() if mail["subject"] == "a person's mail"]
        arrived = {(mail["mail_from"], mail["login"]) for mail in mails}
        assert arrived == {("alice@example.com", login), ("bob@example.com", login)}
        vendor.reset_counters()
        again = user.type(*to_do.commands[:2], to_do.commands[-1])
        assert again.returncode == 0, again.output
        assert again.changed() == 0, again.output
        assert vendor.counters()["writes"] == 0
        described = user.site / "domains" / "example.com.yml"
        for command in to_do.later:
            if command.startswith("make "):
                continue  # it needs a checkout, and has tests of its own
            if "spamexperts_remove" in command:
                described.write_text(described.read_text().replace("  - username: jonas\n", ""), encoding="utf-8")
            later = user.type(*to_do.commands[:2], command)
            assert later.returncode == 0, later.output
        assert "jonas" not in {one["username"] for one in vendor.users()}
