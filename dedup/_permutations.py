"""The parameters of datasketch's ``affine32`` permutations, without importing datasketch (0.5 s)."""

from __future__ import annotations

import functools

import numpy as np

from dedup._arrays import U32


@functools.lru_cache(maxsize=8)
def permutations(num_perm: int, seed: int) -> tuple[U32, U32]:
    """(a, b), each uint32[num_perm]: permutation k maps h to ``a[k] * fmix32(h) + b[k]`` modulo 2**32.

    Equal to ``datasketch.MinHash(num_perm, seed, scheme="affine32").permutations`` (a test compares
    them): ``a`` is odd, so each map is a bijection. numpy promises that the stream of ``RandomState``
    never changes.
    """
    stream = np.random.RandomState(seed)
    a = stream.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = stream.randint(0, 1 << 32, num_perm, dtype=np.uint32)
    for parameters in (a, b):
        parameters.setflags(write=False)
    return a, b
