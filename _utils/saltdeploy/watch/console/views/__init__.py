"""One function for each ``view`` of the runner's results: ``(view, now, colour)`` to lines. Start at ``../report.py``."""
