# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""main.cf and master.cf as files: their last line, their links, their bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance, PostfixError

from tests.support.module import run_module
from tests.support.postfix import ScratchPostfix, make_older
from tests.support.relay import OWN, configure, relay, snapshot

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]


@pytest.fixture(autouse=True)
def _no_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The main instance of this machine is nobody's to ask, and slow where it is not set up."""
    monkeypatch.setattr(
        "ansible_collections.smarthost.spamexperts.plugins.modules.postfix_relay.names_main_instance", lambda _: False
    )


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
@pytest.mark.parametrize("options", [{}, OWN], ids=["shared", "own"])
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
    assert configure(postfix, **OWN).changed
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

    with monkeypatch.context() as patched:
        patched.setattr(Instance, "set_parameters", killed)
        with pytest.raises(KeyboardInterrupt):
            configure(postfix)
    assert (postfix.config_directory / "main.cf").read_text().endswith("old\n")
    assert configure(postfix).changed
    assert relay(postfix, state="absent").changed
    assert snapshot(postfix.config_directory) == files


def everything(folder: Path) -> dict[str, object]:
    """Every name of a folder: where a link leads, or what a file holds."""
    files = (path for path in folder.iterdir() if path.is_symlink() or path.is_file())
    return {path.name: path.readlink() if path.is_symlink() else path.read_bytes() for path in files}


def move_away(path: Path, postfix: ScratchPostfix) -> Path:
    """Put a file into another folder, with a link in its place."""
    elsewhere = postfix.home / f"elsewhere-{path.name}"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    return elsewhere


@pytest.mark.parametrize(("name", "options"), [("main.cf", {}), ("master.cf", OWN)])
def test_a_link_stays_a_link(postfix: ScratchPostfix, name: str, options: dict[str, Any]) -> None:
    elsewhere = move_away(postfix.config_directory / name, postfix)
    before, target = everything(postfix.config_directory), elsewhere.read_bytes()
    for check in (True, False):
        message = configure(postfix, check=check, **options).message
        assert f"{name} is a link to {elsewhere}, and a change here would put a file in its place" in message
    assert (everything(postfix.config_directory), elsewhere.read_bytes()) == (before, target)
    assert not relay(postfix, state="absent").failed, "nothing is to be taken back"
    # As the message says.
    elsewhere.replace(postfix.config_directory / name)
    assert configure(postfix, **options).changed
    move_away(postfix.config_directory / name, postfix)
    assert not configure(postfix, **options).failed, "nothing is written"
    before = everything(postfix.config_directory)
    assert relay(postfix, state="absent").code == "conflict"
    assert everything(postfix.config_directory) == before


OWN_FILES = ["smarthost_passwords", "smarthost_passwords.db", "smarthost_status_filter"]


@pytest.mark.parametrize("name", [*OWN_FILES, "smarthost_originals.json"])
@pytest.mark.parametrize("dangling", [False, True], ids=["file", "nothing"])
def test_a_link_where_a_file_of_ours_would_come(postfix: ScratchPostfix, name: str, dangling: bool) -> None:
    elsewhere = postfix.home / "elsewhere"
    if not dangling:
        elsewhere.write_text('{"version": 1, "parameters": {}, "services": {}, "files": [], "unfinished": false}')
    (postfix.config_directory / name).symlink_to(elsewhere)
    before = everything(postfix.config_directory)
    for check in (True, False):
        run = configure(postfix, check=check)
        assert run.code == "conflict"
        assert f"/{name} is a link to {elsewhere}{', which is not there' if dangling else ''}" in run.message
    assert everything(postfix.config_directory) == before


@pytest.mark.parametrize("name", [*OWN_FILES, "smarthost_originals.json"])
def test_a_file_of_ours_that_has_become_a_link(postfix: ScratchPostfix, name: str) -> None:
    configure(postfix)
    move_away(postfix.config_directory / name, postfix)
    assert not configure(postfix).failed, "nothing is written"
    before = everything(postfix.config_directory)
    assert relay(postfix, state="absent").code == "conflict"
    if name.startswith("smarthost_passwords"):
        for state in ("present", "staged"):
            assert configure(postfix, default_password="Correct-Horse-44", state=state).code == "conflict"
    assert everything(postfix.config_directory) == before


@pytest.mark.parametrize("name", ["main.cf", "master.cf"])
def test_a_link_that_leads_nowhere(postfix: ScratchPostfix, name: str) -> None:
    move_away(postfix.config_directory / name, postfix).unlink()
    given = {"config_directory": str(postfix.config_directory), "state": "absent"}
    for module, options in (("postfix_relay", given), ("postfix_relay_info", {**given, "state": None})):
        run = run_module(module, {key: value for key, value in options.items() if value})
        assert run.code == "conflict"
        assert f"{postfix.home}/elsewhere-{name}" in run.message


def test_a_link_further_up_is_followed(postfix: ScratchPostfix) -> None:
    """As where /etc/postfix is one: the files in it are replaced, and the link stays."""
    real = postfix.home / "real"
    postfix.config_directory.rename(real)
    postfix.config_directory.symlink_to(real)
    files = snapshot(real)
    assert configure(postfix).changed
    assert not configure(postfix).changed
    assert relay(postfix, state="absent").changed
    assert postfix.config_directory.readlink() == real
    assert snapshot(real) == files
