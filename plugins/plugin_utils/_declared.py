# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is declared: the files of the folder and the variable, as one set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from ..module_utils._declaration.description import PRESENT, Description, Given, Sender, Site, read
from ..module_utils._declaration.relays import HostLogins, logins_of_hosts
from ..module_utils._names import InputError
from ..module_utils._plain import plain
from ..module_utils._users.user import USER
from ._domain_files import read_folder

#: Role variables by which an inventory says as what a mail server sends.
_OWN_LOGINS = ("outgoing_mail_login", "outgoing_mail_logins", "outgoing_mail_authentication")


def inventory_groups(task_vars: Mapping[str, Any]) -> dict[str, list[str]]:
    """The groups of the inventory, name -> hosts, where each host is a group of its own."""
    groups = {name: list(hosts) for name, hosts in (task_vars.get("groups") or {}).items()}
    groups.update({host: [host] for hosts in list(groups.values()) for host in hosts})
    return groups


def own_logins(task_vars: Mapping[str, Any], hosts: list[str]) -> dict[str, list[str]]:
    """Each mail server with the variables by which the inventory says as what it sends."""
    hostvars = task_vars.get("hostvars")
    found = {}
    for host in hosts:
        # Without templating: a value may be a lookup of a password.
        variables = hostvars.raw_get(host) if hostvars is not None else {}
        names = [name for name in _OWN_LOGINS if variables.get(name) not in (None, "", [], "login")]
        if names:
            found[host] = names
    return found


def described(params: Mapping[str, Any], task_vars: Mapping[str, Any]) -> tuple[list[Description], list[str]]:
    """The descriptions, where it does not matter as what mail servers send, and warnings. Raises InputError."""
    descriptions, _mail_servers, problems, warnings = declared(params, inventory_groups(task_vars), None)
    if problems:
        more = f" {len(problems) - 1} more: see what the module declaration says." if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}")
    return descriptions, warnings


def people_of(descriptions: Iterable[Description]) -> list[Sender]:
    """As whom people send from a mail program: with an address, allowed to, and no mail server's login alone."""
    return [
        sender
        for description in descriptions
        for sender in description.senders
        if sender.wanted.user.authentication == USER and sender.state == PRESENT and (sender.people or not sender.relay)
    ]


def declared(
    params: Mapping[str, Any], groups: Mapping[str, list[str]], servers: Optional[list[str]]
) -> tuple[list[Description], dict[str, HostLogins], list[str], list[str]]:
    """The descriptions, as what each mail server sends, everything that is wrong (sentences), and warnings.

    servers: None where it does not matter as what mail servers send.
    """
    listed = plain(params["domains"])
    if not isinstance(listed, list):
        return [], {}, ["spamexperts_domains has to be a list of descriptions, one for each domain."], []
    folder = Path(params["path"]).expanduser()
    given, problems, warnings = read_folder(folder, needed=not listed and params.get("required", True))
    given += [Given(f"spamexperts_domains[{position}]", content) for position, content in enumerate(listed)]
    descriptions, found = read(given, plain(params["defaults"]), Site(groups, params["accounts"]))
    problems += found
    if problems or servers is None:
        return [] if problems else descriptions, {}, problems, warnings
    mail_servers, problems = logins_of_hosts(descriptions, servers, groups)
    problems += [
        f"{host} has {name} in the inventory, and {logins.default.place()} names it as well; a mail server gets its "
        "logins from one of the two, so take one away."
        for host, logins in mail_servers.items()
        for name in params.get("own_logins", {}).get(host, ())
    ]
    return descriptions, mail_servers, problems, warnings
