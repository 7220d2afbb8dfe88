# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Thunderbird's AutoConfig reads at each start to have the declared outgoing servers. Pure, no I/O, no secret.

The script goes by getPref, pref and clearPref alone, so it runs in AutoConfig's sandbox, whatever the release. Each
identity has a server of its own, named after it, so the person's are never edited; what an identity had before is
remembered in a preference. Who is not in the list gets it back: with an empty list, everybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from ..module_utils._names import IMPLICIT, STARTTLS, unicode_domain
from ..module_utils._thunderbird.server import AUTHENTICATIONS, ENCRYPTIONS

CONFIGURATION, POINTER, TAKE_BACK = "thunderbird.cfg", "autoconfig.js", "thunderbird-take-back.cfg"
#: How a file begins that may be written anew. Thunderbird does not read the first line.
MARK = "// smarthost.spamexperts.thunderbird_autoconfig made this file, and makes it anew: do not edit it.\n"

_POINTER = f"""{MARK}pref("general.config.filename", "{CONFIGURATION}");
pref("general.config.obscure_value", 0);
pref("general.config.sandbox_enabled", true);
"""
_SCRIPT = """(({ server, logins }) => {
  const ours = "smarthost_", memory = "smarthost.before.";
  const text = name => String(getPref(name) ?? "");
  const list = name => text(name).split(",").filter(Boolean);
  const put = (name, value) => (value ? pref(name, value) : clearPref(name));
  const before = list("mail.smtpservers");
  const others = before.filter(key => !key.startsWith(ours));
  const found = list("mail.accountmanager.accounts").flatMap(account => list(`mail.account.${account}.identities`));
  const gone = before.filter(key => key.startsWith(ours)).map(key => key.slice(ours.length));
  const login_of = new Map(Object.entries(logins)), kept = [];
  for (const identity of new Set([...found, ...gone])) {
    const key = ours + identity, choice = `mail.identity.${identity}.smtpServer`, chosen = text(choice);
    const login = found.includes(identity) && login_of.get(text(`mail.identity.${identity}.useremail`).toLowerCase());
    const wanted = { ...server, username: login, description: `Smarthost: ${login}` };
    // What Ansible has entered on this computer goes first.
    if (login && !chosen.startsWith("spamexperts")) {
      if (chosen != key) {
        put(memory + identity, chosen);
        pref(choice, key);
      }
      for (const name in wanted) pref(`mail.smtpserver.${key}.${name}`, wanted[name]);
      kept.push(key);
    } else {
      if (chosen == key) put(choice, others.find(other => other == text(memory + identity)));
      for (const name of [...Object.keys(wanted), "uid"]) clearPref(`mail.smtpserver.${key}.${name}`);
      clearPref(memory + identity);
    }
  }
  put("mail.smtpservers", [...others, ...kept].join(","));
  const standard = text("mail.smtp.defaultserver");
  if (standard.startsWith(ours) && !kept.includes(standard)) clearPref("mail.smtp.defaultserver");
})(%s);
"""


def files(host: str, port: int, implicit_tls: bool, logins: Iterable[str]) -> dict[str, bytes]:
    """Name -> content. logins: each is also the address of the identities that get it."""
    server = {
        "type": "smtp",
        "hostname": host,
        "port": port,
        "try_ssl": ENCRYPTIONS[IMPLICIT if implicit_tls else STARTTLS],
        "authMethod": AUTHENTICATIONS["password"],
    }
    by_address = {address: login for login in sorted(logins) for address in _spellings(login)}
    return {
        CONFIGURATION: _script(server, by_address),
        POINTER: _POINTER.encode("ascii"),
        TAKE_BACK: _script(server, {}),
    }


def _script(server: Mapping[str, object], logins: Mapping[str, str]) -> bytes:
    # JSON in ASCII is JavaScript too.
    return (MARK + _SCRIPT % json.dumps({"server": server, "logins": logins}, indent=1)).encode("ascii")


def _spellings(login: str) -> list[str]:
    """The address in both ways in which a person may have entered it."""
    local, _at, domain = login.rpartition("@")
    return list(dict.fromkeys((login, f"{local}@{unicode_domain(domain)}")))
