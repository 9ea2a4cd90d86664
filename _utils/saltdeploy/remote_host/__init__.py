"""What runs on a host without a minion, when the master asks it for something over ssh: the same stages, without Salt.

``receiver.py`` is all that is there before: it takes the package, checks it, and lets :mod:`saltdeploy.remote_host.serve`
answer. What is said on the connection is described in docs/formats.md.
"""
