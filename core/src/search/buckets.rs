//! Buckets: documents that are equal in a band.

use super::lists::Keys;
use super::{Cancelled, Corpus};
use crate::threads::{Cancel, Workers};

/// Bands copied at a time: as many as stand in one cache line of a document's.
const WIDTH: usize = 8;

/// For each document the buckets that it shares with another, band by band. A document alone in its
/// bucket is not in it.
pub fn buckets(corpus: &Corpus, workers: &Workers, cancel: &Cancel) -> Result<Keys, Cancelled> {
    let width = corpus.bands.div_ceil(workers.count()).clamp(1, WIDTH);
    let firsts = (0..corpus.bands).step_by(width).collect();
    let groups = workers.map(firsts, Default::default, |(columns, keyed), first| {
        let width = width.min(corpus.bands - first);
        take_columns(corpus, first, width, columns);
        let mut groups = Vec::with_capacity(width);
        for column in columns.chunks(corpus.count().max(1)) {
            if cancel.is_set() {
                return Err(Cancelled);
            }
            groups.push(shared_buckets(column, keyed));
        }
        Ok(groups)
    })?;
    let groups: Vec<_> = groups.into_iter().flatten().collect();
    let count: usize = groups.iter().map(|(_, ends)| ends.len()).sum();
    assert!(u32::try_from(count).is_ok(), "more buckets than 32 bits can count");
    let mut starts = vec![0usize; corpus.count() + 1];
    for (members, _) in &groups {
        members.iter().for_each(|&rank| starts[rank as usize + 1] += 1);
    }
    for rank in 0..corpus.count() {
        starts[rank + 1] += starts[rank];
    }
    let mut next = starts.clone();
    let mut of = vec![0u32; starts[corpus.count()]];
    let mut bucket = 0u32;
    for (members, ends) in groups {
        let mut first = 0usize;
        for end in ends {
            for &rank in &members[first..end as usize] {
                of[next[rank as usize]] = bucket;
                next[rank as usize] += 1;
            }
            first = end as usize;
            bucket += 1;
        }
    }
    Ok(Keys::new(starts, of, count))
}

/// Copies some bands of all documents into columns, one after another.
fn take_columns(corpus: &Corpus, first: usize, width: usize, columns: &mut Vec<u64>) {
    let count = corpus.count();
    columns.clear();
    columns.resize(count * width, 0);
    for rank in 0..count {
        for (band, &hash) in corpus.bands_of(rank)[first..first + width].iter().enumerate() {
            columns[band * count + rank] = hash;
        }
    }
}

/// Members of the buckets of a band that have two or more, bucket after bucket, and where each ends.
fn shared_buckets(column: &[u64], keyed: &mut Vec<(u64, u32)>) -> (Vec<u32>, Vec<u32>) {
    keyed.clear();
    // Most documents are alone in their bucket: two bits a hash, in a table that stays in the cache,
    // tell those that surely are, and only the rest is sorted.
    let mask = (column.len() * 8).next_power_of_two().max(64) - 1;
    let mut once = vec![0u64; mask / 64 + 1];
    let mut twice = vec![0u64; mask / 64 + 1];
    for &hash in column {
        let place = hash as usize & mask;
        let bit = 1u64 << (place % 64);
        twice[place / 64] |= once[place / 64] & bit;
        once[place / 64] |= bit;
    }
    for (rank, &hash) in column.iter().enumerate() {
        let place = hash as usize & mask;
        if twice[place / 64] >> (place % 64) & 1 == 1 {
            keyed.push((hash, rank as u32));
        }
    }
    keyed.sort_unstable();
    let (mut members, mut ends) = (Vec::new(), Vec::new());
    for group in keyed.chunk_by(|left, right| left.0 == right.0) {
        if group.len() > 1 {
            members.extend(group.iter().map(|&(_, rank)| rank));
            ends.push(members.len() as u32);
        }
    }
    (members, ends)
}
