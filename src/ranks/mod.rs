//! Processes that compute one run together, as [`Team`](crate::team::Team) is threads that do.
//!
//! All ranks run the same program on the same file with the same seed, and so come to the same decisions.
//! What costs time is shared out: each rank computes a slice of the items, and afterwards every rank has all of it.
//! Sums are added in the order of the items, by passing them on from rank to rank, so that they have the bits that one process
//! computes.
//! What only one rank can know (a signal, say) is agreed on with the sums of an evaluation, so that all see it at the same step.
//! This file knows processes and what they tell one another; it does not know what they compute.

#[cfg(feature = "mpi")]
mod mpi;
#[cfg(test)]
pub(crate) mod threads;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "mpi")]
pub use mpi::{Job, start};

/// A process among those of its job; clones are the same.
#[derive(Clone, Default)]
pub struct Ranks(Option<Arc<Inner>>);

struct Inner {
    messages: Box<dyn Messages>,
    /// Has a signal come to this process?
    asked: &'static AtomicBool,
    /// Have all agreed that one has come to somebody?
    agreed: AtomicBool,
    /// Does each compute for itself from now on?
    apart: AtomicBool,
}

/// What ranks need of whatever connects them; every rank makes the same calls in the same order.
pub(crate) trait Messages: Send + Sync {
    /// Who this is.
    fn rank(&self) -> usize;
    /// How many there are.
    fn size(&self) -> usize;
    /// How many of them share this machine.
    fn on_this_machine(&self) -> usize;
    /// Rank r has filled `all[ends[r]..ends[r + 1]]`; afterwards everybody has everything.
    fn gather(&self, all: &mut [f64], ends: &[usize]);
    /// From rank to rank in their order, each adds to `numbers` what is its own, piece by piece: piece k is
    /// `numbers[cuts[k]..cuts[k + 1]]`, and `add(k, piece)` is called once for it. Afterwards everybody has the sums.
    fn pass_on(&self, numbers: &mut [f64], cuts: &[usize], add: &mut dyn FnMut(usize, &mut [f64]));
    /// Everybody gets what rank 0 has.
    fn broadcast(&self, bytes: &mut Vec<u8>);
    /// Rank `to` gets the numbers that rank `from` has; the others do nothing.
    fn bring(&self, from: usize, to: usize, numbers: &mut [f64]);
    /// Ends all processes.
    fn abort(&self, code: i32) -> !;
}

impl Ranks {
    /// The only process.
    pub fn alone() -> Self {
        Self(None)
    }

