//! Random numbers for the tests: the same on every run, without a dependency.

/// Splitmix64 (Steele, Lea and Flood 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Hashes of which some are doubles.
pub fn some_hashes(random: &mut Random, n: usize) -> Vec<u64> {
    let spread = [0, 1, 40, 62][random.below(4)];
    let double = random.below(4) + 1;
    let mut hashes: Vec<u64> = (0..n).map(|_| random.next() >> spread).collect();
    for _ in 0..n / double {
        let (from, to) = (random.below(n), random.below(n));
        hashes[to] = hashes[from];
    }
    hashes
}
