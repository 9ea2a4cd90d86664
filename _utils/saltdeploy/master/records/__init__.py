"""What the master remembers: journals, states, history, pins."""
