"""`make demo`: releases reach a real Salt fleet, all of it on this machine, in one temporary directory."""
