"""Makes releases on the master; how their tags are called is the room ``staging``'s."""
