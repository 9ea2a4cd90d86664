"""One git process answers many questions about objects, sees what comes meanwhile, and is not left behind."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from saltdeploy.git import inquiry
from saltdeploy.git.repository import Repository
from saltdeploy.lib import process

from tests.support.repositories import Source, git, tree


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The git processes that were started."""
    found: list[subprocess.Popen[bytes]] = []
    start = process.start

    def noting(*arguments: object, **named: object) -> subprocess.Popen[bytes]:
        found.append(start(*arguments, **named))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(process, "start", noting)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source", tree(a="1", b__c="2"), tree(a="1", b__c="3"))


def test_many_questions_take_one_process(source: Source, started: list[subprocess.Popen[bytes]]) -> None:
    repository = Repository(source.git_dir)
    commits = [source.tag(number).commit for number in (0, 1)]
    assert not repository.is_empty(commits[0])
    before = len(started)
    assert all(repository.has(commit) for commit in commits * 50)
    assert not repository.has("1" * 40)
    assert repository.missing([commits[0], "1" * 40, commits[1]]) == {"1" * 40}
    assert len(started) == before


def test_more_than_fit_into_a_pipe_at_once_are_answered_in_their_order(source: Source) -> None:
    oids = [git(source.git_dir, "rev-parse", f"v{number}:b/c").decode().strip() for number in (0, 1)] * 500
    found = list(Repository(source.git_dir).objects(oids, "blob"))
    assert found == [(oids[0], b"2"), (oids[1], b"3")] * 500


def test_what_is_missing_or_of_another_kind_is_nothing(source: Source) -> None:
    repository = Repository(source.git_dir)
    commit = source.tag(0).commit
    blob = git(source.git_dir, "rev-parse", "v0:a").decode().strip()
    asked = [blob, "1" * 40, commit, blob]
    assert [content for _, content in repository.objects(asked, "blob")] == [b"1", None, None, b"1"]
    assert [content for _, content in repository.objects([blob], "blob", 0)] == [b""]


def test_an_object_that_comes_later_is_seen(tmp_path: Path, source: Source) -> None:
    store = Repository(tmp_path / "store.git")
    store.ensure()
    first, second = (source.tag(number).commit for number in (0, 1))
    for commit, tag in ((first, "v0"), (second, "v1")):
        assert not store.has(commit)
        store.fetch(f"file://{source.git_dir}", tag, commit)
        assert store.has(commit)


def test_a_process_that_was_killed_is_replaced_and_the_answer_is_right(
    source: Source, started: list[subprocess.Popen[bytes]]
) -> None:
    repository = Repository(source.git_dir)
    commit = source.tag(0).commit
    assert repository.has(commit)
    for each in started:
        process.kill(each)
        each.wait()
    assert repository.has(commit)
    assert repository.has(commit)


def test_a_fork_asks_a_process_of_its_own(source: Source) -> None:
    repository = Repository(source.git_dir)
    commit = source.tag(0).commit
    assert repository.has(commit)
    child = os.fork()
    if not child:
        os._exit(0 if repository.has(commit) and not repository.has("1" * 40) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert repository.has(commit)


def test_no_process_stays_when_nobody_uses_the_repository_any_more(
    source: Source, started: list[subprocess.Popen[bytes]]
) -> None:
    repository = Repository(source.git_dir)
    repository.has(source.tag(0).commit)
    list(repository.objects([source.tag(0).commit], "commit"))
    del repository
    assert started
    assert all(each.poll() is not None for each in started)


def test_threads_that_ask_at_once_each_get_their_own_answers(source: Source) -> None:
    repository = Repository(source.git_dir)
    wrong: list[object] = []

    def ask(number: int) -> None:
        oid = git(source.git_dir, "rev-parse", f"v{number}:b/c").decode().strip()
        for _ in range(50):
            found = [content for _, content in repository.objects([oid] * 3, "blob")]
            if found != [b"%d" % (number + 2)] * 3:
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_process_that_ends_in_the_middle_is_no_answer(tmp_path: Path) -> None:
    one = inquiry.Inquiry(tmp_path, lambda: process.start(["true"], stdin=subprocess.PIPE))
    with pytest.raises(inquiry.NoAnswer):
        one.heads(["x"])
