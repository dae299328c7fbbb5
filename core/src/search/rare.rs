//! What few documents of a crowd hold, and the kept documents that hold it.
//!
//! A document looks for others that have at least so many of its rare shingles. Of n one that has l is
//! in one of any n − l + 1 of their lists, and in two of any n − l + 2: so the longest lists need not be
//! gone through, and the better the best match is, the fewer are left. The others are gone through in
//! keep order, and only as far as is asked for: the first that is found may be the best there can be.

use std::ops::Range;

use super::lists::{part, Keys, Listed, Lists};
use super::numbers::Numbers;
use super::overlap::shared_values;
use super::Cancelled;
use crate::simd::prefetch;
use crate::threads::Workers;

/// The rare shingles of each document that another holds too, and the kept documents of each.
#[derive(Default)]
pub struct Rare {
    /// Ascending; what fewer documents hold has a smaller number.
    keys: Keys,
    holders: Lists,
}

/// How far a document is with the lists of its rare shingles. Its buffer is used again and again.
#[derive(Default)]
pub struct RareWalk {
    rank: u32,
    /// How many rare shingles the document has.
    keys: usize,
    /// What is left of the lists of the rarest of them, that lead to others.
    lists: Vec<Range<usize>>,
    /// A document must have so many of all, and of those of the lists.
    least: usize,
    hits: usize,
    /// For each rank how often it was taken; zero but while they are taken. To sort all takes five times as long.
    times: Vec<u32>,
    taken: Vec<u32>,
    /// Those taken last that have enough, ascending, and how many rare shingles they share.
    found: Vec<(u32, u32)>,
}

impl Rare {
    /// From the hashes of each document.
    pub fn new(hashes: Vec<Vec<u64>>, workers: &Workers) -> Result<Rare, Cancelled> {
        let numbers = Numbers::of_shared(hashes.iter().flatten().copied().collect());
        let parts = workers.map(
            hashes,
            || (),
            |(), hashes| {
                let mut keys: Vec<u32> =
                    hashes.into_iter().filter_map(|hash| numbers.of(hash)).collect();
                keys.sort_unstable();
                Ok((vec![keys.len() as u32], keys))
            },
        )?;
        let keys = Keys::joined(parts, numbers.count());
        let holders = Lists::new(&keys, |_| true);
        Ok(Rare { keys, holders })
    }

    /// The numbers of a document's rare shingles.
    pub fn of(&self, rank: u32) -> &[u32] {
        self.keys.of(rank)
    }

    /// The document stays. Documents must come in keep order.
    pub fn keep(&self, rank: u32) {
        self.holders.keep(rank, self.keys.of(rank));
    }

    /// Begins to go through the kept documents among those ranks that have at least so many of the rare shingles
    /// of this one, and one in any case.
    pub fn start(&self, rank: u32, among: Range<u32>, least: usize, walk: &mut RareWalk) {
        let keys = self.of(rank);
        (walk.rank, walk.keys, walk.least) = (rank, keys.len(), least);
        let (sure, others) = keys.split_at(walk.sure());
        sure.iter().for_each(|&key| prefetch(self.holders.heads(), key as usize));
        for &key in sure {
            if let Some(last) = self.holders.span(key).last() {
                prefetch(self.holders.all(), last);
            }
        }
        walk.lists.extend(sure.iter().map(|&key| self.holding(key, &among)));
        walk.extend(others.iter().map(|&key| self.holding(key, &among)));
    }

    /// The kept documents of a key among those ranks.
    fn holding(&self, key: u32, among: &Range<u32>) -> Range<usize> {
        let span = self.holders.span(key);
        let part = part(&self.holders.all()[span.clone()], among);
        span.start + part.start..span.start + part.end
    }

    /// What is left of the lists.
    pub fn lists<'a>(&'a self, walk: &'a RareWalk) -> impl Iterator<Item = &'a [Listed]> {
        walk.lists
            .iter()
            .filter(|list| !list.is_empty())
            .map(|list| &self.holders.all()[list.clone()])
    }

    /// Takes the documents up to the rank `end`.
    pub fn take(&self, end: u32, walk: &mut RareWalk) {
        let RareWalk { lists, times, taken, found, .. } = walk;
        times.resize(self.keys.documents() as usize, 0);
        for left in lists {
            let list = &self.holders.all()[left.clone()];
            let count = part(list, &(0..end.saturating_add(1))).end;
            for rank in list[..count].iter().map(Listed::rank) {
                let times = &mut times[rank as usize];
                if *times == 0 {
                    taken.push(rank);
                }
                *times += 1;
            }
            left.start += count;
        }
        found.clear();
        for rank in taken.drain(..) {
            let times = std::mem::take(&mut times[rank as usize]);
            if times as usize >= walk.hits {
                found.push((rank, times));
            }
        }
        found.sort_unstable();
        if walk.lists.len() < walk.keys {
            for (rank, shared) in found {
                *shared = shared_values(self.of(walk.rank), self.of(*rank)) as u32;
            }
        }
    }
}

impl RareWalk {
    /// Nothing is left.
    pub fn clear(&mut self) {
        (self.keys, self.least) = (0, 0);
        self.lists.clear();
    }

    /// Those taken last that have enough of what is rare, ascending, and how much they share.
    pub fn found(&self) -> &[(u32, u32)] {
        &self.found
    }

    /// Whether nobody is left.
    pub fn is_over(&self) -> bool {
        self.lists.iter().all(Range::is_empty)
    }

    /// Of those to come only such are of interest as have at least so many rare shingles in common with the document.
    pub fn narrow(&mut self, least: usize) {
        if least > self.least {
            self.least = least;
            let others = self.lists.split_off(self.sure());
            self.extend(others.into_iter());
        }
    }

    /// The number of lists in one of which a document of interest is for sure.
    fn sure(&self) -> usize {
        (self.keys + 1).saturating_sub(self.least.max(1))
    }

    /// Adds to those lists others: for each one hit more is needed. That spares looking closer at many who have one
    /// thing in common, and doesn't pay if the list is long.
    fn extend(&mut self, others: impl Iterator<Item = Range<usize>>) {
        let mut all: usize = self.lists.iter().map(Range::len).sum();
        self.hits = 1;
        for list in others {
            if self.hits >= self.least || list.len() > all {
                break;
            }
            all += list.len();
            self.hits += 1;
            self.lists.push(list);
        }
    }
}
