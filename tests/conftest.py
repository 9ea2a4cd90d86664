"""What all tests share: how often hypothesis tries, and a git that knows nobody's own configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import rounds

CHECKOUT = Path(__file__).resolve().parent.parent

rounds.register(derandomize=bool(os.environ.get("CI")))


@pytest.fixture(scope="session", autouse=True)
def plain_git(tmp_path_factory: pytest.TempPathFactory) -> None:
    """git commits under a fixed name and reads no configuration but a repository's own."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    home = tmp_path_factory.mktemp("git")
    (home / "template").mkdir()  # empty: git copies a dozen samples of hooks into each new repository
    config = home / "config"
    config.write_text(
        "[user]\n name = Test\n email = test@example.org\n"
        f"[init]\n defaultBranch = main\n templateDir = {home / 'template'}\n"
    )
    os.environ["GIT_CONFIG_GLOBAL"] = str(config)
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The directory with the doors."""
    return CHECKOUT
