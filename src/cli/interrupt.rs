//! Ctrl-C and termination signals: where there is nothing to lose they end the program at once, with exit code 130; where a
//! command has something to put away, they ask it to end.
//!
//! This file knows signals; it does not know what is put away.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Exit;

/// Has a signal asked for an end?
static ASKED: AtomicBool = AtomicBool::new(false);
/// Does the command put something away before it ends?
static WAITS: AtomicBool = AtomicBool::new(false);
/// What is said where a signal ends the program at once.
static LAST_WORDS: Mutex<String> = Mutex::new(String::new());

/// When the first signal came, where this is one of several processes.
static FIRST: Mutex<Option<Instant>> = Mutex::new(None);
/// Is it?
static SEVERAL: AtomicBool = AtomicBool::new(false);
/// A terminal and mpiexec both pass a signal on to processes: within this time it counts as one.
const ONE_SIGNAL: Duration = Duration::from_secs(1);

/// From now on signals are heard.
pub(super) fn listen() {
    // A second handler cannot be set; this is called once in a process.
    let _ = ctrlc::set_handler(|| {
        if SEVERAL.load(Ordering::Relaxed) {
            let Ok(mut first) = FIRST.lock() else { return };
            let counts = WAITS.load(Ordering::Relaxed) || first.is_some();
            if counts && first.get_or_insert_with(Instant::now).elapsed() < ONE_SIGNAL {
                ASKED.store(true, Ordering::Relaxed);
                return;
            }
        }
        // Who asks twice does not want to wait.
        if !WAITS.load(Ordering::Relaxed) || ASKED.swap(true, Ordering::Relaxed) {
            let last_words = LAST_WORDS.lock().map(|words| words.clone()).unwrap_or_default();
            if !last_words.is_empty() {
                tell!("{last_words}");
            }
            // LibTorch is taken down while another thread may still compute with it: nobody needs to hear how that fails.
            std::panic::set_hook(Box::new(|_| {}));
            std::process::exit(Exit::Interrupted as i32);
        }
    });
}

/// From now on this is one of several processes that compute together.
#[cfg(feature = "mpi")]
pub(super) fn several() {
    SEVERAL.store(true, Ordering::Relaxed);
}

/// From now on a signal only asks for an end, until there is a second one.
pub(super) fn wait_for_me() {
    WAITS.store(true, Ordering::Relaxed);
}

/// Another process has told that a signal has come: the same one may still be on its way to this one.
pub(super) fn heard_elsewhere() {
    if let Ok(mut first) = FIRST.lock() {
        first.get_or_insert_with(Instant::now);
    }
}

/// From now on a signal ends the program at once again, with these last words.
pub(super) fn end_at_once(last_words: String) {
    if let Ok(mut words) = LAST_WORDS.lock() {
        *words = last_words;
    }
    WAITS.store(false, Ordering::Relaxed);
}

/// The flag that a signal raises.
pub(super) fn asked() -> &'static AtomicBool {
    &ASKED
}
