"""What may come over a wire: plain data of any form, legal names, and names that are nearly legal."""

from __future__ import annotations

from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(1 << 70), 1 << 63])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\udcff", "x" * 10_000, "\0"])
    | st.binary(max_size=20)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.binary(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)

commits = st.text("0123456789abcdef", min_size=40, max_size=40) | st.text(
    "0123456789abcdef", min_size=64, max_size=64
)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
repos = st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,8}(/[A-Za-z0-9_][A-Za-z0-9_.+-]{0,8}){0,2}", fullmatch=True
)
tags = st.from_regex(r"[A-Za-z0-9_+][A-Za-z0-9_+-]{0,8}(/[A-Za-z0-9_+]{1,8}){0,2}", fullmatch=True)
hosts = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True)
jids = st.from_regex(r"[0-9]{20}(_[0-9]{1,6})?", fullmatch=True)
counts = st.integers(0, 1 << 62)
