# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that keeps mail when the smarthost asks for a login: a permanent refusal becomes a temporary one.

Postfix sends without AUTH when a lookup finds no login. The smarthost then answers 530, which is permanent: the mail
bounces, the bounce takes the same way and is dropped. A wrong map must never lose mail, so this filter comes first.
"""

from __future__ import annotations

from .commands import Instance, PostfixError
from .tables import split

FILE = "smarthost_status_filter"
# 530 login needed, 534 and 538 mechanism refused, 535 wrong login; the texts are the vendor's for a missing login,
# which it may send with another code. Other refusals, such as of a sender or recipient, stay permanent.
CONTENT = r"""# Managed by Ansible (smarthost.spamexperts.postfix_relay); what is changed here is lost.
/^5(\.[0-9]+\.[0-9]+ .* said: 53[0458][ -].*)$/ 4$1
/^5(\.[0-9]+\.[0-9]+ .* said: 5[0-9][0-9][ -].*(for authori[sz]ed users only|relay not permitted).*)$/ 4$1
"""
_LOGIN_NEEDED = (
    "5.7.0 host smarthost.example[192.0.2.1] said: 530 5.7.0 Authentication required (in reply to MAIL FROM command)"
)


def table(instance: Instance) -> str:
    """The filter as Postfix names it; regexp is built into every Postfix."""
    return f"regexp:{instance.path(FILE)}"


def merged(instance: Instance, administrators: str) -> str:
    """The value for smtp_delivery_status_filter: the administrator's filters first, then ours.

    Raises PostfixError when a filter of the administrator would keep ours from ever seeing a missing login.
    """
    ours = table(instance)
    if not administrators.strip():
        return ours
    for name in split(instance.expand(administrators)):
        found = instance.lookup(name, [_LOGIN_NEEDED])
        if found is None:
            raise PostfixError(f"smtp_delivery_status_filter: {name} cannot be read; repair or remove it.")
        result = found.get(_LOGIN_NEEDED, "4")
        if not result.startswith("4"):
            raise PostfixError(
                f"smtp_delivery_status_filter: {name} lets a '530 Authentication required' bounce, so a missing login "
                "would lose mail silently; let it answer 4.x.x there, or not at all."
            )
    return f"{administrators}, {ours}"
