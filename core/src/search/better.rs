//! Who may be a better match than the best so far, before anybody is looked at.

use super::{Match, Pass};

impl Pass<'_> {
    /// How many shingles a document shares with one that is kept, at the very most, if nothing rare.
    pub(super) fn most_shared(&self, rank: u32, crowded: bool) -> u32 {
        self.crowds.most_shared(rank, self.sizes[rank as usize], crowded)
    }

    /// How many rare shingles a document must share at the very least with another of its crowd, if that may be a
    /// better match; more than it has if none may be.
    pub(super) fn least_rare(&self, rank: u32, best: &Option<Match>) -> usize {
        if !self.crowds.has(rank) || self.task.protected > 0 {
            return 0; // among the protected are smaller ones
        }
        // The smaller the other one is, the better a match it may be, and none is smaller than this one.
        let (size, after) = (self.sizes[rank as usize], best.map_or(0, |best| best.kept + 1));
        let common = self.most_shared(rank, true);
        let (mut least, mut enough) = (0, self.crowds.rare_ones(rank) + 1);
        while least < enough {
            let rare = (least + enough) / 2;
            match self.rules.may_beat(common + rare as u32, size, after, size, best) {
                true => enough = rare,
                false => least = rare + 1,
            }
        }
        least
    }

    /// The first rank from which on kept documents may be a better match: smaller ones may be better
    /// near copies, and of what holds as much the first is the best.
    pub(super) fn first_better(&self, rank: u32, crowded: bool, best: &Option<Match>) -> u32 {
        let most = self.most_shared(rank, crowded);
        let (before, from) = self.sizes.split_at(rank as usize);
        let after = best.map_or(0, |best| best.kept + 1);
        let may_not = |&kept: &u32| !self.rules.may_beat(most, from[0], after, kept, best);
        // Where some are protected the sizes fall, fall below this one's, which can't be contained in
        // those, and begin anew.
        let (protected, others) = before.split_at(self.task.protected.min(before.len()));
        let (larger, smaller) =
            protected.split_at(protected.partition_point(|&kept| kept >= from[0]));
        let mut first = 0;
        for part in [larger, smaller, others] {
            let none = match self.task.join && part.first().is_some_and(|&kept| kept < from[0]) {
                true => 0, // some of which may be contained in it, and which can't be told from their sizes
                false => part.partition_point(may_not),
            };
            first += none;
            if none < part.len() {
                break;
            }
        }
        first as u32
    }
}
