//! Memory that is used again: what the system gives is cleared page by page, which takes as long as
//! what is then done with a batch of texts.

use std::sync::Mutex;

static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Bytes kept at most, of all buffers and of one.
const IN_ALL: usize = 48 << 20;
const IN_ONE: usize = 16 << 20;

/// An empty buffer with room for so many bytes: the smallest that has it, or a new one.
pub fn bytes(room: usize) -> Vec<u8> {
    // A fork while another thread held this lock leaves it locked in the child: do without.
    let taken = SPARE.try_lock().ok().and_then(|mut spare| {
        let fitting = spare.iter().enumerate().filter(|(_, bytes)| bytes.capacity() >= room);
        let best = fitting.min_by_key(|(_, bytes)| bytes.capacity())?.0;
        Some(spare.swap_remove(best))
    });
    taken.unwrap_or_else(|| Vec::with_capacity(room))
}

/// Whoever has no use for a buffer any more gives it back.
pub fn give_back(mut bytes: Vec<u8>) {
    bytes.clear();
    if (1..=IN_ONE).contains(&bytes.capacity()) {
        if let Ok(mut spare) = SPARE.try_lock() {
            spare.push(bytes);
            while spare.iter().map(Vec::capacity).sum::<usize>() > IN_ALL {
                spare.remove(0); // the one that nobody asked for the longest, or nearly
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_and_nothing_else() {
        for round in 0..20 {
            let mut all: Vec<_> = (0..6).map(|i| bytes(1000 * i * round)).collect();
            for (i, buffer) in all.iter_mut().enumerate() {
                assert!(buffer.is_empty() && buffer.capacity() >= 1000 * i * round);
                buffer.extend_from_slice(b"text");
            }
            all.into_iter().for_each(give_back);
        }
        (0..9).for_each(|_| give_back(Vec::with_capacity(IN_ONE)));
        give_back(Vec::with_capacity(IN_ONE + 1));
        let kept: Vec<usize> = SPARE.lock().unwrap().iter().map(Vec::capacity).collect();
        assert!(kept.iter().all(|&bytes| bytes <= IN_ONE) && kept.iter().sum::<usize>() <= IN_ALL);
    }
}
