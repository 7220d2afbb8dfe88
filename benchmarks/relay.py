# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B16: mail servers that are to send through a smarthost, beside tasks by hand and the roles that people use."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import BenchmarkError, Figure, SkippedError, at_least
from tests import ROOT
from tests.fleet import AUTHORITY, SMARTHOST_NAME, Fleet, fleet_emulator, why_impossible
from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment, run_playbook

#: The variable with the folder of the roles of others, each under the name that Galaxy gives it.
PEER_ROLES = "PEER_ROLES"
_HOSTS = 10
_BY_HAND = "tasks by hand"
#: (phase, peer) -> how many times faster we are to be.
_GOALS = {("at rest", "linux-system-roles.postfix"): 6, ("at rest", _BY_HAND): 3}
_NEXT_HOP = "[{{ smarthost }}]:{{ smarthost_port }}"
#: What each role is told, so that all do the same for the same hosts.
_OURS = {
    "outgoing_mail_smarthost": "{{ smarthost }}",
    "outgoing_mail_smarthost_port": "{{ smarthost_port }}",
    "outgoing_mail_smarthost_ca_path": "{{ smarthost_ca_file }}",
    "outgoing_mail_login": "{{ smarthost_login }}",
    "outgoing_mail_password": "{{ smarthost_password }}",
}
_ROLES: dict[str, dict[str, Any]] = {
    "linux-system-roles.postfix": {
        "postfix_conf": {
            "relayhost": _NEXT_HOP,
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": "hash:/etc/postfix/sasl_passwd",
            "smtp_sasl_security_options": "noanonymous",
            "smtp_tls_security_level": "secure",
            "smtp_tls_CAfile": "{{ smarthost_ca_file }}",
        },
        "postfix_files": [
            {
                "name": "sasl_passwd",
                "content": f"{_NEXT_HOP} {{{{ smarthost_login }}}}:{{{{ smarthost_password }}}}\n",
                "postmap": True,
            }
        ],
    },
    # It writes the whole of main.cf, so what a host of the fleet needs is said again; and no package index is asked.
    "oefenweb.postfix": {
        "postfix_relayhost": "{{ smarthost }}",
        "postfix_relayhost_port": "{{ smarthost_port }}",
        "postfix_relaytls": True,
        "postfix_smtp_tls_security_level": "secure",
        "postfix_smtp_tls_cafile": "{{ smarthost_ca_file }}",
        "postfix_sasl_user": "{{ smarthost_login }}",
        "postfix_sasl_password": "{{ smarthost_password }}",
        "postfix_install": ["postfix", "libsasl2-modules"],
        "apt_install_state": "present",
        "apt_update_cache_valid_time": 10**9,
        "postfix_inet_interfaces": "loopback-only",
        "postfix_inet_protocols": "ipv4",
        "postfix_compatibility_level": 3.6,
        "postfix_raw_options": ["maillog_file = /var/log/mail.log", "smtp_host_lookup = native"],
    },
}
#: Where this machine is a container itself, a role takes its hosts for containers, too, whose Postfix has just begun.
_EXTRA = {"is_docker_guest": False}
_PHASES = ("first apply", "at rest", "a changed password")


def measure(runs: int) -> list[Figure]:
    """Each run gives each side mail servers that nobody has touched: first apply, at rest, and a changed password."""
    impossible = why_impossible()
    if impossible:
        raise SkippedError(impossible)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        ours = _playbook(Path(directory), "smarthost.spamexperts.outgoing_mail", _OURS, gather_facts=False)
        peers = {_BY_HAND: ROOT / "benchmarks/peers/relay_by_hand.yml"}
        missing = {name: reason for name in _ROLES if (reason := why_missing(name, os.environ))}
        present = {name: variables for name, variables in _ROLES.items() if name not in missing}
        peers |= {name: _playbook(Path(directory), name, variables) for name, variables in present.items()}
        sides = {"": ours, **peers}
        lives: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for _number in range(runs):
            for name, playbook in list(sides.items()):
                try:
                    lives[name].append(_life(playbook))
                except BenchmarkError as problem:
                    if name not in _ROLES:
                        raise
                    missing[name] = f"failed: {problem}"
                    del sides[name], lives[name]
    left_out = [Figure(f"B16 {name}", 0, None, "", False, note=why) for name, why in missing.items()]
    return figures(lives) + left_out


