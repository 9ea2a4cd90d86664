"""What a minion says when it asks for its pillar, and the keys by which the ext_pillar answers that."""

from __future__ import annotations

#: What the minion says: repos for which it needs a way from nothing, and a word that was never said before.
LOST, ASKED = "deploy_lost", "deploy_asked"
#: What the ext_pillar tells: that word, and the repos which the minion takes and of which nothing is pinned.
ECHO, UNPINNED = "asked", "unpinned"
