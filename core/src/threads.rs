//! Threads and cancelling: what every function of the kernel does its work with.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rayon::slice::ParallelSliceMut;
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

    /// What two things give that are done side by side, if there is more than one thread.
    pub fn both<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        match &self.0 {
            Some(pool) => pool.join(one, other),
            None => (one(), other()),
        }
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

    /// Sorts on all threads; of equal values any may come first.
    pub fn sort<T: Ord + Send>(&self, values: &mut [T]) {
        match &self.0 {
            Some(pool) => pool.install(|| values.par_sort_unstable()),
            None => values.sort_unstable(),
        }
    }

    /// Settles `count` pieces one after another, each with what `look` found out of it before: on all threads at once,
    /// up to `ahead` pieces ahead, and told how many pieces were settled by then. Whichever thread is free
    /// settles, while the others go on looking. The result is the first failure that comes.
    pub fn in_turn<S, A, E, F>(
        &self,
        count: usize,
        ahead: usize,
        state: impl Fn() -> S + Sync,
        look: impl Fn(&mut S, usize, usize) -> Result<A, E> + Sync,
        mut settle: F,
    ) -> Result<(), E>
    where
        A: Send,
        E: Send,
        F: FnMut(&mut S, usize, A) -> Result<(), E> + Send,
    {
        let Some(pool) = self.0.as_ref().filter(|_| count > 1) else {
            let mut state = state();
            return (0..count).try_for_each(|piece| {
                let found = look(&mut state, piece, piece)?;
                settle(&mut state, piece, found)
            });
        };
        let turns = Mutex::new(Turns {
            begun: 0,
            settled: 0,
            ahead: VecDeque::with_capacity(ahead),
            settle: Some(settle),
            failed: None,
            ended: false,
        });
        let moved_on = Condvar::new();
        pool.broadcast(|_| {
            let mut state = state();
            let _ending = Ending(&turns, &moved_on);
            let mut now = guarded(&turns);
            while !now.ended && now.settled < count {
                let ready = matches!(now.ahead.front(), Some(Some(_)));
                let result = if let Some(mut settle) = now.settle.take_if(|_| ready) {
                    let (piece, found) = (now.settled, now.ahead.pop_front().flatten());
                    drop(now);
                    let result = found.map_or(Ok(()), |found| settle(&mut state, piece, found));
                    now = guarded(&turns);
                    now.settle = Some(settle);
                    now.settled += usize::from(result.is_ok());
                    moved_on.notify_all();
                    result
                } else if now.begun < count && now.begun < now.settled + ahead {
                    let (piece, settled) = (now.begun, now.settled);
                    now.begun += 1;
                    now.ahead.push_back(None);
                    drop(now);
                    let result = look(&mut state, piece, settled);
                    now = guarded(&turns);
                    // The first of those ahead is the one to be settled next, or after the one that is being settled.
                    let first = now.begun - now.ahead.len();
                    result.map(|found| now.ahead[piece - first] = Some(found))
                } else {
                    now = moved_on.wait(now).unwrap_or_else(PoisonError::into_inner);
                    Ok(())
                };
                if let Err(error) = result {
                    now.failed.get_or_insert(error);
                    now.ended = true;
                    moved_on.notify_all();
                }
            }
        });
        let failed = guarded(&turns).failed.take();
        failed.map_or(Ok(()), Err)
    }
}

/// What is done of pieces that are settled in turn.
struct Turns<A, F, E> {
    /// How many were begun, and how many are settled.
    begun: usize,
    settled: usize,
    /// What was found out of those that are neither settled nor being settled, in their order.
    ahead: VecDeque<Option<A>>,
    /// None while a thread settles a piece.
    settle: Option<F>,
    failed: Option<E>,
    /// Nothing is to be begun any more.
    ended: bool,
}

/// Ends the work of all threads when one of them panics: the others would wait for it.
struct Ending<'a, A, F, E>(&'a Mutex<Turns<A, F, E>>, &'a Condvar);

impl<A, F, E> Drop for Ending<'_, A, F, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            guarded(self.0).ended = true;
            self.1.notify_all();
        }
    }
}

/// What a lock guards, which is never left half changed.
fn guarded<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn two_things_at_once() {
        for threads in [1, 2, 3] {
            let workers = Workers::new(threads).unwrap();
            let (mut left, mut right) = (vec![1], String::new());
            let (one, other) = workers.both(|| left.pop(), || right.push('x'));
            assert_eq!((one, other, left, right.as_str()), (Some(1), (), vec![], "x"));
        }
        // Each waits for the other, which no thread alone could do.
        let (meet, workers) = (std::sync::Barrier::new(2), Workers::new(2).unwrap());
        workers.both(|| meet.wait(), || meet.wait());
    }

    #[test]
    fn what_is_looked_at_ahead_is_settled_in_turn() {
        for threads in [1, 2, 3, 8] {
            let workers = Workers::new(threads).unwrap();
            let (mut settled, seen) = (Vec::new(), AtomicU64::new(0));
            let look = |_: &mut (), piece: usize, before: usize| {
                assert!(
                    before <= piece && piece < before + 5,
                    "{piece} is too far ahead of {before}"
                );
                seen.fetch_add(1, Ordering::Relaxed);
                Ok::<_, usize>(10 * piece)
            };
            let settle = |(): &mut (), piece, found| {
                settled.push((piece, found));
                Ok(())
            };
            workers.in_turn(500, 5, || (), look, settle).unwrap();
            assert!(settled.into_iter().eq((0..500).map(|piece| (piece, 10 * piece))));
            assert_eq!(seen.into_inner(), 500);
            let mut settled = Vec::new();
            let failed = workers.in_turn(
                500,
                5,
                || (),
                |(), piece, _| if piece == 40 { Err(piece) } else { Ok(()) },
                |(), piece, ()| {
                    settled.push(piece);
                    Ok(())
                },
            );
            assert_eq!(failed, Err(40));
            assert!(settled.iter().copied().eq(0..settled.len()) && settled.len() <= 40);
            let failed = workers.in_turn(
                9,
                5,
                || (),
                |(), _, _| Ok(()),
                |(), piece, ()| if piece == 7 { Err(piece) } else { Ok(()) },
            );
            assert_eq!(failed, Err(7));
            assert_eq!(workers.in_turn(0, 5, || (), |(), _, _| Err(1), |(), _, ()| Err(2)), Ok(()));
        }
    }

    #[test]
    fn a_panic_ends_the_others_too() {
        let workers = Workers::new(3).unwrap();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let look = |(): &mut (), piece, _| match piece {
                20 => panic!("looking at {piece}"),
                _ => Ok::<_, ()>(()),
            };
            workers.in_turn(100, 4, || (), look, |(), _, ()| Ok(()))
        }));
        assert!(ended.is_err());
    }

    #[test]
    fn pieces_cover_everything_once() {
        assert_eq!(pieces(5, 10, |i| [3, 9, 1, 20, 1][i]), [0..2, 2..4, 4..5]);
        assert!(pieces(0, 10, |_| 1).is_empty());
        assert_eq!(pieces(3, 1, |_| 0).first(), Some(&(0..3)));
    }
}
