# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user wants of a relay, and the proof that Postfix can carry every value. Pure, no I/O."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, TypeVar

from .._names import InputError, ascii_name, begins_with_tls, host_name, is_ambiguous, is_host_name, port_number

Given = TypeVar("Given")

NULL_SENDER = "<>"
# What may stand in a map key or in main.cf: nothing that Postfix splits, expands or takes for a comment.
_LOCAL_PART = re.compile(r"(?!#)[^\s\x00-\x1f\x7f\"(),:;<>@\[\\\]\ud800-\udfff]+\Z")
_PLAIN_PATH = re.compile(r"/[^\s,${}\x00-\x1f\x7f]*\Z")


@dataclass(frozen=True)
class Login:
    """A name and password for AUTH. `senders` are map keys: `user@domain` or `@domain`, in lower case."""

    name: str
    password: str = field(repr=False)
    senders: tuple[str, ...] = ()

    @property
    def secret(self) -> str:
        """What Postfix's password map holds for it."""
        return f"{self.name}:{self.password}"


@dataclass(frozen=True)
class RelaySettings:
    """The wanted relay. `senders` go through the smarthost although they have no login of their own."""

    host: str
    port: int
    implicit_tls: bool = False  # before the first word, as on port 465
    ca_path: Optional[str] = None
    certificate_names: tuple[str, ...] = ()
    tls_level: str = "secure"
    default_login: Optional[Login] = None
    logins: tuple[Login, ...] = ()
    by_address: bool = False
    only_named_senders: bool = False
    senders: tuple[str, ...] = ()
    dedicated_transport: bool = False
    transport_is_chosen: bool = True  # otherwise the host decides whether it needs a transport of its own
    map_type: Optional[str] = None
    concurrency: int = 5
    rate_delay: Optional[int] = None
    connection_reuse: Optional[bool] = None
    identity: bool = False  # whether mail says who has logged in at this server
    system_sender: Optional[str] = None  # an address; "": the host's own mail is left as it is; None: nobody has said

    @property
    def next_hop(self) -> str:
        """The smarthost as Postfix writes it; also the key of its login."""
        return next_hop(self.host, self.port)

    @property
    def named_senders(self) -> tuple[str, ...]:
        """Every sender that is named anywhere, in the order of naming."""
        return tuple(key for login in self.logins for key in login.senders) + self.senders


def next_hop(host: str, port: int) -> str:
    """A server, as `host_name` gives it, in Postfix's words; brackets mean that no MX record is asked."""
    return f"[{'ipv6:' if ':' in host else ''}{host}]:{port}"


def settings_from(options: Mapping[str, Any]) -> RelaySettings:
    """Build the settings from the module's options; raise InputError with every problem, one sentence each."""
    problems: list[str] = []
    host = _checked(host_name, options["smarthost"], problems)
    port = _checked(port_number, options["smarthost_port"], problems)
    implicit_tls = _checked(lambda number: begins_with_tls(number, options["smarthost_tls"]), port or 0, problems)
    default_login = None
    if options["default_login"] is None:
        if options["default_password"] is not None:
            problems.append("default_password: it belongs to default_login, which is missing.")
    else:
        default_login = checked_login(
            options["default_login"], options["default_password"], (), "default_login", problems
        )
    logins = []
    for position, given in enumerate(options["logins"], start=1):
        place = f"logins, entry {position}"
        keys = _senders(given["senders"], place, problems)
        if not keys:
            problems.append(f"{place}: 'senders' names nobody; give at least one address or @domain.")
        if NULL_SENDER in keys:
            problems.append(
                f"{place}: bounces ('<>') are never looked up by sender; they use default_login, so name them in "
                "'senders' of the module, not here."
            )
        logins.append(checked_login(given["login"], given["password"], keys, place, problems))
    level = "secure"
    if options["reveal_password_to_any_server"]:
        level = "encrypt"
    if options["reveal_mail_without_tls"]:
        level = "may"
    # Rules for the smarthost must not bind mail that goes to everybody else; and no table has TLS come before the first
    # word for one server only.
    apart, chosen = bool(options["only_named_senders"] or implicit_tls), options["dedicated_transport"]
    settings = RelaySettings(
        host=host or "",
        port=port or 0,
        implicit_tls=bool(implicit_tls),
        ca_path=options["smarthost_ca_path"],
        certificate_names=tuple(options["smarthost_certificate_names"]),
        tls_level=level,
        default_login=default_login,
        logins=tuple(logins),
        by_address=options["authentication"] == "ip",
        only_named_senders=options["only_named_senders"],
        senders=_senders(options["senders"], "senders", problems),
        dedicated_transport=apart if chosen is None else chosen,
        transport_is_chosen=apart or chosen is not None,
        map_type=options["map_type"],
        concurrency=options["concurrency"],
        rate_delay=options["rate_delay"],
        connection_reuse=options["connection_reuse"],
        identity=bool(options["identity"]),
        system_sender=_system_sender(options, problems),
    )
    problems += _contradictions(settings)
    problems += _out_of_range(settings)
    if problems:
        raise InputError(" ".join(problems))
    return settings


