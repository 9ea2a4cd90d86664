"""What Trebuchet's users type and read: the command ``git deploy``, its files below ``.git/deploy``, its report.

Trigger's messages, prompt, files and exit codes are kept as they were, byte for byte; what is ours stands on lines and under
keys of its own. Work on the fleet is the runner's: it is asked by a door (``doors.py``), and nothing here knows Salt.
"""
