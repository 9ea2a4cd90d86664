"""Build a git repository whose tree is more than 300,000 real files, as releases of a big web application.

The files are those of npm packages, fetched with ``npm pack`` from whatever registry npm is configured for,
at fixed versions, so that everybody gets the same tree. Nothing is replicated. The commits, oldest first:

=================  ========================================================================================
``base``           the packages as they are
``hotfix/1..8``    a line added to 20 files, the same 20 each time
``spread/1..6``    a line added to 20 files, other ones each time
``upgrade/1``      newer versions of some of the packages: about 1,800 real changes, additions and removals
=================  ========================================================================================

Usage::

    python3 -m bench.big_tree [DIRECTORY]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from bench import cache

HOTFIXES, SPREADS, FILES_EACH = 8, 6, 20
_EDITABLE = (b".js", b".ts", b".mjs", b".css", b".scss")

#: npm package -> version in ``base``, and in ``upgrade/1`` where it is another one.
PACKAGES: dict[str, tuple[str, ...]] = {
    "@ant-design/icons": ("5.1.0",),
    "@angular/material": ("16.0.0",),
    "@aws-sdk/client-ec2": ("3.350.0",),
    "@blueprintjs/icons": ("5.1.0",),
    "@carbon/icons": ("11.20.0",),
    "@carbon/icons-react": ("11.20.0",),
    "@elastic/eui": ("88.0.0",),
    "@fluentui/react": ("8.110.0",),
    "@fluentui/svg-icons": ("1.1.220",),
    "@ionic/core": ("7.0.0", "7.0.1"),
    "@material-symbols/svg-400": ("0.14.0",),
    "@material-ui/icons": ("4.11.3",),
    "@mdi/svg": ("7.2.96",),
    "@mui/icons-material": ("5.15.0",),
    "@mui/material": ("5.13.0", "5.13.1"),
    "@patternfly/react-icons": ("5.1.0",),
    "@patternfly/react-tokens": ("5.1.0",),
    "@phosphor-icons/core": ("2.0.8",),
    "@phosphor-icons/react": ("2.0.10",),
    "@salesforce-ux/design-system": ("2.21.0",),
    "@tabler/icons": ("2.40.0",),
    "@tabler/icons-react": ("2.40.0",),
    "@tabler/icons-vue": ("2.40.0",),
    "ace-builds": ("1.22.0",),
    "antd": ("5.5.0", "5.5.1"),
    "aws-sdk": ("2.1390.0",),
    "bootstrap-icons": ("1.10.0",),
    "cesium": ("1.106.0",),
    "core-js": ("3.30.0", "3.30.1"),
    "core-js-pure": ("3.30.0",),
    "date-fns": ("2.29.0", "2.29.1"),
    "element-plus": ("2.3.0", "2.3.1"),
    "es-abstract": ("1.21.0",),
    "flag-icons": ("6.6.0",),
    "fp-ts": ("2.16.0",),
    "gatsby": ("5.10.0",),
    "googleapis": ("118.0.0",),
    "highlight.js": ("11.8.0",),
    "ionicons": ("7.1.0", "7.1.1"),
    "lodash": ("4.17.20", "4.17.21"),
    "lodash-es": ("4.17.20", "4.17.21"),
    "lucide-react": ("0.290.0",),
    "lucide-static": ("0.290.0",),
    "monaco-editor": ("0.39.0",),
    "ol": ("7.4.0", "7.5.0"),
    "primeng": ("16.0.0",),
    "quasar": ("2.12.0",),
    "ramda": ("0.29.0",),
    "rxjs": ("7.8.0", "7.8.1"),
    "simple-icons": ("9.0.0",),
    "three": ("0.153.0",),
    "typescript": ("5.1.3", "5.1.6"),
    "vuetify": ("3.3.0",),
}


def build(directory: Path) -> Path:
    """Make the repository, unless it is there already.

    Args:
        directory: holds the packages (240 MB) and the repository (about as much).

    Returns:
        The bare repository.
    """
    repository = directory / "big.git"
    if (repository / "complete").exists():
        return repository
    archives = {
        (name, version): fetch(directory / "packages", name, version) for name, version in _all_versions()
    }
    import_history(repository, lambda out: _write_history(out, archives))
    return repository


def import_history(repository: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Make a bare repository of what ``write`` says to ``git fast-import``, well packed."""
    shutil.rmtree(repository, ignore_errors=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--", repository], check=True)
    say(f"importing into {repository}")
    with subprocess.Popen(
        ["git", f"--git-dir={repository}", "fast-import", "--quiet"], stdin=subprocess.PIPE
    ) as importer:
        assert importer.stdin is not None
        write(importer.stdin)
        importer.stdin.close()
    if importer.returncode:
        raise SystemExit("git fast-import failed")
    say("repacking")
    subprocess.run(["git", f"--git-dir={repository}", "repack", "-a", "-d", "-f", "-q"], check=True)
    subprocess.run(["git", f"--git-dir={repository}", "symbolic-ref", "HEAD", "refs/heads/main"], check=True)
    (repository / "complete").touch()


def fetch(directory: Path, name: str, version: str) -> Path:
    """The archive of an npm package, from ``directory`` or else from the registry by the npm command."""
    directory.mkdir(parents=True, exist_ok=True)
    archive = directory / f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"
    if not archive.exists():
        say(f"fetching {name} {version}")
        command = ["npm", "pack", "--silent", f"--pack-destination={directory}", "--", f"{name}@{version}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return archive


def files_of(archive: Path) -> Iterator[tuple[bytes, str, bytes]]:
    """Path (without the archive's top directory), git mode and content of each regular file, each once."""
    seen = set()
    with tarfile.open(archive) as members:
        for member in members:
            path = os.path.normpath(os.fsencode(member.name)).partition(b"/")[2]
            if member.isfile() and path and path not in seen and b".git" not in path.split(b"/"):
                seen.add(path)
                content = members.extractfile(member)
                assert content is not None
                yield path, "100755" if member.mode & 0o100 else "100644", content.read()


def begin_commit(out: IO[bytes], number: int, message: str) -> None:
    """Begin commit ``number`` of ``git fast-import``'s stream, a minute after the one before it."""
    when = 1_700_000_000 + 60 * number
    who = f"Bench <bench@example.org> {when} +0000"
    out.write(b"commit refs/heads/main\ncommitter %s\n" % who.encode())
    put_data(out, message.encode())


def put_file(out: IO[bytes], path: bytes, mode: str, content: bytes) -> None:
    """Set a file in the commit that was begun."""
    out.write(b"M %s inline %s\n" % (mode.encode(), path))
    put_data(out, content)


def put_data(out: IO[bytes], data: bytes) -> None:
    """Write fast-import's ``data`` command."""
    out.write(b"data %d\n" % len(data) + data + b"\n")


def tag(out: IO[bytes], name: str) -> None:
    """Let a lightweight tag name the branch's present commit."""
    out.write(f"reset refs/tags/{name}\nfrom refs/heads/main\n\n".encode())


def changed_since(tree: Path, when: int) -> int:
    """How many files and links in ``tree`` were made, written, renamed or linked since ``when`` (ns), by their ctime."""
    return _since(tree, when, lambda seen: seen.st_ctime_ns)


def written_since(tree: Path, when: int) -> int:
    """How many were written, by their mtime, which a further name leaves as it is."""
    return _since(tree, when, lambda seen: seen.st_mtime_ns)


def _since(tree: Path, when: int, clock: Callable[[os.stat_result], int]) -> int:
    count = 0
    todo = [os.path.realpath(tree)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif clock(entry.stat(follow_symlinks=False)) >= when - 20_000_000:  # the kernel's tick
                    count += 1
    return count


def say(text: str) -> None:
    """A line on stderr, with the seconds since the start."""
    print(f"[{time.monotonic() - _BEGAN:6.1f} s] {text}", file=sys.stderr, flush=True)


_BEGAN = time.monotonic()


def _all_versions() -> Iterator[tuple[str, str]]:
    for name, versions in PACKAGES.items():
        for version in versions:
            yield name, version


def _write_history(out: IO[bytes], archives: dict[tuple[str, str], Path]) -> None:
    editable: dict[bytes, bytes] = {}
    begin_commit(out, 0, "base")
    for name, versions in PACKAGES.items():
        for path, mode, content in files_of(archives[name, versions[0]]):
            place = _place(name, path)
            put_file(out, place, mode, content)
            if (
                len(versions) == 1
                and path.endswith(_EDITABLE)
                and mode == "100644"
                and 0 < len(content) < 20_000
            ):
                editable[place] = content
    tag(out, "base")
    wanted = FILES_EACH * (1 + SPREADS)
    chosen = sorted(editable)[:: len(editable) // wanted][:wanted]
    same, others = chosen[:: 1 + SPREADS], [path for n, path in enumerate(chosen) if n % (1 + SPREADS)]
    edits = [(f"hotfix/{n}", same) for n in range(1, HOTFIXES + 1)]
    edits += [(f"spread/{n}", others[n - 1 :: SPREADS]) for n in range(1, SPREADS + 1)]
    for number, (name, paths) in enumerate(edits, 1):
        begin_commit(out, number, name)
        for path in paths:
            put_file(out, path, "100644", editable[path] + f"\n/* {name} */\n".encode())
        tag(out, name)
    begin_commit(out, len(edits) + 1, "upgrade/1")
    for name, versions in PACKAGES.items():
        if len(versions) > 1:
            out.write(b"D %s\n" % _place(name, b"").rstrip(b"/"))
            for path, mode, content in files_of(archives[name, versions[1]]):
                put_file(out, _place(name, path), mode, content)
    tag(out, "upgrade/1")


def _place(package: str, path: bytes) -> bytes:
    return b"node_modules/%s/%s" % (package.encode(), path)


if __name__ == "__main__":
    made = build(Path(sys.argv[1]) if len(sys.argv) > 1 else cache())
    listing = subprocess.run(
        ["git", f"--git-dir={made}", "ls-tree", "-r", "-l", "-z", "base"], check=True, stdout=subprocess.PIPE
    ).stdout.split(b"\0")[:-1]
    size = sum(int(line.split(b"\t")[0].split()[3]) for line in listing)
    print(f"{made}: base holds {len(listing):,} files, {size / 1e9:.2f} GB")
