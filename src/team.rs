//! Threads that work together: whoever calls, and helpers that live as long as the team.
//!
//! A step of a small network takes less time than waking a sleeping thread, and has several pieces of work.
//! So helpers look out for the next piece for a moment before they go to sleep, and the caller is one of the team.
//! Nobody waits for a helper that is late: the caller works until nothing is left, and then only for those who have begun.
//! An engine and an optimizer take turns, so they share one: helpers of two teams would keep each other's cores busy.
//! A team may be one of several, in as many processes: what they share among them, `ranks.rs` knows.
//! This file knows threads; it does not know what they compute.

#![expect(unsafe_code, reason = "helpers outlive the borrow of their work; the caller waits for them")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::ranks::Ranks;

/// How often a waiting thread looks before it sleeps: for about a tenth of a millisecond.
const LOOKS: usize = 200;
/// Pauses of the processor between two looks; in between, the core is offered to others.
const PAUSES: usize = 16;

/// The caller and its helpers.
pub struct Team {
    shared: Arc<Shared>,
    /// Held by the caller whose work it is.
    turn: Mutex<()>,
    helpers: Vec<JoinHandle<()>>,
    /// The other processes' teams, which have equal work.
    ranks: Ranks,
    /// What every item of every round took the caller alone, where that is asked for.
    times: Mutex<Option<Vec<Vec<Duration>>>>,
}

struct Shared {
    /// How many pieces of work there have been, in units of [`ROUND`]; [`OPEN`], while helpers may join in the last one; and
    /// how many are at it.
    state: AtomicU64,
    /// The piece of this round, and who waits for its end; nothing ends the helpers.
    work: Mutex<Option<(Work, Thread)>>,
    /// Has a helper panicked?
    failed: AtomicBool,
}

const OPEN: u64 = 1 << 31;
const ROUND: u64 = 1 << 32;

/// Helpers at work.
fn inside(state: u64) -> u64 {
    state % OPEN
}

/// A function of the thread's number that outlives the round.
#[derive(Clone, Copy)]
struct Work(*const (dyn Fn(usize) + Sync));

// SAFETY: the function behind the pointer may be called from any thread, since it is `Sync`, and [`Team::run`] does not
// return before nobody uses the pointer any more.
unsafe impl Send for Work {}

impl Team {
    /// The caller alone.
    pub fn alone() -> Self {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            work: Mutex::new(None),
            failed: AtomicBool::new(false),
        });
        Self { shared, turn: Mutex::new(()), helpers: vec![], ranks: Ranks::alone(), times: Mutex::new(None) }
    }

    /// A team of `threads` threads, the caller included.
    ///
    /// # Errors
    ///
    /// If the operating system has no more threads.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        Self::among(threads, Ranks::alone())
    }

    /// As [`Team::new`], in one of several processes that compute together.
    ///
    /// # Errors
    ///
    /// If the operating system has no more threads.
    pub fn among(threads: usize, ranks: Ranks) -> std::io::Result<Self> {
        let mut team = Self::alone();
        team.ranks = ranks;
        for number in 1..threads {
            let shared = Arc::clone(&team.shared);
            let helper = thread::Builder::new().name(format!("pinn-{number}"));
            team.helpers.push(helper.spawn(move || shared.help(number))?);
        }
        Ok(team)
    }

    /// The processes that compute together.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// Gives every item to one of the threads, which `work` is told by its number.
    ///
    /// A caller who finds the team at work for another one does all by itself.
    ///
    /// # Panics
    ///
    /// If `work` does.
    pub fn share<T: Send>(
        &self,
        items: impl ExactSizeIterator<Item = T> + Send,
        work: impl Fn(usize, T) + Sync,
    ) {
        if items.len() < 2 {
            return items.for_each(|item| work(0, item));
        }
        if self.helpers.is_empty() {
            return self.work_alone(items, work);
        }
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return items.for_each(|item| work(0, item)),
        };
        let items = Mutex::new(items);
        self.run(&|thread| {
            // The lock is free again before the work begins.
            let next = || lock(&items).next();
            while let Some(item) = next() {
                work(thread, item);
            }
        });
    }

    fn work_alone<T>(&self, items: impl Iterator<Item = T>, work: impl Fn(usize, T)) {
        if lock(&self.times).is_none() {
            return items.for_each(|item| work(0, item));
        }
        let time = |item| {
            let start = Instant::now();
            work(0, item);
            start.elapsed()
        };
        let round = items.map(time).collect();
        lock(&self.times).get_or_insert_default().push(round);
    }

    /// Notes from now on what every item takes, as long as there are no helpers; those noted before are handed out, round by round.
    ///
    /// From them follows how many threads would be of use (`benches/scaling.rs`).
    pub fn take_times(&self) -> Vec<Vec<Duration>> {
        lock(&self.times).replace(vec![]).unwrap_or_default()
    }

    /// The caller calls `work` as number 0, and so do helpers, with their numbers, that come in time; returns when all who
    /// have begun are done.
    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        /// Waits even where the caller's own part panics.
        struct Wait<'a>(&'a Shared);
        impl Drop for Wait<'_> {
            fn drop(&mut self) {
                self.0.state.fetch_and(!OPEN, Ordering::AcqRel);
                look_out(|| inside(self.0.state.load(Ordering::Acquire)) == 0);
            }
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes, and `Wait` lets no helper begin any more, and keeps this function from
        // returning while one is at work.
        let endless = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static _>(work) };
        *lock(&shared.work) = Some((Work(endless), thread::current()));
        self.begin();
        let wait = Wait(shared);
        work(0);
        drop(wait);
        assert!(!shared.failed.swap(false, Ordering::Relaxed), "a thread of the team has panicked");
    }

    fn begin(&self) {
        // Nobody is inside, and the last round is closed.
        self.shared.state.fetch_add(ROUND + OPEN, Ordering::Release);
        self.helpers.iter().for_each(|helper| helper.thread().unpark());
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        *lock(&self.shared.work) = None;
        self.begin();
        for helper in self.helpers.drain(..) {
            // A helper catches its panics, and they have been told.
            let _ = helper.join();
        }
    }
}

