# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that tells a person what to enter in Thunderbird. Pure; Jinja2 is on every controller."""

from __future__ import annotations

from typing import NamedTuple, Optional

from jinja2 import Environment, StrictUndefined

from ..module_utils._names import unicode_domain
from ..module_utils._thunderbird import dialogue

#: In the order of the names in _thunderbird/dialogue.py.
LANGUAGES = ("en", "de")

TEXTS = {
    "title": ("How to send mail as {}", "So senden Sie E-Mail als {}"),
    "why": (
        "Your mail goes out through another server from now on. Enter it once in Thunderbird, on each of your "
        "computers. How you receive mail stays as it is.",
        "Ihre E-Mail geht von nun an über einen anderen Server hinaus. Tragen Sie ihn einmal in Thunderbird ein, auf "
        "jedem Ihrer Computer. Wie Sie E-Mail empfangen, bleibt, wie es ist.",
    ),
    "open": ("Open", "Öffnen Sie"),
    "enter": ("Enter, and confirm:", "Tragen Sie ein und bestätigen Sie:"),
    "choose": ("Choose the new server for your account:", "Wählen Sie den neuen Server für Ihr Konto:"),
    "send": (
        "Send a mail to yourself. Thunderbird asks for the password once; tick",
        "Senden Sie eine E-Mail an sich selbst. Thunderbird fragt einmal nach dem Passwort; setzen Sie den Haken bei",
    ),
    "password": ("Password", "Passwort"),
    "password_apart": ("You get it by another way.", "Sie bekommen es auf einem anderen Weg."),
    "keep": (
        "This sheet has your password on it. Do not copy or photograph it, and destroy it when Thunderbird sends.",
        "Auf diesem Blatt steht Ihr Passwort. Kopieren und fotografieren Sie es nicht, und vernichten Sie es, sobald "
        "Thunderbird sendet.",
    ),
    "trouble": (
        "Should Thunderbird warn of a certificate, or refuse the password, do not go on: tell your administrator. "
        "Nobody will ever ask you for this password.",
        "Sollte Thunderbird vor einem Zertifikat warnen oder das Passwort ablehnen, machen Sie nicht weiter: Sagen Sie "
        "es Ihrem Administrator. Niemand wird Sie je nach diesem Passwort fragen.",
    ),
}

_TEMPLATE = """<!DOCTYPE html>
<html lang="{{ language }}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width">
<title>{{ title }}</title>
<style>
@page { margin: 15mm }
body { font: 12pt/1.4 sans-serif; max-width: 42em; margin: 2em auto; padding: 0 1em; color: #000;
  background: #fff; overflow-wrap: anywhere }
h1 { font-size: 1.4em }
li { margin: 0.8em 0 }
table { border-collapse: collapse; margin: 0.5em 0; width: 100% }
th, td { border: 1px solid #888; padding: 0.3em 0.6em; text-align: left; vertical-align: top }
th { width: 38%; font-weight: normal }
td { font-weight: bold }
.typed { font-family: monospace; white-space: pre-wrap; unicode-bidi: isolate }
.keep { border: 2px solid #000; padding: 0.6em }
@media print { body { font-size: 10.5pt; margin: 0; padding: 0; max-width: none }
  li, table, .keep { break-inside: avoid } }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ text.why }}</p>
<ol>
<li>{{ text.open }} <b>{{ name.account_settings }} &gt; {{ name.outgoing_server }} &gt; {{ name.add }}</b></li>
<li>{{ text.enter }}
<table>
{%- for label, value in fields %}
<tr><th>{{ label }}</th><td class="typed">{{ value }}</td></tr>
{%- endfor %}
</table></li>
<li>{{ text.choose }}
<b>{{ name.account_settings }} &gt; {{ address }} &gt; {{ name.outgoing_server }}: {{ server }}</b></li>
<li>{{ text.send }} <b>{{ name.remember }}</b>
<table>
<tr><th>{{ text.password }}</th>
<td{% if password is none %}>{{ text.password_apart }}{% else %} class="typed">{{ password }}{% endif %}</td></tr>
</table></li>
</ol>
{%- if password is not none %}
<p class="keep">{{ text.keep }}</p>
{%- endif %}
<p>{{ text.trouble }}</p>
</body>
</html>
"""
_PAGE = Environment(autoescape=True, undefined=StrictUndefined).from_string(_TEMPLATE)  # pages of 9,000 share it
#: What the new server is called in Thunderbird's own list.
_SERVER = "Smarthost"


class Page(NamedTuple):
    """One page. login: the name to log in with, and the address that its owner sends as. password: None without.

    implicit_tls: TLS comes before the first word, as on port 465.
    """

    login: str
    smarthost: str
    port: int
    password: Optional[str] = None
    implicit_tls: bool = False

    @property
    def address(self) -> str:
        """The address, as people write it."""
        local_part, at, domain = self.login.rpartition("@")
        return f"{local_part}{at}{unicode_domain(domain)}"


def render(page: Page, language: str) -> str:
    """The page as HTML, in one of LANGUAGES: without a script, a date, or anything from elsewhere."""
    number = LANGUAGES.index(language)
    text = {name: texts[number] for name, texts in TEXTS.items()}
    names = ("account_settings", "outgoing_server", "add", "remember")
    fields = (
        (dialogue.DESCRIPTION, _SERVER),
        (dialogue.SERVER_NAME, page.smarthost),
        (dialogue.PORT, page.port),
        (dialogue.CONNECTION_SECURITY, dialogue.SECURITY[page.implicit_tls]),
        (dialogue.AUTHENTICATION_METHOD, dialogue.NORMAL_PASSWORD[number]),
        (dialogue.USER_NAME, page.login),
    )
    return _PAGE.render(
        language=language,
        text=text,
        title=text["title"].format(page.address),
        name={name: getattr(dialogue, name.upper())[number] for name in names},
        fields=[(label[number], value) for label, value in fields],
        server=_SERVER,
        address=page.address,
        password=page.password,
    )
