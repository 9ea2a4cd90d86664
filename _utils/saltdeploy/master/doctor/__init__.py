"""Looks through a set-up and says what is wrong, each thing with the command that mends it. Changes nothing.

What is known is gathered first (``seen.py``, ``ask.py``); then one table of checks is gone through (``table.py``).
"""

from saltdeploy.master.doctor.examine import examine

__all__ = ["examine"]
