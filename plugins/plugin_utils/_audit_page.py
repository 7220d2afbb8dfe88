# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of an audit: one file that asks for nothing else. Pure; Jinja2 is on every controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined

from ..module_utils._audit.rule import SEVERITIES

#: Where the guide has each finding.
_GUIDE = "https://github.com/smarthost/spamexperts/blob/main/docs/audit.md"
_WIDTH = 240

_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Who may send: {{ verdict }}</title>
<style>
:root { color-scheme: light dark; --text: #1a1a1a; --back: #fff; --line: #c4c4c4; --soft: #f3f3f3; --link: #0b57a4;
  --high: #a31212; --medium: #8a4b00; --low: #3d5a80 }
@media (prefers-color-scheme: dark) { :root { --text: #eaeaea; --back: #161616; --line: #4a4a4a; --soft: #242424;
  --link: #8fc1ff; --high: #ff8f8f; --medium: #ffbe6b; --low: #a8c7ea } }
* { box-sizing: border-box }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 80em; padding: 1em; color: var(--text);
  background: var(--back); overflow-wrap: anywhere }
a { color: var(--link) }
h1 { font-size: 1.5em; margin: 0 } h2 { font-size: 1.2em; margin: 1.6em 0 .4em }
.verdict { font-size: 1.2em; font-weight: bold; margin: .3em 0 }
.numbers, .charts { display: flex; flex-wrap: wrap; gap: 1em; padding: 0; margin: .8em 0; list-style: none }
.numbers li, figure { background: var(--soft); border-radius: .4em; padding: .5em .9em; margin: 0 }
.numbers b { display: block; font-size: 1.4em }
svg text { fill: var(--text); font-size: 13px } svg rect { fill: var(--low) }
svg .high { fill: var(--high) } svg .medium { fill: var(--medium) }
form { position: sticky; top: 0; z-index: 1; background: var(--back); border-bottom: 1px solid var(--line);
  display: flex; flex-wrap: wrap; gap: .4em 1em; align-items: center; padding: .5em 0 }
input, select { font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--line);
  border-radius: .3em; padding: .25em .5em; max-width: 100% }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .92em }
caption { text-align: left; padding: .2em 0 }
th, td { border-bottom: 1px solid var(--line); padding: .3em .6em; text-align: left; vertical-align: top }
thead th { background: var(--soft) }
thead th, td:first-child { overflow-wrap: normal } .findings td:nth-child(2) { min-width: 14em }
tbody tr { content-visibility: auto }
tr[hidden] { display: none }
.high { color: var(--high); font-weight: bold } .medium { color: var(--medium); font-weight: bold }
.low { color: var(--low) }
@media (max-width: 45em) {
  .findings thead { position: absolute; left: -999em }
  .findings tr, .findings td { display: block } .findings td { border: 0; padding: .1em 0 }
  .findings tr { border-bottom: 1px solid var(--line); padding: .5em 0 } .findings tr[hidden] { display: none } }
