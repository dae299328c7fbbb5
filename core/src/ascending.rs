//! Sorting short lists of 32-bit values without a branch on any of them, with AVX-512.
//!
//! Sixteen vectors of sixteen values are sorted column by column by a sorting network, and transposed: sixteen ascending
//! runs, which bitonic merges join (K. E. Batcher, "Sorting networks and their applications", 1968). Lists
//! of more than 256 values are blocks of 256, merged the same way. It takes 1.2 to 2.7 ns a value, where buckets take 5.

use std::arch::x86_64::*;

/// Values of a vector, and vectors of a block.
const ROWS: usize = 16;
const BLOCK: usize = ROWS * ROWS;
/// Fewer than these fill too little of a block, and more are merged too often.
const SORTED: std::ops::RangeInclusive<usize> = 64..=4096;

type Block = [__m512i; ROWS];

/// M. W. Green's network for sixteen values (D. E. Knuth, *The Art of Computer Programming* 3, 5.3.4), 60 comparisons.
#[rustfmt::skip]
const NETWORK: [(usize, usize); 60] = [
    (0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13), (14, 15),
    (0, 2), (1, 3), (4, 6), (5, 7), (8, 10), (9, 11), (12, 14), (13, 15),
    (0, 4), (1, 5), (2, 6), (3, 7), (8, 12), (9, 13), (10, 14), (11, 15),
    (0, 8), (1, 9), (2, 10), (3, 11), (4, 12), (5, 13), (6, 14), (7, 15),
    (5, 10), (6, 9), (3, 12), (13, 14), (4, 8), (7, 11), (1, 2),
    (1, 4), (7, 13), (2, 8), (11, 14),
    (2, 4), (5, 6), (9, 10), (11, 13), (3, 8), (7, 12),
    (6, 8), (10, 12), (3, 5), (7, 9),
    (3, 4), (5, 6), (7, 8), (9, 10), (11, 12),
    (6, 7), (8, 9),
];

/// Sorts values ascending, in a buffer whose other contents mean nothing; false, with nothing done, if there are too
/// few or too many for this to pay.
///
/// # Safety
/// The CPU must have AVX-512 F.
#[target_feature(enable = "avx512f")]
pub unsafe fn sort(buffer: &mut Vec<u32>, count: usize) -> bool {
    if !SORTED.contains(&count) {
        return false;
    }
    let filled = count.next_multiple_of(BLOCK);
    let all = filled.next_power_of_two();
    if buffer.len() < all {
        buffer.resize(all, 0);
    }
    buffer[count..all].fill(u32::MAX); // comes last
    for block in buffer[..filled].chunks_exact_mut(BLOCK) {
        sort_block(block);
    }
    let mut length = 2 * BLOCK;
    while length <= all {
        buffer[..all].chunks_exact_mut(length).for_each(|runs| merge_halves(runs));
        length *= 2;
    }
    true
}

#[target_feature(enable = "avx512f")]
fn sort_block(values: &mut [u32]) {
    let mut rows = read(values);
    for &(left, right) in &NETWORK {
        compare(&mut rows, left, right);
    }
    rows = transposed(&rows);
    merge::<2>(&mut rows);
    merge::<4>(&mut rows);
    merge::<8>(&mut rows);
    merge::<16>(&mut rows);
    write(&rows, values);
}

/// Merges the two ascending halves of some blocks, a power of two of them.
#[target_feature(enable = "avx512f")]
fn merge_halves(values: &mut [u32]) {
    let (low, high) = values.split_at_mut(values.len() / 2);
    // One half backwards after the other is bitonic, as is then either of what is smaller and what is larger.
    for (left, right) in low.chunks_exact_mut(ROWS).zip(high.rchunks_exact_mut(ROWS)) {
        let (x, y) = (load(left), reversed(load(right)));
        store(_mm512_min_epu32(x, y), left);
        store(_mm512_max_epu32(x, y), right);
    }
    let mut length = values.len() / 2;
    while length > BLOCK {
        for run in values.chunks_exact_mut(length) {
            let (low, high) = run.split_at_mut(length / 2);
            for (left, right) in low.chunks_exact_mut(ROWS).zip(high.chunks_exact_mut(ROWS)) {
                let (x, y) = (load(left), load(right));
                store(_mm512_min_epu32(x, y), left);
                store(_mm512_max_epu32(x, y), right);
            }
        }
        length /= 2;
    }
    for block in values.chunks_exact_mut(BLOCK) {
        let mut rows = read(block);
        sort_bitonic::<ROWS>(&mut rows);
        write(&rows, block);
    }
}

/// Merges ascending runs of LENGTH / 2 rows, two by two.
#[inline]
#[target_feature(enable = "avx512f")]
fn merge<const LENGTH: usize>(rows: &mut Block) {
    for first in (0..ROWS).step_by(LENGTH) {
        for at in 0..LENGTH / 2 {
            let (left, right) = (first + at, first + LENGTH - 1 - at);
            rows[right] = reversed(rows[right]);
            compare(rows, left, right);
        }
    }
    match LENGTH {
        16 => sort_bitonic::<8>(rows),
        8 => sort_bitonic::<4>(rows),
        4 => sort_bitonic::<2>(rows),
        _ => sort_bitonic::<1>(rows),
    }
}

