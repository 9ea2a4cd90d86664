"""Releases are made on the master: of a directory as it is, of an archive, or composed; nothing is made where nothing changed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.lib.errors import (
    BadRelease,
    ConfigError,
    DeployError,
    HookFailed,
    NoSuchTag,
    TooMuchRemoved,
    Unavailable,
)
from saltdeploy.master.payloads.source import Source
from saltdeploy.master.staging.provenance import provenance
from saltdeploy.master.staging.stage import StageRequest, stage
from saltdeploy.master.staging.stage_trees import SOURCES

from tests.support.stores import Directory

NOW = 1795428672.0
TODAY = "release/2026-11-23"


class Stage:
    """A master with one repo whose source is a plain directory."""

    def __init__(self, root: Path, **section: Any) -> None:
        self.directory = root / "staging"
        self.directory.mkdir(exist_ok=True)
        self.root = root / "master"
        self.root.mkdir(exist_ok=True)
        keys = {"source": str(self.directory), "stage": {}, "location": "/srv/site", **section}
        self.repo = config.load({"repo_config": {"site": keys}}, "site")
        self.store = Directory(root / "store")

    def __call__(self, **wish: Any) -> dict[str, Any]:
        request = StageRequest(user="alice", reason="why not", **wish)
        return stage(self.repo, request, self.root, self.store, lambda: NOW)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.directory / name).write_text(text)

    @property
    def source(self) -> Source:
        return Source(self.repo, self.root)

    def git(self, *arguments: str) -> str:
        command = ["git", f"--git-dir={self.source.mirror.git_dir}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def files(self, tag: str) -> dict[str, str]:
        """Path to mode and content."""
        listed = self.git("ls-tree", "-r", "-z", tag).split("\0")[:-1]
        heads = {line.partition("\t")[2]: line.split()[0] for line in listed}
        return {path: f"{mode} {self.git('show', f'{tag}:{path}')}" for path, mode in heads.items()}


@pytest.fixture
def staging(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def repository(place: Path, branch: str = "main", **files: str) -> str:
    """A repository with one commit; files are named with ``__`` for ``/``."""
    for name, text in files.items():
        path = place / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    identity = ["-c", "user.name=x", "-c", "user.email=x@x"]
    if not (place / ".git").exists():
        subprocess.run(["git", "init", "-q", "-b", branch, str(place)], check=True)
    subprocess.run(["git", "-C", str(place), "add", "-A"], check=True)
    subprocess.run(["git", "-C", str(place), *identity, "commit", "-qm", "x"], check=True)
    found = subprocess.run(
        ["git", "-C", str(place), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    return found.stdout.strip()


# -- a directory ----------------------------------------------------------------------------------------


def test_S03_all_of_a_plain_directory_becomes_one_commit_with_one_annotated_tag(staging: Stage) -> None:
    staging.write(index="hello", **{".gitignore": "*.log\n", "x.log": "kept"})
    os.chmod(staging.directory / "index", 0o755)
    (staging.directory / "link").symlink_to("index")
    made = staging()
    assert (made["new"], made["tag"]) == (True, f"{TODAY}/1")
    assert staging.files(made["tag"]) == {
        ".gitignore": "100644 *.log\n",
        "index": "100755 hello",
        "link": "120000 index",
        "x.log": "100644 kept",
    }
    assert staging.git("rev-list", "--count", made["tag"]) == "1\n"
    told = staging.git(
        "for-each-ref", "--format=%(objecttype) %(taggername) %(contents)", f"refs/tags/{made['tag']}"
    )
    assert (
        told.startswith("tag alice") and f"from: directory {staging.directory}" in told and "why not" in told
    )


def test_S03_where_nothing_has_changed_nothing_is_made_and_the_release_is_named(staging: Stage) -> None:
    staging.write(index="hello")
    first = staging()
    again = staging()
    assert (again["new"], again["tag"], again["commit"]) == (False, first["tag"], first["commit"])
    assert staging.source.tags() == [first["tag"]]


def test_the_next_release_follows_the_one_before_and_tells_what_changed(staging: Stage) -> None:
    staging.write(index="hello", old="x")
    staging()
    staging.write(index="HELLO", new="y")
    (staging.directory / "old").unlink()
    made = staging()
    assert (made["tag"], made["added"], made["changed"], made["removed"]) == (f"{TODAY}/2", 1, 1, 1)
    assert staging.git("rev-list", "--count", made["tag"]) == "2\n"


def test_S38_the_directory_stays_a_plain_directory(staging: Stage) -> None:
    staging.write(index="hello")
    staging()
    assert os.listdir(staging.directory) == ["index"]


def test_bytes_stay_as_they_are_whatever_attributes_and_the_user_s_git_say(
    staging: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    ran = tmp_path / "ran"
    text = f'[core]\nautocrlf = input\n[filter "x"]\nclean = touch {ran}\nrequired = true\n'
    (tmp_path / "home" / ".gitconfig").write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    staging.write(**{".gitattributes": "* text eol=lf ident filter=x working-tree-encoding=UTF-16\n"})
    (staging.directory / "dos").write_bytes(b"a\r\n$Id$\r\n")
    made = staging()
    command = ["git", f"--git-dir={staging.source.mirror.git_dir}", "show", f"{made['tag']}:dos"]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"a\r\n$Id$\r\n"
    assert not ran.exists()


def test_C16_an_empty_directory_is_refused(staging: Stage) -> None:
    (staging.directory / "empty").mkdir()
    with pytest.raises(BadRelease, match="no file in the directory"):
        staging()


def test_C16_a_directory_that_has_lost_most_of_its_files_is_refused_and_no_tag_is_made(
    staging: Stage,
) -> None:
    staging.write(**{f"f{number}": "x" * 100 for number in range(100)})
    first = staging()
    for number in range(60):
        (staging.directory / f"f{number}").unlink()
    with pytest.raises(TooMuchRemoved) as refused:
        staging()
    assert "lacks 60 files" in refused.value.cause and str(staging.directory) in refused.value.cause
    assert staging.source.tags() == [first["tag"]]
    assert staging(force=("max_removed",))["removed"] == 60
    assert staging()["new"] is False


def test_directories_in_which_nothing_is_are_in_the_release_and_stay_as_they_are(staging: Stage) -> None:
    staging.write(index="hello", **{".gitignore": "cache\n"})
    for name in ("cache/l10n", "logs", "a/b/c", "a/b/d"):
        (staging.directory / name).mkdir(parents=True)
    made = staging()
    kept = {f"{name}/.gitkeep" for name in ("cache/l10n", "logs", "a/b/c", "a/b/d")}
    assert (set(staging.files(made["tag"])), made["empty"]) == ({"index", ".gitignore", *kept}, 4)
    assert os.listdir(staging.directory / "logs") == []
    assert staging()["new"] is False
    staging.write(**{"logs/today": "x"})
    (staging.directory / "a/b/d").rmdir()
    made = staging()
    assert set(staging.files(made["tag"])) == {
        "index", ".gitignore", "logs/today", "cache/l10n/.gitkeep", "a/b/c/.gitkeep"}  # fmt: skip


def test_a_directory_that_is_not_there_is_named(staging: Stage) -> None:
    with pytest.raises(BadRelease) as refused:
        staging(directory="/nowhere/at/all")
    assert refused.value.path == "/nowhere/at/all" and refused.value.repo == "site"


def test_repositories_in_the_directory_are_refused_by_their_names(staging: Stage) -> None:
    staging.write(index="hello")
    repository(staging.directory / "extensions" / "Foo", a="x")
    with pytest.raises(BadRelease, match="extensions/Foo"):
        staging()


def test_the_work_tree_of_a_repository_is_staged_with_what_nobody_has_committed(tmp_path: Path) -> None:
    staging = Stage(tmp_path)
    head = repository(staging.directory, index="hello")
    staging.write(local="edited")
    made = staging()
    assert set(staging.files(made["tag"])) == {"index", "local"}
    assert staging.source.tag(made["tag"]).commit == made["commit"]
    seen = subprocess.run(
        ["git", "-C", str(staging.directory), "rev-parse", "HEAD"], capture_output=True, text=True
    )
    assert seen.stdout.strip() == head


def test_a_source_on_another_host_has_nothing_to_stage_and_the_way_is_named(tmp_path: Path) -> None:
    staging = Stage(tmp_path, source="https://git.example.org/site.git")
    with pytest.raises(ConfigError) as refused:
        staging()
    assert "branch=main" in refused.value.next


def test_before_anything_was_staged_a_tag_is_refused_with_the_command_that_makes_one(staging: Stage) -> None:
    with pytest.raises(NoSuchTag) as refused:
        staging.source.tag("v1")
    assert refused.value.next == "salt-run deploy.stage repo=site"


def test_two_who_stage_at_once_get_two_tags_or_the_same_release(staging: Stage) -> None:
    made: list[dict[str, Any]] = []
    directories = [staging.directory.parent / f"build{number}" for number in range(4)]
    for number, directory in enumerate(directories):
        directory.mkdir()
        (directory / "index").write_text(str(number))
    threads = [
        threading.Thread(target=lambda d=each: made.append(staging(directory=str(d)))) for each in directories
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(one["tag"] for one in made) == [f"{TODAY}/{number}" for number in (1, 2, 3, 4)]
    assert {staging.files(one["tag"])["index"][-1] for one in made} == set("0123")


def test_a_master_that_was_killed_before_the_tag_makes_it_the_next_time(
    staging: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging.write(index="hello")
    monkeypatch.setattr(
        "saltdeploy.master.staging.stage.make_tag", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        staging()
    monkeypatch.undo()
    (index,) = (staging.root / "staging").glob("site.*.index")
    index.with_name(f"{index.name}.lock").touch()
    made = staging()
    assert (made["new"], made["tag"]) == (True, f"{TODAY}/1")
    assert staging.git("rev-list", "--count", made["tag"]) == "1\n"


# -- a build --------------------------------------------------------------------------------------------


def test_a_build_runs_in_the_directory_before_it_is_looked_at(tmp_path: Path) -> None:
    staging = Stage(tmp_path, stage={"build": ["sh", "-c", "echo built > out; echo done"]})
    made = staging()
    assert made["output"] == "done" and staging.files(made["tag"]) == {"out": "100644 built\n"}
    said = staging.git("log", "-1", "--format=%B", made["tag"])
    assert said.endswith("build: sh -c 'echo built > out; echo done'\n\ndone\n\n")


@pytest.mark.parametrize(
    ("build", "how"),
    [
        ({"build": ["sh", "-c", "echo no compiler; exit 7"]}, "ended with 7: no compiler"),
        ({"build": ["sleep", "60"], "build_timeout": 1}, "did not end in 1 s"),
        ({"build": ["/nowhere/at/all"]}, "cannot be run"),
    ],
)
def test_a_build_that_fails_stages_nothing_and_says_why(
    tmp_path: Path, build: dict[str, Any], how: str
) -> None:
    staging = Stage(tmp_path, stage=build)
    staging.write(index="hello")
    with pytest.raises(HookFailed, match=how):
        staging()
    assert staging.source.tags() == []


# -- archives -------------------------------------------------------------------------------------------


def tar(place: Path, *members: tuple[str, bytes | str, int], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(place, "w:gz") as opened:
        for name, data, mode in members:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                opened.addfile(info)
            else:
                info.size, info.type = len(data), kind
                opened.addfile(info, io.BytesIO(data))
    return place


def test_an_archive_of_a_ci_becomes_a_release_that_names_it_with_its_digest(
    staging: Stage, tmp_path: Path
) -> None:
    archive = tar(
        tmp_path / "site-1842.tar.gz",
        ("index", b"hello", 0o644),
        ("bin/run", b"#!", 0o755),
        ("l", "index", 0),
    )
    made = staging(archive=str(archive))
    assert staging.files(made["tag"]) == {
        "bin/run": "100755 #!",
        "index": "100644 hello",
        "l": "120000 index",
    }
    assert made["origin"].startswith("archive site-1842.tar.gz sha256:")
    assert staging(archive=str(archive))["new"] is False


def test_a_zip_keeps_what_is_executable(staging: Stage, tmp_path: Path) -> None:
    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        info = zipfile.ZipInfo("bin/run")
        info.external_attr = 0o100755 << 16
        opened.writestr(info, "#!")
        opened.writestr("index", "hello")
    made = staging(archive=str(archive))
    assert staging.files(made["tag"]) == {"bin/run": "100755 #!", "index": "100644 hello"}


@pytest.mark.parametrize(
    "member",
    [("../out", b"x", 0o644), ("/etc/passwd", b"x", 0o644), ("l", "/etc/passwd", 0), ("l", "../../x", 0)],
)
def test_an_archive_leads_nowhere_out_of_the_release(
    staging: Stage, tmp_path: Path, member: tuple[str, bytes | str, int]
) -> None:
    archive = tar(tmp_path / "bad.tar.gz", ("index", b"hello", 0o644), member)
    try:
        made = staging(archive=str(archive))
    except BadRelease:
        made = None
    assert made is None or set(staging.files(made["tag"])) <= {"index", "etc/passwd"}
    assert not (tmp_path / "out").exists() and not (staging.root / "staging" / "out").exists()


def test_a_zip_that_names_what_is_outside_is_refused(staging: Stage, tmp_path: Path) -> None:
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("../out", "x")
    with pytest.raises(BadRelease, match="outside"):
        staging(archive=str(archive))


@pytest.mark.parametrize("data", [b"", b"no archive at all", b"\x1f\x8b\x08 damaged"])
def test_what_is_no_archive_is_said(staging: Stage, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(data)
    with pytest.raises(BadRelease, match="cannot be staged"):
        staging(archive=str(tmp_path / "x.tar.gz"))
    assert [path.name for path in (staging.root / "staging").iterdir()] == []


# -- composed -------------------------------------------------------------------------------------------


@pytest.fixture
def wiki(tmp_path: Path) -> Stage:
    """Core with a submodule's place, two extensions, and a patch."""
    core, foo, bar = tmp_path / "core", tmp_path / "foo", tmp_path / "bar"
    repository(core, index__php="core\nline\n", extensions__README="x")
    repository(foo, foo__php="one\n")
    repository(bar, branch="wmf", bar__php="bar\n")
    patch = tmp_path / "01.patch"
    patch.write_text("--- a/foo/php\n+++ b/foo/php\n@@ -1 +1 @@\n-one\n+patched\n")
    parts = [
        {"source": str(core), "ref": "main"},
        {"source": str(foo), "ref": "main", "path": "extensions/Foo"},
        {"source": str(bar), "ref": "wmf", "path": "extensions/Bar"},
    ]
    patches = [{"file": str(patch), "path": "extensions/Foo"}]
    return Stage(tmp_path, stage={"parts": parts, "patches": patches})


