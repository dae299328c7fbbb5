//! Crowds: documents that share a bucket with very many others.
//!
//! Thousands of pages with one long header and bodies of their own share bands with each other and
//! match nobody, and comparing each with all others would never end. But what a document shares with
//! another of the crowd is common there, or both are among the few that hold it. Counting the full
//! sets once says how much of a document is common, and an index says with whom it shares what is
//! rare. So the most that a pair can share is known, and where even that would make no match, or none
//! better than one already found, the pair need not be compared. That changes no match. The counts
//! are part of the definition: `dedup.crowds` has the same.

use std::ops::Range;

use super::counts::Counts;
use super::lists::Keys;
use super::popular::Popular;
use super::rare::{Rare, RareWalk};
use super::{Cancelled, Corpus, Rules, NOBODY};
use crate::forms::Spare;
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::threads::{pieces, Cancel, Workers};

/// Documents handed to a thread at a time.
const PIECE: usize = 64;
/// A hash is common if more than a share of the documents in crowds hold it, at least and at most so many: of each
/// `crowd` so many.
const SHARE: usize = 4;
const RARE: (usize, usize) = if cfg!(test) { (3, 20) } else { (8, 4096) };

/// What each document has in common with others in a crowd. Empty if there is no crowd.
#[derive(Default)]
pub struct Crowds {
    /// Common shingles of each document; `APART` if it is in no crowd.
    common: Vec<u32>,
    /// Their rare shingles that another holds too, and who holds them.
    rare: Rare,
}

const APART: u32 = u32::MAX;

impl Crowds {
    /// A bucket of more than `crowd` documents is crowded; its documents are in a crowd, and so are those that hold
    /// much of what is popular there.
    pub fn new(
        corpus: &Corpus,
        rules: &Rules,
        buckets: &Keys,
        crowd: usize,
        workers: &Workers,
        cancel: &Cancel,
    ) -> Result<Crowds, Cancelled> {
        let sizes = buckets.sizes();
        let crowded = |bucket: &u32| sizes[*bucket as usize] as usize > crowd;
        if !(0..sizes.len() as u32).any(|bucket| crowded(&bucket)) {
            return Ok(Crowds::default());
        }
        let popular = Popular::new(corpus, buckets, &sizes, crowd);
        let holds = popular.held(corpus, rules, crowd, workers, cancel)?;
        let in_crowd = |rank: u32| holds[rank as usize] || buckets.of(rank).iter().any(crowded);
        // In the order in which texts stand in memory, or in their file.
        let ranks = corpus.ranks.iter().copied();
        let members: Vec<u32> = ranks.filter(|&rank| rank != NOBODY && in_crowd(rank)).collect();
        drop((sizes, holds));
        let shingles: u64 = members.iter().map(|&rank| u64::from(corpus.size(rank as usize))).sum();
        let few = rare(members.len(), crowd);
        let counts = Counts::new(shingles);
        each(corpus, &members, workers, cancel, |set| {
            counts.add(set);
        })?;
        let found = each(corpus, &members, workers, cancel, |set| {
            let mut common = 0;
            let mut rare = Vec::new();
            counts.of(set, |hash, count| {
                common += u32::from(count > few);
                if (2..=few).contains(&count) {
                    rare.push(hash);
                }
            });
            (common, rare)
        })?;
        drop(counts);
        let mut common = vec![APART; corpus.count()];
        let mut rare = vec![Vec::new(); corpus.count()];
        for (&rank, (count, hashes)) in members.iter().zip(found) {
            common[rank as usize] = count;
            rare[rank as usize] = hashes;
        }
        Ok(Crowds { common, rare: Rare::new(rare, workers)? })
    }

    /// Whether there is a crowd.
    pub fn any(&self) -> bool {
        !self.common.is_empty()
    }

    /// Whether the document is in a crowd.
    #[inline]
    pub fn has(&self, rank: u32) -> bool {
        self.common.get(rank as usize).is_some_and(|&common| common != APART)
    }

    /// How many of its `size` shingles a document shares with a larger one at the very most, by whether
    /// that one is in a crowd, if they have nothing rare in common.
    #[inline]
    pub fn most_shared(&self, rank: u32, size: u32, crowded: bool) -> u32 {
        match self.common.get(rank as usize) {
            Some(&common) if crowded => common.min(size),
            _ => size,
        }
    }

    /// The document stays. Documents must come in keep order.
    pub fn keep(&self, rank: u32) {
        if self.has(rank) {
            self.rare.keep(rank);
        }
    }

    /// How many rare shingles a document has that another holds too.
    pub fn rare_ones(&self, rank: u32) -> usize {
        if self.has(rank) {
            self.rare.of(rank).len()
        } else {
            0
        }
    }

    /// Begins to go through the kept documents from rank `first` on that have at least so many rare shingles in common
    /// with this one, and one in any case.
    pub fn start(&self, rank: u32, among: Range<u32>, least: usize, walk: &mut RareWalk) {
        walk.clear();
        if self.has(rank) {
            self.rare.start(rank, among, least, walk);
        }
    }

    /// What is rare, and who holds it.
    pub fn rare(&self) -> &Rare {
        &self.rare
    }
}

/// How many documents hold a hash that is rare, at most.
fn rare(members: usize, crowd: usize) -> u32 {
    (SHARE * members / crowd).clamp(RARE.0, RARE.1) as u32
}

/// What `work` gives for the shingle set of each member.
fn each<R: Send>(
    corpus: &Corpus,
    members: &[u32],
    workers: &Workers,
    cancel: &Cancel,
    work: impl Fn(&[u64]) -> R + Sync,
) -> Result<Vec<R>, Cancelled> {
    let state = || (Shingles::new(Level::detect()), Spare::default());
    let found = workers.map(pieces(members.len(), PIECE, |_| 1), state, |scratch, piece| {
        let (shingles, spare) = scratch;
        let mut found = Vec::with_capacity(piece.len());
        for &rank in &members[piece] {
            let form = corpus.forms.get(corpus.row(rank as usize), spare, cancel);
            found.push(work(shingles.set(form, corpus.shingle, cancel)));
            if cancel.is_set() {
                return Err(Cancelled);
            }
        }
        Ok(found)
    })?;
    Ok(found.into_iter().flatten().collect())
}
