"""The section of redis in the pillar: Trebuchet's as it is, a password from a file, and mistakes named by their path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy.config.redis import redis
from saltdeploy.lib.errors import ConfigError

DEFAULTS = {"host": "localhost", "port": 6379, "db": 0, "socket_connect_timeout": 5.0, "username": "",
            "password": "", "most_events": 100_000}  # fmt: skip


def read(section: Any) -> dict[str, Any] | None:
    return redis({"deployment_config": {"redis": section}})


def test_trebuchets_section_is_read_with_numbers_that_are_texts() -> None:
    found = read({"host": "tin.example.org", "port": "6380", "db": "1", "socket_connect_timeout": 2})
    assert found == {
        **DEFAULTS,
        "host": "tin.example.org",
        "port": 6380,
        "db": 1,
        "socket_connect_timeout": 2.0,
    }


@pytest.mark.parametrize("pillar", [{}, {"deployment_config": None}, {"deployment_config": {"redis": {}}}])
def test_no_section_is_no_redis(pillar: dict[str, Any]) -> None:
    assert redis(pillar) is None


def test_the_password_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct-horse\n")
    assert read({"password_file": str(tmp_path / "secret")}) == {**DEFAULTS, "password": "correct-horse"}


@pytest.mark.parametrize(
    ("section", "path", "said"),
    [
        ([], None, ""),
        (["a"], "", "must be a table"),
        ({"prt": 1}, ":prt", "did you mean port"),
        ({"port": 0}, ":port", "from 1 to 65535"),
        ({"password": 1234}, ":password", "must be a text"),
        ({"password_file": "secret"}, ":password_file", "absolute"),
        ({"password_file": "/no/such"}, ":password_file", "No such file"),
        ({"password_file": "/no/such", "password": "correct-horse"}, ":password_file", "one of the two"),
    ],
)
def test_a_mistake_is_named_by_its_path_and_shows_no_password(
    section: Any, path: str | None, said: str
) -> None:
    if path is None:
        assert read(section) is None
        return
    with pytest.raises(ConfigError) as refused:
        read(section)
    text = str(refused.value)
    assert f"deployment_config:redis{path}" in text
    assert said in text
    assert "1234" not in text
    assert "correct-horse" not in text
