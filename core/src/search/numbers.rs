//! Some hashes, numbered.

use crate::large_pages::filled;

/// Numbers hashes, so that equal ones have one number.
pub struct Numbers {
    /// Ascending.
    hashes: Vec<u64>,
    /// The number of each.
    numbers: Vec<u32>,
    /// Where those with the same leading bits begin.
    heads: Vec<u32>,
    shift: u32,
}

impl Numbers {
    /// Of those among the hashes that are there more than once: the less often, the smaller the number.
    pub fn of_shared(mut hashes: Vec<u64>) -> Numbers {
        let mut numbers = shared(&mut hashes);
        let most = numbers.iter().copied().max().unwrap_or(0) as usize;
        let mut next = vec![0; most + 2];
        numbers.iter().for_each(|&times| next[times as usize + 1] += 1);
        for times in 1..next.len() {
            next[times] += next[times - 1];
        }
        for number in &mut numbers {
            let next = &mut next[*number as usize];
            (*number, *next) = (*next, *next + 1);
        }
        let head_bits = hashes.len().next_power_of_two().clamp(1 << 6, 1 << 28).trailing_zeros();
        let shift = u64::BITS - head_bits;
        let mut heads = filled(0u32, (1 << head_bits) + 1);
        for &hash in &hashes {
            heads[(hash >> shift) as usize + 1] += 1;
        }
        for head in 1..heads.len() {
            heads[head] += heads[head - 1];
        }
        Numbers { hashes, numbers, heads, shift }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// The number of a hash, if it has one.
    pub fn of(&self, hash: u64) -> Option<u32> {
        let head = (hash >> self.shift) as usize;
        let first = self.heads[head] as usize;
        let same = &self.hashes[first..self.heads[head + 1] as usize];
        same.iter().position(|&other| other == hash).map(|at| self.numbers[first + at])
    }
}

/// Leaves those that are there more than once, ascending, and says of each how often it was there.
fn shared(hashes: &mut Vec<u64>) -> Vec<u32> {
    hashes.sort_unstable();
    assert!(u32::try_from(hashes.len() / 2).is_ok(), "more hashes than 32 bits can count");
    let (mut times, mut at) = (Vec::new(), 0);
    while at < hashes.len() {
        let hash = hashes[at];
        let same = hashes[at..].iter().take_while(|&&other| other == hash).count();
        if same > 1 {
            hashes[times.len()] = hash;
            times.push(same as u32);
        }
        at += same;
    }
    hashes.truncate(times.len());
    hashes.shrink_to_fit();
    times
}
