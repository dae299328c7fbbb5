//! Documents with equal normal forms become one, and the distinct ones get their keep order.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::equal;
use crate::forms::{Forms, Spare};
use crate::texts::Error;
use crate::threads::{pieces, Cancel, Workers};

/// No document.
const NOBODY: u32 = u32::MAX;
/// Rows whose digests begin with the same bits, of which a thread takes one lot after another.
const LOT: usize = 1 << 10;
/// Most lots, as a power of two: more than a cache can write to is slow.
const MOST_BITS: u32 = 11;
/// Documents among which ids decide, handed to a thread at a time.
const PIECE: usize = if cfg!(test) { 3 } else { 1 << 12 };

/// What is known of each document, a row each.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// Tokens; a document without any is left out.
    pub tokens: &'a [u32],
    /// Distinct shingles; 0 for a document with tokens that got no sketch.
    pub shingles: &'a [u32],
    /// XXH3-128 of the normal form, high half first: two values a row.
    pub digests: &'a [u64],
    /// The ids end to end.
    pub ids: &'a [u8],
    /// Where each id begins, and in the end where the last one ends.
    pub id_offsets: &'a [i64],
    /// Whether each comes before those that aren't protected; none if nobody is.
    pub protected: &'a [u8],
}

impl Columns<'_> {
    fn digest(&self, row: usize) -> [u64; 2] {
        [self.digests[2 * row], self.digests[2 * row + 1]]
    }

    fn id(&self, row: u32) -> &[u8] {
        let row = row as usize;
        &self.ids[self.id_offsets[row] as usize..self.id_offsets[row + 1] as usize]
    }

    fn is_protected(&self, row: u32) -> bool {
        self.protected.get(row as usize).is_some_and(|&protected| protected != 0)
    }
}

/// The distinct normal forms.
#[derive(Debug, PartialEq, Eq)]
pub struct Unique {
    /// Of each the row that comes first, in keep order, protected ones before all others.
    pub rows: Vec<u32>,
    /// Of each a row that has a sketch, if there is one: else its order means nothing.
    pub sketched: Vec<u32>,
    /// For each row the place of its normal form in that order; None for one without tokens.
    pub rank_of: Vec<Option<u32>>,
}

