"""Hosts without a minion, asked over ssh: their answers come out of the bus as those of minions do."""
