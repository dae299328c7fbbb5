//! How many values two ascending lists share.

use crate::simd::Level;

/// How many values two ascending lists share. A value that is repeated counts as often as it is in both.
pub fn shared_values(left: &[u32], right: &[u32]) -> usize {
    on(Level::detect(), left, right)
}

fn on<'a>(level: Level, mut left: &'a [u32], mut right: &'a [u32]) -> usize {
    if left.len() > right.len() {
        std::mem::swap(&mut left, &mut right);
    }
    if right.len() / 16 > left.len() {
        // Much smaller: look its values up.
        let mut shared = 0;
        for value in left {
            right = &right[right.partition_point(|other| other < value)..];
            if right.first() == Some(value) {
                right = &right[1..];
                shared += 1;
            }
        }
        return shared;
    }
    match level {
        // SAFETY: Level::detect found these instructions.
        #[cfg(all(has_avx512, target_arch = "x86_64"))]
        Level::Avx512 => unsafe { by_sixteen(left, right) },
        _ => one_by_one(left, right),
    }
}

fn one_by_one(left: &[u32], right: &[u32]) -> usize {
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while i < left.len() && j < right.len() {
        // No branches: which side is behind can't be predicted.
        let (a, b) = (left[i], right[j]);
        shared += usize::from(a == b);
        i += usize::from(a <= b);
        j += usize::from(b <= a);
    }
    shared
}

/// The same, comparing sixteen values with sixteen, so that few steps wait for the one before.
///
/// # Safety
/// The CPU must have AVX-512 F.
#[cfg(all(has_avx512, target_arch = "x86_64"))]
#[allow(clippy::incompatible_msrv)] // build.rs sets has_avx512 only where the compiler has these
#[target_feature(enable = "avx512f,popcnt")]
unsafe fn by_sixteen(left: &[u32], right: &[u32]) -> usize {
    use std::arch::x86_64::*;
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while let Some(ours) = left.get(i..i + 16) {
        let following = if i + 16 < left.len() { 0xffff } else { 0x7fff };
        // SAFETY: sixteen values are there, and of those behind each of them as many as are read.
        let (values, next) = unsafe {
            let first = ours.as_ptr().cast::<i32>();
            (_mm512_loadu_epi32(first), _mm512_maskz_loadu_epi32(following, first.add(1)))
        };
        if _mm512_mask_cmpeq_epi32_mask(following, values, next) != 0 {
            return one_by_one(left, right); // hardly ever is one repeated
        }
        // Which of ours are in the other list, as far as that was looked at.
        let mut found = 0;
        while let Some(theirs) = right.get(j..j + 16) {
            for &value in theirs {
                found |= _mm512_cmpeq_epi32_mask(values, _mm512_set1_epi32(value as i32));
            }
            if ours[15] <= theirs[15] {
                break;
            }
            j += 16;
        }
        shared += found.count_ones() as usize;
        if j + 16 > right.len() {
            // Those up to the last one that was looked at are done with.
            i += j
                .checked_sub(1)
                .map_or(0, |last| ours.iter().take_while(|&&value| value <= right[last]).count());
            break;
        }
        i += 16;
    }
    shared + one_by_one(&left[i..], &right[j..])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::Random;

    #[test]
    fn shared_values_both_ways() {
        let long: Vec<u32> = (0..1000).map(|value| 3 * value).collect();
        assert_eq!(shared_values(&long, &[0, 1, 2, 3, 2997, 2998]), 3);
        assert_eq!(shared_values(&long, &long), 1000);
        let other: Vec<u32> = (0..1000).map(|value| 2 * value).collect();
        assert_eq!(shared_values(&long, &other), 334); // multiples of 6 below 2000
        assert_eq!(shared_values(&[], &long), 0);
    }

    #[test]
    fn repeated_values_count_as_often_as_both_have_them() {
        let (few, more) = ([1, 1, 1, 5, 7, 7, 9], [0, 1, 1, 5, 5, 7, 7, 7, 8]);
        assert_eq!((shared_values(&few, &more), shared_values(&more, &few)), (5, 5));
        let long: Vec<u32> = more.into_iter().chain(std::iter::repeat_n(9, 500)).collect();
        assert_eq!((shared_values(&few, &long), shared_values(&long, &few)), (6, 6));
        assert_eq!(shared_values(&[9; 20], &long), 20);
    }

    #[test]
    fn lists_of_all_lengths_on_all_levels() {
        let mut random = Random::new(6);
        for round in 0..3_000 {
            // With few different ones many are repeated, with many hardly any; some are in both lists.
            let different = [20, 300, 1 << 20][round % 3];
            let list = |random: &mut Random, from: &[u32]| {
                let size = random.below(90);
                let values = (0..size).map(|_| match random.below(2) {
                    0 if !from.is_empty() => random.pick(from),
                    _ => random.below(different) as u32,
                });
                let mut values: Vec<u32> = values.collect();
                values.sort_unstable();
                values
            };
            let left = list(&mut random, &[]);
            let right = list(&mut random, &left);
            let times = |list: &[u32]| {
                let mut times = BTreeMap::new();
                list.iter().for_each(|&value| *times.entry(value).or_insert(0) += 1);
                times
            };
            let (ours, theirs) = (times(&left), times(&right));
            let both =
                ours.iter().map(|(value, &times)| times.min(*theirs.get(value).unwrap_or(&0)));
            let expected: usize = both.sum();
            for level in Level::available() {
                assert_eq!(on(level, &left, &right), expected, "{level:?}");
                assert_eq!(on(level, &right, &left), expected, "{level:?}");
            }
        }
    }
}
