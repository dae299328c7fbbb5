//! Exact overlaps of full shingle sets, recomputed from the normal forms.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Corpus;
use crate::forms::Spare;
use crate::lookup::{Lookup, Shared};
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::threads::Cancel;

/// Sets of kept documents that are remembered, one in each place.
const PLACES: usize = if cfg!(test) { 7 } else { 1 << 13 };
/// Larger sets have a cache of their own: so this one holds a gigabyte at the very most, and some
/// 40 MB with documents of 600 shingles.
const REMEMBERED: usize = if cfg!(test) { 40 } else { 1 << 14 };
/// Values that the cache of large sets holds at most, but that the one used last stays, however large.
/// One archive and its thousand parts are compared a thousand times, and its set must not be computed
/// as often: fifty excerpts of a document of 550 MB took three minutes. A set beyond this isn't sorted,
/// which would take seconds that Ctrl-C has to wait for.
const LARGE: usize = if cfg!(test) { 300 } else { 1 << 25 };

/// A kept document and its set.
type Remembered = (u32, Arc<[u64]>);

/// Computes how many shingles two documents share.
///
/// Kept documents are compared again and again, one after another that is like them, so their sets
/// are remembered. What is in the cache depends on the threads' timing; what is computed doesn't.
pub struct Verifier {
    cache: Vec<Mutex<Option<Remembered>>>,
    /// Large sets, each ascending if it isn't beyond `LARGE`; the one used last is at the end.
    large: Mutex<Vec<Remembered>>,
}

/// A thread's buffers, and the set of the document that is being compared.
pub struct Scratch {
    shingles: Shingles,
    loaded: Lookup,
    spare: Spare,
    /// Whether a large set was made here, and so these buffers are large.
    large: bool,
}

impl Default for Scratch {
    fn default() -> Scratch {
        let level = Level::detect();
        Scratch {
            shingles: Shingles::new(level),
            loaded: Lookup::new(level),
            spare: Spare::default(),
            large: false,
        }
    }
}

impl Scratch {
    /// Gives memory back that few documents need.
    pub fn give_back(&mut self) {
        if self.large {
            *self = Scratch::default();
        }
    }
}

impl Verifier {
    pub fn new() -> Verifier {
        Verifier {
            cache: (0..PLACES).map(|_| Mutex::new(None)).collect(),
            large: Mutex::new(Vec::new()),
        }
    }

    /// Makes this document the one that `shared` compares with.
    pub fn load(&self, corpus: &Corpus, rank: u32, scratch: &mut Scratch, cancel: &Cancel) {
        if let Some(set) = self.recall(rank) {
            return scratch.loaded.build(&set);
        }
        scratch.large |= is_large(corpus, rank);
        let form = corpus.forms.get(corpus.row(rank as usize), &mut scratch.spare, cancel);
        scratch.loaded.build(scratch.shingles.set(form, corpus.shingle, cancel));
    }

    /// Remembers the set of a document, which isn't large.
    pub fn prepare(&self, corpus: &Corpus, rank: u32, scratch: &mut Scratch, cancel: &Cancel) {
        if self.recall(rank).is_some() {
            return;
        }
        let form = corpus.forms.get(corpus.row(rank as usize), &mut scratch.spare, cancel);
        let set = scratch.shingles.set(form, corpus.shingle, cancel);
        if !cancel.is_set() {
            self.remember(rank, set);
        }
    }

    /// How many shingles the loaded document and the kept one share, and sampled ones.
    pub fn shared(
        &self,
        corpus: &Corpus,
        kept: u32,
        scratch: &mut Scratch,
        cancel: &Cancel,
    ) -> Shared {
        let largest = corpus.largest_sampled;
        let large = is_large(corpus, kept);
        if let Some(set) = if large { self.recall_large(kept) } else { self.recall(kept) } {
            return if large && set.len() <= LARGE {
                scratch.loaded.count_ascending(&set, largest)
            } else {
                scratch.loaded.count(&set, largest)
            };
        }
        scratch.large |= large;
        let form = corpus.forms.get(corpus.row(kept as usize), &mut scratch.spare, cancel);
        let set = scratch.shingles.set(form, corpus.shingle, cancel);
        // A set that was cut short by cancelling must not stay.
        if cancel.is_set() {
            return Shared::default();
        }
        if large {
            self.remember_large(kept, set);
        } else {
            self.remember(kept, set);
        }
        scratch.loaded.count(set, largest)
    }

    fn recall(&self, kept: u32) -> Option<Arc<[u64]>> {
        let place = guarded(&self.cache[kept as usize % PLACES]);
        place.as_ref().filter(|(rank, _)| *rank == kept).map(|(_, set)| set.clone())
    }

    fn remember(&self, kept: u32, set: &[u64]) {
        *guarded(&self.cache[kept as usize % PLACES]) = Some((kept, set.into()));
    }

    fn recall_large(&self, kept: u32) -> Option<Arc<[u64]>> {
        let mut large = guarded(&self.large);
        let at = large.iter().position(|(rank, _)| *rank == kept)?;
        large[at..].rotate_left(1);
        large.last().map(|(_, set)| set.clone())
    }

    fn remember_large(&self, kept: u32, set: &[u64]) {
        let mut set: Arc<[u64]> = set.into();
        if set.len() <= LARGE {
            Arc::get_mut(&mut set).expect("nobody else has it yet").sort_unstable();
        }
        let mut large = guarded(&self.large);
        large.retain(|(rank, _)| *rank != kept); // another thread may have been quicker
        large.push((kept, set));
        while large.len() > 1 && large.iter().map(|(_, set)| set.len()).sum::<usize>() > LARGE {
            large.remove(0);
        }
    }
}

/// Whether the set of this document belongs into the cache of large ones.
pub fn is_large(corpus: &Corpus, rank: u32) -> bool {
    corpus.size(rank as usize) as usize > REMEMBERED
}

/// What a lock guards. A thread that panicked while it held the lock left a whole value or none.
fn guarded<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