/// Groups documents by their normal forms, of which equal digests only propose that they are equal, and puts the
/// groups into keep order. If a document isn't what it was, the outcome means nothing.
pub fn collapse(
    columns: Columns,
    forms: &Forms,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Unique, Error> {
    let mut heads: Vec<u32> = (0..columns.tokens.len() as u32).collect();
    let mut sketched = heads.clone(); // for each head
    heads
        .iter_mut()
        .filter(|row| columns.tokens[**row as usize] == 0)
        .for_each(|row| *row = NOBODY);
    for group in equal_groups(columns, forms, workers, cancel)? {
        // Equal normal forms have as many shingles and tokens, so that ids decide.
        let before = |row: &&u32| (!columns.is_protected(**row), columns.id(**row), **row);
        let Some(&first) = group.iter().min_by_key(before) else { continue };
        let with = group.iter().find(|&&row| columns.shingles[row as usize] > 0);
        sketched[first as usize] = *with.unwrap_or(&first);
        group.into_iter().for_each(|row| heads[row as usize] = first);
    }
    let rows = (0..).zip(&heads).filter(|&(row, &head)| row == head).map(|(row, _)| row);
    let (mut first, mut others): (Vec<_>, Vec<_>) =
        rows.partition(|&row| columns.is_protected(row));
    for rows in [&mut first, &mut others] {
        keep_order(columns, &sketched, rows, workers, cancel)?;
    }
    first.append(&mut others);
    let mut ranks = vec![None; heads.len()];
    (0..).zip(&first).for_each(|(rank, &row)| ranks[row as usize] = Some(rank));
    // A head has its rank when the others ask for it.
    let rank_of = heads.iter().map(|&head| ranks.get(head as usize).copied().flatten()).collect();
    let sketched = first.iter().map(|&row| sketched[row as usize]).collect();
    Ok(Unique { rows: first, sketched, rank_of })
}

/// The documents that share their normal form with others, group by group.
fn equal_groups(
    columns: Columns,
    forms: &Forms,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Vec<Vec<u32>>, Error> {
    let mut groups = of_one_digest(columns, workers, cancel)?;
    groups.sort_unstable(); // about as they stand in the files that are read again
    let rows: Vec<usize> = groups.iter().flatten().map(|&row| row as usize).collect();
    let sizes = groups.iter().map(Vec::len);
    let starts: Vec<usize> =
        sizes.scan(0, |end, size| Some(std::mem::replace(end, *end + size))).collect();
    let differs = equal::differing(forms, &rows, &starts, workers, cancel)?;
    let (mut found, mut differs) = (Vec::with_capacity(groups.len()), &differs[..]);
    for group in groups {
        let (these, rest) = differs.split_at(group.len());
        match these.contains(&true) {
            true => found.extend(by_bytes(group, forms, cancel)?),
            false => found.push(group),
        }
        differs = rest;
    }
    Ok(found)
}

/// The documents of one digest by their actual normal forms.
fn by_bytes(group: Vec<u32>, forms: &Forms, cancel: &Cancel) -> Result<Vec<Vec<u32>>, Error> {
    let mut spare = Spare::default();
    let mut found: HashMap<Vec<u8>, Vec<u32>> = HashMap::new();
    for row in group {
        let form = forms.get(row as usize, &mut spare, cancel);
        if cancel.is_set() {
            return Err(Error::Cancelled);
        }
        match found.get_mut(form) {
            Some(rows) => rows.push(row),
            None => drop(found.insert(form.to_vec(), vec![row])),
        }
    }
    Ok(found.into_values().collect())
}

/// The rows that share a digest with others, group by group; ascending in each.
fn of_one_digest(
    columns: Columns,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Vec<Vec<u32>>, Error> {
    let rows =
        || (0u32..).zip(columns.tokens).filter(|&(_, &tokens)| tokens > 0).map(|(row, _)| row);
    let lots = (columns.tokens.len() / LOT).next_power_of_two().min(1 << MOST_BITS);
    // Digests are spread evenly; if they aren't, one lot takes longer.
    let lot = |high: u64| (high >> 32) as usize & (lots - 1);
    let mut ends = vec![0; lots + 1];
    rows().for_each(|row| ends[lot(columns.digest(row as usize)[0]) + 1] += 1);
    (0..lots).for_each(|lot| ends[lot + 1] += ends[lot]);
    let mut keyed = vec![(0, 0); ends[lots]];
    for row in rows() {
        let high = columns.digest(row as usize)[0];
        let end = &mut ends[lot(high)];
        keyed[*end] = (high, row);
        *end += 1;
    }
    let (mut items, mut rest, mut first) = (Vec::with_capacity(lots), &mut keyed[..], 0);
    for &end in &ends[..lots] {
        let (part, others) = rest.split_at_mut(end - first);
        items.push(part);
        (rest, first) = (others, end);
    }
    let found = workers.map(
        items,
        || (),
        |(), keyed| match cancel.is_set() {
            true => Err(Error::Cancelled),
            false => Ok(equal_digests(columns, keyed)),
        },
    )?;
    Ok(found.into_iter().flatten().collect())
}

/// The same of some rows, with the high halves of their digests, that share their digests with no others.
fn equal_digests(columns: Columns, keyed: &mut [(u64, u32)]) -> Vec<Vec<u32>> {
    let mut found = Vec::new();
    keyed.sort_unstable();
    for run in keyed.chunk_by_mut(|left, right| left.0 == right.0).filter(|run| run.len() > 1) {
        run.iter_mut().for_each(|(key, row)| *key = columns.digest(*row as usize)[1]);
        run.sort_unstable();
        let same = run.chunk_by(|left, right| left.0 == right.0).filter(|same| same.len() > 1);
        found.extend(same.map(|same| same.iter().map(|&(_, row)| row).collect::<Vec<_>>()));
    }
    found
}

/// Puts rows into keep order: more shingles, as those that are `sketched` for them have, then more tokens, then
/// smaller id.
fn keep_order(
    columns: Columns,
    sketched: &[u32],
    rows: &mut [u32],
    workers: &Workers,
    cancel: &Cancel,
) -> Result<(), Error> {
    let size = |row: usize| {
        let shingles = columns.shingles[sketched[row] as usize];
        (u64::from(shingles) << 32) | u64::from(columns.tokens[row])
    };
    let mut keyed: Vec<(u64, u32)> = rows.iter().map(|&row| (!size(row as usize), row)).collect();
    workers.sort(&mut keyed);
    let mut tied: Vec<_> = keyed.chunk_by_mut(|left, right| left.0 == right.0).collect();
    tied.retain(|run| run.len() > 1);
    let pieces = pieces(tied.len(), PIECE, |run| tied[run].len());
    let items = pieces.into_iter().map(|piece| tied.drain(..piece.len()).collect()).collect();
    workers.map(
        items,
        || (),
        |(), runs: Vec<_>| {
            runs.into_iter().try_for_each(|run| match cancel.is_set() {
                true => Err(Error::Cancelled),
                false => {
                    by_id(columns, run);
                    Ok(())
                }
            })
        },
    )?;
    rows.iter_mut().zip(keyed).for_each(|(to, (_, row))| *to = row);
    Ok(())
}

/// Puts rows in order by id. Most ids differ in the eight bytes after those that all of them have.
fn by_id(columns: Columns, keyed: &mut [(u64, u32)]) {
    let first = columns.id(keyed[0].1);
    let shared = keyed.iter().fold(first.len(), |shared, &(_, row)| {
        let id = &columns.id(row)[..shared.min(columns.id(row).len())];
        id.iter().zip(first).position(|(left, right)| left != right).unwrap_or(id.len())
    });
    for (key, row) in &mut *keyed {
        let left = &columns.id(*row)[shared..];
        let mut bytes = [0; 8]; // zeros for those beyond its end
        bytes.iter_mut().zip(left).for_each(|(to, &from)| *to = from);
        *key = u64::from_be_bytes(bytes);
    }
    keyed.sort_unstable_by(|left, right| match left.0.cmp(&right.0) {
        Ordering::Equal => columns.id(left.1).cmp(columns.id(right.1)).then(left.1.cmp(&right.1)),
        order => order,
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::Random;
    use crate::texts::{Source, Texts};

    /// Documents by their normal forms and ids, and the columns that follow from them.
    #[derive(Default)]
    struct Documents {
        forms: Vec<&'static str>,
        ids: Vec<Vec<u8>>,
        tokens: Vec<u32>,
        shingles: Vec<u32>,
        digests: Vec<u64>,
        protected: Vec<u8>,
    }

    impl Documents {
        fn random(random: &mut Random, count: usize) -> Documents {
            let of =
                [("", 0, 0), ("a", 1, 1), ("b", 1, 1), ("a b", 2, 1), ("c c c", 3, 2), ("d", 1, 1)];
            let (mut all, digests) = (Documents::default(), random.below(4) as u64);
            for number in 0..count {
                let (form, tokens, shingles) = random.pick(&of);
                all.forms.push(form);
                all.tokens.push(tokens);
                all.shingles.push(shingles);
                // Of several forms either half may be equal, or both.
                let kind = form.len() as u64 + u64::from(form == "b");
                all.digests.extend([(kind * (digests & 1)) << 40, kind * (digests >> 1)]);
                all.protected.push(u8::from(random.below(5) == 0));
                let shared = b"some/folder/".repeat(random.below(3));
                let ending = [b"\0\0".to_vec(), b"z".repeat(random.below(12))];
                all.ids.push([shared, ending.concat(), number.to_string().into_bytes()].concat());
            }
            all
        }

        /// Rows and ranks, as the definition has them.
        fn expected(&self, protected: bool) -> Unique {
            let place = |row: usize| {
                let last = protected && self.protected[row] == 0;
                (last, !self.shingles[row], !self.tokens[row], &self.ids[row], row)
            };
            let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for (row, form) in self.forms.iter().enumerate().filter(|(_, form)| !form.is_empty()) {
                groups.entry(form).or_default().push(row);
            }
            let mut groups: Vec<_> = groups.into_values().collect();
            groups.iter_mut().for_each(|group| group.sort_by_key(|&row| place(row)));
            groups.sort_by_key(|group| place(group[0]));
            let mut rank_of = vec![None; self.forms.len()];
            for (rank, group) in groups.iter().enumerate() {
                group.iter().for_each(|&row| rank_of[row] = Some(rank as u32));
            }
            let rows = groups.iter().map(|group| group[0] as u32).collect();
            let all_have = groups.iter().filter_map(|group| group.iter().min());
            Unique { rows, sketched: all_have.map(|&row| row as u32).collect(), rank_of }
        }

        fn found(&self, protected: bool, threads: usize, cancel: &Cancel) -> Result<Unique, Error> {
            let ends = |sizes: Vec<usize>| -> Vec<i64> {
                let mut end = 0;
                let ends = sizes.iter().map(|&size| (end += size as i64, end).1);
                [0].into_iter().chain(ends).collect()
            };
            let (blob, ids) = (self.forms.concat(), self.ids.concat());
            let offsets = ends(self.forms.iter().map(|form| form.len()).collect());
            let texts = Texts::new(Source::Fixed(blob.as_bytes()), &offsets).unwrap();
            let columns = Columns {
                tokens: &self.tokens,
                shingles: &self.shingles,
                digests: &self.digests,
                ids: &ids,
                id_offsets: &ends(self.ids.iter().map(Vec::len).collect()),
                protected: if protected { &self.protected } else { &[] },
            };
            collapse(columns, &Forms::new(texts, None), &Workers::new(threads).unwrap(), cancel)
        }
    }

    #[test]
    fn random_documents_are_collapsed_as_defined() {
        let mut random = Random::new(11);
        for round in 0..200 {
            let documents = Documents::random(&mut random, round % 40);
            for threads in 1..4 {
                for protected in [false, true] {
                    let found = documents.found(protected, threads, &Cancel::new());
                    assert_eq!(found.unwrap(), documents.expected(protected));
                }
            }
        }
    }

    #[test]
    fn many_documents_are_in_several_lots() {
        let mut random = Random::new(5);
        let mut documents = Documents::random(&mut random, 5 * LOT);
        let spread = |(at, digest): (usize, &mut u64)| {
            // As digests are, by the form: which lot it is in, then in which place there.
            let kind =
                documents.forms[at / 2].bytes().fold(7u64, |sum, byte| sum * 31 + u64::from(byte));
            *digest = kind.wrapping_mul(0x9E37_79B9_7F4A_7C15) << (at % 2);
        };
        documents.digests.iter_mut().enumerate().for_each(spread);
        let found = documents.found(true, 2, &Cancel::new());
        assert_eq!(found.unwrap(), documents.expected(true));
    }

    #[test]
    fn one_of_equals_that_has_a_sketch_stands_for_all() {
        let mut random = Random::new(2);
        for _ in 0..100 {
            let mut documents = Documents::random(&mut random, 20);
            let expected = documents.expected(false);
            let of = |rank: usize| -> Vec<u32> {
                let rows = (0..).zip(&expected.rank_of);
                rows.filter(|&(_, found)| *found == Some(rank as u32)).map(|(row, _)| row).collect()
            };
            let groups: Vec<Vec<u32>> = (0..expected.rows.len()).map(of).collect();
            let with: Vec<u32> = groups.iter().map(|rows| random.pick(rows)).collect();
            for (rows, with) in groups.iter().zip(&with) {
                let without = rows.iter().filter(|row| *row != with);
                without.for_each(|&row| documents.shingles[row as usize] = 0);
            }
            let found = documents.found(false, 2, &Cancel::new()).unwrap();
            assert_eq!(found.sketched, with);
            assert_eq!((found.rows, found.rank_of), (expected.rows, expected.rank_of));
        }
    }

    #[test]
    fn whoever_is_asked_to_stop_stops() {
        let documents = Documents::random(&mut Random::new(3), 30);
        let cancel = Cancel::new();
        cancel.set();
        assert_eq!(documents.found(false, 1, &cancel), Err(Error::Cancelled));
    }
}
