"""The parameters of datasketch's ``affine32`` permutations, without importing datasketch (0.5 s)."""

from __future__ import annotations

import functools
import random

import numpy as np

from dedup._arrays import U32


@functools.lru_cache(maxsize=8)
def permutations(num_perm: int, seed: int) -> tuple[U32, U32]:
    """(a, b), each uint32[num_perm]: permutation k maps h to ``a[k] * fmix32(h) + b[k]`` modulo 2**32.

    Equal to ``datasketch.MinHash(num_perm, seed, scheme="affine32").permutations`` (a test compares
    them): ``a`` is odd, so each map is a bijection.
    """
    stream = _stream(seed)
    # One of 2**31 numbers is drawn as the last bits of 32; doubled, the first of these is gone.
    a = np.array([stream.getrandbits(32) << 1 & 0xFFFFFFFF | 1 for _ in range(num_perm)], np.uint32)
    b = np.array([stream.getrandbits(32) for _ in range(num_perm)], np.uint32)
    for parameters in (a, b):
        parameters.setflags(write=False)
    return a, b


def _stream(seed: int) -> random.Random:
    """The 32-bit numbers of ``numpy.random.RandomState(seed)``, whose import takes a tenth of a small scan's time.

    That is MT19937 (Matsumoto and Nishimura, 1998) seeded by its authors' ``init_genrand`` of 2002; Python's own
    generator is the same, and is seeded in another way.
    """
    state = [seed]
    for place in range(1, 624):
        state.append((1812433253 * (state[-1] ^ state[-1] >> 30) + place) & 0xFFFFFFFF)
    stream = random.Random(0)
    stream.setstate((3, (*state, len(state)), None))
    return stream
