# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is declared: the files of the folder and the variable, as one set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..module_utils._declaration.description import Description, Given, Site, read
from ..module_utils._declaration.relays import HostLogins, logins_of_hosts
from ..module_utils._plain import plain
from ._domain_files import read_folder


def inventory_groups(task_vars: Mapping[str, Any]) -> dict[str, list[str]]:
    """The groups of the inventory, name -> hosts, where each host is a group of its own."""
    groups = {name: list(hosts) for name, hosts in (task_vars.get("groups") or {}).items()}
    groups.update({host: [host] for hosts in list(groups.values()) for host in hosts})
    return groups


def declared(
    params: Mapping[str, Any], groups: Mapping[str, list[str]], servers: list[str]
) -> tuple[list[Description], dict[str, HostLogins], list[str], list[str]]:
    """The descriptions, as what each mail server sends, everything that is wrong (sentences), and warnings."""
    listed = plain(params["domains"])
    if not isinstance(listed, list):
        return [], {}, ["spamexperts_domains has to be a list of descriptions, one for each domain."], []
    folder = Path(params["path"]).expanduser()
    given, problems, warnings = read_folder(folder, needed=not listed and params.get("required", True))
    given += [Given(f"spamexperts_domains[{position}]", content) for position, content in enumerate(listed)]
    descriptions, found = read(given, plain(params["defaults"]), Site(groups, params["accounts"]))
    problems += found
    if problems:
        return [], {}, problems, warnings
    mail_servers, problems = logins_of_hosts(descriptions, servers, groups)
    return descriptions, mail_servers, problems, warnings
