"""Servers of payloads, one for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.payloadserver import PayloadServer


@pytest.fixture
def server() -> Iterator[PayloadServer]:
    with PayloadServer().running() as running:
        yield running


@pytest.fixture
def other() -> Iterator[PayloadServer]:
    with PayloadServer().running() as running:
        yield running
