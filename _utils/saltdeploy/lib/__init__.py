"""Helpers that know nothing of deploys: durable files, processes, locks, rate limits, text, errors."""
