"""Downloads by BitTorrent among the hosts of one deploy: client, seeder, and the spool between them."""
