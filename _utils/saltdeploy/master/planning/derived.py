"""What a plan says of releases that are made of commits, and of files of which git would make others."""

from __future__ import annotations

from collections.abc import Iterator

from saltdeploy.git.attributes import made_otherwise
from saltdeploy.lib.errors import GitFailed
from saltdeploy.master.planning.resolve import ResolvedRepo


def remarks(one: ResolvedRepo) -> Iterator[str]:
    """What hosts get instead of the commit, and what of it git would have made otherwise."""
    derivation = one.repo.contents.derivation
    if one.tag.origin is not None:
        yield (
            f"{one.release.tag} is commit {one.tag.origin.commit}. What hosts get is made of it here ({derivation}), as commit "
            f"{one.release.commit}"
        )
    if one.source is None or derivation.converts:
        return
    source, new = one.source, one.tag.as_made.commit
    old = source.origin_of(one.pin.release.commit) if one.pin else ""
    if old == new:
        return
    try:
        found = made_otherwise(
            source.repository,
            old if old and source.repository.has(old) else "",
            new,
            derivation.subdirectory,
            tuple(one.repo.contents.blobs),
        )
    except GitFailed:  # what would change is told elsewhere, and that it cannot be
        return
    if not found:
        return
    own = one.repo.layout.name == "inplace"
    if own:
        yield (
            f"git attributes: {found}. With layout inplace git itself follows eol, ident and working-tree-encoding when it "
            "checks out; it leaves out nothing, fills in nothing, and runs no filters"
        )
        return
    yield (
        f"Hosts get blobs as they are, where git would make other files of {found.count} that the release brings: {found}. "
        f"`attributes: checkout` in the pillar lets git make them; it runs no filters"
    )
