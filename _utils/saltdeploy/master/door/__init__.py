"""The warm door: a process of the master that has loaded everything, and forks for each command that comes by its socket.

``listening.py`` reads requests and knows no Salt; ``rights.py`` says who may ask for what; ``session.py`` is the process
that carries out one command on the streams of who asked; ``keeper.py`` keeps the listening process alive.
"""