impl Shared {
    /// The life of helper `number`.
    fn help(&self, number: usize) {
        let mut seen = 0;
        loop {
            look_out(|| self.state.load(Ordering::Acquire) / ROUND != seen);
            let join = |state| if state & OPEN == 0 { None } else { Some(state + 1) };
            let joined = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, join);
            seen = joined.unwrap_or_else(|state| state) / ROUND;
            if joined.is_err() {
                continue;
            }
            let Some((work, caller)) = lock(&self.work).clone() else { return };
            // SAFETY: the caller waits as long as a helper is inside.
            let outcome = catch_unwind(AssertUnwindSafe(|| unsafe { (*work.0)(number) }));
            if outcome.is_err() {
                self.failed.store(true, Ordering::Relaxed);
            }
            // Whoever is inside after the end keeps the caller waiting.
            let state = self.state.fetch_sub(1, Ordering::AcqRel) - 1;
            if state & OPEN == 0 && inside(state) == 0 {
                caller.unpark();
            }
        }
    }
}

/// What a thread that panicked has left is whole: locks are held for single operations.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns when `ready`: looks for a moment, then sleeps until somebody unparks this thread.
fn look_out(ready: impl Fn() -> bool) {
    let mut looks = 0;
    while !ready() {
        if looks == LOOKS {
            thread::park();
            continue;
        }
        looks += 1;
        if looks % 8 == 0 {
            thread::yield_now();
        }
        (0..PAUSES).for_each(|_| std::hint::spin_loop());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn every_item_is_worked_on_once_at_any_number_of_threads() {
        for threads in 1..=5 {
            let team = Team::new(threads).expect("threads");
            for count in [0, 1, 2, 100] {
                let mut items = vec![0_u32; count];
                let seen: Vec<_> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
                for _ in 0..50 {
                    team.share(items.iter_mut(), |thread, item| {
                        *item += 1;
                        seen[thread].fetch_add(1, Ordering::Relaxed);
                    });
                }
                assert!(items.iter().all(|&n| n == 50));
                assert_eq!(seen.iter().map(|n| n.load(Ordering::Relaxed)).sum::<usize>(), 50 * count);
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_goes_on() {
        let team = Team::new(3).expect("threads");
        for _ in 0..3 {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                team.share(0..9, |_, item| assert!(item != 5, "on purpose"));
            }));
            assert!(outcome.is_err());
        }
        let sum = AtomicUsize::new(0);
        team.share(0..9, |_, item| {
            sum.fetch_add(item, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 36);
    }

    #[test]
    fn a_helper_that_has_begun_is_waited_for_and_a_call_inside_works_alone() {
        let team = Team::new(2).expect("threads");
        // The helper begins with the first item it gets and stays with it until the caller has done all others.
        let (left, helped) = (AtomicUsize::new(9), AtomicUsize::new(0));
        while helped.load(Ordering::Relaxed) == 0 {
            left.store(9, Ordering::Relaxed);
            team.share(0..10, |thread, _| {
                if thread == 1 {
                    helped.fetch_add(1, Ordering::Relaxed);
                    while left.load(Ordering::Relaxed) > 0 {
                        thread::yield_now();
                    }
                }
                let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            });
            assert_eq!(left.load(Ordering::Relaxed), 0);
        }
        assert_eq!(helped.into_inner(), 1);
        // A caller who finds the team at work does everything alone, as here one inside its own work.
        let sum = AtomicUsize::new(0);
        team.share(0..3, |_, _| {
            team.share(1..4, |thread, item| {
                assert_eq!(thread, 0);
                sum.fetch_add(item, Ordering::Relaxed);
            });
        });
        assert_eq!(sum.into_inner(), 18);
    }

    #[test]
    fn a_sleeping_team_wakes_up() {
        let team = Team::new(2).expect("threads");
        for pause in [0, 1, 20] {
            thread::sleep(Duration::from_millis(pause));
            let sum = AtomicUsize::new(0);
            team.share(0..4, |_, item| {
                sum.fetch_add(item, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 6);
        }
    }
}
