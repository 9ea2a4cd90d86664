"""What becomes a release before it is deployed: how the next tag is called. Plain functions; nothing is written here."""
