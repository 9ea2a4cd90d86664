"""Counts how often something was done, in a file that survives the minion."""

import os


def add(path):
    """
    Add a line to a file.

    CLI Example:

    .. code-block:: bash

        salt web1 tally.add /tmp/count
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, b"done\n")
    os.close(fd)
    return True
