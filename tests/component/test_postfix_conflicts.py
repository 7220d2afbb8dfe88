# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else a Postfix does: the relay lives beside it, or says in a sentence why not, and then nothing has changed."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import files, host_manager
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance, PostfixError

from tests.support.module import run_module
from tests.support.postfix import ScratchPostfix, path_with_main_instance
from tests.support.relay import LOGIN, OWN, assert_refused, configure, relay, snapshot

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]


def texthash(postfix: ScratchPostfix, name: str, content: str) -> str:
    path = postfix.config_directory / name
    path.write_text(content, encoding="utf-8")
    return f"texthash:{path}"


def test_password_in_main_cf(postfix: ScratchPostfix) -> None:
    postfix.set(smtp_sasl_password_maps="static:old:Secret-Word-1")
    before = snapshot(postfix.config_directory)
    run = configure(postfix)
    assert "smtp_sasl_password_maps holds a password in main.cf" in run.message
    assert "Secret-Word-1" not in run.raw
    assert snapshot(postfix.config_directory) == before


def test_a_password_that_somebody_has_put_into_main_cf_since_is_not_shown(postfix: ScratchPostfix) -> None:
    configure(postfix)
    postfix.set(smtp_sasl_password_maps="static:old:Secret-Word-1")
    run = relay(postfix, state="absent")
    assert "was changed by hand" in run.raw
    assert "(holds a password)" in run.raw
    assert "Secret-Word-1" not in run.raw


def test_a_password_that_somebody_has_put_into_master_cf_is_not_shown(postfix: ScratchPostfix) -> None:
    postfix.run("postconf", "-P", "smtp/unix/smtp_sasl_password_maps=static:old:Secret-Word-1")
    run = configure(postfix)
    assert "master.cf overrides smtp_sasl_password_maps with '(holds a password)'" in run.message
    assert "Secret-Word-1" not in run.raw
    configure(postfix, **OWN)
    postfix.run("postconf", "-P", "smarthost/unix/smtp_sasl_password_maps=static:old:Secret-Word-1")
    run = configure(postfix, **OWN)
    assert run.changed
    assert "smtp_sasl_password_maps=(holds a password)" in run.raw
    assert "Secret-Word-1" not in run.raw


def test_file_of_somebody_else(postfix: ScratchPostfix) -> None:
    (postfix.config_directory / "smarthost_passwords").write_text("theirs\n", encoding="utf-8")
    assert_refused(postfix, "smarthost_passwords exists and is not ours")


def test_transport_of_somebody_else(postfix: ScratchPostfix) -> None:
    postfix.run("postconf", "-M", "smarthost/unix=smarthost unix - - n - - smtp")
    assert_refused(postfix, "already has a transport named 'smarthost'", **OWN)


def test_override_in_master_cf(postfix: ScratchPostfix) -> None:
    postfix.run("postconf", "-P", "smtp/unix/smtp_tls_security_level=may")
    assert_refused(postfix, "master.cf overrides smtp_tls_security_level with 'may'")
    assert configure(postfix, **OWN).changed


def test_another_default_transport(postfix: ScratchPostfix) -> None:
    postfix.set(default_transport="relay")
    assert_refused(postfix, "default_transport is 'relay'")
    assert configure(postfix, **OWN).changed
    assert not configure(postfix, **OWN).changed
    assert_refused(postfix, "default_transport", dedicated_transport=False)


def test_from_one_way_to_the_other(postfix: ScratchPostfix) -> None:
    parameters, files = postfix.parameters(), snapshot(postfix.config_directory)
    configure(postfix, **OWN)
    assert postfix.parameters()["default_transport"] == "smarthost:[smarthost.example]:587"
    configure(postfix)
    assert "default_transport" not in postfix.parameters()
    assert postfix.parameters()["relayhost"] == "[smarthost.example]:587"
    assert "smarthost" not in postfix.run("postconf", "-M")
    configure(postfix, only_named_senders=True, senders=["@example.com"])
    assert "relayhost" not in postfix.parameters()
    relay(postfix, state="absent")
    assert postfix.parameters() == parameters
    assert snapshot(postfix.config_directory) == files


