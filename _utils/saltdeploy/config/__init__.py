"""The pillar, read into a frozen :class:`Repo`: a file for each section, and the table of keys in schema.py."""

from saltdeploy.config.repo import Repo, load, load_all, repo_names

__all__ = ["Repo", "load", "load_all", "repo_names"]
