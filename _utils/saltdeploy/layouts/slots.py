"""Layout ``slots``: a few whole work trees beside each other; ``location`` is a symbolic link to one of them.

On disk, beside ``location`` (``/srv/deployment/mediawiki`` here)::

    /srv/deployment/mediawiki -> .mediawiki.deploy/slots/1
    /srv/deployment/.mediawiki.deploy/store.git    objects, one snapshot per release
                               slots/0..2   whole trees
                               slots/0.db   what each tree holds (saltdeploy.manifest)
                               incoming/    files that are being written

The spare tree is brought to a new release by writing what differs. It is marked as unclean, durably, before
it is touched, and as whole in the same transaction that notes the last file; an unclean tree is repaired
or made anew, never trusted.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path
from typing import IO, Any

from saltdeploy import disk
from saltdeploy.config import Repo
from saltdeploy.errors import GitFailed, NotReady, SlotsBusy
from saltdeploy.layouts.inuse import users_of
from saltdeploy.layouts.worktree import WorkTree
from saltdeploy.manifest import Findings, Manifest, State
from saltdeploy.orders import Holdings
from saltdeploy.release import Release
from saltdeploy.repository import Progress, Repository, no_progress


class Slots:
    """The slots of one repo."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._area = repo.area
        self._trees = [self._area / "slots" / str(number) for number in range(repo.slots)]
        self.store = Repository(self._area / "store.git")

    # -- looking ----------------------------------------------------------------------------------------

    def holdings(self) -> Holdings:
        """What is whole on disk, and what is live. Reads only."""
        states = self._states()
        live = self._live()
        whole = {tree: state for tree, state in states.items() if state.clean}
        others = sorted((s for tree, s in whole.items() if tree != live and s.lived), key=lambda s: -s.lived)
        return Holdings(
            live=whole[live].commit if live in whole else "",
            previous=others[0].commit if others else "",
            held=tuple(dict.fromkeys(state.commit for state in whole.values())),
            tags={state.commit: state.tag for state in whole.values()},
        )

    def verify(self, *, full: bool) -> Findings:
        """Compare the live tree with its manifest.

        Raises:
            NotReady: nothing is live.
        """
        live = self._live()
        if live is None:
            raise NotReady(
                "nothing of this repo is live here", path=str(self._repo.location), next="deploy a release first"
            )
        with Manifest(_database(live)) as manifest:
            return manifest.verify(live, full=full)

    def _states(self) -> dict[Path, State]:
        states = {}
        for tree in self._trees:
            if _database(tree).exists():
                with Manifest(_database(tree)) as manifest:
                    states[tree] = manifest.state()
        return states

    def _live(self) -> Path | None:
        """The tree that ``location`` shows, if it is one of ours."""
        try:
            target = os.readlink(self._repo.location)
        except OSError:
            return None
        path = Path(os.path.normpath(self._repo.location.parent / target))
        return path if path in self._trees else None

    # -- preparing --------------------------------------------------------------------------------------

    def prepare(self, release: Release, progress: Progress = no_progress) -> dict[str, Any]:
        """Make the release's tree in a spare slot, whole and verified."""
        states = self._states()
        ready = self._whole(states, release.commit)
        if ready is not None:
            return {"slot": ready.name, "files": 0, "bytes": 0}
        tree = self._spare(states)
        incoming = self._area / "incoming"
        disk.remove_tree(incoming)
        incoming.mkdir(parents=True)
        (self._area / "slots").mkdir(exist_ok=True)
        facts = self._bring(tree, states.get(tree, State()), release, incoming, progress)
        needed = {c for state in self._states().values() for c in (state.commit, *state.towards)}
        self.store.forget_all_but({*needed, release.commit})
        return facts

    def open(self) -> dict[str, Any]:
        """Make the object store, where there is none."""
        self.store.ensure()
        return {}

    def _whole(self, states: dict[Path, State], commit: str) -> Path | None:
        live = self._live()
        trees = [tree for tree, state in states.items() if state.clean and state.commit == commit]
        return live if live in trees else next(iter(trees), None)

    def _spare(self, states: dict[Path, State]) -> Path:
        """The slot to recycle: never the live one; the previous one only where there are but two."""
        live = self._live()
        candidates = [tree for tree in self._trees if tree != live]
        candidates.sort(key=lambda tree: states.get(tree, State()).lived)
        if len(candidates) > 1:
            candidates.pop()  # what was live before: the way back
        users = users_of([Path(os.path.realpath(tree)) for tree in candidates if tree.exists()])
        for tree in candidates:
            if Path(os.path.realpath(tree)) not in users:
                return tree
        raise SlotsBusy(
            f"each spare slot is in use: {'; '.join(f'{tree} by {who}' for tree, who in users.items())}",
            next="restart that process, or raise `slots` in the pillar; then run the same command again",
        )

    def _bring(
        self, tree: Path, state: State, release: Release, incoming: Path, progress: Progress
    ) -> dict[str, Any]:
        with tempfile.TemporaryFile(dir=incoming) as changes, tempfile.TemporaryFile(dir=incoming) as oids:
            anew = not self._diffs(state, release.commit, changes)
            work = WorkTree(tree, incoming, self.store)
            count = work.oids_to_write(changes, oids)
            work.refuse_if_full(oids, count)
            with Manifest(_database(tree)) as manifest:
                kept = "" if anew else state.commit
                manifest.set_state(State(kept, state.tag, (*state.towards, release.commit)))
                self._start(tree, anew=anew)
                with manifest.transaction():
                    if anew:
                        manifest.clear()
                    written = work.apply(changes, oids, count, manifest, progress)
                    findings = Findings() if anew else self._unchanged(tree, manifest, must=not state.clean)
                    if findings.ok:
                        manifest.set_state(State(release.commit, release.tag))
        if not findings.ok:  # somebody wrote into the spare slot: make it anew
            facts = self._bring(tree, State(towards=state.towards), release, incoming, progress)
            return {**facts, "repaired": findings.wrong}
        return {
            "slot": tree.name,
            "files": written.files,
            "removed": written.removed,
            "bytes_written": written.bytes,
            "compared": findings.files,
        }

    def _start(self, tree: Path, *, anew: bool) -> None:
        if anew:
            disk.remove_tree(tree)
        tree.mkdir(exist_ok=True)
        disk.fsync_dir(tree.parent)

    def _diffs(self, state: State, commit: str, changes: IO[bytes]) -> bool:
        """List what may differ between the tree and ``commit``; whether the tree can be built upon.

        A tree that somebody began to bring elsewhere differs from ``commit`` where its last whole commit does,
        and where one of the commits does that it was brought towards.
        """
        if state.commit:
            try:
                for old in dict.fromkeys((state.commit, *state.towards)):
                    self.store.diff(old, commit, changes)
                return True
            except GitFailed:  # the store has lost an old commit: nothing to build upon
                changes.seek(0)
                changes.truncate()
        self.store.diff("", commit, changes)
        return False

    def _unchanged(self, tree: Path, manifest: Manifest, *, must: bool) -> Findings:
        """Compare the files that were not written by their stat; not in a tree above ``stat_limit``, unless it must be."""
        if not must and manifest.holds_more_than(self._repo.stat_limit):
            return Findings()
        return manifest.verify(tree, full=False)

    # -- switching --------------------------------------------------------------------------------------

    def flip(self, release: Release) -> dict[str, Any]:
        """Point ``location`` at the tree that holds the release."""
        states = self._states()
        tree = self._whole(states, release.commit)
        if tree is None:
            raise NotReady(
                f"{release.tag} ({release.commit[:12]}) is not whole on disk",
                path=str(self._area),
                next=f"fetch it first: salt-run deploy.fetch repo={release.repo} tag={release.tag}",
            )
        facts: dict[str, Any] = {"slot": tree.name}
        if tree != self._live():
            moved_aside = disk.flip(self._repo.location, tree)
            if moved_aside:
                facts["moved_aside"] = moved_aside
        latest = max(state.lived for state in states.values())
        lived = states[tree].lived
        if lived < latest or not lived:
            lived = latest + 1
        if states[tree] != (now := dataclasses.replace(states[tree], tag=release.tag, lived=lived)):
            with Manifest(_database(tree)) as manifest:
                manifest.set_state(now)
        return facts


def _database(tree: Path) -> Path:
    return tree.with_name(f"{tree.name}.db")
