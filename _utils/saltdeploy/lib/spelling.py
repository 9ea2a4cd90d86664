"""How an argument is written on a command line, so that Salt's function is given just that."""

from __future__ import annotations

import json
import re
import shlex

import yaml


def argument(key: str, value: object) -> str:
    """An argument for a command line: its value arrives through shell and YAML as it is.

    >>> argument("tag", "1.10")
    'tag=\\'"1.10"\\''
    """
    if isinstance(value, str) and not _is_changed_by_yaml(value):
        spelled = value
    elif isinstance(value, bool):
        spelled = str(value)
    else:
        spelled = json.dumps(value, ensure_ascii=False, default=str)
    return f"{key}={shlex.quote(spelled)}"


def _is_changed_by_yaml(text: str) -> bool:
    """Whether Salt makes something else of a bare text; what it takes for a dict or list it leaves, without brackets."""
    if text.startswith("="):  # with the one before it, it would be no argument of that name
        return True
    if not text.strip() or re.search(r"[#\t\r\n]", text) or re.fullmatch(r"\s*[0-9]*_[0-9_]*\s*", text):
        return False
    try:
        found = yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        return False
    if isinstance(found, (dict, list)) and not text.startswith(("{", "[")):
        return False
    return text == "None" or found != text
