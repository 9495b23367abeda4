//! Ranks that are connected by MPI.
//!
//! Everything is begun without waiting and then looked for, more and more rarely: MPI's own waiting keeps a core busy however
//! long it takes, and ranks may have to share cores.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use ferrompi::{Communicator, Mpi, Request, ThreadLevel, scope};

use super::{Messages, Ranks};
use crate::team::lock;

/// This process as a part of a job of MPI, which ends with it.
pub struct Job {
    mpi: Mpi,
    ranks: Ranks,
}

struct World {
    communicator: Communicator,
    on_this_machine: usize,
    /// Held during a call, as the level of threads asks for.
    turn: Mutex<()>,
}

/// Makes this process a part of the job that it was started in; `asked` is the flag that a signal raises.
///
/// # Errors
///
/// What MPI says.
pub fn start(asked: &'static AtomicBool) -> Result<Job, String> {
    let mpi = Mpi::init_thread(ThreadLevel::Serialized).map_err(|error| error.to_string())?;
    if mpi.thread_level() < ThreadLevel::Serialized {
        return Err("this MPI cannot be called by several threads in turn".into());
    }
    let communicator = mpi.world();
    let on_this_machine = communicator.split_shared().map_err(|error| error.to_string())?.size() as usize;
    let world = World { communicator, on_this_machine, turn: Mutex::new(()) };
    Ok(Job { mpi, ranks: Ranks::new(Box::new(world), asked) })
}

impl Job {
    /// This process among the others.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// Waits for all, and leaves the job.
    pub fn end(self) {
        let world = self.mpi.world();
        // Whoever does not come has ended the job.
        let _ = scope(|s| wait(world.ibarrier(s)?));
    }
}

impl Messages for World {
    fn rank(&self) -> usize {
        self.communicator.rank() as usize
    }

    fn size(&self) -> usize {
        self.communicator.size() as usize
    }

    fn on_this_machine(&self) -> usize {
        self.on_this_machine
    }

    fn gather(&self, all: &mut [f64], ends: &[usize]) {
        let own = all[ends[self.rank()]..ends[self.rank() + 1]].to_vec();
        let counts: Vec<i32> = ends.windows(2).map(|part| as_count(part[1] - part[0])).collect();
        let places: Vec<i32> = ends[..self.size()].iter().map(|&end| as_count(end)).collect();
        self.call(|| scope(|s| wait(self.communicator.iallgatherv(s, &own, all, &counts, &places)?)));
    }

    fn pass_on(&self, numbers: &mut [f64], cuts: &[usize], add: &mut dyn FnMut(usize, &mut [f64])) {
        let (rank, size) = (self.communicator.rank(), self.communicator.size());
        self.call(|| {
            scope(|s| {
                let (mut rest, mut sent) = (&mut *numbers, vec![]);
                for (k, cut) in cuts.windows(2).enumerate() {
                    let (piece, others) = rest.split_at_mut(cut[1] - cut[0]);
                    rest = others;
                    if rank > 0 {
                        scope(|s| wait(self.communicator.irecv(s, &mut *piece, rank - 1, TAG)?))?;
                    }
                    add(k, piece);
                    if rank + 1 < size {
                        sent.push(self.communicator.isend(s, &*piece, rank + 1, TAG)?);
                    }
                }
                sent.into_iter().try_for_each(wait)
            })?;
            scope(|s| wait(self.communicator.ibroadcast(s, numbers, size - 1)?))
        });
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) {
        let mut length = [bytes.len() as u64];
        self.call(|| {
            scope(|s| wait(self.communicator.ibroadcast(s, &mut length, 0)?))?;
            bytes.resize(length[0] as usize, 0);
            // A message holds less than two billion numbers.
            bytes
                .chunks_mut(1 << 30)
                .try_for_each(|part| scope(|s| wait(self.communicator.ibroadcast(s, part, 0)?)))
        });
    }

    fn bring(&self, from: usize, to: usize, numbers: &mut [f64]) {
        let [from, to] = [from, to].map(as_count);
        // A message holds less than two billion numbers.
        self.call(|| {
            numbers.chunks_mut(1 << 28).try_for_each(|part| {
                scope(|s| match self.communicator.rank() {
                    rank if rank == from => wait(self.communicator.isend(s, &*part, to, TAG)?),
                    rank if rank == to => wait(self.communicator.irecv(s, part, from, TAG)?),
                    _ => Ok(()),
                })
            })
        });
    }

    fn abort(&self, code: i32) -> ! {
        self.communicator.abort(code)
    }
}

const TAG: i32 = 0;

impl World {
    /// Calls MPI; nothing can be done without the others.
    fn call(&self, call: impl FnOnce() -> ferrompi::Result<()>) {
        let _turn = lock(&self.turn);
        if let Err(error) = call() {
            panic!("the connection to the other ranks is lost: {error}");
        }
    }
}

fn as_count(length: usize) -> i32 {
    i32::try_from(length).expect("a message holds less than two billion numbers")
}

/// Looks that follow one another at once, for some tenths of a millisecond.
const LOOKS: u32 = 2000;
/// How long a rank sleeps between two looks, at first and at the most.
const NAP: Duration = Duration::from_micros(20);
const LONGEST_NAP: Duration = Duration::from_millis(2);

/// Returns when `request` is done.
fn wait(mut request: Request<'_>) -> ferrompi::Result<()> {
    let (mut looks, mut nap) = (0, NAP);
    while request.test()?.is_none() {
        if looks < LOOKS {
            looks += 1;
            // Somebody else may need the core to come to what is waited for.
            if looks % 16 == 0 { thread::yield_now() } else { std::hint::spin_loop() }
        } else {
            thread::sleep(nap);
            // After a while it is no step that is waited for, but a picture.
            nap = (nap + nap / 8).min(LONGEST_NAP);
        }
    }
    Ok(())
}