@media print { form { display: none } body { font-size: 10pt; max-width: none; padding: 0 }
  :root { --text: #000; --back: #fff; --soft: #f3f3f3; --line: #888; --link: #000; --high: #000; --medium: #000;
    --low: #000 }
  tbody tr { content-visibility: visible; break-inside: avoid } thead { display: table-header-group }
  .wide { overflow: visible } }
</style>
</head>
<body>
<header>
<h1>Who may send, how, and how safe</h1>
<p class="verdict">{{ verdict }}</p>
<p>Looked at on {{ day }}.</p>
</header>
<main>
<ul class="numbers">
{%- for noun, number in totals.items() %}
<li><b>{{ number }}</b> {{ noun }}{{ '' if number == 1 else 's' }}</li>
{%- endfor %}
<li><b>{{ not_looked_at | length }}</b> not looked at</li>
</ul>
<div class="charts">
{%- for title, bars in charts.items() %}
<figure>
<figcaption>{{ title }}</figcaption>
<svg role="img" aria-label="{{ title }}: {{ bars | map(attribute='label') | join(', ') }}" width="340"
  height="{{ 24 * bars | length }}" viewBox="0 0 340 {{ 24 * bars | length }}">
{%- for bar in bars %}
<text x="0" y="{{ 24 * loop.index0 + 16 }}">{{ bar.name }}</text>
<rect class="{{ bar.name }}" x="64" y="{{ 24 * loop.index0 + 4 }}" width="{{ bar.width }}" height="16"></rect>
<text x="{{ 70 + bar.width }}" y="{{ 24 * loop.index0 + 16 }}">{{ bar.number }}</text>
{%- endfor %}
</svg>
</figure>
{%- endfor %}
</div>
<form role="search">
<label for="search">Search</label> <input id="search" type="search" autocomplete="off">
<label for="severity">Findings</label>
<select id="severity"><option value="">all</option>
{%- for severity in severities %}<option>{{ severity }}</option>{% endfor %}<option>accepted</option></select>
<output id="shown" for="search severity"></output>
</form>
<section aria-labelledby="findings">
<h2 id="findings">Findings</h2>
<table class="findings">
<thead><tr><th scope="col">Severity</th><th scope="col">Where</th><th scope="col">What, and why it matters</th>
<th scope="col">To do</th></tr></thead>
<tbody>
{%- for one in findings %}
<tr data-severity="{{ 'accepted' if one.accepted else one.severity }}">
<td class="{{ one.severity }}">{{ one.severity }}</td><td>{{ one.where }}</td>
<td><b>{{ one.what }}</b>: {{ one.why }}{% if one.accepted %} <i>Accepted: {{ one.accepted }}</i>{% endif %}</td>
<td>{{ one.to_do }} (<a href="{{ guide }}#{{ one.code }}" rel="noreferrer">{{ one.code }}</a>)</td></tr>
{%- else %}
<tr><td colspan="4">Nothing</td></tr>
{%- endfor %}
</tbody>
</table>
</section>
<section aria-labelledby="unseen">
<h2 id="unseen">Not looked at</h2>
<table>
<thead><tr><th scope="col">What</th><th scope="col">Why</th></tr></thead>
<tbody>
{%- for one in not_looked_at %}
<tr><td>{{ one.what }}</td><td>{{ one.why }}</td></tr>
{%- else %}
<tr><td colspan="2">Nothing was left out</td></tr>
{%- endfor %}
</tbody>
</table>
</section>
{%- for title, table in tables.items() %}
<h2 id="table-{{ loop.index }}">{{ title }}</h2>
<div class="wide" tabindex="0" role="region" aria-labelledby="table-{{ loop.index }}">
<table>
<thead><tr>{% for name in table.columns %}<th scope="col">{{ name.replace('_', ' ') }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for row in table.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody>
</table>
</div>
{%- endfor %}
</main>
<script>
(function () {
  var search = document.getElementById('search'), severity = document.getElementById('severity'),
    shown = document.getElementById('shown'), timer,
    rows = Array.prototype.map.call(document.querySelectorAll('tbody tr'), function (row) {
      return {row: row, text: row.textContent.toLowerCase(), severity: row.dataset.severity};
    });
  function filter() {
    var words = search.value.toLowerCase().split(/\\s+/).filter(Boolean), number = 0;
    rows.forEach(function (one) {
      var takes = words.every(function (word) { return one.text.indexOf(word) >= 0; }) &&
        (!severity.value || one.severity === undefined || one.severity === severity.value);
      if (one.row.hidden === takes) { one.row.hidden = !takes; }
      if (takes) { number += 1; }
    });
    shown.textContent = words.length || severity.value ? number + ' rows' : '';
  }
  search.addEventListener('input', function () { clearTimeout(timer); timer = setTimeout(filter, 80); });
  severity.addEventListener('change', filter);
  document.querySelector('form').addEventListener('submit', function (event) { event.preventDefault(); });
}());
</script>
</body>
</html>
"""
_PAGE = Environment(autoescape=True, undefined=StrictUndefined).from_string(_TEMPLATE)


class Table(NamedTuple):
    """A table of the page."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, str]]) -> Table:
        """With the columns in which any row has something."""
        columns = [name for name in rows[0] if any(row[name] for row in rows)] if rows else []
        return cls(columns, [[row[name] for name in columns] for row in rows])


def bars(numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """The bars of a chart."""
    highest = max(numbers.values(), default=0) or 1
    return [
        {"name": name, "number": number, "width": round(_WIDTH * number / highest), "label": f"{number} {name}"}
        for name, number in numbers.items()
    ]


def render(content: Mapping[str, Any], methods: Mapping[str, int], tables: Mapping[str, Table], day: str) -> bytes:
    """The page. content: the report as a result."""
    charts = {"Senders by method": bars(methods), "Findings by severity": bars(content["severities"])}
    shown = {**content, "charts": charts, "tables": tables, "day": day, "guide": _GUIDE, "severities": SEVERITIES}
    return _PAGE.render(shown).encode("utf-8", "replace")
