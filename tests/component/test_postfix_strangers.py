# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a password from a stranger, and mail from waiting: the parameters that the rules depend on, and tables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance

from tests.support.postfix import ScratchPostfix
from tests.support.relay import BY_ADDRESS, OWN, assert_refused, configure, relay, snapshot

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]
NEXT_HOP = "[smarthost.example]:587"
FAMILY = {
    "smtp_sasl_security_options": "noplaintext, noanonymous",
    "smtp_sasl_tls_security_options": "noplaintext, noanonymous",
    "smtp_sasl_tls_verified_security_options": "noanonymous",
}


def effective(postfix: ScratchPostfix, *names: str) -> dict[str, str]:
    lines = postfix.run("postconf", "-x", *names).splitlines()
    return {name.strip(): value.strip() for name, _equals, value in (line.partition("=") for line in lines)}


def of_our_transport(postfix: ScratchPostfix) -> dict[str, str]:
    lines = (line.partition("=") for line in postfix.run("postconf", "-P").splitlines())
    return {name[15:].strip(): value.strip() for name, _equals, value in lines if name.startswith("smarthost/unix/")}


@pytest.mark.parametrize(
    "settings",
    [
        {"mail_name": "Postfix"},
        {"smtp_sasl_security_options": "noanonymous"},  # what nearly every recipe for a smarthost has
        {"smtp_sasl_security_options": ""},
        {"smtp_sasl_tls_security_options": "$smtp_sasl_security_options"},
        {"mine": "noplaintext, noanonymous", "smtp_sasl_tls_security_options": "$mine"},
        {"smtp_sasl_tls_verified_security_options": "noplaintext, noanonymous"},
        {"smtp_sasl_tls_verified_security_options": "${smtp_sasl_tls_security_options}"},
        {"smtp_sasl_auth_enable": "yes", "smtp_sasl_security_options": "noanonymous", "relayhost": "[other.example]"},
    ],
)
def test_no_value_depends_on_another_one(postfix: ScratchPostfix, settings: dict[str, str]) -> None:
    """Else all mail waits after a run that reports success, or a password goes where it must not."""
    postfix.set(**settings)
    before = postfix.parameters()
    configure(postfix)
    assert effective(postfix, *FAMILY) == FAMILY
    assert not configure(postfix).changed
    # Nor does it follow when somebody applies such a recipe afterwards.
    recipe = ("-o", "smtp_sasl_security_options=noanonymous")
    assert effective(postfix, *recipe, *list(FAMILY)[1:]) == dict(list(FAMILY.items())[1:])
    configure(postfix, **OWN)
    assert {name: of_our_transport(postfix)[name] for name in FAMILY} == FAMILY
    relay(postfix, state="absent")
    assert postfix.parameters() == before


@pytest.mark.parametrize("options", [{}, OWN])
def test_a_refusal_is_not_remembered(postfix: ScratchPostfix, options: dict[str, Any]) -> None:
    """One 535 of a rotation would keep the right password from being tried for 90 days."""
    postfix.set(smtp_sasl_auth_cache_name="proxy:btree:/var/lib/sasl_cache", smtp_sasl_auth_cache_time="90d")
    configure(postfix, **options)
    where = of_our_transport(postfix) if options else postfix.parameters()
    assert where["smtp_sasl_auth_cache_name"] == ""


@pytest.mark.parametrize("options", [{}, OWN])
def test_a_password_for_any_server_is_one_even_unverified(postfix: ScratchPostfix, options: dict[str, Any]) -> None:
    configure(postfix, reveal_password_to_any_server=True, **options)
    where = of_our_transport(postfix) if options else effective(postfix, *FAMILY)
    assert where["smtp_sasl_security_options"] == "noplaintext, noanonymous"
    assert where["smtp_sasl_tls_security_options"] == "noanonymous"
    assert where["smtp_sasl_tls_verified_security_options"] == "noanonymous"


