"""How Sphinx draws the pages; ``tools/site/make.py`` puts them where it finds them."""

import os

project = "saltext-deploy"
author = "The saltext-deploy project"
version = release = os.environ["SALTDEPLOY_VERSION"]
project_copyright = f"{author}; Apache-2.0"

extensions = ["myst_parser"]
root_doc = "README"
exclude_patterns = ["formula", "pillar"]
myst_heading_anchors = 4
nitpicky = False
html_title = f"saltext-deploy {release}"
html_theme = "alabaster"
html_theme_options = {"description": "Ships tagged git releases to a Salt fleet", "page_width": "1100px"}
html_show_sphinx = False
html_copy_source = False
pygments_style = "default"
suppress_warnings = ["misc.highlighting_failure"]