def test_a_release_is_composed_of_repositories_and_patches_and_tells_what_of(
    wiki: Stage, tmp_path: Path
) -> None:
    made = wiki()
    files = wiki.files(made["tag"])
    assert files["extensions/Foo/foo/php"] == "100644 patched\n"
    assert files["extensions/Bar/bar/php"] == "100644 bar\n" and files["index/php"] == "100644 core\nline\n"
    told = json.loads(files[SOURCES].partition(" ")[2])
    assert [part["path"] for part in told["parts"]] == ["", "extensions/Foo", "extensions/Bar"]
    assert (
        all(len(part["commit"]) == 40 for part in told["parts"]) and len(told["patches"][0]["sha256"]) == 64
    )
    assert wiki()["new"] is False
    repository(tmp_path / "bar", bar__php="moved\n")
    moved = wiki()
    assert (moved["changed"], wiki.files(moved["tag"])["extensions/Bar/bar/php"]) == (2, "100644 moved\n")


def test_one_command_tells_where_each_file_of_a_release_comes_from(wiki: Stage, tmp_path: Path) -> None:
    tag = wiki()["tag"]

    def of(file: str = "") -> dict[str, Any]:
        return provenance(wiki.repo, wiki.root, tag, file)

    assert [part["path"] for part in of()["parts"]] == ["", "extensions/Foo", "extensions/Bar"]
    foo = of("extensions/Foo/foo/php")["file"]
    assert (foo["source"], foo["within"]) == (str(tmp_path / "foo"), "foo/php")
    assert foo["patches"] == [str(tmp_path / "01.patch")] and len(foo["commit"]) == 40
    assert of("/extensions/README")["file"]["source"] == str(tmp_path / "core")
    assert of("extensions/Bar/bar/php")["file"]["patches"] == []
    assert of(SOURCES)["file"]["source"] == ""
    with pytest.raises(NoSuchTag, match="has no file extensions/Gone"):
        of("extensions/Gone")


