//! Some hashes, numbered.

use crate::large_pages::filled;

/// Numbers hashes, so that equal ones have one number.
pub struct Numbers {
    /// Ascending.
    hashes: Vec<u64>,
    /// Where those with the same leading bits begin.
    heads: Vec<u32>,
    shift: u32,
}

impl Numbers {
    /// Of these hashes, doubles allowed.
    pub fn new(mut hashes: Vec<u64>) -> Numbers {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.shrink_to_fit();
        assert!(u32::try_from(hashes.len()).is_ok(), "more hashes than 32 bits can count");
        let head_bits = hashes.len().next_power_of_two().clamp(1 << 6, 1 << 28).trailing_zeros();
        let shift = u64::BITS - head_bits;
        let mut heads = filled(0u32, (1 << head_bits) + 1);
        for &hash in &hashes {
            heads[(hash >> shift) as usize + 1] += 1;
        }
        for head in 1..heads.len() {
            heads[head] += heads[head - 1];
        }
        Numbers { hashes, heads, shift }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// The number of a hash, if it is one of them.
    pub fn of(&self, hash: u64) -> Option<u32> {
        let head = (hash >> self.shift) as usize;
        let first = self.heads[head] as usize;
        let same = &self.hashes[first..self.heads[head + 1] as usize];
        same.iter().position(|&other| other == hash).map(|at| (first + at) as u32)
    }
}
