//! Exact overlaps of full shingle sets, recomputed from the normal forms.

use std::sync::{Arc, Mutex, PoisonError};

use super::Corpus;
use crate::hash_set::Lookup;
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::threads::Cancel;

/// Sets of kept documents that are remembered, one in each place.
const PLACES: usize = 1 << 13;
/// Larger sets are computed again each time: with this the cache holds a gigabyte at the very most,
/// and some 40 MB with documents of 600 shingles.
const REMEMBERED: usize = 1 << 14;

/// A kept document and its set.
type Place = Mutex<Option<(u32, Arc<[u64]>)>>;

/// Computes how many shingles two documents share.
///
/// Kept documents are compared again and again, one after another that is like them, so their sets
/// are remembered. What is in the cache depends on the threads' timing; what is computed doesn't.
pub struct Verifier {
    cache: Vec<Place>,
}

/// A thread's buffers, and the set of the document that is being compared.
pub struct Scratch {
    shingles: Shingles,
    loaded: Lookup,
    copy: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch {
            shingles: Shingles::new(Level::detect()),
            loaded: Lookup::default(),
            copy: Vec::new(),
        }
    }
}

impl Verifier {
    pub fn new() -> Verifier {
        Verifier { cache: (0..PLACES).map(|_| Mutex::new(None)).collect() }
    }

    /// Makes this document the one that `shared` compares with.
    pub fn load(&self, corpus: &Corpus, rank: u32, scratch: &mut Scratch, cancel: &Cancel) {
        let form = corpus.texts.get(corpus.row(rank as usize), &mut scratch.copy);
        scratch.loaded.build(scratch.shingles.set(form, corpus.shingle, cancel));
    }

    /// How many shingles the loaded document and the kept one share.
    pub fn shared(
        &self,
        corpus: &Corpus,
        kept: u32,
        scratch: &mut Scratch,
        cancel: &Cancel,
    ) -> u32 {
        let place = &self.cache[kept as usize % PLACES];
        let remembered = match &*place.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((rank, set)) if *rank == kept => Some(set.clone()),
            _ => None,
        };
        if let Some(set) = remembered {
            return scratch.loaded.count(&set);
        }
        let form = corpus.texts.get(corpus.row(kept as usize), &mut scratch.copy);
        let set = scratch.shingles.set(form, corpus.shingle, cancel);
        // A set that was cut short by cancelling must not stay.
        if set.len() <= REMEMBERED && !cancel.is_set() {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some((kept, set.into()));
        }
        scratch.loaded.count(set)
    }
}
