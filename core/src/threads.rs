//! Threads and cancelling: what every function of the kernel does its work with.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Most threads a call may ask for.
pub const MAX_THREADS: usize = 1024;

/// A flag that asks the work to stop, and a count of what is done. Work looks at the flag every few
/// hundred microseconds.
#[derive(Debug, Default)]
pub struct Cancel {
    asked: AtomicBool,
    done: AtomicU64,
}

impl Cancel {
    /// Not set.
    pub const fn new() -> Cancel {
        Cancel { asked: AtomicBool::new(false), done: AtomicU64::new(0) }
    }

    /// Asks the work to stop.
    pub fn set(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// True once it was asked to stop.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// So much of the work is done; whoever waits may look.
    pub fn reach(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }

    /// How much is done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// Runs work on a number of threads.
pub struct Workers(Option<Arc<ThreadPool>>);

/// Pools are kept, by process and number of threads: making one costs more than a small call. After
/// `fork()` the threads of the parent's pools don't exist, so its pools must not be used.
static POOLS: Mutex<Vec<(u32, usize, Arc<ThreadPool>)>> = Mutex::new(Vec::new());

/// Pools kept at most; the one made first goes.
const KEPT: usize = 4;

impl Workers {
    /// Exactly `threads` threads; with one, the work runs on the thread that calls.
    pub fn new(threads: usize) -> Result<Workers, String> {
        if threads <= 1 {
            return Ok(Workers(None));
        }
        let process = std::process::id();
        // A fork while another thread held this lock leaves it locked in the child: do without.
        let mut kept = POOLS.try_lock().ok();
        if let Some(kept) = &kept {
            // Only an idle one: work that waits behind another call's can't be cancelled.
            let fits = |x: &&(u32, usize, Arc<ThreadPool>)| {
                (x.0, x.1) == (process, threads) && Arc::strong_count(&x.2) == 1
            };
            if let Some((_, _, pool)) = kept.iter().find(fits) {
                return Ok(Workers(Some(pool.clone())));
            }
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("dedup-{i}"))
            .build()
            .map_err(|error| format!("can't start {threads} threads: {error}"))?;
        let pool = Arc::new(pool);
        if let Some(kept) = &mut kept {
            if kept.len() == KEPT {
                let (owner, _, old) = kept.remove(0);
                if owner != process {
                    // Ending a pool wakes its threads, and those of another process aren't here.
                    std::mem::forget(old);
                }
            }
            kept.push((process, threads, pool.clone()));
        }
        Ok(Workers(Some(pool)))
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// `work` of each item with a state of the thread's own (its buffers), results in the order of
    /// the items. Once an item failed no other is begun; the first failure in that order is the
    /// result, on any number of threads: items are begun in order, and what was begun is finished.
    pub fn map<T, S, R, E>(
        &self,
        items: Vec<T>,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, T) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, E>
    where
        T: Send,
        R: Send,
        E: Send,
    {
        let Some(pool) = self.0.as_ref().filter(|_| items.len() > 1) else {
            let mut state = state();
            return items.into_iter().map(|item| work(&mut state, item)).collect();
        };
        let count = items.len();
        let queue = Mutex::new(items.into_iter().enumerate());
        let failed = AtomicBool::new(false);
        let done = pool.broadcast(|_| {
            let (mut state, mut done) = (state(), Vec::new());
            while !failed.load(Ordering::Relaxed) {
                let Some((index, item)) = queue.lock().ok().and_then(|mut queue| queue.next())
                else {
                    break;
                };
                let result = work(&mut state, item);
                failed.fetch_or(result.is_err(), Ordering::Relaxed);
                done.push((index, result));
            }
            done
        });
        let mut done: Vec<_> = done.into_iter().flatten().collect();
        done.sort_unstable_by_key(|&(index, _)| index);
        debug_assert!(failed.into_inner() || done.len() == count);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

/// States of threads that are used again, from one call of `map` to the next: buffers that have grown.
#[derive(Default)]
pub struct States<S>(Mutex<Vec<S>>);

impl<S: Default> States<S> {
    /// One that nobody uses at the moment, or a new one.
    pub fn lend(&self) -> Lent<'_, S> {
        let idle = self.0.lock().ok().and_then(|mut idle| idle.pop());
        Lent { state: idle.unwrap_or_default(), owner: self }
    }

    /// Those for which this doesn't hold go.
    pub fn retain(&mut self, holds: impl Fn(&S) -> bool) {
        if let Ok(idle) = self.0.get_mut() {
            idle.retain(holds);
        }
    }
}

/// A state that goes back when this is dropped.
pub struct Lent<'a, S: Default> {
    /// The state.
    pub state: S,
    owner: &'a States<S>,
}

impl<S: Default> Drop for Lent<'_, S> {
    fn drop(&mut self) {
        if let Ok(mut idle) = self.owner.0.lock() {
            idle.push(std::mem::take(&mut self.state));
        }
    }
}

/// Cuts 0..n into pieces of about `size` each, by a weight of each item (its bytes).
pub fn pieces(
    n: usize,
    size: usize,
    weight: impl Fn(usize) -> usize,
) -> Vec<std::ops::Range<usize>> {
    let mut pieces = Vec::new();
    let (mut first, mut sum) = (0, 0usize);
    for i in 0..n {
        sum = sum.saturating_add(weight(i));
        if sum >= size {
            pieces.push(first..i + 1);
            (first, sum) = (i + 1, 0);
        }
    }
    if first < n {
        pieces.push(first..n);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order() {
        for threads in [1, 2, 3, 8] {
            let workers = Workers::new(threads).unwrap();
            assert_eq!(workers.count(), threads);
            let doubled = workers.map((0..1000).collect(), || (), |_, i: u32| Ok::<_, ()>(2 * i));
            assert_eq!(doubled.unwrap(), (0..1000).map(|i| 2 * i).collect::<Vec<_>>());
            let failed =
                workers.map((0..9).collect(), || (), |_, i| if i == 5 { Err(i) } else { Ok(()) });
            assert_eq!(failed, Err(5));
        }
    }

    #[test]
    fn states_are_used_again_but_for_those_that_go() {
        let mut states = States::<Vec<u32>>::default();
        states.lend().state.push(7);
        let (mut first, second) = (states.lend(), states.lend());
        assert_eq!((&first.state[..], &second.state[..]), (&[7][..], &[][..]));
        first.state.push(8);
        drop((first, second));
        states.retain(|state| !state.is_empty());
        let (first, second) = (states.lend(), states.lend());
        assert_eq!((&first.state[..], &second.state[..]), (&[7, 8][..], &[][..]));
        drop((first, second));
        states.retain(Vec::is_empty);
        assert!(states.lend().state.is_empty() && states.lend().state.is_empty());
    }

    #[test]
    fn pieces_cover_everything_once() {
        assert_eq!(pieces(5, 10, |i| [3, 9, 1, 20, 1][i]), [0..2, 2..4, 4..5]);
        assert!(pieces(0, 10, |_| 1).is_empty());
        assert_eq!(pieces(3, 1, |_| 0).first(), Some(&(0..3)));
    }
}
