"""Runs on the master. Start at sync.py."""
