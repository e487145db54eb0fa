//! Ctrl-C as a request to stop once the results at hand are written. Elsewhere than on Unix it ends the program at once,
//! which a journal survives as well.
#![allow(unsafe_code)] // setting a handler for a signal

use std::sync::atomic::{AtomicBool, Ordering};

static WISHED: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C only sets what a run of prompts asks between two of them; the second ends the program.
pub fn watch_for_interrupts() {
    #[cfg(unix)]
    {
        extern "C" fn note(signal: libc::c_int) {
            WISHED.store(true, Ordering::Relaxed);
            // SAFETY: `signal` may be called in a handler; it restores what the system does by itself.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        // SAFETY: the handler only stores to an atomic and calls `signal`, both allowed in a handler.
        unsafe { libc::signal(libc::SIGINT, note as *const () as libc::sighandler_t) };
    }
}

/// Whether someone pressed Ctrl-C.
pub fn interrupted() -> bool {
    WISHED.load(Ordering::Relaxed)
}
