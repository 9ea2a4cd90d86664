"""Situations, what is printed in them, and a person who types it."""
