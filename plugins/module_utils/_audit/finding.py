# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong, and one thing that is. A code is the same in the report and in what is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

HIGH, MEDIUM, LOW = "high", "medium", "low"
#: The worst first.
SEVERITIES = (HIGH, MEDIUM, LOW)


class Rule(NamedTuple):
    """One kind of finding. what: with places for what was seen."""

    area: str
    severity: str
    what: str
    why: str
    to_do: str


SENDERS, SERVERS, THUNDERBIRDS, QUEUE, DNS, ACCOUNT = (
    *("senders", "mail servers", "Thunderbirds"),
    *("queue", "DNS", "account"),
)

RULES = {
    "stranger": Rule(
        SENDERS,
        HIGH,
        "it may send, and nobody has ever declared it",
        "somebody has added it in the panel, or an attacker has",
        "find out whose it is; describe it, or remove it with purge: true in the description of its domain",
    ),
    "leaver": Rule(
        SENDERS,
        HIGH,
        "it is declared no more, and may still send",
        "whoever has left can send in the name of the domain",
        "run apply with spamexperts_remove=true, or describe it again",
    ),
    "missing": Rule(
        SENDERS,
        MEDIUM,
        "it is described, and not at the vendor",
        "its mail is refused",
        "run apply",
    ),
    "other_method": Rule(
        SENDERS,
        MEDIUM,
        "it is {there} at the vendor, and described as {described}",
        "it proves who it is in another way than was decided",
        "run apply, or correct the description",
    ),
    "other_limits": Rule(
        SENDERS,
        MEDIUM,
        "at the vendor {differences}",
        "the limits are what bounds the harm of a password that has leaked",
        "run apply, or correct the description",
    ),
    "by_address": Rule(
        SENDERS,
        MEDIUM,
        "it proves who it is by its address alone",
        "whoever gets onto that host sends as anyone",
        "give it a login of its own (authentication_method: user)",
    ),
    "by_domain": Rule(
        SENDERS,
        LOW,
        "one password is for every address of the domain",
        "whoever has it sends as anyone there, and one leak is a leak of all",
        "give each person and mail server a sender of its own",
    ),
    "wide_network": Rule(
        SENDERS,
        HIGH,
        "{addresses} addresses may send without a password",
        "one of these hosts is enough for an attacker",
        "name the one address of the mail server",
    ),
    "no_limits": Rule(
        SENDERS,
        MEDIUM,
        "its limits are off, and it is not described as shared",
        "a password that leaks sends without end",
        "set limits, or say shared: true where several people use it",
    ),
    "locked": Rule(
        SENDERS,
        MEDIUM,
        "it is locked at the vendor, and described as one that may send",
        "its mail waits, and is lost after some days",
        "find out why it was locked, give it a new password by a rotation, then unlock it",
    ),
    "same_password": Rule(
        SENDERS,
        HIGH,
        "its password is that of {others} as well",
        "one leak is a leak of all of them",
        "rotate all but one of them",
    ),
    "unused_credential": Rule(
        SENDERS,
        LOW,
        "the store has its password, and no description and no mail server has it",
        "a password that nobody needs can only leak",
        "take it out of the store (credential_store, state: absent)",
    ),
    "refused": Rule(
        SENDERS,
        HIGH,
        "the smarthost refuses the password of the store",
        "its mail waits, and is lost after some days",
        "find out who has changed it; set it with update_password: always, or put the right one into the store",
    ),
    "personal_login": Rule(
        SENDERS,
        MEDIUM,
        "a mail server, {host}, sends as it, and so do people",
        "the mail server stops when the person leaves, and its password is on two kinds of machines",
        "give the mail server a sender of its own (relay: true)",
    ),
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
    "spf": Rule(
        DNS,
        MEDIUM,
        "{problem}",
        "receivers refuse mail of the domain that comes from the smarthost, or put it aside",
        "{remedy}",
    ),
    "dmarc_missing": Rule(
        DNS,
        MEDIUM,
        "there is no DMARC record, neither its own nor one above it",
        "anybody can send in its name, and big receivers ask for one",
        "enter in DNS, at {place}: v=DMARC1; p=none; rua=mailto:..., and a stricter p= once the reports are clean",
    ),
    "dmarc_broken": Rule(
        DNS,
        MEDIUM,
        "of the DMARC record at {place}, {problem}",
        "receivers do not use the record, or a part of it",
        "correct the record in DNS",
    ),
    "dmarc_none": Rule(
        DNS,
        LOW,
        "its DMARC record asks receivers to do nothing (p=none)",
        "mail of whoever sends in its name arrives",
        "once the reports are clean, enter p=quarantine and then p=reject",
    ),
    "dmarc_alignment": Rule(
        DNS,
        MEDIUM,
        "{what}",
        "DMARC takes such mail for forged, unless the other of SPF and DKIM holds",
        "relax it in the DMARC record (r), or send as the domain itself",
    ),
    "dkim_missing": Rule(
        DNS,
        MEDIUM,
        "there is no DKIM key at {place}, which its description names",
        "what is signed with it counts as not signed",
        "enter the key in DNS, or correct dkim_selectors in the description",
    ),
    "dkim_broken": Rule(
        DNS,
        MEDIUM,
        "of the DKIM key at {place}, {problem}",
        "what is signed with it counts as not signed",
        "enter the key in DNS anew, of 2048 bits",
    ),
    "cannot_be_answered": Rule(
        DNS,
        HIGH,
        "no mail server and no address is found for it (MX, A, AAAA)",
        "many receivers refuse mail that cannot be answered, and returned mail is lost",
        "enter an MX record in DNS, or send as a domain that has one",
    ),
    "big_receivers": Rule(
        DNS,
        HIGH,
        "its senders may send 5000 mails a day, and it lacks {lacking}",
        "Google and Yahoo since February 2024, and Microsoft since May 2025, refuse mail in such numbers without them",
        "enter what is lacking in DNS, or lower the limits",
    ),
    "domain_missing": Rule(
        ACCOUNT,
        HIGH,
        "it is described, and the account {account} does not have it",
        "none of its mail is sent",
        "run apply, or name the right account",
    ),
    "domain_undescribed": Rule(
        ACCOUNT,
        MEDIUM,
        "the account {account} has it with {senders}, and nobody describes it",
        "who may send there was decided by nobody",
        "describe it, or remove it from the account",
    ),
    "description_lost": Rule(
        ACCOUNT,
        MEDIUM,
        "it was described in {place} with {senders}, and is not any more",
        "nobody is removed for that, so all of them may still send",
        "bring the description back, or describe the domain with senders: []",
    ),
    "product_off": Rule(
        ACCOUNT,
        HIGH,
        "the product outgoing is off",
        "none of its mail is sent",
        "run apply, or have the provider switch it on",
    ),
    "no_abuse_contact": Rule(
        ACCOUNT,
        LOW,
        "no abuse contact is set",
        "nobody hears when a sender is locked for spam",
        "set abuse_contact in the description, or in spamexperts_defaults, and run apply",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. where: a login, domain or host. accepted: why somebody has taken it on."""

    code: str
    where: str
    what: str
    to_do: str
    accepted: str = ""

    @property
    def severity(self) -> str:
        """How bad it is."""
        return RULES[self.code].severity

    def to_result(self) -> dict[str, Any]:
        """For the JSON file, the page and the result."""
        rule = RULES[self.code]
        return {
            **{"severity": rule.severity, "code": self.code, "area": rule.area, "where": self.where},
            **{"what": self.what, "why": rule.why, "to_do": self.to_do, "accepted": self.accepted},
        }


class Unseen(NamedTuple):
    """What was not looked at. It is never said to be right."""

    area: str
    what: str
    why: str

    def to_result(self) -> dict[str, str]:
        """For the JSON file, the page and the result."""
        return self._asdict()


def found(code: str, where: str, **values: object) -> Finding:
    """A finding in the words of its rule."""
    rule = RULES[code]
    return Finding(code, where, rule.what.format(**values), rule.to_do.format(**values))
