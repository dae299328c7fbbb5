//! The documents that are searched, as columns.

use crate::forms::Forms;

/// No rank.
pub const NOBODY: u32 = u32::MAX;

/// Band hashes of the rows that have some, batch after batch, and in each batch band after band: so one band of all,
/// which may be more than fits into memory, is read in a few large pieces.
#[derive(Clone, Copy)]
pub struct Bands<'a> {
    /// All of them.
    pub hashes: &'a [u64],
    /// Where each batch begins, and in the end how many rows have hashes.
    pub starts: &'a [i64],
    /// Bands of a sketch.
    pub count: usize,
    /// Of each rank, which of the rows that have hashes it is.
    pub places: &'a [i64],
    /// Rank of each of these; `NOBODY` for one that is not among the documents.
    pub ranks: &'a [u32],
}

impl<'a> Bands<'a> {
    /// The hashes of all in a band, batch by batch.
    pub(super) fn column(self, band: usize) -> impl Iterator<Item = &'a [u64]> {
        self.starts.windows(2).map(move |batch| {
            let (first, size) = (batch[0] as usize, (batch[1] - batch[0]) as usize);
            &self.hashes[first * self.count + band * size..][..size]
        })
    }

    /// The hashes of a rank.
    pub(super) fn of(self, rank: usize) -> impl Iterator<Item = u64> + 'a {
        let row = self.places[rank] as usize;
        let batch = self.starts.partition_point(|&start| start as usize <= row) - 1;
        let (first, last) = (self.starts[batch] as usize, self.starts[batch + 1] as usize);
        let hashes = &self.hashes[first * self.count + row - first..];
        (0..self.count).map(move |band| hashes[band * (last - first)])
    }
}

/// The rank of each of so many rows, of documents in keep order.
pub fn ranks_of(rows: &[i64], count: usize) -> Vec<u32> {
    let mut ranks = vec![NOBODY; count];
    for (rank, &row) in rows.iter().enumerate() {
        ranks[row as usize] = rank as u32;
    }
    ranks
}

/// The distinct documents, in keep order: rank r is row `rows[r]` of every column.
pub struct Corpus<'a> {
    /// The normal form of each row.
    pub forms: &'a Forms<'a>,
    /// Row of each rank.
    pub rows: &'a [i64],
    /// Distinct shingles of each row.
    pub shingles: &'a [u32],
    /// Rank of each row; `NOBODY` for one that is not among the documents.
    pub ranks: &'a [u32],
    /// Band hashes.
    pub bands: Bands<'a>,
    /// The values of the samples, end to end, ascending in each, where one may be repeated.
    pub samples: &'a [u32],
    /// One more than there are rows.
    pub sample_offsets: &'a [i64],
    /// Hashes up to this are sampled.
    pub largest_sampled: u64,
    /// Tokens in a shingle.
    pub shingle: usize,
    /// Whether samples and lines stand in files, of which memory can't hold much.
    pub in_files: bool,
}

impl Corpus<'_> {
    /// How many documents there are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn row(&self, rank: usize) -> usize {
        self.rows[rank] as usize
    }

    pub(super) fn size(&self, rank: usize) -> u32 {
        self.shingles[self.row(rank)]
    }

    pub(super) fn bands_of(&self, rank: usize) -> impl Iterator<Item = u64> + '_ {
        self.bands.of(rank)
    }

    pub(super) fn sample(&self, rank: usize) -> &[u32] {
        &self.samples[self.span(rank)]
    }

    /// Where the sample of a rank stands among all.
    pub(super) fn span(&self, rank: usize) -> std::ops::Range<usize> {
        let row = self.row(rank);
        self.sample_offsets[row] as usize..self.sample_offsets[row + 1] as usize
    }
}
