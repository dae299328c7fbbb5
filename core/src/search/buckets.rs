//! Buckets: documents that are equal in a band.

use super::lists::Keys;
use super::{Cancelled, Corpus, NOBODY};
use crate::large_pages::{soon, HereAndThere};
use crate::threads::{Cancel, Workers};

/// For each document the buckets that it shares with another, band by band. A document alone in its
/// bucket is not in it, and of buckets with the same documents there is one: near copies share most bands.
pub fn buckets(corpus: &Corpus, workers: &Workers, cancel: &Cancel) -> Result<Keys, Cancelled> {
    let mut different = Different::default();
    let _told = HereAndThere::new(corpus.bands.hashes); // what is read of a batch is a small part of it
    let look = |keyed: &mut _, band, _| match cancel.is_set() {
        true => Err(Cancelled),
        false => Ok(shared_buckets(corpus, band, keyed)),
    };
    let settle = |_: &mut _, _, (members, ends): (Vec<u32>, Vec<u32>)| {
        let mut first = 0usize;
        for end in ends {
            different.add(&members[first..end as usize]);
            first = end as usize;
        }
        Ok(())
    };
    workers.in_turn(corpus.bands.count, workers.count(), Vec::new, look, settle)?;
    let Different { members, ends, .. } = different;
    let mut starts = vec![0usize; corpus.count() + 1];
    members.iter().for_each(|&rank| starts[rank as usize + 1] += 1);
    for rank in 0..corpus.count() {
        starts[rank + 1] += starts[rank];
    }
    let mut of = vec![0u32; members.len()];
    // The last bucket first, so that what is left of `starts` is where each document's buckets begin.
    let mut next: Vec<usize> = starts[1..].to_vec();
    let mut last = members.len();
    for bucket in (0..ends.len()).rev() {
        let first = if bucket == 0 { 0 } else { ends[bucket - 1] };
        for &rank in &members[first..last] {
            next[rank as usize] -= 1;
            of[next[rank as usize]] = bucket as u32;
        }
        last = first;
    }
    Ok(Keys::new(starts, of, ends.len()))
}

/// Members of the buckets of a band that have two or more, bucket after bucket, and where each ends.
fn shared_buckets(
    corpus: &Corpus,
    band: usize,
    keyed: &mut Vec<(u64, u32)>,
) -> (Vec<u32>, Vec<u32>) {
    keyed.clear();
    corpus.bands.column(band).for_each(soon);
    let documents = || {
        let hashes = corpus.bands.column(band).flatten().copied();
        hashes.zip(corpus.bands.ranks.iter().copied()).filter(|&(_, rank)| rank != NOBODY)
    };
    // Most documents are alone in their bucket: two bits a hash, in a table that stays in the cache,
    // tell those that surely are, and only the rest is sorted.
    let mask = (corpus.count() * 8).next_power_of_two().max(64) - 1;
    let mut once = vec![0u64; mask / 64 + 1];
    let mut twice = vec![0u64; mask / 64 + 1];
    for (hash, _) in documents() {
        let place = hash as usize & mask;
        let bit = 1u64 << (place % 64);
        twice[place / 64] |= once[place / 64] & bit;
        once[place / 64] |= bit;
    }
    keyed.extend(documents().filter(|&(hash, _)| {
        let place = hash as usize & mask;
        twice[place / 64] >> (place % 64) & 1 == 1
    }));
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

/// Lists of documents, each of which is there once.
#[derive(Default)]
struct Different {
    members: Vec<u32>,
    /// Where each list ends.
    ends: Vec<usize>,
    /// Upper half of a list's hash, and the list's number from 1; 0 is a free place. At most half full.
    table: Vec<(u32, u32)>,
}

impl Different {
    /// Adds a list, unless it is there.
    fn add(&mut self, list: &[u32]) {
        if self.table.len() <= 2 * self.ends.len() {
            self.grow();
        }
        let hash = hash_of(list);
        let at = self.place(hash, list);
        if self.table[at].1 == 0 {
            self.members.extend(list);
            self.ends.push(self.members.len());
            let number =
                u32::try_from(self.ends.len()).expect("fewer buckets than 32 bits can count");
            self.table[at] = ((hash >> 32) as u32, number);
        }
    }

    /// The place of a list, or the free one where it belongs.
    fn place(&self, hash: u64, list: &[u32]) -> usize {
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (tag, number) = self.table[at];
            if number == 0 || (tag == (hash >> 32) as u32 && self.list(number as usize - 1) == list)
            {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    fn list(&self, index: usize) -> &[u32] {
        let first = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.members[first..self.ends[index]]
    }

    fn grow(&mut self) {
        self.table = vec![(0, 0); (4 * self.ends.len()).next_power_of_two().max(1 << 10)];
        let mask = self.table.len() - 1;
        for index in 0..self.ends.len() {
            let hash = hash_of(self.list(index));
            let mut at = hash as usize & mask;
            while self.table[at].1 != 0 {
                at = (at + 1) & mask;
            }
            self.table[at] = ((hash >> 32) as u32, index as u32 + 1);
        }
    }
}

fn hash_of(list: &[u32]) -> u64 {
    list.iter().fold(list.len() as u64, |hash, &rank| {
        let mixed = (hash ^ u64::from(rank)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    })
}