def why_missing(role: str, environment: Mapping[str, str]) -> str:
    """Why this role of others cannot be measured, as one sentence; empty where it can."""
    folder = environment.get(PEER_ROLES, "")
    if not folder:
        return f"skipped: {PEER_ROLES} does not say in which folder the role {role} is; ansible-galaxy can install it"
    if not (Path(folder) / role / "tasks").is_dir():
        return f"skipped: there is no role {role} in {folder}, which {PEER_ROLES} names"
    return ""


def figures(lives: Mapping[str, list[dict[str, float]]]) -> list[Figure]:
    """Ours, under the empty name, beside each peer, in each phase; a goal where there is one."""
    found = []
    for peer in list(lives)[1:]:
        for phase in _PHASES:
            ours, theirs = ([life[phase] for life in lives[name]] for name in ("", peer))
            found.append(at_least(f"B16 {peer}, {phase}, {_HOSTS} hosts", ours, theirs, _GOALS.get((phase, peer))))
    return found


def _playbook(folder: Path, role: str, variables: Mapping[str, Any], **play: Any) -> Path:
    path = folder / f"{role}.yml"
    content = {"hosts": "mail_relays", "roles": [{"role": role, "vars": dict(variables)}], **play}
    path.write_text(json.dumps([content]), encoding="utf-8")
    return path


def _life(playbook: Path) -> dict[str, float]:
    """Seconds of each phase, on hosts of which each sends a mail through the smarthost at the end of it."""
    with Fleet(_HOSTS) as fleet, fleet_emulator(fleet) as emulator:
        fleet.trust(emulator.ca_file)
        _new_passwords(fleet, emulator)
        seconds = {}
        for phase in _PHASES:
            if phase == "a changed password":
                _new_passwords(fleet, emulator)
            seconds[phase] = _timed(fleet, playbook, changes=phase != "at rest")
            _send(fleet, emulator)
    return seconds


def _new_passwords(fleet: Fleet, emulator: Emulator) -> None:
    """Give each host's login a password, at the vendor and in the inventory."""
    passwords = {host.name: secrets.token_urlsafe(18) for host in fleet.hosts}
    emulator.reset()
    emulator.seed(
        users=[{"domain": "example.com", "username": name, "password": value} for name, value in passwords.items()]
    )
    fleet.write_inventory(
        {
            "smarthost": SMARTHOST_NAME,
            "smarthost_port": emulator.smtp_port,
            "smarthost_ca_file": AUTHORITY,
            "smarthost_login": "{{ inventory_hostname }}@example.com",
        },
        {name: {"smarthost_password": value} for name, value in passwords.items()},
    )


def _timed(fleet: Fleet, playbook: Path, *, changes: bool) -> float:
    environment = {
        **ansible_environment(fleet.directory),
        **fleet.ansible_environment,
        "ANSIBLE_ROLES_PATH": os.environ.get(PEER_ROLES, ""),
        "ANSIBLE_ALLOW_BROKEN_CONDITIONALS": "1",  # which some of the roles have
    }
    arguments = ["-i", str(fleet.inventory), f"--forks={_HOSTS}", "-e", json.dumps(_EXTRA)]
    started = time.perf_counter()
    run = run_playbook(str(playbook), arguments, environment)
    seconds = time.perf_counter() - started
    if run.returncode or len(run.recap()) != _HOSTS or bool(run.changed()) is not changes:
        raise BenchmarkError(f"{playbook.name} failed, or it changed what was right, or nothing:\n{run.output[-3000:]}")
    return seconds


def _send(fleet: Fleet, emulator: Emulator) -> None:
    """Raise BenchmarkError unless each host gets a mail through the smarthost, with its login over TLS."""
    before = len(emulator.mails())
    for host in fleet.hosts:
        host.inject(f"{host.name}@example.com", "somebody@example.net")
    for host in fleet.hosts:
        host.wait_until_empty()
    mails = emulator.mails()[before:]
    came = sorted(mail["login"] for mail in mails if mail["tls"])
    if came != sorted(f"{host.name}@example.com" for host in fleet.hosts):
        raise BenchmarkError(f"not each host has sent a mail with its login: {came}")
