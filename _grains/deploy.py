"""
The version of the extension on this minion; and a head start for its jobs.

Salt forks each job from the minion's own process, which computes the grains. What this process has loaded, no job has
to load again: that is most of what a stage would cost beyond its work. And a job that was forked before a sync replaced
the package has all of it in memory.
"""

import saltbridge  # noqa: F401 - only while a door is loaded is it to be found
import saltdeploy

saltdeploy.require("0.2.0")


def saltext_deploy():
    """
    Return the grain ``saltext_deploy``: the version.

    CLI Example:

    .. code-block:: bash

        salt '*' grains.get saltext_deploy
    """
    if __opts__.get("__role") == "minion":  # a master that asks for its own grains has no jobs
        from saltbridge import minion
        from saltdeploy.config import upfront

        minion.keep_key(__opts__)
        upfront.load(upfront.MINION)
    return {"saltext_deploy": saltdeploy.__version__}
