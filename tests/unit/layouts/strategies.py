"""Random trees, and random histories of them: each tree is made of the one before by a few edits."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.repositories import EXECUTABLE, FILE, GITLINK, SYMLINK, Entry, Tree, put

# few, so that a name is a file here, a directory there, and a link in the next tree; "a.b" sorts before "a/"
NAMES = [
    b"a",
    b"b",
    b"a.b",
    b"a-b",
    b"a0",
    b"A",
    b"c d",
    b"-n",
    b"--",
    b"new\nline",
    b"tab\t",
    b'"q"',
    b"back\\slash",
]
NAMES += [b"\xff\xfe", "grüße".encode(), b"...", b".hidden", b"*", b"l" * 255, b"~", b"@", b"#", b"%s", b" "]
TARGETS = [
    b"a",
    b"b",
    b"a/b",
    b"missing",
    b".",
    b"..",
    b"/",
    b"/etc",
    b"\xff\xfe",
    b"new\nline",
    b"t" * 300,
    b"-n",
]
CONTENTS = [b"", b"\n", b"text\n", b"crlf\r\n", b"\0\1\2\xff", b"#!/bin/sh\n", b"x" * 5000, b"version 1\n"]

byte = st.integers(1, 255).filter(lambda each: each not in b"/.gG").map(lambda each: bytes([each]))
name = st.sampled_from(NAMES) | st.lists(byte, min_size=1, max_size=4).map(b"".join)
path = st.lists(name, min_size=1, max_size=4).map(b"/".join)
deep_path = st.builds(
    lambda top, depth: b"/".join([top] * depth), st.sampled_from([b"a", b"b"]), st.integers(30, 150)
)
content = st.sampled_from(CONTENTS) | st.binary(max_size=100)
entry = st.one_of(
    st.builds(Entry, st.sampled_from([FILE, EXECUTABLE]), content),
    st.builds(Entry, st.just(SYMLINK), st.sampled_from(TARGETS)),
    st.builds(Entry, st.just(GITLINK), st.sampled_from([b"1" * 40, b"2" * 40])),
)


@st.composite
def edited(draw: st.DrawFn, before: Tree) -> Tree:
    after = dict(before)
    for _ in range(draw(st.integers(0, 5))):
        known = st.sampled_from(sorted(after)) if after else path
        place = draw(st.one_of(path, known, st.builds(lambda p, n: p + b"/" + n, known, name), deep_path))
        place = draw(st.sampled_from([place, place, place.rsplit(b"/", 1)[0]]))
        if draw(st.booleans()):
            after = put(after, place, draw(entry))
        else:
            after = {p: e for p, e in after.items() if p != place and not p.startswith(place + b"/")}
    return after


@st.composite
def histories(draw: st.DrawFn, most: int = 5) -> list[Tree]:
    """A list of trees, the first of them anything, the others made of it step by step."""
    first: Tree = {}
    for place, what in draw(st.lists(st.tuples(path, entry), max_size=12)):
        first = put(first, place, what)
    trees = [first]
    while len(trees) < most and draw(st.integers(0, 4)):
        trees.append(draw(edited(trees[-1])))
    return trees
