"""How the bytes of a payload travel to a host; one file per way, and what wraps them."""
