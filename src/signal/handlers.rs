//! The handlers: first those that end the process, then those that let it end by itself.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::{Signal, WAKE, note};

/// Whether a signal ends the process at once.
static ENDS_AT_ONCE: AtomicBool = AtomicBool::new(true);

/// From here on a signal ends the process at once, with its status, until [`install`] is called: there is nothing to
/// lose yet.
pub fn end_with_status() {
    // It fails for what is no signal.
    for signal in [Some(Signal::Interrupt), Some(Signal::Terminate), hang_up()].into_iter().flatten() {
        let _ = flag::register_conditional_shutdown(signal.number().into(), signal.status().into(), &ENDS_AT_ONCE);
    }
    // A file that may not grow any more (`ulimit -f`) is an error of the write, as a full disk is.
    let _ = flag::register(SIGXFSZ, Arc::default());
}

/// From here on a signal is seen by [`received`](super::received) and makes [`wake`](super::wake) readable. The second
/// one is final, but for what is [`busy`](super::busy): that has the same grace then. To be called as often as one likes:
/// what waits for signals are two threads, an eighth of what one command takes.
pub fn install() -> io::Result<()> {
    if WAKE.get().is_some() {
        return Ok(());
    }
    let (reader, writer) = io::pipe()?;
    let _ = WAKE.set(reader);
    let mut heard = vec![SIGTERM];
    heard.extend(hang_up().map(|_| SIGHUP));
    // Whoever ignores this one, as some supervisors do and pass it on, is not told how programs ended.
    if is_ignored(SIGCHLD) {
        heard.push(SIGCHLD);
    }
    let mut signals = Signals::new(heard)?;
    let ctrl_c = writer.try_clone()?;
    ctrlc::set_handler(move || note(Signal::Interrupt, &ctrl_c)).map_err(|error| match error {
        ctrlc::Error::System(error) => error,
        error => io::Error::other(error),
    })?;
    // It is there in nearly every run, and does little.
    thread::Builder::new().name("signals".to_owned()).stack_size(128 * 1024).spawn(move || {
        for number in signals.forever() {
            match number {
                SIGHUP => note(Signal::HangUp, &writer),
                SIGTERM => note(Signal::Terminate, &writer),
                _ => {}
            }
        }
    })?;
    ENDS_AT_ONCE.store(false, Ordering::SeqCst);
    Ok(())
}

/// Lets a write to a pipe or a connection whose other end is gone be an error, and not the end of the process, where
/// Rust's runtime has not seen to that.
#[cfg(all(own_entry, not(test)))]
pub fn outlive_closed_pipes() {
    // It fails for what is no signal.
    let _ = flag::register(signal_hook::consts::SIGPIPE, Arc::default());
}

/// Where SIGHUP is ignored, as nohup has it, it stays so, for what is run from here as well.
fn hang_up() -> Option<Signal> {
    (!is_ignored(SIGHUP)).then_some(Signal::HangUp)
}

/// The signals that were ignored when the process started, a bit each: to read them takes a fiftieth of what one command
/// takes.
static IGNORED: OnceLock<u64> = OnceLock::new();

/// Whether a signal is ignored; not where that is not told.
fn is_ignored(signal: i32) -> bool {
    IGNORED.get_or_init(read_ignored) >> (signal - 1) & 1 == 1
}

#[inline(never)] // The stack below its caller was used before, and costs nothing now.
fn read_ignored() -> u64 {
    // All of it fits one read, and the file does not tell its size.
    let mut status = [0; 8192];
    let length = File::open("/proc/self/status").and_then(|mut file| file.read(&mut status)).unwrap_or_default();
    let mask = status[..length].split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"SigIgn:"));
    let mask = mask.and_then(|mask| str::from_utf8(mask).ok());
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