@pytest.mark.parametrize("options", [{}, OWN])
def test_no_hash_of_a_password_is_given_either(postfix: ScratchPostfix, options: dict[str, Any]) -> None:
    """`noplaintext` allows CRAM-MD5 and the like, from whose answer a password can be guessed at leisure."""
    configure(postfix, **options)
    where = of_our_transport(postfix) if options else postfix.parameters()
    assert where["smtp_sasl_mechanism_filter"] == "plain, login"


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (f"inline:{{ {{ {NEXT_HOP} = may }} }}", NEXT_HOP),
        (f"inline:{{ {{ other.example = may }}, {{ {NEXT_HOP} = none }} }}", NEXT_HOP),
        (f"inline:{{{{{NEXT_HOP}=encrypt protocols=TLSv1.3}}}}", NEXT_HOP),
        ("regexp:{folder}/expressions", NEXT_HOP),
        ("proxy:texthash:{folder}/policies", NEXT_HOP),
        ("texthash:{folder}/nothing, pipemap:{{texthash:{folder}/policies}}", NEXT_HOP),
        ("static:may", NEXT_HOP),
        (f"$mine inline:{{ {{ {NEXT_HOP} = MAY }} }}", NEXT_HOP),
    ],
)
def test_no_policy_lowers_the_level(postfix: ScratchPostfix, table: str, key: str) -> None:
    (postfix.config_directory / "expressions").write_text(r"/^\[smart.*\]:587$/ may" + "\n", encoding="utf-8")
    (postfix.config_directory / "policies").write_text(f"{NEXT_HOP} may\n", encoding="utf-8")
    (postfix.config_directory / "nothing").touch()
    table = table.replace("{folder}", str(postfix.config_directory)).replace("{{tex", "{tex").replace("ies}}", "ies}")
    postfix.set(smtp_tls_policy_maps=table, mine=f"texthash:{postfix.config_directory}/nothing")
    assert_refused(postfix, "smtp_tls_policy_maps", f"'{key}'")
    assert_refused(postfix, "smtp_tls_policy_maps", f"'{key}'", **BY_ADDRESS)
    assert configure(postfix, **OWN).changed
    assert of_our_transport(postfix)["smtp_tls_policy_maps"] == ""


def test_how_policies_were_written_before(postfix: ScratchPostfix) -> None:
    """smtp_tls_per_site counts where smtp_tls_policy_maps is empty, so also where a transport of its own empties it."""
    postfix.set(smtp_tls_per_site="inline:{ { smarthost.example = MAY } }")
    assert_refused(postfix, "'smarthost.example' to 'may'")
    postfix.set(smtp_tls_policy_maps="inline:{ { other.example = may } }")
    assert configure(postfix).changed
    configure(postfix, **OWN)
    assert of_our_transport(postfix)["smtp_tls_per_site"] == ""
    postfix.set(smtp_tls_per_site="inline:{ { smarthost.example = MUST } }", smtp_tls_policy_maps="")
    assert configure(postfix, dedicated_transport=False).changed


@pytest.mark.parametrize(
    "table",
    [
        "hash:/nowhere/policy",
        pytest.param("inline:{ oops }", marks=[pytest.mark.slow]),
        pytest.param("nonsense:/x", marks=[pytest.mark.slow]),
        "proxy:hash:/nowhere/policy",
    ],
)
def test_a_policy_table_that_cannot_be_asked(postfix: ScratchPostfix, table: str, warnings: list[str]) -> None:
    postfix.set(smtp_tls_policy_maps=table)
    sentence = f"smtp_tls_policy_maps: {table} cannot be asked, so it is not known whether it lowers the TLS level"
    assert_refused(postfix, sentence, **BY_ADDRESS)
    assert_refused(postfix, sentence, reveal_password_to_any_server=True)
    assert configure(postfix, **OWN).changed
    assert warnings == []
    assert configure(postfix, dedicated_transport=False).changed
    assert f"{table} cannot be asked. If it lowers the TLS level for the smarthost, the mail waits" in " ".join(
        warnings
    )


def test_encryption_is_not_lowered_either(postfix: ScratchPostfix) -> None:
    postfix.set(smtp_tls_policy_maps=f"inline:{{ {{ {NEXT_HOP} = may }} }}")
    assert_refused(postfix, "to 'may'; mail could go unencrypted", reveal_password_to_any_server=True)
    postfix.set(smtp_tls_policy_maps=f"inline:{{ {{ {NEXT_HOP} = encrypt }} }}")
    assert configure(postfix, reveal_password_to_any_server=True).changed


