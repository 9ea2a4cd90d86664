"""What a release holds: its manifest and tree digest, packed payloads, archives, images, pointers to blobs."""
