"""A deploy that has been, for people: drawn as a picture, and as a page that needs nothing else."""