def given_logins(options: Mapping[str, Any]) -> list[Login]:
    """Every login of the options, without a look at anything else; raises InputError for one that no map can carry."""
    problems: list[str] = []
    given = [("default_login", options["default_login"], options["default_password"])] * bool(options["default_login"])
    given += [(f"login {entry['login']!r}", entry["login"], entry["password"]) for entry in options["logins"]]
    logins = [checked_login(name, password, (), place, problems) for place, name, password in given]
    if problems:
        raise InputError(" ".join(problems))
    return logins


def _system_sender(options: Mapping[str, Any], problems: list[str]) -> Optional[str]:
    """As whom the host's own mail leaves; see RelaySettings."""
    given = options["system_sender"]
    if given is None or given.lower() in ("false", "no"):
        return given and ""
    is_login = given.lower() in ("true", "yes")
    address = (options["default_login"] or "") if is_login else given
    (key,) = _senders([address], "system_sender", [] if is_login else problems)[:1] or ("",)
    if is_login and key.partition("@")[0] == "":
        problems.append("system_sender: default_login is no address, so give the address of a sender instead of true.")
    elif key.startswith(("@", "<")):
        problems.append(f"system_sender: '{given}' is no address such as server@example.com.")
    return key


def login_of(settings: RelaySettings, sender: str) -> Optional[Login]:
    """The login for mail of this sender, as Postfix chooses it; None where there is none."""
    keys = (sender, f"@{sender.rpartition('@')[2]}")
    own = (login for key in keys for login in settings.logins if key in login.senders)
    return next(own, settings.default_login)


def _contradictions(settings: RelaySettings) -> list[str]:
    """Options that do not go together."""
    problems = []
    if settings.by_address and settings.default_login:
        problems.append("default_login: with authentication=ip there is none; remove it, or use authentication=login.")
    needs_login = not settings.by_address and settings.default_login is None
    if needs_login and not settings.only_named_senders:
        problems.append(
            "default_login is missing: mail from senders without a login of their own, and every bounce, would be "
            "refused. Give default_login, or authentication=ip if the smarthost knows this host by its address, or "
            "only_named_senders=true if other mail must not use the smarthost."
        )
    if settings.only_named_senders:
        if needs_login and settings.senders:
            problems.append("senders: these have no login; give default_login or authentication=ip for them.")
        if not settings.named_senders:
            problems.append("only_named_senders: no sender is named, in senders or in logins.")
        if not settings.dedicated_transport:
            problems.append(
                "dedicated_transport: it cannot be false with only_named_senders, because the TLS rules for the "
                "smarthost would then bind all direct mail."
            )
    elif settings.senders:
        problems.append("senders: this only has a meaning with only_named_senders=true, as now all mail is sent so.")
    has_login = settings.default_login is not None or bool(settings.logins)
    problems += _tls_contradictions(settings, has_login=has_login)
    problems += _wrong_system_sender(settings)
    seen: dict[str, str] = {}
    places = [(f"logins, entry {n}", login.senders) for n, login in enumerate(settings.logins, start=1)]
    for place, keys in [*places, ("senders", settings.senders)]:
        for key in keys:
            if key in seen:
                problems.append(f"{place}: sender '{key}' is already named in {seen[key]}; it can have one login only.")
            seen[key] = place
    return problems


def _wrong_system_sender(settings: RelaySettings) -> list[str]:
    """A sender of somebody else's domain would be refused, and with it all mail of the host itself."""
    sender = settings.system_sender
    if not sender or sender[0] in "@<" or (settings.by_address and not settings.logins):
        return []
    domain = sender.rpartition("@")[2]
    login = login_of(settings, sender)
    named = login is not settings.default_login or sender in settings.senders or f"@{domain}" in settings.senders
    if login is None and settings.by_address:
        return []
    if login and (named or ascii_name(login.name.rpartition("@")[2]) == domain):
        return []
    return [
        f"system_sender: no login here is for {domain}, so the smarthost would refuse '{sender}'; give an address of "
        f"{'the domain of default_login, or of ' if settings.default_login else ''}the senders of an entry of logins."
    ]


