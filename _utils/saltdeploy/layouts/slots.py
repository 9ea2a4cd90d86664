"""Layout ``slots``: a few complete work trees that are recycled; ``location`` is a symbolic link to one of them.

On disk, next to ``location`` (``/srv/deployment/mediawiki`` here)::

    /srv/deployment/mediawiki -> .mediawiki.deploy/slots/1
    /srv/deployment/.mediawiki.deploy/store.git    objects, one snapshot per release
                               trees.git    commits and trees whose contents came apart from them
                               slots/0..2   complete trees
                               slots/0.json what each tree is (saltdeploy.layouts.symlinked.tree)
                               slots/0.db   what it holds (saltdeploy.content.manifest)
                               incoming/    files that are being written
                               blobs/       what pointers in the trees point to (saltdeploy.blobs.cache)

The spare tree is brought to a new release by writing what differs; see :mod:`saltdeploy.layouts.symlinked.build`.
A pending one is repaired or rebuilt, and never trusted. One that is rebuilt shares its files with another slot, as far as
the file system can do that (:mod:`saltdeploy.layouts.symlinked.clone`): only the first release writes all files.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from saltdeploy.config import Repo
from saltdeploy.content.tree_digest import Unreadable
from saltdeploy.layouts.symlinked.build import Start, TreeBuild, TreeJob
from saltdeploy.layouts.symlinked.clone import Differs
from saltdeploy.layouts.symlinked.prepare import SymlinkedLayout
from saltdeploy.layouts.symlinked.selection import Selection
from saltdeploy.layouts.symlinked.tree import Slot
from saltdeploy.lib.errors import Immutable, SlotsBusy
from saltdeploy.lib.open_files import users_of

log = logging.getLogger(__name__)


class Slots(SymlinkedLayout):
    """The slots of one repo."""

    def __init__(self, repo: Repo) -> None:
        super().__init__(repo, repo.paths.area / "slots")
        self._slots = [self._place(str(number)) for number in range(repo.layout.slots)]

    def _places(self) -> list[Slot]:
        """The slots, and those of a time when the pillar said that there are more."""
        numbers = (path.name for path in self._home.glob("*[0-9]") if path.is_dir())
        more = (name for name in numbers if name.isdecimal() and int(name) >= len(self._slots))
        return [*self._slots, *map(self._place, more)]

    def _place(self, name: str) -> Slot:
        return Slot(self._home / name, self._repo.shape, said=self._repo.contents.owner)

    def _build(self, job: TreeJob) -> dict[str, Any]:
        slot = self._spare()
        state = slot.state()
        if not state.commit or state.suspect:
            slot.remove()
            return self._rebuild(slot, job)
        try:
            return TreeBuild(slot, job, self._site).run(Start(state))
        except (
            Differs,
            Unreadable,
            Immutable,
        ) as why:  # somebody wrote into the spare slot, or damaged its manifest
            log.info("%s is rebuilt: %s", slot.tree, why)
            self._mark_others_suspect(slot, why.damaged if isinstance(why, Differs) else ())
            slot.remove()
            return {**self._rebuild(slot, job), "made_anew": str(why)}  # the fact's name on the wire

    def _spare(self) -> Slot:
        """The slot to recycle."""
        candidates = self._look().recyclable(self._slots)
        users = users_of([slot.tree for slot in candidates])
        for slot in candidates:
            if slot.tree not in users:
                return slot
        raise SlotsBusy(
            f"each spare slot is in use: {'; '.join(f'{tree} by {who}' for tree, who in users.items())}",
            repo=self._repo.name,
            path=str(self._home),
            next="restart that process, or raise `slots` in the pillar; then run the same command again",
        )

    def _surplus(self, view: Selection[Slot], needed: Collection[str]) -> list[Slot]:
        """Slots beyond their number; what was live last and before that is nobody's surplus yet."""
        oldest = max(view.last_generation() - 1, 1)
        stay = (*self._slots, view.live)
        return [slot for slot, state in view.states.items() if slot not in stay and state.generation < oldest]
