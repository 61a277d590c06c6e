"""Teaches schemathesis our schema's scalars, so that it fills in those arguments too."""

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

SAFE = 2**53 - 1
small_or_any = st.one_of(st.integers(0, 1000), st.integers(-SAFE, SAFE))
schemathesis.graphql.scalar("SafeInt", small_or_any.map(nodes.Int))
schemathesis.graphql.scalar("BigInt", st.integers(-(2**63), 2**63 - 1).map(str).map(nodes.String))
schemathesis.graphql.scalar("Decimal", st.decimals(-10, 10**9, places=6).map(str).map(nodes.String))
schemathesis.graphql.scalar("Sha256", st.binary(min_size=32, max_size=32).map(bytes.hex).map(nodes.String))
