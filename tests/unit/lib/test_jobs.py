"""Which processes of Salt are there for one call alone."""

from __future__ import annotations

import multiprocessing

import pytest
from saltdeploy.lib import lifetime

BRIEF = ("deploy.story", "deploy.overview")


def _ask(queue: multiprocessing.SimpleQueue[bool]) -> None:
    queue.put(lifetime.is_job_of(BRIEF))


@pytest.mark.parametrize(
    ("name", "is_job"),
    [
        ("ProcessFunc(RunnerClient._proc_function, fun=deploy.story jid=20261123101112000000)", True),
        ("ProcessFunc(RunnerClient._proc_function, fun=deploy.sync jid=20261123101112000000)", False),
        ("ProcessFunc(RunnerClient._proc_function, fun=deploy.story2 jid=1)", False),
        ("MWorker-1", False),
        ("MainProcess", False),
    ],
)
def test_salts_name_of_a_process_says_what_it_was_forked_for(name: str, is_job: bool) -> None:
    fork = multiprocessing.get_context("fork")
    queue: multiprocessing.SimpleQueue[bool] = fork.SimpleQueue()
    process = fork.Process(target=_ask, args=(queue,), name=name)
    process.start()
    process.join()
    assert queue.get() is is_job
