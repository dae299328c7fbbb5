//! Posted values, numbered without being kept.

use super::bits::Bits;
use crate::simd::Level;

/// Most bits, as many as words can be counted for.
const MOST: usize = 1 << 31;

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
    bits: Bits,
    /// Marked bits before each of their words.
    before: Vec<u32>,
    /// By number, some other bits of the value that has it.
    tags: Vec<u8>,
}

impl Marks {
    /// Of these values, doubles allowed, with about so many bits for each.
    pub fn new<'a>(parts: impl Iterator<Item = &'a [u32]> + Clone, bits: usize) -> Marks {
        let bits = Bits::new(parts.clone(), bits, MOST);
        let mut marked = 0;
        let before = bits.words().iter().map(|word| {
            marked += word.count_ones();
            marked - word.count_ones()
        });
        let mut marks = Marks { before: before.collect(), bits, tags: Vec::new() };
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

    /// Adds the numbers of values that are among those.
    pub fn number_all(&self, values: &[u32], numbers: &mut Vec<u32>) {
        numbers.extend(values.iter().map(|&value| self.number(value)));
    }

    /// Adds the numbers of those of these values that have one and whose bit in `asked` is set, 64 in a word.
    pub fn find(
        &self,
        level: Level,
        values: &[u32],
        asked: &[u64],
        hits: &mut Vec<u32>,
        numbers: &mut Vec<u32>,
    ) {
        let count = self.bits.hits(level, values, asked.iter().copied(), hits);
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
        let (word, bit) = self.bits.place(value);
        let below = self.bits.words()[word] & ((1 << bit) - 1);
        self.before[word] + below.count_ones()
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
            let mut numbers = vec![7];
            marks.number_all(&values, &mut numbers);
            assert_eq!((numbers.len(), numbers[0]), (count + 1, 7));
            assert!(numbers[1..].iter().all(|&number| (number as usize) < marks.count()));
            // They are found, with these numbers, if they are asked for. Hardly any other is.
            let mut hits = Vec::new();
            for level in Level::available() {
                let mut asked = vec![0; count.div_ceil(64)];
                let places: Vec<usize> = (0..count).filter(|_| random.below(3) > 0).collect();
                places.iter().for_each(|place| asked[place / 64] |= 1 << (place % 64));
                let expected: Vec<u32> = places.iter().map(|place| numbers[place + 1]).collect();
                let mut found = vec![7];
                marks.find(level, &values, &asked, &mut hits, &mut found);
                assert_eq!((found[0], &found[1..]), (7, &expected[..]), "{level:?}");
            }
            let of = |value| {
                let mut found = Vec::new();
                marks.find(Level::detect(), &[value], &[1], &mut Vec::new(), &mut found);
                found
            };
            if bits > 10 {
                assert!(marks.count() >= count * 9 / 10);
                let others = (0..10_000).map(|_| value(&mut random));
                assert!(others.filter(|&value| !of(value).is_empty()).count() < 100);
            }
        }
    }
}
