//! Posted hashes, numbered without being kept.

use crate::large_pages::filled;

/// Two hashes have one number, so it may be that of any.
const SEVERAL: u8 = u8::MAX;

/// Numbers hashes by their leading bits: the number is how many bits before are marked.
///
/// Two hashes may have one number, and so may one that isn't among them, though seldom, for some of its
/// other bits are compared. Then documents seem to have more in common than they have, which is found
/// out when they are tested, and changes speed alone. That a hash is among them is never missed. To keep
/// the hashes themselves takes three times the memory, to sort them longer than to mark them, and each
/// look at them is a wait for memory.
pub struct Marks {
    bits: Vec<u64>,
    /// Marked bits before each of those words.
    before: Vec<u32>,
    /// By number, some other bits of the hash that has it.
    tags: Vec<u8>,
    shift: u32,
}

impl Marks {
    /// Of these hashes, doubles allowed, which are below 2 to `hash_bits`; with about so many bits for each.
    pub fn new<'a>(
        parts: impl Iterator<Item = &'a [u64]> + Clone,
        bits: usize,
        hash_bits: u32,
    ) -> Marks {
        let count: usize = parts.clone().map(<[u64]>::len).sum();
        let room = (bits * count).next_power_of_two().clamp(1 << 6, 1 << hash_bits.min(31));
        let shift = hash_bits - room.trailing_zeros();
        let mut bits = filled(0u64, room / 64);
        for &hash in parts.clone().flatten() {
            let bit = (hash >> shift) as usize;
            bits[bit / 64] |= 1 << (bit % 64);
        }
        let mut marked = 0;
        let before = bits.iter().map(|word| {
            marked += word.count_ones();
            marked - word.count_ones()
        });
        let mut marks = Marks { before: before.collect(), bits, tags: Vec::new(), shift };
        marks.tags = vec![0; marked as usize];
        for &hash in parts.flatten() {
            let number = marks.number(hash) as usize;
            let tag = &mut marks.tags[number];
            *tag = if *tag == 0 || *tag == tag_of(hash) { tag_of(hash) } else { SEVERAL };
        }
        marks
    }

    /// Numbers are below this.
    pub fn count(&self) -> usize {
        self.tags.len()
    }

    /// Adds the numbers of those of these hashes, `most` at the most, that have one.
    pub fn find(
        &self,
        hashes: impl Iterator<Item = u64>,
        most: usize,
        hits: &mut Vec<u64>,
        numbers: &mut Vec<u32>,
    ) {
        // No branches: nobody can predict them.
        hits.resize(hits.len().max(most), 0);
        let mut count = 0;
        for hash in hashes {
            let bit = (hash >> self.shift) as usize;
            hits[count] = hash;
            count += (self.bits[bit / 64] >> (bit % 64) & 1) as usize;
        }
        let first = numbers.len();
        numbers.resize(first + count, 0);
        let mut found = first;
        for &hash in &hits[..count] {
            let number = self.number(hash);
            let tag = self.tags[number as usize];
            numbers[found] = number;
            found += usize::from((tag == tag_of(hash)) | (tag == SEVERAL));
        }
        numbers.truncate(found);
    }

    /// The number of a hash whose bit is marked.
    #[inline]
    fn number(&self, hash: u64) -> u32 {
        let bit = (hash >> self.shift) as usize;
        let word = self.bits[bit / 64] & ((1 << (bit % 64)) - 1);
        self.before[bit / 64] + word.count_ones()
    }
}

/// From 1 to 254.
#[inline]
fn tag_of(hash: u64) -> u8 {
    1 + (hash as u32 % 254) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn those_that_are_among_them_are_found() {
        let mut random = Random::new(5);
        for (count, hash_bits) in [(0, 62), (1, 62), (300, 62), (5000, 62), (5000, 32), (400, 10)] {
            let hashes: Vec<u64> = (0..count).map(|_| random.next() >> (64 - hash_bits)).collect();
            let (left, right) = hashes.split_at(count / 3);
            let marks = Marks::new([left, right].into_iter(), 16, hash_bits);
            let (mut hits, mut numbers) = (Vec::new(), vec![7]);
            marks.find(hashes.iter().copied(), hashes.len(), &mut hits, &mut numbers);
            assert_eq!((numbers.len(), numbers[0]), (count + 1, 7));
            assert!(numbers[1..].iter().all(|&number| (number as usize) < marks.count()));
            // The same hash has the same number, and hardly two have one.
            let of = |hash| {
                let mut found = Vec::new();
                marks.find([hash].into_iter(), 1, &mut Vec::new(), &mut found);
                found
            };
            assert!(hashes.iter().zip(&numbers[1..]).all(|(&hash, &number)| of(hash) == [number]));
            if hash_bits > 10 {
                assert!(marks.count() >= count * 9 / 10);
                let others = (0..10_000).map(|_| random.next() >> (64 - hash_bits));
                assert!(others.filter(|&hash| !of(hash).is_empty()).count() < 100);
            }
        }
    }
}
