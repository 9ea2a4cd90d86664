"""What is dear to make is made once in a while, and its errors are kept as well."""

from __future__ import annotations

import pytest
from saltdeploy.lib.errors import ConfigError
from saltdeploy.lib.kept import Kept


class Maker:
    def __init__(self) -> None:
        self.now, self.made, self.fails = 0.0, 0, False

    def make(self) -> int:
        self.made += 1
        if self.fails:
            raise ConfigError("it does not render")
        return self.made


def test_it_is_made_once_for_all_who_ask_until_its_time_is_over() -> None:
    maker = Maker()
    kept = Kept(maker.make, 60, lambda: maker.now)
    assert (kept(), kept()) == (1, 1)
    maker.now = 60
    assert kept() == 2


def test_an_error_is_kept_as_long_and_then_tried_again() -> None:
    maker = Maker()
    kept = Kept(maker.make, 60, lambda: maker.now)
    maker.fails = True
    for _ in range(3):
        with pytest.raises(ConfigError):
            kept()
    maker.fails, maker.now = False, 61
    assert (kept(), maker.made) == (2, 2)
