"""Facts for whoever shows deploys elsewhere than in a terminal: plain data, read from what lies on the master's disk.

Nothing here asks a host, and nothing is changed. ``overview.py`` is all repos at one look, ``story.py`` one deploy.
"""
