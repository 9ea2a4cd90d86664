"""What the master packs, seals and serves of releases."""
