# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public calls about domains, their contacts and domain users, and about the caller."""

from __future__ import annotations

import json

from .names import ascii_domain, unicode_domain
from .panel import Arguments, Call, Handler, Panel, switch
from .replies import RefusedError, Reply
from .state import Domain

VERSION = "20260318.0915"


def _destinations(text: str) -> list[str]:
    """A JSON list or a bare name; reading shows two colons before the port where setting wants one."""
    try:
        values = json.loads(text) if text.startswith("[") else [text]
    except ValueError:
        raise RefusedError("Incorrect usage of API") from None
    hosts = []
    for value in values:
        host, _separator, port = str(value).partition(":")
        if not host or not (port or "25").isdigit():
            raise RefusedError(f"The destination '{value}' is incorrect")
        hosts.append(f"{host}::{port or 25}")
    return hosts


def _domain_add(panel: Panel, arguments: Arguments) -> Reply:
    name = ascii_domain(arguments["domain"])
    shown = unicode_domain(name)
    if name in panel.state.domains:
        raise RefusedError("Domain already exists.", f"Failed to add domain '{shown}'")
    destinations = _destinations(arguments.get("destinations", f"mail.{name}"))
    aliases = [ascii_domain(alias) for alias in json.loads(arguments.get("aliases", "[]"))]
    contact = panel.state.administrator
    domain = Domain(name, contact, destinations=destinations, aliases=aliases, administrator_contact=contact)
    lines = []
    if panel.quirks.domain_add_disables_outgoing:
        domain.products["outgoing"] = 0
        lines.append(f"'Outgoing email filtering' has been disabled for the domain '{shown}'")
    panel.state.add_domain(domain)
    lines += [
        "Domain timezone updated successfully",
        f"Administrator's contact email for the domain '{shown}' is changed to '{contact}'",
        f"Domain '{shown}' added",
    ]
    return Reply(success=lines)


def _domain_exists(panel: Panel, arguments: Arguments) -> Reply:
    domain = panel.state.domains.get(ascii_domain(arguments["domain"]))
    own = domain is not None and domain.owner == panel.state.administrator
    if not own and (domain is not None or panel.quirks.domain_exists_missing == "error"):
        shown = unicode_domain(ascii_domain(arguments["domain"]))
        raise RefusedError(f"The domain '{shown}' does not belong to the admin '{panel.state.administrator}'")
    return Reply(result={"present": int(own)})


def _domain_remove(panel: Panel, arguments: Arguments) -> Reply:
    name = ascii_domain(arguments["domain"])
    if name not in panel.state.domains:
        raise RefusedError("No such domain.")
    panel.own_domain(name)
    if panel.state.users.get(name):
        raise RefusedError(f"You may not remove {unicode_domain(name)} while that domain has outgoing users.")
    panel.state.remove_domain(name)
    return Reply(success=[f"Domain '{unicode_domain(name)}' removed"])


def _domain_edit(panel: Panel, arguments: Arguments) -> Reply:
    domain = panel.own_domain(arguments["domain"])
    panel.state.change_domain(domain, destinations=_destinations(arguments["destinations"]))
    return Reply(success=[f"Domain '{unicode_domain(domain.name)}' saved"])


def _get_route(panel: Panel, arguments: Arguments) -> Reply:
    return Reply(result=panel.own_domain(arguments["domain"]).destinations)


def _get_products(panel: Panel, arguments: Arguments) -> Reply:
    return Reply(result=dict(panel.own_domain(arguments["domain"]).products))


def _set_products(panel: Panel, arguments: Arguments) -> Reply:
    domain = panel.own_domain(arguments["domain"])
    wanted = {name: switch(arguments, name) for name in domain.products if name in arguments}
    panel.state.change_domain(domain, products={**domain.products, **wanted})
    return Reply(success=[f"Products of the domain '{unicode_domain(domain.name)}' saved"])


def _get_owner(panel: Panel, arguments: Arguments) -> Reply:
    return Reply(result={"username": panel.own_domain(arguments["domain"]).owner})


def _domains_list(panel: Panel, arguments: Arguments) -> Reply:
    if panel.quirks.domains_list == "refused":
        raise RefusedError("You have no permission to call this method")
    names = panel.state.listed_domains()
    if "withservices" in arguments and switch(arguments, "withservices"):
        stored = panel.state.domains
        return Reply(result=[{"domain": name, **stored[name].products} for name in names if name in stored])
    return Reply(result=names)


def _products_list(panel: Panel, arguments: Arguments) -> Reply:
    return Reply(result=["incoming", "outgoing", "archiving", "whitelabel"])


