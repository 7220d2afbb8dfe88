# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B7: one task with nothing to do."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.accounts import make_users, seed_users
from benchmarks.ansible_process import OUTGOING_USER, ModuleProcess, run_playbook, write_playbook
from benchmarks.measure import Figure, alternate, at_most
from tests.support.emulator import Emulator

_LIST = {"list": {"call": "outgoingusers/list", "parameters": {"domain": "domain"}}}
_URI = "ansible.builtin.uri"
_PYTHON = Path(sys.executable)


def measure(runs: int) -> list[Figure]:
    """outgoing_user in check mode beside the one GET: the modules' own processes, and whole plays."""
    users = make_users(10, 1)
    wanted = {name: users[0][name] for name in ("domain", "username", "limits")}
    with Emulator("full") as emulator:
        seed_users(emulator, users)
        options = {**emulator.connection, **emulator.smarthost_options, **wanted, "api_methods": _LIST}
        request = {
            "url": f"{emulator.api_url}/api/outgoingusers/list/domain/{wanted['domain']}/format/json/",
            "url_username": emulator.api_username,
            "url_password": emulator.api_password,
            "force_basic_auth": True,
            "ca_path": emulator.ca_file,
            "return_content": True,
        }
        with (
            ModuleProcess(_PYTHON, OUTGOING_USER, options, check=True) as module,
            ModuleProcess(_PYTHON, _URI, request) as peer,
        ):
            # These take a fraction of a second, so that more of them are needed for a steady median.
            processes = alternate(lambda: module.run().seconds, lambda: peer.run().seconds, 5 * runs)
            ours = write_playbook(module.path.parents[2], [{"name": "One user", OUTGOING_USER: options}])
            theirs = write_playbook(peer.path.parents[2], [{"name": "One GET", _URI: request}])
            plays = alternate(
                lambda: run_playbook(_PYTHON, ours, "--check").seconds,
                lambda: run_playbook(_PYTHON, theirs).seconds,
                2 * runs,
            )
    return [
        at_most("B7 outgoing_user, nothing to do / uri, processes", *processes, 1.4),
        at_most("B7 outgoing_user, nothing to do / uri, whole plays", *plays, 1.4),
    ]
