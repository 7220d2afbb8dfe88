# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smarthost: where mail is sent to and how its certificate is verified."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that speaks SMTP to the smarthost, or configures a program that does."""

    DOCUMENTATION = r"""
options:
  smarthost:
    description:
      - Name of the host that takes the mail, as it stands in the host's certificate.
      - The vendor gives every customer a name such as V(4489.smtp.antispamcloud.com).
      - An IPv4 or IPv6 address is possible, written without brackets. A name outside ASCII may be written either way.
    type: str
    default: 4489.smtp.antispamcloud.com
  smarthost_port:
    description:
      - Its port. V(587) is for mail submission with STARTTLS, and V(465) for mail submission with TLS from the first
        byte, as some firewalls let out nothing else.
      - Port V(25) works with a warning, as most providers block it for their customers' hosts.
    type: int
    default: 587
  smarthost_tls:
    description:
      - How TLS begins, where O(smarthost_port) does not say it, as behind a port of one's own. V(starttls) means with
        the command STARTTLS, and V(implicit) before the first word (RFC 8314).
      - If not given, it is V(implicit) with port V(465) and V(starttls) with any other. V(starttls) is refused with
        port V(465).
      - Mail and passwords leave over TLS with both. Where the server begins in the other way, a login is not tried, and
        one sentence says so.
    type: str
    choices: [starttls, implicit]
"""

    # For what does not verify certificates in a way of its own, as Thunderbird does.
    CA = r"""
options:
  smarthost_ca_path:
    description:
      - File with the certificates (PEM) of the authorities that may have signed the smarthost's certificate.
      - If not given, the bundle of the operating system is used. Give it for a smarthost with a private authority.
    type: path
"""

    # For actions that ask those modules.
    ASKED = r"""
options:
  smarthost:
    description: Name of the smarthost at which logins are tried; as in M(smarthost.spamexperts.smtp_login_info).
    type: str
  smarthost_port:
    description: Its port.
    type: int
  smarthost_tls:
    description: How TLS begins there, where the port does not say it; as in M(smarthost.spamexperts.smtp_login_info).
    type: str
    choices: [starttls, implicit]
  smarthost_ca_path:
    description: A file on the controller with the authorities that may have signed its certificate.
    type: path
"""

    # For modules that run on the controller: there the environment belongs to the person who runs the playbook.
    ENVIRONMENT = r"""
options: {}
notes:
  - If O(smarthost), O(smarthost_port), O(smarthost_tls) or O(smarthost_ca_path) is not given, the value of the
    environment variable E(SPAMEXPERTS_SMARTHOST), E(SPAMEXPERTS_SMARTHOST_PORT), E(SPAMEXPERTS_SMARTHOST_TLS) or
    E(SPAMEXPERTS_SMARTHOST_CA_PATH) is used, if it is set where the module runs. On another host than the
    controller this is the environment of that host.
"""

    # For what tries logins: the vendor blocks an address whose logins fail often.
    BUDGET = r"""
options:
  refused_logins:
    description:
      - How many logins the smarthost has refused to this host before, in the same run. An earlier task returns it under
        the same name.
      - The vendor blocks an address whose logins fail often, so nobody logs in any more once three have been refused.
    type: int
    default: 0
"""
