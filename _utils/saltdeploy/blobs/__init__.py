"""The contents of git-lfs, git-fat and git-annex pointers on a target: fetched, checked, kept once per repo.

Start at supply.py.
"""
