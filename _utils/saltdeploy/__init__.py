"""Ships tagged releases to a fleet that runs Salt: all the logic, in plain Python.

Nothing in this package imports Salt. The doors (``_modules``, ``_runners``, ``_states``, ...) pass in
what it needs: a bus to publish and hear on, a way to fetch a file, a way to call a function.

Read ``master/sync.py`` for one deploy from top to bottom and ``target/stages.py`` for one stage on one host.
"""

__version__ = "0.1.0"
