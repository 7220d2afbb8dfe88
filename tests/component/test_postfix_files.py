# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""main.cf and master.cf as files: their last line, their links, their bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance, PostfixError

from tests.support.module import ModuleRun
from tests.support.postfix import ScratchPostfix, make_older
from tests.support.relay import relay, snapshot

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]
OWN_TRANSPORT: dict[str, Any] = {"dedicated_transport": True}


@pytest.fixture(autouse=True)
def _no_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main instance of this machine is nobody's to ask, and slow where it is not set up."""
    monkeypatch.setattr(
        "ansible_collections.smarthost.spamexperts.plugins.modules.postfix_relay.names_main_instance", lambda _: False
    )


def configure(postfix: ScratchPostfix, **options: Any) -> ModuleRun:
    login = {"default_login": "web@example.com", "default_password": "Correct-Horse-42"}
    return relay(postfix, **{"smarthost": "smarthost.example", **login, **options})


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
    make_older(path)


@pytest.mark.parametrize(
    "last",
    [
        "smtpd_banner = $myhostname ESMTP",
        "# a comment",
        "  ",
        "smtpd_banner =\n  $myhostname\n  ESMTP",
        "relayhost = [old.example]",  # ours takes its place
        "smtp_tls_CAfile = /old.pem\nrelayhost = [old.example]\n# the end",
    ],
)
@pytest.mark.parametrize("options", [{}, OWN_TRANSPORT], ids=["shared", "own"])
def test_a_main_cf_without_a_newline_at_its_end(postfix: ScratchPostfix, last: str, options: dict[str, Any]) -> None:
    append(postfix.config_directory / "main.cf", last)
    files, parameters = snapshot(postfix.config_directory), postfix.parameters()
    assert configure(postfix, **options).changed
    now = postfix.parameters()
    assert "smarthost.example" in now["default_transport" if options else "relayhost"]
    assert now[f"{'smarthost' if options else 'smtp'}_destination_concurrency_limit"] == "5"
    assert now.get("smtpd_banner") == parameters.get("smtpd_banner")
    assert not configure(postfix, **options).changed
    assert relay(postfix, state="absent").changed
    assert snapshot(postfix.config_directory) == files


@pytest.mark.parametrize("last", ["local unix - n n - - local", "  # the end", "old unix - - n - - error\n  -o x=y"])
def test_a_master_cf_without_a_newline_at_its_end(postfix: ScratchPostfix, last: str) -> None:
    append(postfix.config_directory / "master.cf", last)
    files, services = snapshot(postfix.config_directory), postfix.run("postconf", "-M")
    assert configure(postfix, **OWN_TRANSPORT).changed
    now = postfix.run("postconf", "-M")
    assert len(now.splitlines()) == len(services.splitlines()) + 1
    assert "smarthost  " in now
    assert configure(postfix, connection_reuse=True).changed, "another way, with another service"
    assert relay(postfix, state="absent").changed
    assert snapshot(postfix.config_directory) == files


def test_a_last_line_that_somebody_has_written_since_keeps_its_newline(postfix: ScratchPostfix) -> None:
    main = postfix.config_directory / "main.cf"
    append(main, "smtpd_banner = old")
    configure(postfix)
    append(main, "soft_bounce = no\n")
    assert relay(postfix, state="absent").changed
    assert main.read_text().endswith("smtpd_banner = old\nsoft_bounce = no\n")


def test_a_newline_that_an_editor_has_taken_since(postfix: ScratchPostfix) -> None:
    main = postfix.config_directory / "main.cf"
    configure(postfix)
    append(main, "soft_bounce = no")
    assert configure(postfix, concurrency=4).changed
    assert postfix.parameters()["soft_bounce"] == "no"
    assert relay(postfix, state="absent").changed
    assert main.read_text().endswith("alias_maps =\nsoft_bounce = no")


def test_a_run_that_fails_gives_the_end_of_the_file_back(
    postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(postfix.config_directory / "main.cf", "smtpd_banner = old")
    (postfix.config_directory / "main.cf").chmod(0o640)
    files = snapshot(postfix.config_directory)

    def unset(instance: Instance, names: object) -> None:
        raise PostfixError("'postconf -e' failed.")

    monkeypatch.setattr(Instance, "set_parameters", unset)
    assert "main.cf and master.cf are as they were before" in configure(postfix).message
    assert snapshot(postfix.config_directory) == files


def test_a_run_that_was_killed_knows_how_the_file_ended(
    postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(postfix.config_directory / "main.cf", "smtpd_banner = old")
    files = snapshot(postfix.config_directory)

    def killed(instance: Instance, values: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Instance, "set_parameters", killed)
        configure(postfix)
    assert (postfix.config_directory / "main.cf").read_text().endswith("old\n")
    assert configure(postfix).changed
    assert relay(postfix, state="absent").changed
    assert snapshot(postfix.config_directory) == files
