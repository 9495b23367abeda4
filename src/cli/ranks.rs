//! One command on the processes of a job of MPI: rank 0 reads, writes and prints as the only process would, the others help it
//! to compute and are silent.
//!
//! What any of them cannot do, none does: before training begins they agree, and who fails later ends them all.

use std::thread;
use std::time::Duration;

use pinn::internals::ranks::Ranks;

use super::{Exit, Failure};

/// Runs the command as a part of the job that this process was started in.
#[cfg(feature = "mpi")]
pub(super) fn together(run: impl FnOnce(&Ranks) -> Exit) -> Exit {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// What Rust's programs end with where they panic.
    const PANICKED: u8 = 101;
    let job = match pinn::internals::ranks::start(super::interrupt::asked()) {
        Ok(job) => job,
        Err(error) => {
            tell!("error: MPI cannot be started: {error}");
            return Exit::Unexpected;
        }
    };
    if job.ranks().are_several() {
        super::interrupt::several();
    }
    match catch_unwind(AssertUnwindSafe(|| run(job.ranks()))) {
        Ok(exit) => {
            job.end();
            exit
        }
        Err(_) => {
            job.ranks().abort(PANICKED);
            Exit::Unexpected
        }
    }
}

/// Runs the command.
#[cfg(not(feature = "mpi"))]
pub(super) fn together(run: impl FnOnce(&Ranks) -> Exit) -> Exit {
    run(&Ranks::alone())
}

/// `result`, if no rank has failed; the first that has says why.
pub(super) fn agree<T>(ranks: &Ranks, result: Result<T, Failure>) -> Result<T, Failure> {
    let own = result.as_ref().err().map_or(0, |failure| failure.exit as u32);
    let all = ranks.all(own);
    let Some((first, &exit)) = all.iter().enumerate().find(|(_, exit)| **exit != 0) else { return result };
    let exit = Exit::from_code(exit);
    match result {
        Err(failure) if ranks.leads() => Err(failure),
        Err(failure) if first == ranks.rank() => {
            tell!("rank {first}: {}", failure.message.trim_end());
            Err(Failure { exit, message: String::new() })
        }
        _ => Err(Failure { exit, message: String::new() }),
    }
}

/// What rank 0 is asked for and the others get a stand-in of, if it succeeds.
pub(super) fn lead<T>(
    ranks: &Ranks,
    own: impl FnOnce() -> Result<T, Failure>,
    stand_in: impl FnOnce() -> T,
) -> Result<T, Failure> {
    agree(ranks, if ranks.leads() { own() } else { Ok(stand_in()) })
}

/// Fails unless what all ranks are to compute together is the same kind of command.
pub(super) fn same_command(ranks: &Ranks, shares: u32) -> Result<(), Failure> {
    // Where two differ, every rank sees one that differs from its own: all fail.
    if ranks.all(shares).iter().all(|&other| other == shares) {
        return Ok(());
    }
    let failure = "the ranks of this job have different command lines; start all with the same one";
    agree(ranks, Err(Failure::usage(failure)))
}

/// Fails unless all ranks compute the same: `fingerprint` says what.
pub(super) fn compare(ranks: &Ranks, fingerprint: u64) -> Result<(), Failure> {
    let mine = fingerprint.to_le_bytes();
    let same = ranks.broadcast(mine.to_vec()) == mine;
    let failure = || {
        Failure::usage(
            "this process reads another problem than rank 0, or is another version of pinn-solve or on another kind of \
             processor; start all from the same files on equal machines",
        )
    };
    agree(ranks, same.then_some(()).ok_or_else(failure))
}

/// Ends the job where this rank alone cannot go on; where it is the only process, the failure is all.
pub(super) fn give_up(ranks: &Ranks, failure: Failure) -> Failure {
    if ranks.size() > 1 {
        if ranks.leads() {
            tell!("{}", failure.message.trim_end());
        } else {
            // What all fail at, rank 0 says.
            thread::sleep(Duration::from_secs(1));
            tell!("rank {}: {}", ranks.rank(), failure.message.trim_end());
        }
        ranks.abort(failure.exit as u8);
    }
    failure
}
