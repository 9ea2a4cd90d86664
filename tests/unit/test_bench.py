"""The benchmarks work on a small repository: so they still work on the big one."""

from __future__ import annotations

import time
from pathlib import Path

from saltdeploy.git.repository import Repository

from bench import big_tree, target_side
from demo import sample
from demo.proof import release_in


def test_a_job_brings_each_release_and_reports_what_it_wrote(tmp_path: Path) -> None:
    sample.make(tmp_path / "site")
    source = Repository(tmp_path / "site" / ".git")
    live, bundle, previous = tmp_path / "live", tmp_path / "bundle", ""
    for name in sample.TAGS:
        tag = source.tag(name)
        source.pack(tag, previous, bundle)
        before = time.time_ns()
        row = target_side.job([str(live), name, tag.commit, str(bundle), "50000"], trace=False)
        assert release_in(live.resolve(), tmp_path / "site", sample.TAGS) == name
        assert big_tree.written_since(live, before) == row["files"] > 0
        assert row["ours_cpu_s"] > 0 and row["idle_kib"] > 0
        previous = tag.commit


def test_the_bare_write_brings_the_content_of_what_differs(tmp_path: Path) -> None:
    sample.make(tmp_path / "site")
    source = Repository(tmp_path / "site" / ".git")
    first, second = (source.tag(name).commit for name in sample.TAGS[:2])
    _, all_files = target_side.bare(source, "", first, tmp_path / "tree")
    _, changed = target_side.bare(source, first, second, tmp_path / "tree")
    assert all_files == 91 and 0 < changed < all_files
    assert (tmp_path / "tree" / "VERSION").read_text() == "2\n"
    assert not (tmp_path / "tree" / "lynx" / "index.html").exists()


def test_writes_into_a_slot_are_counted_in_what_strace_records() -> None:
    recorded = """\
1 openat(AT_FDCWD, "/s/slots/0/a", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0644) = -1 EEXIST (File exists)
1 openat(AT_FDCWD, "/s/slots/0/a", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0644) = 3</s/slots/0/a>
1 openat(AT_FDCWD, "/s/slots/1/b/c", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0755) = 3
1 openat(AT_FDCWD, "/s/.0.json.1", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0644) = 3
1 openat(AT_FDCWD, "/s/slots/0/a", O_RDONLY|O_CLOEXEC) = 3</s/slots/0/a>
1 openat(AT_FDCWD, "/s/slots/0/a", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3</s/slots/0/a>
"""
    assert target_side.count_writes(recorded) == (2, 1)
