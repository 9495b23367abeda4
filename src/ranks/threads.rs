//! Threads in the place of processes, so that tests need no MPI.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use super::{Messages, Ranks};
use crate::team::lock;

struct Rank {
    rank: usize,
    size: usize,
    shared: Arc<Shared>,
}

struct Shared {
    barrier: Barrier,
    numbers: Mutex<Vec<f64>>,
    bytes: Mutex<Vec<u8>>,
}

/// What `work` gives on each of `size` ranks, in their order.
pub(crate) fn run<T: Send>(size: usize, work: impl Fn(&Ranks) -> T + Sync) -> Vec<T> {
    let shared =
        Arc::new(Shared { barrier: Barrier::new(size), numbers: Mutex::default(), bytes: Mutex::default() });
    thread::scope(|scope| {
        let ranks = (0..size).map(|rank| {
            let (shared, work) = (Arc::clone(&shared), &work);
            scope.spawn(move || {
                // As long as the tests run.
                let asked = Box::leak(Box::new(AtomicBool::new(false)));
                work(&Ranks::new(Box::new(Rank { rank, size, shared }), asked))
            })
        });
        let ranks: Vec<_> = ranks.collect();
        ranks.into_iter().map(|rank| rank.join().expect("no panic")).collect()
    })
}

/// A signal comes to this rank.
pub(crate) fn ask(ranks: &Ranks) {
    ranks.0.as_ref().expect("several").asked.store(true, Ordering::Relaxed);
}

impl Rank {
    /// One after the other.
    fn in_turn(&self, mut act: impl FnMut()) {
        for rank in 0..self.size {
            if rank == self.rank {
                act();
            }
            self.shared.barrier.wait();
        }
    }
}

impl Messages for Rank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn on_this_machine(&self) -> usize {
        self.size
    }

    fn gather(&self, all: &mut [f64], ends: &[usize]) {
        assert_eq!((ends[0], ends[self.size]), (0, all.len()));
        self.in_turn(|| {
            let mut numbers = lock(&self.shared.numbers);
            numbers.resize(all.len(), f64::NAN);
            let own = ends[self.rank]..ends[self.rank + 1];
            numbers[own.clone()].copy_from_slice(&all[own]);
        });
        all.copy_from_slice(&lock(&self.shared.numbers));
        self.shared.barrier.wait();
    }

    fn pass_on(&self, numbers: &mut [f64], cuts: &[usize], add: &mut dyn FnMut(usize, &mut [f64])) {
        assert_eq!((cuts[0], cuts[cuts.len() - 1]), (0, numbers.len()));
        self.in_turn(|| {
            let mut passed = lock(&self.shared.numbers);
            if self.rank > 0 {
                numbers.copy_from_slice(&passed);
            }
            for (k, cut) in cuts.windows(2).enumerate() {
                add(k, &mut numbers[cut[0]..cut[1]]);
            }
            *passed = numbers.to_vec();
        });
        numbers.copy_from_slice(&lock(&self.shared.numbers));
        self.shared.barrier.wait();
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) {
        self.in_turn(|| {
            if self.rank == 0 {
                *lock(&self.shared.bytes) = bytes.clone();
            }
        });
        *bytes = lock(&self.shared.bytes).clone();
        self.shared.barrier.wait();
    }

    fn bring(&self, from: usize, to: usize, numbers: &mut [f64]) {
        let act = |rank: usize, act: &mut dyn FnMut(&mut Vec<f64>)| {
            if rank == self.rank {
                act(&mut lock(&self.shared.numbers));
            }
            self.shared.barrier.wait();
        };
        act(from, &mut |shared| *shared = numbers.to_vec());
        act(to, &mut |shared| numbers.copy_from_slice(shared));
    }

    fn abort(&self, code: i32) -> ! {
        panic!("aborted with {code}")
    }
}