def test_of_a_directory_it_is_the_directory(staging: Stage) -> None:
    staging.write(index="hello")
    tag = staging()["tag"]
    found = provenance(staging.repo, staging.root, tag, "index")["file"]
    assert (found["source"], found["within"]) == (f"directory {staging.directory}", "index")


def test_a_patch_that_does_not_apply_names_its_file_and_the_place(wiki: Stage, tmp_path: Path) -> None:
    repository(tmp_path / "foo", foo__php="another\n")
    with pytest.raises(BadRelease) as refused:
        wiki()
    assert refused.value.path.endswith("01.patch") and "extensions/Foo/foo/php:1" in refused.value.cause
    assert wiki.source.tags() == []


@pytest.mark.parametrize("path", ["ext/a", "ext", "ext/a/deeper"])
def test_a_part_that_lies_on_files_of_another_is_refused(tmp_path: Path, path: str) -> None:
    repository(tmp_path / "core", ext__a="x")
    repository(tmp_path / "foo", b="y")
    parts = [{"source": str(tmp_path / "core"), "ref": "main"},
             {"source": str(tmp_path / "foo"), "ref": "main", "path": path}]  # fmt: skip
    with pytest.raises(BadRelease, match="lies on files of a part before it: ext/a"):
        Stage(tmp_path, stage={"parts": parts})()


