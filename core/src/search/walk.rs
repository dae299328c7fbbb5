//! Going through the kept documents that have something in common with one document, in keep order
//! and only as far as is asked for.
//!
//! In a crowd a document has hundreds of thousands of neighbours, and the first few of them decide.

use std::ops::Range;

use super::crowds::Crowds;
use super::lists::{part, Kept, Keys, Listed};
use super::postings::Postings;
use super::rare::RareWalk;
use crate::simd::prefetch;
use crate::threads::Workers;

/// Neighbours that are taken at once.
const AT_ONCE: usize = if cfg!(test) { 6 } else { 256 };
/// Where there are more: how many of each list, at first and at most.
const STEPS: (usize, usize) = if cfg!(test) { (1, 4) } else { (8, 1 << 10) };

/// All that documents may have in common.
pub struct Neighbours {
    buckets: Keys,
    in_bucket: Kept,
    postings: Option<Postings>,
    holding: Kept,
}

/// A kept document that has something in common with the one that walks.
#[derive(Clone, Copy)]
pub struct Neighbour {
    pub rank: u32,
    /// Whether a bucket led to it.
    pub beside: bool,
    /// Rare shingles that both hold, if both are in a crowd.
    pub rare: u32,
}

/// From which rank on kept documents are of interest, those in crowds and the others; before which rank all must be;
/// and how many rare shingles one must share, if it is in a crowd and comes before those of interest.
#[derive(Clone, Copy)]
pub struct Since {
    pub apart: u32,
    pub crowded: u32,
    pub before: u32,
    pub rare: usize,
}

impl Since {
    fn among(self, crowded: bool) -> Range<u32> {
        if crowded {
            self.crowded..self.before
        } else {
            self.apart..self.before
        }
    }
}

/// A list that is gone through: a part of `Kept::all`.
#[derive(Clone, Copy)]
struct Span {
    /// Of a posted hash, not of a bucket.
    posted: bool,
    crowded: bool,
    first: usize,
    last: usize,
}

/// What leads to a neighbour.
const BUCKET: u64 = 0;
const POSTED: u64 = 1;
const RARE: u64 = 2;

/// How far the walk is. Its buffers are used again and again.
#[derive(Default)]
pub struct Walk {
    spans: Vec<Span>,
    step: usize,
    /// Those that something rare leads to.
    rare: RareWalk,
    /// Rank times four, plus what leads to it.
    met: Vec<u64>,
    /// Posted hashes that a kept document must hold, if no bucket leads to it.
    needed: usize,
}

impl Walk {
    /// Whether nobody is left.
    pub fn is_over(&self) -> bool {
        self.spans.is_empty() && self.rare.is_over()
    }
}

impl Neighbours {
    pub fn new(
        buckets: Keys,
        postings: Option<Postings>,
        crowds: &Crowds,
        workers: &Workers,
    ) -> Neighbours {
        let (in_bucket, holding) = workers.both(
            || Kept::new(&buckets, crowds),
            || postings.as_ref().map(|all| Kept::new(all.held(), crowds)).unwrap_or_default(),
        );
        Neighbours { in_bucket, holding, buckets, postings }
    }

    /// The document stays. Documents must come in keep order.
    pub fn keep(&self, rank: u32, crowds: &Crowds) {
        self.in_bucket.keep(rank, self.buckets.of(rank), crowds);
        if let Some(postings) = &self.postings {
            self.holding.keep(rank, postings.held().of(rank), crowds);
        }
    }

    /// Some of the kept documents in its buckets, with which it is likely to be compared.
    pub fn likely(&self, rank: u32, found: &mut Vec<u32>) {
        found.clear();
        for &bucket in self.buckets.of(rank).iter().take(4) {
            for crowded in [false, true] {
                let span = self.in_bucket.span(bucket, crowded);
                found.extend(self.in_bucket.all(crowded)[span].iter().take(2).map(Listed::rank));
            }
        }
        found.sort_unstable();
        found.dedup();
    }

