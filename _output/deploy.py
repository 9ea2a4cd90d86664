"""
Shows the results of the runner ``deploy`` to people.

The runner asks for it by itself; ``--out=json`` gives the same data for machines. Whatever is not a result of
that runner is shown by Salt's own ``nested``.

CLI Example:

.. code-block:: bash

    salt-run deploy.report repo=mediawiki
"""

import os
import sys
import time

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

if saltdeploy.__version__ != "0.2.0":
    raise ImportError(
        f"output/deploy.py is 0.2.0, the package saltdeploy is {saltdeploy.__version__}: sync both"
    )

__virtualname__ = "deploy"


def __virtual__():
    return __virtualname__


def output(data, **kwargs):
    """
    A result of the runner ``deploy`` as text.

    data
        What the runner returned, or such results by host.

    CLI Example:

    .. code-block:: bash

        salt-run deploy.versions repo=mediawiki
    """
    text = results.render(data, now=time.time(), colour=bool(__opts__.get("color")))
    return __salt__["nested"](data, **kwargs) if text is None else text
