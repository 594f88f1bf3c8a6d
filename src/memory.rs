//! Room in memory. What may be much is asked for before it is taken, by [`ask`]; any other allocation that fails ends the
//! process with a line about it (contract section 1).
#![expect(unsafe_code, reason = "an allocator is unsafe by its nature; this one is the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::BorrowMut;
use std::cell::Cell;
use std::collections::TryReserveError;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::signal;

/// The system's allocator. Rust ends a process that it has no room for by an abort, with a line of Rust's own.
struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: each call is passed on as it is.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        had(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        had(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        had(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

#[inline]
fn had(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() && !IS_ASKED.get() {
        end(size);
    }
    block
}

thread_local! {
    /// Whether this thread goes on where there is no room.
    static IS_ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Ends the process, without taking memory: nothing can be unwound from here.
#[cold]
fn end(size: usize) -> ! {
    /// As with a reply that memory has no room for.
    const FAILED: u8 = 3;
    static IS_ENDING: AtomicBool = AtomicBool::new(false);
    // What is done first may find no room either.
    if !IS_ENDING.swap(true, Ordering::SeqCst) {
        signal::say_farewell();
    }
    let mut line = [0; 128];
    let mut rest = line.as_mut_slice();
    let _ =
        writeln!(rest, "rcli: memory has no room for {size} more bytes: the run ends here, what was sent may have run");
    let left = rest.len();
    // Nowhere is left to say that stderr is gone.
    let _ = rustix::io::write(rustix::stdio::stderr(), &line[..line.len() - left]);
    signal::end_at_once(FAILED)
}

/// Runs what asks for memory and is told when there is none: `try_reserve` and its kind.
pub fn ask<T>(take: impl FnOnce() -> T) -> T {
    let before = IS_ASKED.replace(true);
    let taken = take();
    IS_ASKED.set(before);
    taken
}

/// Whether there is room for this many bytes now, where what takes them cannot be told that there is none.
pub fn has_room(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    // What nobody looks at would not be asked for in an optimized build.
    ask(|| black_box(&mut room).try_reserve_exact(bytes)).is_ok()
}

/// Whether a list of any length may take one more command, or what is as large: looked at now and then, well before there
/// is nothing left.
pub fn may_grow<T>(list: &mut Vec<T>) -> bool {
    const NOW_AND_THEN: usize = 1024;
    const ROOM: usize = 1 << 20;
    let is_time = !list.is_empty() && list.len().is_multiple_of(NOW_AND_THEN);
    (!is_time || has_room(ROOM)) && ask(|| list.try_reserve(1)).is_ok()
}

/// A copy of the bytes.
pub fn copy(bytes: &[u8]) -> Result<Vec<u8>, TryReserveError> {
    let mut copied = Vec::new();
    ask(|| copied.try_reserve_exact(bytes.len()))?;
    copied.extend_from_slice(bytes);
    Ok(copied)
}

/// Writes into a vector; what there is no room for is an error, and the vector as it was before that write.
#[derive(Debug, Default)]
pub struct Growing<V: BorrowMut<Vec<u8>>>(pub V);

impl<V: BorrowMut<Vec<u8>>> io::Write for Growing<V> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let grown = self.0.borrow_mut();
        if grown.capacity() - grown.len() < bytes.len() {
            ask(|| grown.try_reserve(bytes.len()))?;
        }
        grown.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_told() {
        assert!(has_room(1) && has_room(1 << 20));
        assert!(!has_room(usize::MAX / 4) && !has_room(usize::MAX));
    }
}
