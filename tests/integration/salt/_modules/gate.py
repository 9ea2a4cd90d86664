"""Holds a stage until a test lets it go on; the pillar calls it as one of a repo's module calls."""

import os
import time


def wait(gate):
    """
    While ``<gate>.shut`` is there, say ``<gate>.reached`` and wait; answer False where ``<gate>.refuse`` is.

    gate
        A path.

    CLI Example:

    .. code-block:: bash

        salt web1 gate.wait /tmp/gate
    """
    while os.path.exists(f"{gate}.shut"):
        with open(f"{gate}.reached", "w"):
            pass
        time.sleep(0.02)
    return not os.path.exists(f"{gate}.refuse")
