"""Asks hosts, hears them, and knows which answers are theirs."""
