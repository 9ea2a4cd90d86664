"""Ctrl-C and SIGTERM while one looks on at a deploy."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from saltdeploy.watch.console.signals import LookingOn

NUMBERS = (signal.SIGINT, signal.SIGTERM)


def press(number: int) -> None:
    os.kill(os.getpid(), number)


def test_F19_the_first_ctrl_c_stops_the_deploy_and_the_second_leaves_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told: list[str] = []
    with LookingOn(lambda: told.append("stop")) as looking:
        press(signal.SIGINT)
        assert (told, looking.stops, looking.leaves) == (["stop"], True, False)
        press(signal.SIGINT)
        assert (told, looking.leaves) == (["stop"], True)
    assert capsys.readouterr().err == "Stopping. Ctrl-C again leaves it to itself.\n"


@pytest.mark.parametrize("number", NUMBERS)
def test_F19_who_only_watches_leaves_at_once_and_stops_nothing(number: int) -> None:
    with LookingOn() as looking:
        press(number)
    assert (looking.stops, looking.leaves) == (False, True)


def test_F19_sigterm_leaves_a_deploy_to_itself() -> None:
    with LookingOn(lambda: pytest.fail("it was stopped")) as looking:
        press(signal.SIGTERM)
    assert looking.leaves


def test_F19_afterwards_signals_do_what_they_did_before() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with LookingOn():
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_F19_in_a_thread_of_somebody_elses_process_signals_are_left_alone() -> None:
    before, failed = signal.getsignal(signal.SIGINT), []

    def look_on() -> None:
        try:
            with LookingOn():
                assert signal.getsignal(signal.SIGINT) == before
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=look_on)
    thread.start()
    thread.join()
    assert not failed