    /// Begins to go through the neighbours of a document, from rank `first` on.
    pub fn start(&self, rank: u32, first: u32, since: Since, crowds: &Crowds, walk: &mut Walk) {
        walk.spans.clear();
        crowds.start(rank, first..since.before, since.rare, &mut walk.rare);
        walk.step = STEPS.0;
        walk.needed = 0;
        self.add_spans(walk, self.buckets.of(rank), false, since);
        if let Some(postings) = &self.postings {
            walk.needed = postings.needed(rank);
            self.add_spans(walk, postings.posted().of(rank), true, since);
        }
    }

    /// Keys and lists are far apart, and what is done with one can't be guessed before it is there: so
    /// all of them are asked for at first.
    fn add_spans(&self, walk: &mut Walk, keys: &[u32], posted: bool, since: Since) {
        let kept = if posted { &self.holding } else { &self.in_bucket };
        keys.iter().for_each(|&key| kept.ask_for(key));
        let before = walk.spans.len();
        for &key in keys {
            for crowded in [false, true] {
                let Range { start, end } = kept.span(key, crowded);
                if start < end {
                    prefetch(kept.all(crowded), start);
                    prefetch(kept.all(crowded), end - 1);
                    walk.spans.push(Span { posted, crowded, first: start, last: end });
                }
            }
        }
        let mut left = before;
        for at in before..walk.spans.len() {
            if let Some(span) = self.cut(walk.spans[at], since) {
                walk.spans[left] = span;
                left += 1;
            }
        }
        walk.spans.truncate(left);
    }

    /// What of it is of interest.
    fn cut(&self, mut span: Span, since: Since) -> Option<Span> {
        let part = part(self.list(&span), &since.among(span.crowded));
        (span.first, span.last) = (span.first + part.start, span.first + part.end);
        (!part.is_empty()).then_some(span)
    }

    fn list(&self, span: &Span) -> &[Listed] {
        let kept = if span.posted { &self.holding } else { &self.in_bucket };
        &kept.all(span.crowded)[span.first..span.last]
    }

    /// Leaves out those before.
    pub fn skip(&self, since: Since, walk: &mut Walk) {
        let spans = std::mem::take(&mut walk.spans);
        walk.spans.extend(spans.into_iter().filter_map(|span| self.cut(span, since)));
        walk.rare.narrow(since.rare);
    }

    /// The next ones, ascending; false if there are none left.
    pub fn next(&self, crowds: &Crowds, walk: &mut Walk, found: &mut Vec<Neighbour>) -> bool {
        found.clear();
        if walk.is_over() {
            return false;
        }
        let end = self.end(crowds, walk);
        walk.met.clear();
        for span in &mut walk.spans {
            let list = self.list(span);
            let taken = part(list, &(0..end.saturating_add(1))).end;
            let kind = if span.posted { POSTED } else { BUCKET };
            walk.met.extend(list[..taken].iter().map(|kept| u64::from(kept.rank()) << 2 | kind));
            span.first += taken;
        }
        walk.spans.retain(|span| span.first < span.last);
        walk.step = STEPS.1.min(2 * walk.step);
        crowds.rare().take(end, &mut walk.rare);
        let mut rare_ones = walk.rare.found().iter();
        walk.met.extend(rare_ones.clone().map(|&(rank, _)| u64::from(rank) << 2 | RARE));
        walk.met.sort_unstable();
        for met in walk.met.chunk_by(|left, right| left >> 2 == right >> 2) {
            let (rank, beside, mut rare) = ((met[0] >> 2) as u32, met[0] & 3 == BUCKET, 0);
            if met[met.len() - 1] & 3 == RARE {
                rare = rare_ones.next().map_or(0, |&(_, shared)| shared);
            }
            if beside || rare > 0 || met.len() >= walk.needed {
                found.push(Neighbour { rank, beside, rare });
            }
        }
        true
    }

    /// The rank up to which neighbours are taken next.
    fn end(&self, crowds: &Crowds, walk: &Walk) -> u32 {
        let lists = || {
            let spans = walk.spans.iter().map(|span| self.list(span));
            spans.chain(crowds.rare().lists(&walk.rare))
        };
        if lists().map(<[Listed]>::len).sum::<usize>() <= AT_ONCE {
            return u32::MAX;
        }
        let ends = lists().filter_map(|list| list.get(walk.step - 1));
        ends.map(Listed::rank).min().unwrap_or(u32::MAX)
    }
}