@pytest.mark.parametrize("key", ["[smarthost.example]:587", "smarthost.example", ".example"])
def test_policy_that_lowers_the_level(postfix: ScratchPostfix, key: str) -> None:
    postfix.set(smtp_tls_policy_maps=texthash(postfix, "policy", f"{key} encrypt\n"))
    assert_refused(postfix, f"lowers the TLS level for '{key}' to 'encrypt'")
    texthash(postfix, "policy", f"{key} secure match=smarthost.example\nother.example may\n")
    assert configure(postfix).changed


def test_a_content_filter_is_not_bound_by_our_rules(postfix: ScratchPostfix) -> None:
    """Else all mail, also what comes in, would wait for a virus scanner that offers no TLS."""
    service = "scanner/unix=scanner unix - - n - 2 smtp -o disable_dns_lookups=yes"
    postfix.run("postconf", "-M", service)
    assert_refused(postfix, "scanner/unix of master.cf would be bound", "its own smtp_tls_security_level with -o")
    by_sender = {"login": "b@example.org", "password": "Correct-Horse-43", "senders": ["@example.org"]}
    logins: dict[str, Any] = {"logins": [by_sender]}
    postfix.run("postconf", "-P", "scanner/unix/smtp_tls_security_level=none")
    assert_refused(postfix, "scanner/unix", "its own smtp_sasl_auth_enable", **logins)
    assert configure(postfix).changed
    assert configure(postfix, **OWN, **logins).changed
    postfix.run("postconf", "-P", "scanner/unix/smtp_sasl_auth_enable=no")
    assert configure(postfix, dedicated_transport=False, **logins).changed


def test_a_content_filter_that_is_reached_by_smtp_itself(postfix: ScratchPostfix) -> None:
    postfix.set(content_filter="smtp:[127.0.0.1]:10024")
    assert_refused(postfix, "content_filter sends all mail to 'smtp:[127.0.0.1]:10024'", "dedicated_transport=true")
    assert configure(postfix, **OWN).changed


def test_the_client_for_relay_domains_is_looked_at_where_there_are_some(postfix: ScratchPostfix) -> None:
    postfix.run("postconf", "-P", "relay/unix/smtp_tls_security_level=may")
    assert configure(postfix).changed
    assert relay(postfix, state="absent").changed
    postfix.set(relay_domains="backup.example")
    assert_refused(postfix, "smtp_tls_security_level", "for relay")


def test_a_policy_that_master_cf_names_is_looked_at(postfix: ScratchPostfix) -> None:
    policy = texthash(postfix, "policy", "smarthost.example encrypt\n")
    postfix.run("postconf", "-P", f"smtp/unix/smtp_tls_policy_maps={policy}")
    assert_refused(postfix, "smtp_tls_policy_maps")


def test_own_maps_of_transports_stay(postfix: ScratchPostfix) -> None:
    theirs = texthash(postfix, "theirs", "a@example.com relay:\n")
    postfix.set(sender_dependent_default_transport_maps=theirs)
    options: dict[str, Any] = {"only_named_senders": True, "senders": ["b@example.com"]}
    configure(postfix, **options)
    ours = f"hash:{postfix.config_directory}/smarthost_senders"
    assert postfix.parameters()["sender_dependent_default_transport_maps"] == f"{ours}, {theirs}"
    assert not configure(postfix, **options).changed
    relay(postfix, state="absent")
    assert postfix.parameters()["sender_dependent_default_transport_maps"] == theirs


def test_default_filter_of_the_administrator(postfix: ScratchPostfix) -> None:
    own = postfix.config_directory / "own"
    own.write_text("/full/ 4.2.2 later\n", encoding="utf-8")
    postfix.set(default_delivery_status_filter=f"regexp:{own}")
    configure(postfix)
    value = postfix.parameters()["smtp_delivery_status_filter"]
    assert value == f"$default_delivery_status_filter, regexp:{postfix.config_directory}/smarthost_status_filter"
    assert not configure(postfix).changed


def test_filter_that_cannot_be_read(postfix: ScratchPostfix) -> None:
    postfix.set(smtp_delivery_status_filter="hash:/nowhere/filter")
    assert_refused(postfix, "hash:/nowhere/filter cannot be read")


