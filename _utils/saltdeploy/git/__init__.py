"""The only room that runs git: reads, packs and stores releases. Start at repository.py."""
