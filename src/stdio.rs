//! Standard input and output, where they were open when rcli was started. Rust's runtime opens a closed one as
//! `/dev/null` before `main`: what a script meant to be read or written would be gone without a word.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

static STDIN_IS_CLOSED: AtomicBool = AtomicBool::new(false);
static STDOUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks before the runtime does. It is all that may be done there: no I/O, no memory.
#[ctor::ctor(unsafe)]
fn look() {
    let is_closed = |descriptor: BorrowedFd<'_>| rustix::io::fcntl_getfd(descriptor) == Err(rustix::io::Errno::BADF);
    STDIN_IS_CLOSED.store(is_closed(rustix::stdio::stdin()), Ordering::Relaxed);
    STDOUT_IS_CLOSED.store(is_closed(rustix::stdio::stdout()), Ordering::Relaxed);
}

/// Opens what was closed as `/dev/null`, standard error too, where Rust's runtime has not: no file or connection may take
/// its place.
#[cfg(all(own_entry, not(test)))]
pub fn open_closed() {
    for descriptor in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        if rustix::io::fcntl_getfd(descriptor) == Err(rustix::io::Errno::BADF) {
            // It is the first that is free, and stays open.
            let null = rustix::fs::open(c"/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty());
            std::mem::forget(null);
        }
    }
}

/// Standard input; an error where it was closed.
pub fn stdin() -> io::Result<File> {
    refuse_closed(&STDIN_IS_CLOSED)?;
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// Standard output; an error where it was closed.
pub fn stdout() -> io::Result<File> {
    refuse_closed(&STDOUT_IS_CLOSED)?;
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Whether standard output was closed.
pub fn is_stdout_closed() -> bool {
    STDOUT_IS_CLOSED.load(Ordering::Relaxed)
}

/// What reading or writing a closed descriptor gives.
pub fn closed() -> io::Error {
    io::Error::other("it is closed")
}

/// Refuses the names by which the system lets a closed one be opened, which is `/dev/null` by now.
pub fn refuse_closed_at(path: &Path) -> io::Result<()> {
    match path.to_str() {
        Some("/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0") => refuse_closed(&STDIN_IS_CLOSED),
        Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => refuse_closed(&STDOUT_IS_CLOSED),
        _ => Ok(()),
    }
}

fn refuse_closed(is_closed: &AtomicBool) -> io::Result<()> {
    if is_closed.load(Ordering::Relaxed) { Err(closed()) } else { Ok(()) }
}
