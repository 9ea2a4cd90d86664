"""Runs on a target. Start at stages.py."""
