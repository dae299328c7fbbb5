//! What a candidate is and what a match is (design, section 3): functions of two documents alone.

/// Samples smaller than this say too little about jaccard to rule a pair out.
const SCREENED: usize = 16;

/// The settings that decide what is compared and what counts as a copy.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Jaccard at or above which two documents are near copies.
    pub threshold: f64,
    /// Containment at or above which the smaller is a contained copy; None: that relation is off.
    pub containment: Option<f64>,
    /// Distinct shingles that a contained copy has at least.
    pub min_contained: u32,
}

/// A match, ordered best first: near before contained, the higher score first, then keep order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    contained: bool,
    score: f64,
    /// Rank of the kept document.
    pub kept: u32,
    /// Shingles that both have.
    pub shared: u32,
}

impl Match {
    /// True if this one is to be preferred.
    pub fn beats(&self, other: &Match) -> bool {
        (self.contained, -self.score, self.kept) < (other.contained, -other.score, other.kept)
    }
}

impl Rules {
    /// The relation of a document with `dropped` shingles to the kept one with `size`, if they are a match.
    pub fn matched(&self, shared: u32, dropped: u32, kept: u32, size: u32) -> Option<Match> {
        if shared == 0 {
            return None;
        }
        let common = f64::from(shared);
        // Whole numbers below 2^53 are exact, so these are the same doubles everywhere.
        let jaccard = common / (f64::from(dropped) + f64::from(size) - common);
        if jaccard >= self.threshold {
            return Some(Match { contained: false, score: jaccard, kept, shared });
        }
        let score = common / f64::from(dropped);
        let contained = self.containment.is_some_and(|least| score >= least);
        (contained && self.may_be_contained(dropped) && dropped <= size).then_some(Match {
            contained: true,
            score,
            kept,
            shared,
        })
    }

    /// Whether a document of this size is looked for in larger ones.
    pub fn may_be_contained(&self, shingles: u32) -> bool {
        self.containment.is_some() && shingles >= self.min_contained
    }

    /// Whether two documents that share so many shingles at the most may be a better match than `best`.
    pub fn may_beat(
        &self,
        most_shared: u32,
        dropped: u32,
        kept: u32,
        size: u32,
        best: &Option<Match>,
    ) -> bool {
        // The more they share, the better a match they are.
        let most = self.matched(most_shared, dropped, kept, size);
        most.is_some_and(|most| best.is_none_or(|best| most.beats(&best)))
    }

    /// Hashes of a sample of `m` that must be in a larger one's: three standard errors below the threshold.
    pub fn contained_floor(&self, m: usize) -> usize {
        let Some(c) = self.containment else { return usize::MAX };
        let m = m as f64;
        let slack = 3.0 * (c * (1.0 - c) * m).sqrt();
        (c * m - slack - 1e-9).ceil().max(1.0) as usize
    }

    /// For a pair that shares a band: whether its samples, with `shared` hashes in common, are near enough.
    pub fn passes_screen(&self, left: usize, right: usize, shared: usize) -> bool {
        if left.min(right) < SCREENED {
            return true;
        }
        let t = self.threshold;
        let floor = t - 5.0 * (t * (1.0 - t) / left.max(right) as f64).sqrt();
        shared as f64 / (left + right - shared) as f64 >= floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { threshold: 0.7, containment: Some(0.8), min_contained: 50 };

    #[test]
    fn relations_at_their_edges() {
        let near = RULES.matched(7, 8, 3, 9).unwrap();
        assert!(!near.contained && near.score == 0.7);
        assert!(RULES.matched(40, 50, 0, 1000).is_some_and(|found| found.contained));
        assert_eq!(RULES.matched(39, 50, 0, 1000), None);
        assert_eq!(RULES.matched(49, 49, 0, 1000), None); // too small to be contained
        assert_eq!(RULES.matched(60, 70, 0, 69).map(|found| found.contained), Some(false)); // 60/79
        assert_eq!(RULES.matched(48, 60, 0, 59), None); // .8 of it, but not in a smaller one
        assert_eq!(RULES.matched(0, 0, 0, 0), None);
    }

    #[test]
    fn the_better_match() {
        let near = |score, kept| Match { contained: false, score, kept, shared: 1 };
        let contained = Match { contained: true, score: 1.0, kept: 0, shared: 1 };
        assert!(near(0.7, 9).beats(&contained));
        assert!(near(0.8, 9).beats(&near(0.7, 1)));
        assert!(near(0.7, 1).beats(&near(0.7, 2)));
    }

    #[test]
    fn floors() {
        // 0.8 * 100 - 3 * sqrt(0.16 * 100) = 68
        assert_eq!(RULES.contained_floor(100), 68);
        assert_eq!(RULES.contained_floor(1), 1);
        let whole = Rules { containment: Some(1.0), ..RULES };
        assert_eq!(whole.contained_floor(37), 37);
        // 0.7 - 5 * sqrt(0.21 / 100) = 0.4708...
        assert!(RULES.passes_screen(100, 100, 65)); // 65/135 = .4815
        assert!(!RULES.passes_screen(100, 100, 63)); // 63/137 = .4598
        assert!(RULES.passes_screen(15, 1000, 0));
    }

    #[test]
    fn what_may_be_better() {
        let may = |most, kept, best| RULES.may_beat(most, 100, kept, 120, &best);
        assert!(may(80, 1, None) && !may(79, 1, None)); // contained, and neither
        let near = RULES.matched(95, 100, 1, 120); // 95/125
        assert!(may(96, 2, near) && !may(95, 2, near) && may(95, 0, near));
        assert!(!may(90, 2, near)); // 90/130 is no near match
        let contained = RULES.matched(85, 100, 1, 300);
        assert!(may(86, 2, contained) && !may(85, 2, contained) && may(95, 2, contained));
    }
}