/// Sorts bitonic runs of LENGTH rows.
#[inline]
#[target_feature(enable = "avx512f")]
fn sort_bitonic<const LENGTH: usize>(rows: &mut Block) {
    let mut distance = LENGTH / 2;
    while distance > 0 {
        for row in 0..ROWS {
            if row & distance == 0 {
                compare(rows, row, row + distance);
            }
        }
        distance /= 2;
    }
    for row in rows {
        *row = sort_bitonic_row(*row);
    }
}

/// Halves, quarters and eighths of a row change places; where a bit is set the larger value goes.
#[inline]
#[target_feature(enable = "avx512f")]
fn sort_bitonic_row(row: __m512i) -> __m512i {
    let row = halved(row, _mm512_shuffle_i32x4::<0x4e>(row, row), 0xff00);
    let row = halved(row, _mm512_shuffle_i32x4::<0xb1>(row, row), 0xf0f0);
    let row = halved(row, _mm512_shuffle_epi32::<0x4e>(row), 0xcccc);
    halved(row, _mm512_shuffle_epi32::<0xb1>(row), 0xaaaa)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn halved(row: __m512i, other: __m512i, larger: u16) -> __m512i {
    _mm512_mask_max_epu32(_mm512_min_epu32(row, other), larger, row, other)
}

/// The smaller values to one row, the larger ones to the other.
#[inline]
#[target_feature(enable = "avx512f")]
fn compare(rows: &mut Block, left: usize, right: usize) {
    let (x, y) = (rows[left], rows[right]);
    rows[left] = _mm512_min_epu32(x, y);
    rows[right] = _mm512_max_epu32(x, y);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn reversed(row: __m512i) -> __m512i {
    let backwards = _mm512_set_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm512_permutexvar_epi32(backwards, row)
}

/// Rows become columns: pairs of rows, fours of them, then the quarters of all.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: &Block) -> Block {
    let (mut pairs, mut fours, mut all) = (*rows, *rows, *rows);
    for row in (0..ROWS).step_by(2) {
        pairs[row] = _mm512_unpacklo_epi32(rows[row], rows[row + 1]);
        pairs[row + 1] = _mm512_unpackhi_epi32(rows[row], rows[row + 1]);
    }
    for row in (0..ROWS).step_by(4) {
        for odd in 0..2 {
            let (x, y) = (pairs[row + odd], pairs[row + odd + 2]);
            fours[row + 2 * odd] = _mm512_unpacklo_epi64(x, y);
            fours[row + 2 * odd + 1] = _mm512_unpackhi_epi64(x, y);
        }
    }
    for column in 0..4 {
        let quarter = |four: usize| fours[4 * four + column];
        let even = |x, y| _mm512_shuffle_i32x4::<0x88>(x, y);
        let odd = |x, y| _mm512_shuffle_i32x4::<0xdd>(x, y);
        let (low, high) = (even(quarter(0), quarter(1)), even(quarter(2), quarter(3)));
        all[column] = even(low, high);
        all[column + 8] = odd(low, high);
        let (low, high) = (odd(quarter(0), quarter(1)), odd(quarter(2), quarter(3)));
        all[column + 4] = even(low, high);
        all[column + 12] = odd(low, high);
    }
    all
}

#[inline]
#[target_feature(enable = "avx512f")]
fn read(values: &[u32]) -> Block {
    let mut rows = [_mm512_setzero_si512(); ROWS];
    for (row, values) in rows.iter_mut().zip(values.chunks_exact(ROWS)) {
        *row = load(values);
    }
    rows
}

#[inline]
#[target_feature(enable = "avx512f")]
fn write(rows: &Block, values: &mut [u32]) {
    for (&row, values) in rows.iter().zip(values.chunks_exact_mut(ROWS)) {
        store(row, values);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(values: &[u32]) -> __m512i {
    let values: &[u32; ROWS] = values.try_into().expect("a row");
    // SAFETY: sixteen values are there.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(row: __m512i, values: &mut [u32]) {
    let values: &mut [u32; ROWS] = values.try_into().expect("a row");
    // SAFETY: there is room for sixteen values.
    unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), row) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;
    use crate::testing::Random;

    #[test]
    fn as_the_standard_library_sorts() {
        if Level::detect() != Level::Avx512 {
            return;
        }
        let mut random = Random::new(12);
        let mut buffer = Vec::new();
        for count in (0..1200).chain([2000, 4095, 4096, 4097]) {
            let spread = [0, 0, 20, 29, 31][random.below(5)];
            let values: Vec<u32> = (0..count).map(|_| random.next() as u32 >> spread).collect();
            let mut values = match random.below(4) {
                0 => values.iter().map(|&value| !value).collect(),
                _ => values,
            };
            buffer.clear();
            buffer.extend_from_slice(&values);
            // SAFETY: these instructions were found.
            let sorted = unsafe { sort(&mut buffer, values.len()) };
            assert_eq!(sorted, SORTED.contains(&values.len()));
            if sorted {
                values.sort_unstable();
            }
            assert_eq!(buffer[..values.len()], values);
        }
    }
}
