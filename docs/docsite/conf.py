# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx makes the site; read by it, in the folder that tests/tools/site.py has filled."""

from __future__ import annotations

project = "smarthost.spamexperts"
project_copyright = "smarthost.spamexperts maintainers"
html_title = "smarthost.spamexperts"
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 3
pygments_style = "ansible"
# Nothing is asked of other sites while building.
intersphinx_mapping: dict[str, tuple[str, str]] = {}
suppress_warnings = ["misc.highlighting_failure"]
nitpicky = False
