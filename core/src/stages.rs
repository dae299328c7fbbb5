//! The stages over many texts: pieces of about 256 kB, each with its thread's own buffers.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::digest;
use crate::hash_set::Sorter;
use crate::lookup::Lookup;
use crate::minhash::{self, Permutations};
use crate::normalize::Normalizer;
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::spare::Spare;
use crate::texts::{Error, Texts};
use crate::threads::{pieces, Cancel, Workers};

/// Bytes of text in a piece: some hundred microseconds of work, and more than enough to outweigh
/// what it costs to hand out a piece.
const PIECE: usize = 1 << 18;

/// Values that are copied between two looks at the cancel flag.
const STRETCH: usize = 1 << 20;

/// Lists of numbers or bytes, one a text, end to end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lists<T> {
    /// The values of all lists.
    pub values: Vec<T>,
    /// The length of each list.
    pub sizes: Vec<usize>,
}

impl<T: Copy> Lists<T> {
    fn with_capacity(values: usize, lists: usize) -> Self {
        Lists { values: Vec::with_capacity(values), sizes: Vec::with_capacity(lists) }
    }

    /// Adds a list; a part of it if cancelled.
    pub(crate) fn push(&mut self, values: &[T], cancel: &Cancel) {
        // Memory that is new costs more than the copy: a long list must be divided.
        for part in values.chunks(1 << 20).take_while(|_| !cancel.is_set()) {
            self.values.extend_from_slice(part);
        }
        self.sizes.push(values.len());
    }
}

/// Pieces of the texts, each with its rows of the output columns. One for one thread, so that nothing
/// must be joined.
pub(crate) fn text_pieces(texts: &Texts, workers: &Workers) -> Vec<Range<usize>> {
    let size = if workers.count() > 1 { PIECE } else { usize::MAX };
    // Even an empty text costs something.
    pieces(texts.count(), size, |text| texts.size(text) + 64)
}

/// The parts end to end in `to`, which has room for exactly them.
pub fn join<T: Copy + Send + Sync>(
    parts: &[&[T]],
    mut to: &mut [MaybeUninit<T>],
    workers: &Workers,
    cancel: &Cancel,
) -> Result<(), Error> {
    let mut items = Vec::with_capacity(parts.len());
    for from in parts {
        let (part, rest) = to.split_at_mut(from.len());
        // In stretches, between which the cancel flag is looked at.
        items.extend(part.chunks_mut(STRETCH).zip(from.chunks(STRETCH)));
        to = rest;
    }
    let copy = |_: &mut (), (to, from): (&mut [MaybeUninit<T>], &[T])| {
        // SAFETY: what is initialised may be seen as what may not be.
        to.copy_from_slice(unsafe { &*(from as *const [T] as *const [MaybeUninit<T>]) });
        if cancel.is_set() {
            return Err(Error::Cancelled);
        }
        Ok(())
    };
    workers.map(items, || (), copy).map(drop)
}

/// The lists of all pieces as one: the only one, or in memory that was used before.
pub fn joined<T: Copy + Send + Sync>(
    mut pieces: Vec<Lists<T>>,
    spare: &Spare<T>,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Lists<T>, Error> {
    if pieces.len() == 1 {
        return Ok(pieces.swap_remove(0));
    }
    let count = pieces.iter().map(|piece| piece.values.len()).sum();
    let mut values = spare.take(count);
    let parts: Vec<_> = pieces.iter().map(|piece| &piece.values[..]).collect();
    join(&parts, &mut values.spare_capacity_mut()[..count], workers, cancel)?;
    // SAFETY: `join` has written all of them.
    unsafe { values.set_len(count) };
    let sizes = pieces.iter().flat_map(|piece| piece.sizes.iter().copied()).collect();
    pieces.into_iter().for_each(|piece| spare.give_back(piece.values));
    Ok(Lists { values, sizes })
}

/// The rows of a column that belong to each piece, `width` values a row.
pub(crate) fn rows<'a, T>(
    mut column: &'a mut [T],
    pieces: &[Range<usize>],
    width: usize,
) -> Vec<&'a mut [T]> {
    let mut parts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let (part, rest) = column.split_at_mut(piece.len() * width);
        parts.push(part);
        column = rest;
    }
    parts
}

fn as_u32(count: usize, text: usize) -> Result<u32, Error> {
    u32::try_from(count).map_err(|_| Error::TooLarge { text })
}

/// Tokens of a normal form: no token holds a space.
pub(crate) fn tokens_of(form: &[u8]) -> usize {
    // Few enough at a time for a byte to count them, of which many are added at once.
    let spaces = |part: &[u8]| part.iter().map(|&byte| u8::from(byte == b' ')).sum::<u8>();
    let parts = form.chunks(usize::from(u8::MAX));
    parts.map(|part| usize::from(spaces(part))).sum::<usize>() + usize::from(!form.is_empty())
}

