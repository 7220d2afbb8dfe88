# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with mail servers, with the mail that waits there, and with Thunderbirds."""

from __future__ import annotations

from .rule import HIGH, LOW, MEDIUM, QUEUE, SERVERS, THUNDERBIRDS, Rule

RULES = {
    "undescribed_login": Rule(
        SERVERS,
        MEDIUM,
        "it has the login {login}, which no description gives it",
        "a rotation and an offboarding do not reach it, and its mail waits after the next change",
        "describe it, or take it out of the table on the host, and run apply",
    ),
    "declared_login_missing": Rule(
        SERVERS,
        MEDIUM,
        "it does not have the login {login}, which is declared for it",
        "mail of that sender takes another way, or waits",
        "run apply",
    ),
    "shared_login": Rule(
        SERVERS,
        MEDIUM,
        "it has the login {login}, as {others} has",
        "nobody sees which of them sends, and one leak stops all of them",
        "give each mail server a login of its own (relay: [host])",
    ),
    "borrowed_login": Rule(
        SERVERS,
        LOW,
        "it sends for {domains}, and all other mail as {login}, whose domain is not its own",
        "when that domain is removed, all other mail of this host waits",
        "name a sender in the domain of the host itself in default_for",
    ),
    "no_postfix": Rule(
        SERVERS,
        MEDIUM,
        "Postfix is not installed",
        "it cannot send through the smarthost",
        "run apply, or take the host out of mail_relays",
    ),
    "not_running": Rule(
        SERVERS,
        HIGH,
        "Postfix does not run",
        "no mail leaves this host",
        "start it, and see its log for why it ended",
    ),
    "not_set_up": Rule(
        SERVERS,
        MEDIUM,
        "it was not set up to send through the smarthost",
        "its mail leaves by another way, without the filter",
        "run apply",
    ),
    "unfinished": Rule(
        SERVERS,
        MEDIUM,
        "the last run on it was interrupted",
        "main.cf and its tables may be of two runs",
        "run apply, which finishes the work",
    ),
    "other_next_hop": Rule(
        SERVERS,
        HIGH,
        "it sends to {there}, not to {wanted}",
        "another server gets the mail, and perhaps the password",
        "run apply, or correct the smarthost of this host",
    ),
    "weak_tls": Rule(
        SERVERS,
        HIGH,
        "the TLS level on the way to the smarthost is {level}",
        "whoever stands between can read the mail and the password",
        "run apply; smarthost_ca_path helps where the certificate cannot be verified",
    ),
    "lowered_tls": Rule(
        SERVERS,
        HIGH,
        "{place} lowers the TLS level on the way to the smarthost to {level}",
        "whoever stands between can read the mail, or hold it up",
        "take that entry out",
    ),
    "past_the_smarthost": Rule(
        SERVERS,
        MEDIUM,
        "by {place} mail goes past the smarthost ({keys})",
        "the filter does not see it, and SPF, which names the smarthost, fails",
        "take the entries out, or accept the finding where such mail stays inside",
    ),
    "foreign_envelope": Rule(
        SERVERS,
        MEDIUM,
        "it sends mail with the envelope domains {domains}, which no description has",
        "nobody has decided that, and their SPF is not known to name the smarthost",
        "describe them; rewrite the sender of the host's own mail (system_sender), and of what it forwards (SRS)",
    ),
    "password_for_anybody": Rule(
        SERVERS,
        HIGH,
        "a server whose certificate was not matched would get the password",
        "a table or an override that lowers the TLS level gives it away",
        "run apply, which sets the lock (smtp_sasl_tls_security_options)",
    ),
    "header_lowers_tls": Rule(
        SERVERS,
        MEDIUM,
        "a mail with the header TLS-Required: no is sent without a verified certificate",
        "Postfix 3.10 follows that header of anybody's mail, as on a host that was upgraded since its last run",
        "run apply, which sets tls_required_enable = no",
    ),
    "wide_mynetworks": Rule(
        SERVERS,
        HIGH,
        "{network} may send through it without a login (mynetworks){more}",
        "one host there is enough to send spam in the name of this one",
        "name the hosts that have to send through it, and no more",
    ),
    "readable_passwords": Rule(
        SERVERS,
        HIGH,
        "everybody on the host can read {path}",
        "the password of the smarthost is in it",
        "chmod 600, then rotate the logins in it",
    ),
    "probes_at_smarthost": Rule(
        SERVERS,
        MEDIUM,
        "it asks the smarthost for each mail that it receives whether an address exists",
        "each probe is a connection that counts against the limits of the login",
        "set address_verify_relayhost to an empty value, or take reject_unverified_* out",
    ),
    "host_managed": Rule(
        SERVERS,
        LOW,
        "{objection}",
        "what is set here would be overwritten",
        "set the smarthost there, and take the host out of mail_relays",
    ),
    "undescribed_thunderbird": Rule(
        THUNDERBIRDS,
        MEDIUM,
        "the Thunderbird of {user} sends as {login}, which no description gives them",
        "a rotation and an offboarding do not reach it",
        "describe it (people), or take it out of the profile",
    ),
    "thunderbird_login_missing": Rule(
        THUNDERBIRDS,
        LOW,
        "no Thunderbird of {user} sends as {login}, which is described for them",
        "their mail takes another way, or is not sent",
        "run apply, or correct the description (people)",
    ),
    "mail_waits": Rule(
        QUEUE,
        HIGH,
        "{mails} waiting for the smarthost ({group}), the oldest mail for {age}{lost}",
        "a mail that waits too long goes back to its sender, and nobody hears of it before",
        "{remedy}",
    ),
    "mail_returned": Rule(
        QUEUE,
        MEDIUM,
        "{mails} returned to the sender in the last {span}",
        "these mails did not arrive",
        "see in the mail log (status=bounced, status=expired) why",
    ),
}
