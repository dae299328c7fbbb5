//! Memory that is used again: what the system gives is cleared page by page, which takes as long as
//! what is then done with a batch of texts.

use std::sync::Mutex;

static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Buffers kept at most, and of how many bytes.
const KEPT: usize = 4;
const MOST: usize = 32 << 20;

/// An empty buffer with room for so many bytes.
pub fn bytes(room: usize) -> Vec<u8> {
    // A fork while another thread held this lock leaves it locked in the child: do without.
    let mut found = SPARE.try_lock().ok().and_then(|mut spare| spare.pop()).unwrap_or_default();
    found.reserve_exact(room);
    found
}

/// Whoever has no use for a buffer any more gives it back.
pub fn give_back(mut bytes: Vec<u8>) {
    bytes.clear();
    if (1..=MOST).contains(&bytes.capacity()) {
        if let Ok(mut spare) = SPARE.try_lock() {
            if spare.len() < KEPT {
                spare.push(bytes);
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
        assert!(SPARE.lock().unwrap().len() <= KEPT);
    }
}
