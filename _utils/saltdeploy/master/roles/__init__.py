"""Who may do what: who asks (``asker.py``), what which function needs (``verbs.py``), and the one place that decides (``check.py``).

Where no roles are configured, whoever Salt lets in may do everything. Nothing here is asked of who asks: what they are comes
from the kernel, from Salt, or from the master itself.
"""
