"""Carries a deploy out, in a process of its own; operators steer it, and others go on where it died."""
