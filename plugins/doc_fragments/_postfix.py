# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Postfix that a module is about."""

from __future__ import annotations


class ModuleDocFragment:
    """The option of every module that works with a Postfix on its host, and what it needs there."""

    DOCUMENTATION = r"""
options:
  config_directory:
    description:
      - Configuration directory of the Postfix instance, for hosts with several.
      - The default is the main instance, usually V(/etc/postfix).
    type: path
requirements:
  - Python 3.9 or newer
"""

    # As what a host is to send: of what sets it up so, and of what compares it with that.
    RELAY = r"""
options:
  default_login:
    description:
      - Login for all mail that no entry of O(logins) is for. Bounces always use it.
      - An outgoing user logs in as V(user@example.com), a domain user with the name of the domain.
    type: str
  default_password:
    description:
      - Password of O(default_login).
      - Everything that a Postfix map can carry is taken as it is. A blank or tab at the end, a newline and a NUL are
        refused.
    type: str
  logins:
    description:
      - Logins for the mail of certain senders.
    type: list
    elements: dict
    default: []
    suboptions:
      login:
        description: The login. A colon is not possible.
        type: str
        required: true
      password:
        description: The password, see O(default_password).
        type: str
        required: true
      senders:
        description:
          - Envelope senders that use this login, as V(user@example.com), or V(@example.com) for a whole domain (without
            its subdomains).
          - An address wins over its domain.
        type: list
        elements: str
        required: true
  authentication:
    description:
      - How the smarthost recognises mail that no entry of O(logins) is for.
      - V(login) means O(default_login).
      - V(ip) means the address of this host, which must be an outgoing user of method C(ip). Providers discourage it,
        as everything on the host can send then and nobody can be told apart; the vendor calls it likely the best way
        for a whole mail server, which holds where the server checks each sender itself.
    type: str
    choices: [login, ip]
    default: login
  only_named_senders:
    description:
      - If V(true), only mail of the senders in O(logins) and O(senders) goes to the smarthost. All other mail is
        delivered as before.
      - This always uses O(dedicated_transport).
    type: bool
    default: false
  senders:
    description:
      - With O(only_named_senders=true), more senders whose mail goes to the smarthost, with O(default_login) or by
        O(authentication=ip).
      - Addresses, domains such as V(@example.com), or V(<>) for bounces.
    type: list
    elements: str
    default: []
  smarthost_certificate_names:
    description:
      - Names of which one must stand in the smarthost's certificate, if it is not O(smarthost) or a name below it. A
        leading dot means any name below that domain.
    type: list
    elements: str
    default: []
  reveal_password_to_any_server:
    description:
      - If V(true), TLS is required but the certificate is not verified. Whoever can redirect the connection gets the
        passwords and the mail.
    type: bool
    default: false
  reveal_mail_without_tls:
    description:
      - If V(true), mail is sent in clear text when the server offers no TLS. Refused together with a login, because a
        password never travels outside TLS.
    type: bool
    default: false
  dedicated_transport:
    description:
      - If V(true), the smarthost gets a transport of its own in C(master.cf), named C(smarthost), or C(smarthost_tls)
        where TLS comes before the first word (O(smarthost_port=465), O(smarthost_tls=implicit)). Its TLS rules, logins
        and limits then bind no other mail, and its process limit makes O(concurrency) a hard cap.
      - What C(master.cf) says with C(-o) of the service C(smtp) counts for it as well.
      - If V(false), the rules go into C(main.cf) with C(relayhost). This is what most null clients want.
      - If it is not given, the rules go into C(main.cf) unless other mail would be bound by them that goes elsewhere,
        such as by C(transport_maps) or to a content filter. Then, and with O(only_named_senders), the smarthost gets a
        transport of its own, which it keeps.
      - Where TLS comes before the first word it always gets one, as C(smtp_tls_wrappermode) in C(main.cf) binds every
        mail. V(false) is possible there as long as no mail goes elsewhere.
    type: bool
  concurrency:
    description:
      - How many connections to the smarthost are open at once, 1 to 10.
      - The vendor refuses the eleventh connection from one address, and Postfix does not wait for the end of a
        connection before it opens the next, so more than 5 is too many in practice.
      - Where this Postfix relays for other domains (C(relay_domains)) and there is no transport of its own, both ways
        to the smarthost share the number.
    type: int
    default: 5
  rate_delay:
    description:
      - Seconds to wait between two mails. More than 0 also means one mail at a time.
      - If not given, Postfix does what it did before the first run.
    type: int
  connection_reuse:
    description:
      - If V(true), several mails use one TLS connection. This saves connections, which is what the vendor's limits
        count. The service C(tlsproxy) is added to C(master.cf) if it is missing.
      - If not given, Postfix does what it did before the first run.
    type: bool
  system_sender:
    description:
      - As whom mail of the host itself leaves through the smarthost, such as that of cron, of root and of a web server.
        It is otherwise from an account at the name of the host, as in V(root@web1.internal), which a smarthost may
        refuse, and the mailbox in which that comes back nobody reads.
      - An address, or V(true) for O(default_login). Its domain must be one that a login here is for.
      - What is rewritten are all addresses at the name of the host (C(myhostname)); where another domain that no login
        is for stands behind the names of its accounts (C(myorigin)), those of the accounts of the system there. It
        happens in envelope and header, of senders and of recipients, in mail that leaves through the smarthost and in
        no other (C(smtp_generic_maps) of its SMTP client, before the tables of the administrator).
      - Where other mail leaves by the same SMTP client, this needs O(dedicated_transport), which is taken by itself
        unless O(dedicated_transport=false).
      - V(false) leaves these senders as they are. If it is not given, that is so too, and a warning says where they are
        of a domain that no login is for, or that does not exist in the DNS.
    type: str
  identity:
    description:
      - If V(true), each mail says who has logged in at this mail server to hand it in, in its header C(Received)
        (C(smtpd_sasl_authenticated_header)). A vendor that takes that for the identity can lock the one person whose
        mailbox was hacked, and everybody else goes on sending with the login of this server.
      - Recipients can read it, unless the vendor takes the header out.
    type: bool
  map_type:
    description:
      - Type of the lookup tables. The default is what this Postfix prefers (C(default_database_type)).
    type: str
    choices: [hash, btree, lmdb, cdb, texthash]
"""