def _tls_contradictions(settings: RelaySettings, *, has_login: bool) -> list[str]:
    problems = []
    if settings.tls_level == "may" and has_login:
        problems.append("reveal_mail_without_tls: refused together with a login; a password never travels outside TLS.")
    if settings.tls_level == "may" and settings.implicit_tls:
        problems.append(
            "reveal_mail_without_tls: it has no meaning where TLS comes before the first word (smarthost_port 465, or "
            "smarthost_tls=implicit); remove it."
        )
    if settings.tls_level == "secure" and _address(settings.host) is not None and not settings.certificate_names:
        problems.append(
            "smarthost: an IP address cannot be compared with a certificate by Postfix; give the name that stands in "
            "the certificate in smarthost_certificate_names."
        )
    return problems


def _out_of_range(settings: RelaySettings) -> list[str]:
    """Numbers, names and paths that Postfix would not survive: `postfix check` finds none of them."""
    problems = []
    if not 1 <= settings.concurrency <= 10:
        problems.append(f"concurrency: {settings.concurrency} is not possible; the smarthost allows 1 to 10.")
    if settings.rate_delay is not None and not 0 <= settings.rate_delay <= 3600:
        problems.append(f"rate_delay: {settings.rate_delay} is not possible; it must be 0 to 3600 seconds.")
    for name in settings.certificate_names:
        if not is_host_name(name[1:] if name.startswith(".") else name):
            problems.append(f"smarthost_certificate_names: '{name}' is not a host name.")
    if settings.ca_path is not None and not _PLAIN_PATH.match(settings.ca_path):
        problems.append(
            "smarthost_ca_path: Postfix needs an absolute path without blanks, commas, '$' or braces; "
            f"'{settings.ca_path}' is not one."
        )
    return problems


def check_config_directory(path: str) -> None:
    """Raise InputError unless the path can stand in a Postfix map name."""
    if not _PLAIN_PATH.match(path) or ":" in path:
        raise InputError(
            f"config_directory: '{path}' must be an absolute path without blanks, commas, colons, '$' or braces."
        )


def _checked(check: Callable[[Given], Given], given: Given, problems: list[str]) -> Optional[Given]:
    """What the check makes of an option; None where it has a problem."""
    try:
        return check(given)
    except InputError as problem:
        problems.append(f"{problem}.")
        return None


def checked_login(
    name: str, password: Optional[str], senders: tuple[str, ...], place: str, problems: list[str]
) -> Login:
    """The login, and in `problems` one sentence for all that keeps a Postfix map from carrying it byte for byte."""
    if not name or name != name.strip() or any(ord(character) < 32 or ord(character) == 127 for character in name):
        problems.append(f"{place}: a login must not be empty, hold control characters or begin or end with a blank.")
    if ":" in name:
        problems.append(
            f"{place}: a login with a colon cannot be used, Postfix splits login and password at the first."
        )
    if password is None or password == "":
        problems.append(f"{place}: the password is missing or empty.")
        return Login(name, "", senders)
    if "\n" in password or "\0" in password:
        problems.append(f"{place}: the password holds a newline or a NUL, which a Postfix map cannot carry.")
    elif password != password.rstrip(" \t\r\v\f"):
        problems.append(
            f"{place}: the password ends with a blank, a tab or a carriage return, which Postfix would drop."
        )
    for text, what in ((name, "login"), (password, "password")):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            problems.append(f"{place}: the {what} is not valid UTF-8; Postfix would ignore the whole entry.")
    return Login(name, password, senders)


def _senders(given: Iterable[str], place: str, problems: list[str]) -> tuple[str, ...]:
    """Turn addresses, `@domain` and `domain` into the keys that Postfix looks up."""
    keys: list[str] = []
    for text in given:
        if text == NULL_SENDER:
            keys.append(text)
            continue
        local, _separator, domain = text.rpartition("@")
        if is_ambiguous(domain):
            problems.append(f"{place}: write the domain of '{text}' in its xn-- form.")
            continue
        ascii_domain = ascii_name(domain)
        if not is_host_name(ascii_domain) or (local and not _LOCAL_PART.match(local)):
            problems.append(f"{place}: '{text}' is neither an address nor a domain.")
            continue
        # Mail may name a domain in either spelling.
        keys += [f"{local}@{name}".lower() for name in dict.fromkeys((ascii_domain, domain.lower()))]
    return tuple(keys)


def _address(text: str) -> Any:
    """The IP address that the text is, or None."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
