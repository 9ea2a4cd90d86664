"""What this package logs while a host does a stage."""

from __future__ import annotations

import logging
import threading

import pytest
from saltdeploy.minion import own_log
from saltdeploy.protocol.host_lines import LONGEST, MOST

log = logging.getLogger("saltdeploy.minion.example")


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "saltdeploy")


def texts(heard: own_log.OwnLog) -> list[str]:
    return [line.text for line in heard.lines]


def test_lines_of_this_package_from_info_on_are_kept() -> None:
    with own_log.listening() as heard:
        log.debug("too small")
        log.info("%s is left", "https://alice:secret@example.org/x")
        log.warning("it is damaged")
        logging.getLogger("somebody.else").error("not ours")
    log.error("too late")
    assert [line.level for line in heard.lines] == [logging.INFO, logging.WARNING]
    assert "secret" not in str(texts(heard))


def test_of_many_the_newest_are_kept_and_the_others_counted() -> None:
    with own_log.listening() as heard:
        for number in range(MOST + 5):
            log.info("line %d %s", number, "x" * 1000)
    assert (len(heard.lines), heard.cut) == (MOST, 5)
    assert texts(heard)[-1].startswith(f"line {MOST + 4} ")
    assert max(map(len, texts(heard))) == LONGEST


def test_another_stage_in_another_thread_has_its_own() -> None:
    with own_log.listening() as heard:
        other = threading.Thread(target=lambda: log.info("of another repo"))
        other.start()
        other.join()
        log.info("ours")
    assert texts(heard) == ["ours"]


def test_a_record_with_wrong_arguments_and_one_with_an_error_do_no_harm() -> None:
    with own_log.listening() as heard:
        record = logging.LogRecord(log.name, logging.INFO, __file__, 1, "%d hosts", ("many",), None)
        heard.handle(record)
        try:
            raise ValueError("why")
        except ValueError:
            log.exception("it failed")
    assert texts(heard) == ["it failed: ValueError('why')"]
