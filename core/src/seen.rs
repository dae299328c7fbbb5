//! Which normal forms were there before, as far as their digests say.

use std::sync::{Mutex, PoisonError};

/// Parts with a lock each, as a power of two.
const PARTS: usize = 1 << 6;
/// Places that are looked at for a digest. Digests that somebody made to stand in one place take no longer.
const LOOKS: usize = 1 << 5;

/// Digests of normal forms, in bounded memory. What is said to be there may be another normal form, though
/// only if somebody wants that; what isn't said to be there may be.
pub struct Seen {
    parts: Vec<Mutex<Part>>,
    /// Most places of a part.
    most: usize,
}

#[derive(Default)]
struct Part {
    /// High halves of digests; 0 is a free place. A power of two of them, or none.
    places: Vec<u64>,
    count: usize,
}

impl Seen {
    /// In at most about so many bytes.
    pub fn new(bytes: usize) -> Seen {
        let most = bytes / size_of::<u64>() / PARTS;
        let most = if most.is_power_of_two() { most } else { most.next_power_of_two() / 2 };
        Seen { parts: (0..PARTS).map(|_| Mutex::default()).collect(), most }
    }

    /// Whether a normal form with this digest was there. If not, it is from now on, if there is room.
    pub fn before(&self, [high, low]: [u64; 2]) -> bool {
        let part = &self.parts[low as usize % PARTS];
        // Nothing in here is ever left half changed.
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        let high = high.max(1);
        match part.place(high) {
            Some(at) if part.places[at] == high => return true,
            Some(at) if part.has_room() => {
                part.places[at] = high;
                part.count += 1;
            }
            _ if part.places.len() < self.most => part.grow(self.most, high),
            _ => {}
        }
        false
    }
}

impl Part {
    /// Where a digest stands, or else the free place where it belongs; None if it has none.
    fn place(&self, high: u64) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let looks = (0..LOOKS.min(self.places.len())).map(|look| (high as usize + look) & mask);
        looks.into_iter().find(|&at| self.places[at] == high || self.places[at] == 0)
    }

    /// Whether more than a quarter is free.
    fn has_room(&self) -> bool {
        self.count < self.places.len() / 4 * 3
    }

    /// Makes room, and puts a digest there.
    fn grow(&mut self, most: usize, high: u64) {
        let places = vec![0; (self.places.len() * 2).max(1 << 6).min(most)];
        let before = std::mem::replace(&mut self.places, places);
        self.count = 0;
        for high in before.into_iter().filter(|&high| high != 0).chain([high]) {
            if let Some(at) = self.place(high) {
                self.places[at] = high;
                self.count += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;
    use crate::threads::Workers;

    fn digests(count: usize) -> Vec<[u64; 2]> {
        let mut random = Random::new(9);
        (0..count).map(|_| [random.next(), random.next()]).collect()
    }

    #[test]
    fn what_was_there_is_there_and_nothing_else() {
        let (seen, digests) = (Seen::new(1 << 24), digests(100_000));
        for _ in 0..2 {
            assert!(digests[..1000].iter().all(|&digest| !Seen::new(1 << 20).before(digest)));
        }
        assert!(digests.iter().all(|&digest| !seen.before(digest)), "new ones");
        let again = digests.iter().filter(|&&digest| seen.before(digest)).count();
        assert!(again > 99_900, "{again}: hardly one has no place");
    }

    #[test]
    fn memory_is_bounded() {
        for bytes in [0, 1, 1 << 9, 1 << 12, 100_000] {
            let seen = Seen::new(bytes);
            assert!(digests(20_000).iter().all(|&digest| !seen.before(digest)));
            let places: usize =
                seen.parts.iter().map(|part| part.lock().unwrap().places.len()).sum();
            assert!(places * 8 <= bytes, "{bytes}");
            let again = digests(20_000).iter().filter(|&&digest| seen.before(digest)).count();
            assert!(again <= places && again * 2 >= places, "{again} of {places}");
        }
    }

    #[test]
    fn digests_that_crowd_in_one_place_cost_no_more() {
        let seen = Seen::new(1 << 24);
        let crowd = |number: u64| [number << 40, 0];
        assert!((1..5000).all(|number| !seen.before(crowd(number))));
        assert!(seen.parts[0].lock().unwrap().places.len() <= (1 << 24) / 8 / PARTS);
        let found = (1..5000).filter(|&number| seen.before(crowd(number))).count();
        assert!(found >= LOOKS, "{found}");
    }

    #[test]
    fn of_equal_ones_on_many_threads_one_is_new() {
        for round in 0..20 {
            let (seen, digests) = (Seen::new(1 << 20), digests(round + 1));
            let items = (0..400).map(|number| digests[number % digests.len()]).collect();
            let before = Workers::new(4).unwrap().map(
                items,
                || (),
                |(), digest| Ok::<_, ()>(seen.before(digest)),
            );
            let new = before.unwrap().into_iter().filter(|before| !before).count();
            assert_eq!(new, round + 1);
        }
    }
}
