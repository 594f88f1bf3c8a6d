//! What ends a thread's work in place of Ctrl-C, which is for whatever runs in the foreground: `stop N` at the prompt.

use std::cell::RefCell;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::lock;

/// A flag, and a pipe that is readable once it is set.
struct Flag {
    is_set: AtomicBool,
    reader: PipeReader,
    writer: PipeWriter,
}

/// Flags that nobody has any more. Whoever polls one has its descriptor for good, so they are used again.
static FREE: Mutex<Vec<&'static Flag>> = Mutex::new(Vec::new());

thread_local! {
    static HEEDED: RefCell<Option<Arc<Stop>>> = const { RefCell::new(None) };
}

/// Ends what the threads do that [`heed`] it.
pub struct Stop(&'static Flag);

impl Stop {
    /// One that nobody has asked for yet.
    pub fn new() -> io::Result<Self> {
        if let Some(flag) = lock(&FREE).pop() {
            return Ok(Self(flag));
        }
        let (reader, writer) = io::pipe()?;
        Ok(Self(Box::leak(Box::new(Flag { is_set: AtomicBool::new(false), reader, writer }))))
    }

    pub fn ask(&self) {
        if !self.0.is_set.swap(true, Ordering::SeqCst) {
            let _ = (&self.0.writer).write_all(&[0]);
        }
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.is_set.load(Ordering::SeqCst)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'static> {
        self.0.reader.as_fd()
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        if self.0.is_set.swap(false, Ordering::SeqCst) {
            let _ = (&self.0.reader).read(&mut [0; 1]);
        }
        lock(&FREE).push(self.0);
    }
}

/// From here on this thread is ended by that in place of Ctrl-C; by signals, where there is none.
pub fn heed(stop: Option<Arc<Stop>>) {
    HEEDED.set(stop);
}

/// What this thread heeds, for the threads that it starts.
pub fn heeded() -> Option<Arc<Stop>> {
    HEEDED.with_borrow(Clone::clone)
}

/// Something of what this thread heeds; none where that are signals.
pub(super) fn of_this_thread<T>(get: impl FnOnce(&Stop) -> T) -> Option<T> {
    HEEDED.with_borrow(|stop| stop.as_deref().map(get))
}
