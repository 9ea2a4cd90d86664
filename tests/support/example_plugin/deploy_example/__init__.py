"""A transport, a kind of check, a kind of pointers and a tag scheme that saltdeploy does not have."""
