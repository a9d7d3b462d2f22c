"""Sphinx settings of the documentation."""

project = "Servicepunkt"
author = "The Servicepunkt authors"
project_copyright = "the Servicepunkt authors, EUPL-1.2"

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "Servicepunkt"
html_show_sphinx = False