    #[cfg_attr(
        not(any(feature = "mpi", test)),
        expect(dead_code, reason = "nothing connects processes in this build")
    )]
    pub(crate) fn new(messages: Box<dyn Messages>, asked: &'static AtomicBool) -> Self {
        let (agreed, apart) = (AtomicBool::new(false), AtomicBool::new(false));
        Self((messages.size() > 1).then(|| Arc::new(Inner { messages, asked, agreed, apart })))
    }

    /// All ranks of the job, if there are several and they still compute together.
    fn together(&self) -> Option<&Inner> {
        self.0.as_deref().filter(|inner| !inner.apart.load(Ordering::Relaxed))
    }

    /// Are there others that compute with this one?
    pub fn are_several(&self) -> bool {
        self.together().is_some()
    }

    /// Who this is, counted from 0, whether or not they still compute together.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| inner.messages.rank())
    }

    /// How many processes the job has.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1, |inner| inner.messages.size())
    }

    /// How many of them share this machine.
    pub fn on_this_machine(&self) -> usize {
        self.0.as_ref().map_or(1, |inner| inner.messages.on_this_machine())
    }

    /// Is this the one that writes and prints?
    pub fn leads(&self) -> bool {
        self.rank() == 0
    }

    /// From now on each rank computes for itself.
    pub fn part(&self) {
        if let Some(inner) = &self.0 {
            inner.apart.store(true, Ordering::Relaxed);
        }
    }

    /// Which of `count` items are this rank's; slices are in the order of ranks.
    pub(crate) fn share(&self, count: usize) -> Range<usize> {
        match self.together() {
            None => 0..count,
            Some(inner) => {
                let (rank, size) = (inner.messages.rank(), inner.messages.size());
                count * rank / size..count * (rank + 1) / size
            }
        }
    }

    /// Everybody has filled the numbers of its share of items, which have `length` numbers each but for the last one; afterwards
    /// everybody has all.
    pub(crate) fn gather(&self, all: &mut [f64], length: usize) {
        let Some(inner) = self.together() else { return };
        let (size, count) = (inner.messages.size(), all.len().div_ceil(length.max(1)));
        let ends: Vec<usize> = (0..=size).map(|rank| (count * rank / size * length).min(all.len())).collect();
        inner.messages.gather(all, &ends);
    }

    /// Everybody adds to `numbers`, zeros at first, what is its own, in the order of ranks: `add(k, piece)` for every piece
    /// `numbers[cuts[k]..cuts[k + 1]]`. Afterwards everybody has the sums.
    ///
    /// With them it is agreed whether a signal has come to anybody.
    pub(crate) fn pass_on(
        &self,
        numbers: &mut Vec<f64>,
        cuts: &[usize],
        mut add: impl FnMut(usize, &mut [f64]),
    ) {
        let Some(inner) = self.together() else {
            for (k, cut) in cuts.windows(2).enumerate() {
                add(k, &mut numbers[cut[0]..cut[1]]);
            }
            return;
        };
        // The last piece carries one number more.
        let length = numbers.len();
        let mut cuts = cuts.to_vec();
        numbers.push(0.0);
        *cuts.last_mut().expect("pieces have an end") += 1;
        let last = cuts.len() - 2;
        inner.messages.pass_on(numbers, &cuts, &mut |k, piece| {
            let Some((asks, rest)) = piece.split_last_mut().filter(|_| k == last) else {
                return add(k, piece);
            };
            add(k, rest);
            if inner.asked.load(Ordering::Relaxed) {
                *asks = 1.0;
            }
        });
        if numbers[length] != 0.0 {
            inner.agreed.store(true, Ordering::Relaxed);
        }
        numbers.truncate(length);
    }

    /// Everybody gets what rank 0 has.
    pub fn broadcast(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if let Some(inner) = self.together() {
            inner.messages.broadcast(&mut bytes);
        }
        bytes
    }

    /// What all ranks have, one after the other, for rank 0; nothing for the others.
    pub(crate) fn collect(&self, own: Vec<f64>) -> Vec<f64> {
        let Some(inner) = self.together() else { return own };
        let lengths = self.lengths(own.len());
        let mut all = own;
        if self.leads() {
            all.reserve_exact(lengths[1..].iter().sum());
        }
        for (from, &length) in lengths.iter().enumerate().skip(1) {
            if self.leads() {
                let here = all.len();
                all.resize(here + length, 0.0);
                inner.messages.bring(from, 0, &mut all[here..]);
            } else {
                let own = if from == self.rank() { &mut all[..] } else { &mut [] };
                inner.messages.bring(from, 0, own);
            }
        }
        if !self.leads() {
            all.clear();
        }
        all
    }

    /// The reverse of [`Ranks::collect`]: of what rank 0 has, this rank's `length` numbers.
    pub(crate) fn hand_out(&self, all: &[f64], length: usize) -> Vec<f64> {
        let Some(inner) = self.together() else { return all.to_vec() };
        let lengths = self.lengths(length);
        let mut own = if self.leads() { all[..length].to_vec() } else { vec![0.0; length] };
        let mut begin = lengths[0];
        for (to, &length) in lengths.iter().enumerate().skip(1) {
            if self.leads() {
                inner.messages.bring(0, to, &mut all[begin..begin + length].to_vec());
                begin += length;
            } else {
                inner.messages.bring(0, to, if to == self.rank() { &mut own } else { &mut [] });
            }
        }
        own
    }

    /// The numbers that rank 0 has.
    pub(crate) fn lead_has(&self, numbers: &[f64]) -> Vec<f64> {
        let bytes = self.broadcast(numbers.iter().flat_map(|x| x.to_le_bytes()).collect());
        let chunks = bytes.chunks_exact(size_of::<f64>());
        chunks.map(|x| f64::from_le_bytes(x.try_into().expect("eight bytes"))).collect()
    }

    /// How many numbers every rank has.
    fn lengths(&self, own: usize) -> Vec<usize> {
        let mut lengths = vec![0.0; self.size()];
        // Exact below 2⁵³.
        lengths[self.rank()] = own as f64;
        self.gather(&mut lengths, 1);
        lengths.into_iter().map(|x| x as usize).collect()
    }

    /// What everybody says, in the order of ranks.
    pub fn all(&self, says: u32) -> Vec<u32> {
        let mut all = vec![0.0; self.size()];
        all[self.rank()] = f64::from(says);
        self.gather(&mut all, 1);
        all.into_iter().map(|x| x as u32).collect()
    }

    /// Has a signal asked for an end, to the knowledge of all; `alone` is the flag that says so where there is one process.
    pub fn stop<'a>(&'a self, alone: &'a AtomicBool) -> &'a AtomicBool {
        self.0.as_ref().map_or(alone, |inner| &inner.agreed)
    }

    /// Ends the processes of the job, where there are several.
    pub fn abort(&self, code: u8) {
        if let Some(inner) = &self.0 {
            inner.messages.abort(code.into());
        }
    }
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

