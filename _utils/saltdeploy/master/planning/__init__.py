"""Decides everything about a deploy before any host is asked, and shows it."""