@pytest.mark.parametrize("more", [["smtp_tls_security_level=encrypt"], ["smtp_tls_policy_maps=inline:{{x=may}}"]])
def test_another_relay_with_a_password_is_not_stopped(postfix: ScratchPostfix, more: list[str]) -> None:
    """It gives its password to servers that it does not verify; the second lock would stop that."""
    for setting in ("smtp_sasl_auth_enable=yes", "smtp_sasl_password_maps=hash:/x", *more):
        postfix.run("postconf", "-P", f"relay/unix/{setting}")
    assert_refused(
        postfix,
        "the service relay/unix of master.cf logs in with passwords of its own",
        "its own smtp_sasl_tls_security_options with -o, such as noanonymous, or set dedicated_transport",
    )
    assert configure(postfix, reveal_password_to_any_server=True).changed
    relay(postfix, state="absent")
    assert configure(postfix, **OWN).changed
    relay(postfix, state="absent")
    postfix.run("postconf", "-P", "relay/unix/smtp_sasl_tls_security_options=noanonymous")
    assert configure(postfix).changed


def test_a_filter_in_main_cf_itself(postfix: ScratchPostfix) -> None:
    theirs = "inline:{ { 4.1.1 = 5.1.1 } }"
    postfix.set(smtp_delivery_status_filter=theirs)
    assert configure(postfix).changed
    ours = f"regexp:{postfix.config_directory}/smarthost_status_filter"
    assert postfix.parameters()["smtp_delivery_status_filter"] == f"{theirs}, {ours}"
    assert not configure(postfix).changed
    relay(postfix, state="absent")
    assert postfix.parameters()["smtp_delivery_status_filter"] == theirs


@pytest.mark.parametrize("options", [{}, OWN])
def test_a_value_that_names_another_parameter_is_right_at_the_next_run(
    postfix: ScratchPostfix, options: dict[str, Any]
) -> None:
    postfix.set(
        own_filter="inline:{ { 4.1.1 = 5.1.1 } }",
        smtp_delivery_status_filter="$own_filter",
        sender_dependent_default_transport_maps="${own_transports}",
        own_transports="inline:{ { a@b.example = error:no } }",
    )
    given = {**options, **({"only_named_senders": True, "senders": ["@example.com"]} if options else {})}
    assert configure(postfix, **given).changed
    assert not configure(postfix, **given).changed


@pytest.mark.parametrize("options", [{}, OWN])
def test_what_postfix_does_not_see_is_undone(
    postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """Somebody else writes main.cf at the same time, or a file system loses what was written."""
    before = snapshot(postfix.config_directory)
    write = Instance.set_parameters

    def lose_one(instance: Instance, values: dict[str, str]) -> None:
        lost = "default_transport" if options else "smtp_sasl_tls_verified_security_options"
        write(instance, {name: value for name, value in values.items() if name != lost} or {"mail_name": "Postfix"})

    monkeypatch.setattr(Instance, "set_parameters", lose_one)
    run = configure(postfix, **options)
    expected = (
        "default_transport is 'smtp' and not 'smarthost:[smarthost.example]:587'"
        if options
        else "smtp_sasl_tls_verified_security_options is 'noplaintext, noanonymous' and not 'noanonymous'"
    )
    assert run.code == "command_failed"
    assert f"main.cf was written, and then {expected}" in run.message
    assert snapshot(postfix.config_directory) == before


def test_a_parameter_of_somebody_else_that_changes_with_ours_is_noticed(
    postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(postfix.config_directory)
    write = Instance.set_parameters

    def damage(instance: Instance, values: dict[str, str]) -> None:
        write(instance, {**values, "smtpd_banner": "ours relayhost = x"})

    monkeypatch.setattr(Instance, "set_parameters", damage)
    assert (
        "main.cf was written, and then others have changed too: postscreen_greet_banner, smtpd_banner;"
        in configure(postfix).message
    )
    assert snapshot(postfix.config_directory) == before


def test_a_service_that_postfix_does_not_see_is_undone(
    postfix: ScratchPostfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(postfix.config_directory)
    monkeypatch.setattr(Instance, "set_service", lambda *_: None)
    message = configure(postfix, **OWN).message
    assert "master.cf was written, and then the service smarthost/unix is not what was written" in message
    assert snapshot(postfix.config_directory) == before
