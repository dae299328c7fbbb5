//! Memory that is used again: what the system gives is cleared page by page, which takes as long as
//! what is then done with a batch of texts.

use std::sync::Mutex;

/// Buffers that nobody uses at the moment.
pub struct Spare<T>(Mutex<Vec<Vec<T>>>);

/// Those for texts.
pub static BYTES: Spare<u8> = Spare(Mutex::new(Vec::new()));
/// Those for hashes.
pub static HASHES: Spare<u64> = Spare(Mutex::new(Vec::new()));
/// Those for values of samples.
pub static VALUES: Spare<u32> = Spare(Mutex::new(Vec::new()));

/// Bytes kept at most, of all buffers of a kind and of one.
const IN_ALL: usize = 48 << 20;
const IN_ONE: usize = 16 << 20;

impl<T> Spare<T> {
    /// An empty buffer with room for so many values: the smallest that has it, or a new one.
    pub fn take(&self, room: usize) -> Vec<T> {
        // A fork while another thread held this lock leaves it locked in the child: do without.
        let taken = self.0.try_lock().ok().and_then(|mut spare| {
            let fitting =
                spare.iter().enumerate().filter(|(_, buffer)| buffer.capacity() >= room.max(1));
            let best = fitting.min_by_key(|(_, buffer)| buffer.capacity())?.0;
            Some(spare.swap_remove(best))
        });
        taken.unwrap_or_else(|| Vec::with_capacity(room))
    }

    /// Whoever has no use for a buffer any more gives it back.
    pub fn give_back(&self, mut buffer: Vec<T>) {
        buffer.clear();
        if (1..=IN_ONE).contains(&Self::bytes(&buffer)) {
            if let Ok(mut spare) = self.0.try_lock() {
                spare.push(buffer);
                while spare.iter().map(Self::bytes).sum::<usize>() > IN_ALL {
                    spare.remove(0); // the one that nobody asked for the longest, or nearly
                }
            }
        }
    }

    /// Nobody will want these soon.
    pub fn let_go(&self) {
        if let Ok(mut spare) = self.0.try_lock() {
            *spare = Vec::new();
        }
    }

    fn bytes(buffer: &Vec<T>) -> usize {
        buffer.capacity() * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_and_nothing_else() {
        there_is_room(&BYTES, b't');
        there_is_room(&HASHES, 7);
        there_is_room(&VALUES, 7);
    }

    #[test]
    fn what_is_let_go_is_gone() {
        let spare = Spare(Mutex::new(Vec::new()));
        spare.give_back(vec![1u8; 1000]);
        assert!(spare.take(10).capacity() >= 1000, "it is used again");
        spare.give_back(vec![1u8; 1000]);
        spare.let_go();
        assert!(spare.0.lock().unwrap().is_empty());
        assert!(spare.take(10).is_empty(), "and what is asked for then is new");
    }

    fn there_is_room<T: Copy>(spare: &Spare<T>, value: T) {
        for round in 0..20 {
            let mut all: Vec<_> = (0..6).map(|i| spare.take(1000 * i * round)).collect();
            for (i, buffer) in all.iter_mut().enumerate() {
                assert!(buffer.is_empty() && buffer.capacity() >= 1000 * i * round);
                buffer.extend_from_slice(&[value; 4]);
            }
            all.into_iter().for_each(|buffer| spare.give_back(buffer));
        }
        let most = IN_ONE / size_of::<T>();
        (0..9).for_each(|_| spare.give_back(Vec::with_capacity(most)));
        spare.give_back(Vec::with_capacity(most + 1));
        let kept: Vec<usize> = spare.0.lock().unwrap().iter().map(Spare::bytes).collect();
        assert!(kept.iter().all(|&bytes| bytes <= IN_ONE) && kept.iter().sum::<usize>() <= IN_ALL);
    }
}
