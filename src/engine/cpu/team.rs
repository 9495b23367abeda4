//! Threads that work together: whoever calls, and helpers that live as long as the engine.
//!
//! A step of a small network takes less time than waking a sleeping thread, and has several pieces of work.
//! So helpers look out for the next piece for a moment before they go to sleep, and the caller is one of the team.
//! This file knows threads; it does not know what they compute.

#![expect(unsafe_code, reason = "helpers outlive the borrow of their work; the caller waits for them")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, Thread};

use super::lock;

/// How often a waiting thread looks before it sleeps: for about a tenth of a millisecond.
const LOOKS: usize = 200;
/// Pauses of the processor between two looks; in between, the core is offered to others.
const PAUSES: usize = 16;

/// The caller and its helpers.
pub(super) struct Team {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Counts pieces of work.
    round: AtomicUsize,
    /// The piece of this round, and who waits for its end; nothing ends the helpers.
    work: Mutex<Option<(Work, Thread)>>,
    /// Helpers that are not done with it.
    busy: AtomicUsize,
    /// Has a helper panicked?
    failed: AtomicBool,
}

/// A function of the thread's number that outlives the round.
#[derive(Clone, Copy)]
struct Work(*const (dyn Fn(usize) + Sync));

// SAFETY: the function behind the pointer may be called from any thread, since it is `Sync`, and [`Team::run`] does not
// return before nobody uses the pointer any more.
unsafe impl Send for Work {}

impl Team {
    /// A team of `threads` threads, the caller included.
    pub(super) fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            round: AtomicUsize::new(0),
            work: Mutex::new(None),
            busy: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        });
        let mut team = Self { shared, helpers: vec![] };
        for number in 1..threads {
            let shared = Arc::clone(&team.shared);
            let helper = thread::Builder::new().name(format!("pinn-{number}"));
            team.helpers.push(helper.spawn(move || shared.help(number))?);
        }
        Ok(team)
    }

    /// Gives every item to one of the threads, which `work` is told by its number.
    pub(super) fn share<T: Send>(
        &self,
        items: impl ExactSizeIterator<Item = T> + Send,
        work: impl Fn(usize, T) + Sync,
    ) {
        if items.len() < 2 || self.helpers.is_empty() {
            return items.for_each(|item| work(0, item));
        }
        let items = Mutex::new(items);
        self.run(&|thread| {
            // The lock is free again before the work begins.
            let next = || lock(&items).next();
            while let Some(item) = next() {
                work(thread, item);
            }
        });
    }

    /// Every thread calls `work` with its number, the caller as number 0; returns when all are done.
    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        /// Waits even where the caller's own part panics.
        struct Wait<'a>(&'a Shared);
        impl Drop for Wait<'_> {
            fn drop(&mut self) {
                look_out(|| self.0.busy.load(Ordering::Acquire) == 0);
            }
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes, and `Wait` keeps this function from returning while a helper is at work.
        let endless = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static _>(work) };
        *lock(&shared.work) = Some((Work(endless), thread::current()));
        shared.busy.store(self.helpers.len(), Ordering::Relaxed);
        self.begin();
        let wait = Wait(shared);
        work(0);
        drop(wait);
        assert!(!shared.failed.swap(false, Ordering::Relaxed), "a thread of the engine has panicked");
    }

    fn begin(&self) {
        self.shared.round.fetch_add(1, Ordering::Release);
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
        let mut done = 0;
        loop {
            look_out(|| self.round.load(Ordering::Acquire) != done);
            done = done.wrapping_add(1);
            let Some((work, caller)) = lock(&self.work).clone() else { return };
            // SAFETY: the caller waits until `busy` is zero.
            let outcome = catch_unwind(AssertUnwindSafe(|| unsafe { (*work.0)(number) }));
            if outcome.is_err() {
                self.failed.store(true, Ordering::Relaxed);
            }
            if self.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
                caller.unpark();
            }
        }
    }
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
    fn a_sleeping_team_wakes_up() {
        let team = Team::new(2).expect("threads");
        for pause in [0, 1, 20] {
            thread::sleep(std::time::Duration::from_millis(pause));
            let sum = AtomicUsize::new(0);
            team.share(0..4, |_, item| {
                sum.fetch_add(item, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 6);
        }
    }
}