impl PartialEq for Ranks {
    fn eq(&self, other: &Self) -> bool {
        (self.rank(), self.size()) == (other.rank(), other.size())
    }
}

impl Eq for Ranks {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_order_and_leave_nothing_out() {
        assert_eq!(Ranks::alone().share(7), 0..7);
        for size in 1..6 {
            for count in [0, 1, 3, 64] {
                let shares = threads::run(size, |ranks| ranks.share(count));
                assert_eq!(
                    shares.iter().cloned().flatten().collect::<Vec<_>>(),
                    (0..count).collect::<Vec<_>>()
                );
            }
        }
    }

    #[test]
    fn sums_are_those_of_one_process() {
        let items: Vec<f64> = (0..40).map(|i| (f64::from(i) * 0.7).sin() * 10_f64.powi(i % 9)).collect();
        let add =
            |own: &[f64], to: &mut [f64]| own.iter().for_each(|x| to.iter_mut().for_each(|to| *to += x));
        let mut expected = vec![0.0; 5];
        add(&items, &mut expected);
        for size in 1..6 {
            let all = threads::run(size, |ranks| {
                let (own, mut sums) = (ranks.share(items.len()), vec![0.0; 5]);
                ranks.pass_on(&mut sums, &[0, 2, 5], |_, piece| add(&items[own.clone()], piece));
                sums
            });
            assert!(all.iter().all(|sums| *sums == expected), "{size}");
        }
    }

    #[test]
    fn everybody_has_what_everybody_computed() {
        for size in 1..6 {
            // The last item is shorter.
            let all = threads::run(size, |ranks| {
                let mut all = vec![0.0; 11];
                for item in ranks.share(4) {
                    (item * 3..(item * 3 + 3).min(11)).for_each(|i| all[i] = i as f64);
                }
                ranks.gather(&mut all, 3);
                // Rank r has r + 1 numbers.
                let own = vec![ranks.rank() as f64; ranks.rank() + 1];
                let collected = ranks.collect(own.clone());
                assert_eq!(collected.len(), if ranks.leads() { size * (size + 1) / 2 } else { 0 });
                assert_eq!(ranks.hand_out(&collected, own.len()), own);
                (all, ranks.all(7 + ranks.rank() as u32), ranks.broadcast(vec![ranks.rank() as u8; 3]))
            });
            for (numbers, said, bytes) in all {
                assert_eq!(numbers, (0..11).map(f64::from).collect::<Vec<_>>());
                assert_eq!(said, (7..7 + size as u32).collect::<Vec<_>>());
                assert_eq!(bytes, [0; 3]);
            }
        }
    }

    #[test]
    fn a_signal_to_one_is_known_to_all_with_the_next_sums() {
        static ALONE: AtomicBool = AtomicBool::new(false);
        let known = threads::run(3, |ranks| {
            let sum = |ranks: &Ranks| {
                ranks.pass_on(&mut vec![0.0], &[0, 1], |_, _| {});
                ranks.stop(&ALONE).load(Ordering::Relaxed)
            };
            let before = sum(ranks);
            if ranks.rank() == 1 {
                threads::ask(ranks);
            }
            (before, sum(ranks))
        });
        assert_eq!(known, [(false, true); 3]);
        let alone = threads::run(3, |ranks| {
            ranks.part();
            (ranks.share(5), ranks.are_several())
        });
        assert_eq!(alone, vec![(0..5, false); 3]);
    }
}
