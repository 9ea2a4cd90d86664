"""Who may deploy: one deploy at a time for each repo, its lease and epoch, and locks by operators."""