def test_a_part_takes_the_place_of_a_submodule(tmp_path: Path) -> None:
    commit = repository(tmp_path / "foo", b="y")
    repository(tmp_path / "core", index="x")
    subprocess.run(["git", "-C", str(tmp_path / "core"), "update-index", "--add", "--cacheinfo",
                    f"160000,{commit},ext/Foo"], check=True)  # fmt: skip
    identity = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", "-C", str(tmp_path / "core"), *identity, "commit", "-qm", "x"], check=True)
    parts = [{"source": str(tmp_path / "core"), "ref": "main"},
             {"source": str(tmp_path / "foo"), "ref": "main", "path": "ext/Foo"}]  # fmt: skip
    staging = Stage(tmp_path, stage={"parts": parts})
    assert staging.files(staging()["tag"])["ext/Foo/b"] == "100644 y"


def test_a_part_that_cannot_be_had_is_named(wiki: Stage, tmp_path: Path) -> None:
    (tmp_path / "bar").rename(tmp_path / "gone")
    with pytest.raises(Unavailable, match="cannot fetch wmf"):
        wiki()


# -- the pillar -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ([], "stage"),
        ({"directory": "relative"}, "stage:directory"),
        ({"parts": [{"source": "/a"}]}, "stage:parts:0"),
        ({"parts": [{"source": "/a", "ref": "--upload-pack=x"}]}, "stage:parts:0:ref"),
        ({"parts": [{"source": "/a", "ref": "m", "path": "../x"}]}, "stage:parts:0:path"),
        ({"parts": [{"source": "/a", "ref": "m", "path": ".git/hooks"}]}, "stage:parts:0:path"),
        ({"parts": [{"source": "/a", "ref": "m"}, {"source": "/b", "ref": "m"}]}, "stage:parts:1:path"),
        ({"patches": ["/a.patch"]}, "stage:patches"),
    ],
)
def test_what_is_wrong_in_the_pillar_is_named_by_its_place(tmp_path: Path, section: Any, path: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Stage(tmp_path, stage=section)
    assert refused.value.path == f"repo_config:site:{path}"


def test_a_first_release_of_many_files_leaves_no_heap_of_loose_objects(staging: Stage) -> None:
    for number in range(2100):
        (staging.directory / str(number)).write_text(str(number))
    staging()
    assert int(staging.git("count-objects").split()[0]) < 10


def test_both_a_directory_and_an_archive_are_too_much(staging: Stage) -> None:
    with pytest.raises(DeployError, match="exclude each other"):
        staging(directory="/a", archive="/b")