def test_parameters_that_would_break_a_login_are_set(postfix: ScratchPostfix) -> None:
    bad = {
        "smtp_sasl_mechanism_filter": "!plain, !login",
        "smtp_sasl_auth_soft_bounce": "no",
        "smtp_sasl_security_options": "noanonymous",
        "smtp_tls_wrappermode": "yes",
        "smtp_fallback_relay": "[old.example]",
    }
    postfix.set(**bad)
    configure(postfix)
    parameters = postfix.parameters()
    assert parameters["smtp_sasl_mechanism_filter"] == "plain, login"
    assert parameters["smtp_sasl_auth_soft_bounce"] == "yes"
    assert parameters["smtp_sasl_security_options"] == "noplaintext, noanonymous"
    assert parameters["smtp_tls_wrappermode"] == "no"
    assert parameters["smtp_fallback_relay"] == ""
    relay(postfix, state="absent")
    assert {name: postfix.parameters()[name] for name in bad} == bad


def test_equal_values_in_other_words_stay(postfix: ScratchPostfix) -> None:
    postfix.set(
        smtp_sasl_security_options="noanonymous,noplaintext",
        smtp_sasl_mechanism_filter="plain, login",
        smtp_tls_loglevel="2",
    )
    postfix.set(smarthost_name="smarthost.example", relayhost="[$smarthost_name]:587")
    run = configure(postfix)
    assert not {"smtp_sasl_security_options", "smtp_sasl_mechanism_filter", "smtp_tls_loglevel", "relayhost"} & set(
        run.result["changes"]
    )


def test_service_changed_by_hand(postfix: ScratchPostfix, warnings: list[str]) -> None:
    configure(postfix, **OWN)
    postfix.run("postconf", "-P", "smarthost/unix/smtp_tls_loglevel=3")
    assert configure(postfix, **OWN).changed
    assert any("smarthost/unix was changed by hand; it is set again" in text for text in warnings)
    postfix.run("postconf", "-P", "smarthost/unix/smtp_tls_loglevel=3")
    relay(postfix, state="absent")
    assert any("smarthost/unix was changed by hand; it stays" in text for text in warnings)
    # It still names the map with the logins, which therefore stays too.
    assert any("smarthost_passwords stays, because smarthost/unix smtp_sasl_password_maps" in text for text in warnings)
    assert (postfix.config_directory / "smarthost_passwords.db").exists()


def test_service_removed_by_hand(postfix: ScratchPostfix) -> None:
    before = postfix.parameters()
    configure(postfix, **OWN)
    postfix.run("postconf", "-MX", "smarthost/unix")
    relay(postfix, state="absent")
    assert postfix.parameters() == before
    assert "smarthost" not in (postfix.config_directory / "main.cf").read_text(encoding="utf-8")


