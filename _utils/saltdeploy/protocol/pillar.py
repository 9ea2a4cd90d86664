"""What a minion says when it asks for its pillar, and the keys by which the ext_pillar answers that."""

from __future__ import annotations

#: What the minion says: repos for which it needs a way from nothing, and a word that was never said before.
LOST, ASKED = "deploy_lost", "deploy_asked"
#: What the ext_pillar tells: that word, and of each repo that the minion takes :data:`EPOCH` and :data:`RUNS`.
ECHO, TAKEN = "asked", "taken"
#: The last epoch that the master has given (0: none that it remembers), and whether a deploy is under way.
EPOCH, RUNS = "epoch", "runs"
