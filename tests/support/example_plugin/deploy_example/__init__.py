"""A transport and a kind of check that saltdeploy does not have."""