def _contact_calls(attribute: str, label: str) -> tuple[Handler, Handler]:
    """The get and set call of one of a domain's two contacts."""

    def get(panel: Panel, arguments: Arguments) -> Reply:
        return Reply(result=getattr(panel.own_domain(arguments["domain"]), attribute))

    def change(panel: Panel, arguments: Arguments) -> Reply:
        domain, email = panel.own_domain(arguments["domain"]), arguments["email"]
        if "@" not in email:
            raise RefusedError(f"The email '{email}' is incorrect")
        panel.state.change_domain(domain, **{attribute: email})
        shown = unicode_domain(domain.name)
        return Reply(success=[f"{label} contact email for the domain '{shown}' is changed to '{email}'"])

    return get, change


def _domain_user_add(panel: Panel, arguments: Arguments) -> Reply:
    domain = panel.own_domain(arguments["domain"])
    shown = unicode_domain(domain.name)
    if domain.domain_user is not None:
        raise RefusedError(f"Domain user '{shown}' already exists")
    stored = {"email": arguments["email"], "password_hash": panel.state.hashed(arguments["password"])}
    panel.state.change_domain(domain, domain_user=stored)
    return Reply(success=[f"Domain user '{shown}' has been saved"])


def _domain_with_user(panel: Panel, name: str) -> tuple[Domain, dict[str, str]]:
    domain = panel.own_domain(name)
    if domain.domain_user is None:
        raise RefusedError("Domain exists, but the Domain user was not found in SpamExperts")
    return domain, domain.domain_user


def _domain_user_remove(panel: Panel, arguments: Arguments) -> Reply:
    domain = panel.own_domain(arguments["username"])
    if domain.domain_user is None:
        raise RefusedError(f"Unable to find the domain user '{unicode_domain(domain.name)}'")
    panel.state.change_domain(domain, domain_user=None)
    return Reply(success=[f"Domain user '{unicode_domain(domain.name)}' has been deleted"])


def _domain_user_password(panel: Panel, arguments: Arguments) -> Reply:
    domain, user = _domain_with_user(panel, arguments["username"])
    stored = {**user, "password_hash": panel.state.hashed(arguments["password"])}
    panel.state.change_domain(domain, domain_user=stored)
    return Reply(success=[f"Password of the domain user '{unicode_domain(domain.name)}' has been saved"])


def _domain_user_status(panel: Panel, arguments: Arguments) -> Reply:
    _domain_with_user(panel, arguments["username"])
    return Reply(result="active")


def _outgoing_user_count(panel: Panel, arguments: Arguments) -> Reply:
    if arguments["username"] != panel.state.administrator:
        raise RefusedError(f"Unable to find the admin '{arguments['username']}'")
    return Reply(result=len(panel.state.listed_users(None)))


_get_contact, _set_contact = _contact_calls("contact", "Primary")
_get_administrator_contact, _set_administrator_contact = _contact_calls("administrator_contact", "Administrator's")

CALLS = {
    "version/get": Call(lambda panel, arguments: Reply(result=VERSION)),
    "auth/getrole": Call(lambda panel, arguments: Reply(result="admin")),
    "domain/add": Call(_domain_add, ("domain",), ("destinations", "aliases"), write=True),
    "domain/exists": Call(_domain_exists, ("domain",)),
    "domain/remove": Call(_domain_remove, ("domain",), write=True),
    "domain/edit": Call(_domain_edit, ("domain", "destinations"), write=True),
    "domain/getroute": Call(_get_route, ("domain",)),
    "domain/getproducts": Call(_get_products, ("domain",)),
    "domain/setproducts": Call(_set_products, ("domain",), ("incoming", "outgoing", "archiving"), write=True),
    "domain/getowner": Call(_get_owner, ("domain",)),
    "domainslist/get": Call(_domains_list, (), ("withservices",)),
    "productslist/get": Call(_products_list, (), ("getavailable",)),
    "domainuser/add": Call(_domain_user_add, ("domain", "password", "email"), write=True),
    "domainuser/remove": Call(_domain_user_remove, ("username",), write=True),
    "domainuser/setpassword": Call(_domain_user_password, ("username", "password"), write=True),
    "domainuser/status": Call(_domain_user_status, ("username",)),
    "domaincontact/get": Call(_get_contact, ("domain",)),
    "domaincontact/set": Call(_set_contact, ("domain", "email"), write=True),
    "domainadmincontact/get": Call(_get_administrator_contact, ("domain",)),
    "domainadmincontact/set": Call(_set_administrator_contact, ("domain", "email"), write=True),
    "reseller/getoutgoingusercount": Call(_outgoing_user_count, ("username",)),
}