/// Normal forms of all texts, and the number of tokens of each in `tokens`.
pub fn normal_forms(
    texts: &Texts,
    tokens: &mut [u32],
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Vec<Lists<u8>>, Error> {
    let pieces = text_pieces(texts, workers);
    let tokens = rows(tokens, &pieces, 1);
    let state = || (Normalizer::new(Level::detect()), Vec::new());
    let items = pieces.into_iter().zip(tokens).collect();
    workers.map(items, state, |(normalizer, spare), (piece, tokens)| {
        let bytes = piece.clone().map(|text| texts.size(text)).sum();
        let mut forms = Lists::with_capacity(bytes, piece.len());
        for (text, tokens) in piece.zip(tokens) {
            let raw = texts.get(text, spare);
            let form =
                normalizer.normal_form(raw, cancel).map_err(|fault| Error::of(text, fault))?;
            *tokens = as_u32(tokens_of(form), text)?;
            forms.push(form, cancel);
        }
        Ok(forms)
    })
}

/// The set of shingle hashes of each normal form, ascending.
pub fn shingle_sets(
    normal: &Texts,
    shingle: usize,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Vec<Lists<u64>>, Error> {
    let state = || (Shingles::new(Level::detect()), Sorter::default(), Vec::new(), Vec::new());
    workers.map(text_pieces(normal, workers), state, |(shingles, sorter, sorted, spare), piece| {
        let mut sets = Lists::default();
        for text in piece {
            let form = normal.checked(text, spare)?;
            sorted.clear();
            sorted.extend_from_slice(shingles.set(form, shingle, cancel));
            sorter.sort(sorted, cancel);
            if cancel.is_set() {
                return Err(Error::Cancelled);
            }
            sets.push(sorted, cancel);
        }
        Ok(sets)
    })
}

/// XXH3-128 of each text, high half first, in `digests`.
pub fn exact_digests(
    texts: &Texts,
    digests: &mut [u64],
    workers: &Workers,
    cancel: &Cancel,
) -> Result<(), Error> {
    let pieces = text_pieces(texts, workers);
    let digests = rows(digests, &pieces, 2);
    let items = pieces.into_iter().zip(digests).collect();
    workers.map(items, Vec::new, |spare, (piece, digests)| {
        for (text, digest) in piece.zip(digests.chunks_mut(2)) {
            if cancel.is_set() {
                return Err(Error::Cancelled);
            }
            digest.copy_from_slice(&digest::halves(texts.get(text, spare), cancel));
        }
        Ok(())
    })?;
    Ok(())
}

/// The sketch of each set: set i is `hashes[offsets[i]..offsets[i + 1]]`.
pub fn minhash(
    hashes: &[u64],
    offsets: &[usize],
    by: Permutations,
    sketches: &mut [u32],
    workers: &Workers,
    cancel: &Cancel,
) -> Result<(), Error> {
    let level = Level::detect();
    let pieces = pieces(offsets.len() - 1, 1 << 15, |i| offsets[i + 1] - offsets[i] + 8);
    let sketches = rows(sketches, &pieces, by.count());
    let items = pieces.into_iter().zip(sketches).collect();
    workers.map(items, Vec::new, |mixed, (piece, sketches)| {
        for (i, sketch) in piece.zip(sketches.chunks_mut(by.count().max(1))) {
            if cancel.is_set() {
                return Err(Error::Cancelled);
            }
            let set = &hashes[offsets[i]..offsets[i + 1]];
            minhash::sketch(level, set, by, mixed, sketch, cancel);
        }
        Ok(())
    })?;
    Ok(())
}

/// The band hashes of each sketch of `width` values, `bands` of them a row of `out`.
pub fn band_hashes(
    sketches: &[u32],
    (width, bands, rows_of_band): (usize, usize, usize),
    out: &mut [u64],
    workers: &Workers,
    cancel: &Cancel,
) -> Result<(), Error> {
    let count = sketches.len().checked_div(width).unwrap_or(0);
    let pieces = pieces(count, 1 << 17, |_| width);
    let outs = rows(out, &pieces, bands);
    let items = pieces.into_iter().zip(outs).collect();
    workers.map(items, Vec::new, |bytes, (piece, out)| {
        for (i, out) in piece.zip(out.chunks_mut(bands)) {
            if cancel.is_set() {
                return Err(Error::Cancelled);
            }
            let sketch = &sketches[i * width..(i + 1) * width];
            minhash::band_hashes(sketch, rows_of_band, bytes, out.iter_mut());
        }
        Ok(())
    })?;
    Ok(())
}

/// How many distinct shingle hashes the texts of each pair share, in `shared`, and how many of those are up to
/// `largest`, in `sampled`.
pub fn overlaps(
    normal: &Texts,
    shingle: usize,
    pairs: &[(usize, usize)],
    largest: u64,
    (shared, sampled): (&mut [u32], &mut [u32]),
    workers: &Workers,
    cancel: &Cancel,
) -> Result<(), Error> {
    let pieces = pieces(pairs.len(), PIECE, |i| {
        // The text of a run is read once, so what counts is about one text a pair.
        normal.size(pairs[i].0).min(normal.size(pairs[i].1)) + 64
    });
    let outs = rows(shared, &pieces, 1).into_iter().zip(rows(sampled, &pieces, 1));
    let level = Level::detect();
    let state = || (Shingles::new(level), Lookup::new(level), Vec::new());
    let items = pieces.into_iter().zip(outs).collect();
    workers.map(items, state, |(shingles, lookup, spare), (piece, (shared, sampled))| {
        let mut out = shared.iter_mut().zip(sampled);
        let mut pairs = &pairs[piece];
        while let Some(&(left, right)) = pairs.first() {
            let lefts = pairs.iter().take_while(|pair| pair.0 == left).count();
            let rights = pairs.iter().take_while(|pair| pair.1 == right).count();
            let (one, run) = if lefts >= rights { (left, lefts) } else { (right, rights) };
            lookup.build(shingles.set(normal.checked(one, spare)?, shingle, cancel));
            for (pair, (shared, sampled)) in pairs[..run].iter().zip(&mut out) {
                let other = if lefts >= rights { pair.1 } else { pair.0 };
                let form = normal.checked(other, spare)?;
                let found = lookup.count(shingles.set(form, shingle, cancel), largest);
                (*shared, *sampled) = (found.all, found.sampled);
                if cancel.is_set() {
                    return Err(Error::Cancelled);
                }
            }
            pairs = &pairs[run..];
        }
        Ok(())
    })?;
    Ok(())
}
