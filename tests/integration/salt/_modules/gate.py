"""Holds a stage until a test lets it go on; the pillar calls it as one of the repo's module calls."""

import os
import time


def wait(gate, answer=True):
    """
    Say ``<gate>.reached``, wait until ``<gate>`` is there, give the answer that stands in it.

    gate
        A path. Where there is no ``<gate>.shut``, nothing happens.
    answer
        What to answer when the gate is open.

    CLI Example:

    .. code-block:: bash

        salt web1 gate.wait /tmp/gate
    """
    if not os.path.exists(f"{gate}.shut"):
        return answer
    with open(f"{gate}.reached", "w"):
        pass
    while os.path.exists(f"{gate}.shut"):
        time.sleep(0.02)
    return answer
