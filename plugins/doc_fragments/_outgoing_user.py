# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of one outgoing user, and of how users are managed."""

from __future__ import annotations


class ModuleDocFragment:
    """DOCUMENTATION: one user's options. MANAGE: what applies to all users of a task."""

    DOCUMENTATION = r"""
options:
  domain:
    description:
      - The domain that the outgoing user belongs to. It must exist and have the outgoing product.
      - An internationalised domain may be written in Unicode or in its C(xn--) form.
    type: str
    required: true
  username:
    description:
      - For O(authentication_method=user) the local part of the address; the full address is accepted as well.
      - For O(authentication_method=ip) an IPv4 or IPv6 address or network, at most a C(/24) (IPv6 C(/48)), and one from
        which mail reaches a filter in the internet. See O(allow_private_address) and O(allow_wide_network).
      - Left out for O(authentication_method=domain).
    type: str
  authentication_method:
    description:
      - How the sender proves who it is.
      - V(user) is recommended. Each address has its own password and limits, and is removed when somebody leaves.
      - V(domain) is one password for all addresses of a domain. Whoever has it sends as anyone in the domain.
      - V(ip) needs no password and is discouraged. Whoever gets onto that host sends as anyone.
    type: str
    choices: [user, domain, ip]
    default: user
  state:
    description: Whether the outgoing user should exist.
    type: str
    choices: [present, absent]
    default: present
  password:
    description:
      - The wanted password, at least 12 characters, without control characters and without a blank at either end.
      - It must not be a part of the login.
      - Needed to create a user or a domain user. The API never shows a password; O(update_password) says how the
        present one is compared.
    type: str
  password_file:
    description:
      - A file on the controller that holds the password. Where there is none, a password of 32 characters is generated
        and written there, with mode 0600, before the API gets it. Choose this or O(password).
    type: path
  former_password:
    description:
      - The password that the user has until now, where it is known.
      - With O(recreate_for_password=true) the user gets it back when the server refuses to add it with the new one.
    type: str
  password_is_new:
    description:
      - Whether O(password) was made just now, so that a user that exists cannot have it yet.
      - With O(update_password=on_create) the user is added also where the server does not list its users, and the new
        password is proven by a login. One that exists keeps its password, with RV(ignore:password=kept).
    type: bool
    default: false
  update_password:
    description:
      - When the password of a user that exists is set.
      - V(on_mismatch) logs in to the smarthost with the wanted password, and sets it only when the login is refused.
        When the smarthost cannot be asked, the password is set where the server offers a call for it, and reported with
        RV(ignore:password=unknown), as it is where there is no such call.
      - V(on_create) never touches the password of a user that exists.
      - V(always) always sets it, and always reports a change.
    type: str
    choices: [on_mismatch, on_create, always]
  limits:
    description:
      - How much the user may send. What is not given stays as it is.
      - Limits count connections, not messages; only O(limits.recipients_per_day) counts recipients.
    type: dict
    suboptions:
      enabled:
        description: Whether the limits apply. V(false) switches all of them off.
        type: bool
      per_minute:
        description: Connections per minute.
        type: int
      per_hour:
        description: Connections per hour.
        type: int
      per_day:
        description: Connections per day.
        type: int
      per_week:
        description: Connections per week.
        type: int
      per_month:
        description: Connections per month.
        type: int
      recipients_per_day:
        description: Recipients per day.
        type: int
      inherit:
        description: Names of limits that should come from the level above, which is neither V(0) nor "not given".
        type: list
        elements: str
        choices: [per_minute, per_hour, per_day, per_week, per_month, recipients_per_day]
  locked:
    description: Whether the user is locked by hand. The smarthost takes no mail from a locked user.
    type: bool
  automatic_lock:
    description: Whether the filter locks the user by itself when it sends spam.
    type: bool
  lock_timeout:
    description: How many minutes an automatic lock lasts, from 1 to 10080.
    type: int
  maximum_unlocks:
    description: How many times an automatic lock ends by itself before somebody must unlock, from 1 to 100.
    type: int
  settings:
    description:
      - Other settings of the vendor, name to value, as texts, numbers or booleans.
      - Their API names are not public; a setting reaches the server only under a name that
        O(api_methods) maps for C(set_settings).
    type: dict
  acknowledge_ip_risk:
    description: Set to V(true) to have no warning about O(authentication_method=ip).
    type: bool
    default: false
  allow_private_address:
    description:
      - With O(authentication_method=ip), accept an address that a filter in the internet never sees, such as
        C(10.0.0.5) or C(fd00::5). Only right where the filter stands in your own network.
      - Not needed to remove one.
    type: bool
    default: false
  allow_wide_network:
    description:
      - With O(authentication_method=ip), accept a network that is wider than C(/24) (IPv6 C(/48)). Whoever gets onto
        any host in it sends as anyone.
      - Not needed to remove one.
    type: bool
    default: false
"""

    MANAGE = r"""
options:
  recreate_for_password:
    description:
      - Where the server offers no call to set a password, remove the user and add it again with the new one.
      - The lock, the limits and the settings of the user are lost where they are not given in the task, and not
        listed by the server. Between the two calls its mail is refused.
      - When the server refuses to add it with the new password, the task fails and says that the user is gone, or that
        it has its C(former_password) again.
    type: bool
    default: false
  allow_domain_user_removal:
    description:
      - Remove a domain user although its domain has other outgoing users.
      - The vendor's call for it names only the domain, and nothing public says whether it spares the other users.
    type: bool
    default: false
  domain_login:
    description:
      - The form of the login of a domain user, which is used to prove its password.
      - Vendor texts name V(domain), as in C(example.com); real mail also shows V(at_domain), as in C(@example.com).
    type: str
    choices: [domain, at_domain]
    default: domain
  new_domains:
    description:
      - Domains that this run has added, or would add in check mode, as
        RV(smarthost.spamexperts.domain#module:domain.action) tells, and which have no users yet. Nobody logs in for
        them before they are added, as such a login is always refused.
      - Any other domain has to be one of the account, where the server lists them; an unknown one is an error, with the
        nearest name that the account has.
    type: list
    elements: str
    default: []
  concurrency:
    description: How many requests are under way at once, from 1 to 16.
    type: int
    default: 4
  wait_timeout:
    description:
      - How many seconds to wait at most until the server's list shows what was written, since the vendor's caches lag.
      - A login with a password that was set just now is tried again for as long, when it is refused.
      - What the list does not show then is reported as unknown.
      - V(0) does not wait, and does not look. Where the server does not list its users there is nothing to wait for.
    type: int
    default: 10
"""
