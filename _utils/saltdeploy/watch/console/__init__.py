"""A deploy on a terminal, and the runner's results as text."""