def test_postfix_does_not_accept_it(postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(postfix.config_directory)
    calls = []

    def check(instance: Instance) -> None:
        calls.append(instance)
        if len(calls) == 2:
            raise PostfixError("'postfix check' failed: bad.")

    monkeypatch.setattr(Instance, "check", check)
    run = configure(postfix)
    assert "bad. main.cf and master.cf are as they were before." in run.message
    assert snapshot(postfix.config_directory) == before


@pytest.mark.parametrize("step", [2, 3, 4])
def test_disk_full(postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Whichever file does not fit, nothing of the run stays."""
    before = snapshot(postfix.config_directory)
    write, calls = files.write_new, []

    def full(path: str, content: bytes, mode: int) -> str:
        calls.append(path)
        if len(calls) == step:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        return write(path, content, mode)

    monkeypatch.setattr(files, "write_new", full)
    run = configure(postfix)
    if step < 4:
        assert "cannot be written: No space left on device. main.cf and master.cf are as they were" in run.message
        assert snapshot(postfix.config_directory) == before
    else:
        # Only what is remembered could not be written for good: the next run does that.
        assert "No space left on device" in run.message
        monkeypatch.undo()
        monkeypatch.setattr(Instance, "check", lambda _: None)
        assert configure(postfix).changed
        assert not configure(postfix).changed


def test_broken_before_us(postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch) -> None:
    with (postfix.config_directory / "main.cf").open("a", encoding="utf-8") as main:
        main.write("compatibility_level = $(oops\n")
    monkeypatch.undo()
    before = snapshot(postfix.config_directory)
    run = configure(postfix)
    assert run.failed
    assert "oops" in run.message or "failed in" in run.message
    assert snapshot(postfix.config_directory) == before


def test_two_runs_at_once(postfix: ScratchPostfix) -> None:
    handle = os.open(postfix.config_directory, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        run = configure(postfix)
    finally:
        os.close(handle)
    assert run.code == "in_use"
    assert "another run is changing" in run.message


def test_originals_that_cannot_be_understood(postfix: ScratchPostfix) -> None:
    (postfix.config_directory / "smarthost_originals.json").write_text("{", encoding="utf-8")
    assert_refused(postfix, "smarthost_originals.json")


@pytest.mark.parametrize("content", [None, "", "not a certificate\n"])
def test_authorities_that_cannot_be_read(postfix: ScratchPostfix, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert_refused(
        postfix, f"no certificates can be read from {path}", code="invalid_options", smarthost_ca_path=str(path)
    )


def test_no_postfix(monkeypatch: pytest.MonkeyPatch, warnings: list[str]) -> None:
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.get_bin_path", lambda *_, **__: None)
    assert run_module("postfix_relay", LOGIN).code == "not_installed"
    predicted = run_module("postfix_relay", LOGIN, check=True)
    assert predicted.changed
    assert "after its installation" in warnings[0]
    assert not run_module("postfix_relay", {"state": "absent"}).changed


def test_passwords_that_a_removed_postfix_leaves_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.get_bin_path", lambda *_, **__: None)
    options = {"state": "absent", "config_directory": str(tmp_path)}
    assert run_module("postfix_relay", options).warnings == ""
    (tmp_path / "smarthost_passwords.db").touch()
    run = run_module("postfix_relay", options)
    assert not run.changed
    assert f"its passwords are still in {tmp_path}/smarthost_passwords.db; remove these files" in run.warnings


def test_no_configuration(tmp_path: Path) -> None:
    run = run_module("postfix_relay", {**LOGIN, "config_directory": str(tmp_path)})
    assert f"{tmp_path}/main.cf is missing" in run.message


def test_a_panel_is_left_alone(postfix: ScratchPostfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a directory the main instance is meant."""
    monkeypatch.setenv("PATH", path_with_main_instance(postfix, tmp_path))
    monkeypatch.setattr(host_manager, "objection", lambda: "Plesk manages the mail of this host.")
    run = run_module("postfix_relay", LOGIN, check=True)
    assert run.code == "host_managed"
    assert run.message.startswith("Plesk manages the mail of this host. Set ignore_host_manager=true")
    assert run_module("postfix_relay", {**LOGIN, "ignore_host_manager": True}, check=True).changed
    # Named or not, it is the same one.
    named = {**LOGIN, "config_directory": f"{postfix.config_directory}/"}
    assert run_module("postfix_relay", named, check=True).code == "host_managed"
    assert run_module("postfix_relay_info", {"config_directory": named["config_directory"]}).result["objection"]
    monkeypatch.undo()
    monkeypatch.setattr(host_manager, "objection", lambda: "Plesk manages the mail of this host.")
    assert run_module("postfix_relay", named, check=True).changed


def test_a_postfix_that_nobody_has_set_up(
    postfix: ScratchPostfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's package has no main.cf after its answer "No configuration"."""
    monkeypatch.setenv("PATH", path_with_main_instance(postfix, tmp_path))
    postfix.config_directory.joinpath("main.cf").unlink()
    for module, options in (("postfix_relay", LOGIN), ("postfix_relay_info", {})):
        message = run_module(module, options).message
        assert message.startswith("Postfix is installed without a configuration that can be read (")
        assert "main.cf: No such file or directory); give it one, on Debian with 'dpkg-reconfigure postfix'" in message


def test_missing_smtp_service(postfix: ScratchPostfix) -> None:
    postfix.run("postconf", "-MX", "smtp/unix")
    assert_refused(postfix, "has no service 'smtp unix'")
