"""Salt, as the package ``saltdeploy`` wants it: its bus, targets, pillar, cache and web client on the master.

The runner and the engine share this. It decides nothing; whatever has to be decided is in ``saltdeploy``.
"""
