"""
Shows one deploy (``deploy.show id=...``) as a page that needs nothing else: no script, nothing from other servers.

Any other result is shown as text on a page.

CLI Example:

.. code-block:: bash

    salt-run deploy.show id=20261123101112000000 --out=html > deploy.html
"""

import os
import sys

try:
    import saltdeploy
except ImportError:  # Salt gives outputters no utils directory
    _up = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    _side = [os.path.join(_up, name) for name in ("utils", "_utils")]
    sys.path[:0] = _side
    try:
        import saltdeploy
    finally:
        sys.path[:] = [path for path in sys.path if path not in _side]

from saltdeploy.watch.console import results
from saltdeploy.watch.pages import page

if saltdeploy.__version__ != "0.2.0":
    raise ImportError(
        f"output/deploy_html.py is 0.2.0, the package saltdeploy is {saltdeploy.__version__}: sync both"
    )

__virtualname__ = "html"


def __virtual__():
    return __virtualname__


def output(data, **kwargs):
    """
    The deploy as HTML.

    data
        What the runner returned.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.show id=20261123101112000000 --out=html
    """
    if isinstance(data, dict) and data.get("view") == "show":
        return page.page(data)
    text = results.render(data)
    return page.text_page("deploy", __salt__["nested"](data, **kwargs) if text is None else text)
