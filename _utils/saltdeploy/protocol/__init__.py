"""What crosses hosts, as data: orders, answers, events, releases, seals, swarms."""
