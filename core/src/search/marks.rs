//! Posted values, numbered without being kept.

use crate::large_pages::filled;

/// Two values have one number, so it may be that of any.
const SEVERAL: u8 = u8::MAX;

/// Numbers values by their leading bits: the number is how many bits before are marked.
///
/// Two values may have one number, and so may one that isn't among them, though seldom, for some of its
/// other bits are compared. Then documents seem to have more in common than they have, which is found
/// out when they are tested, and changes speed alone. That a value is among them is never missed. To keep
/// the values themselves takes three times the memory, to sort them longer than to mark them, and each
/// look at them is a wait for memory.
pub struct Marks {
    bits: Vec<u64>,
    /// Marked bits before each of those words.
    before: Vec<u32>,
    /// By number, some other bits of the value that has it.
    tags: Vec<u8>,
    shift: u32,
}

impl Marks {
    /// Of these values, doubles allowed, with about so many bits for each.
    pub fn new<'a>(parts: impl Iterator<Item = &'a [u32]> + Clone, bits: usize) -> Marks {
        let count: usize = parts.clone().map(<[u32]>::len).sum();
        let room = (bits * count).next_power_of_two().clamp(1 << 6, 1 << 31);
        let shift = u32::BITS - room.trailing_zeros();
        let mut bits = filled(0u64, room / 64);
        for &value in parts.clone().flatten() {
            let bit = (value >> shift) as usize;
            bits[bit / 64] |= 1 << (bit % 64);
        }
        let mut marked = 0;
        let before = bits.iter().map(|word| {
            marked += word.count_ones();
            marked - word.count_ones()
        });
        let mut marks = Marks { before: before.collect(), bits, tags: Vec::new(), shift };
        marks.tags = vec![0; marked as usize];
        for &value in parts.flatten() {
            let number = marks.number(value) as usize;
            let tag = &mut marks.tags[number];
            *tag = if *tag == 0 || *tag == tag_of(value) { tag_of(value) } else { SEVERAL };
        }
        marks
    }

    /// Numbers are below this.
    pub fn count(&self) -> usize {
        self.tags.len()
    }

    /// Adds the numbers of those of these values, `most` at the most, that have one.
    pub fn find(
        &self,
        values: impl Iterator<Item = u32>,
        most: usize,
        hits: &mut Vec<u32>,
        numbers: &mut Vec<u32>,
    ) {
        // No branches: nobody can predict them.
        hits.resize(hits.len().max(most), 0);
        let mut count = 0;
        for value in values {
            let bit = (value >> self.shift) as usize;
            hits[count] = value;
            count += (self.bits[bit / 64] >> (bit % 64) & 1) as usize;
        }
        let first = numbers.len();
        numbers.resize(first + count, 0);
        let mut found = first;
        for &value in &hits[..count] {
            let number = self.number(value);
            let tag = self.tags[number as usize];
            numbers[found] = number;
            found += usize::from((tag == tag_of(value)) | (tag == SEVERAL));
        }
        numbers.truncate(found);
    }

    /// The number of a value whose bit is marked.
    #[inline]
    fn number(&self, value: u32) -> u32 {
        let bit = (value >> self.shift) as usize;
        let word = self.bits[bit / 64] & ((1 << (bit % 64)) - 1);
        self.before[bit / 64] + word.count_ones()
    }
}

/// From 1 to 254.
#[inline]
fn tag_of(value: u32) -> u8 {
    1 + (value % 254) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn those_that_are_among_them_are_found() {
        let mut random = Random::new(5);
        for (count, bits) in [(0, 32), (1, 32), (300, 32), (5000, 32), (400, 10)] {
            let value = |random: &mut Random| (random.next() >> (64 - bits) << (32 - bits)) as u32;
            let values: Vec<u32> = (0..count).map(|_| value(&mut random)).collect();
            let (left, right) = values.split_at(count / 3);
            let marks = Marks::new([left, right].into_iter(), 16);
            let (mut hits, mut numbers) = (Vec::new(), vec![7]);
            marks.find(values.iter().copied(), values.len(), &mut hits, &mut numbers);
            assert_eq!((numbers.len(), numbers[0]), (count + 1, 7));
            assert!(numbers[1..].iter().all(|&number| (number as usize) < marks.count()));
            // The same value has the same number, and hardly two have one.
            let of = |value| {
                let mut found = Vec::new();
                marks.find([value].into_iter(), 1, &mut Vec::new(), &mut found);
                found
            };
            assert!(values
                .iter()
                .zip(&numbers[1..])
                .all(|(&value, &number)| of(value) == [number]));
            if bits > 10 {
                assert!(marks.count() >= count * 9 / 10);
                let others = (0..10_000).map(|_| value(&mut random));
                assert!(others.filter(|&value| !of(value).is_empty()).count() < 100);
            }
        }
    }
}
