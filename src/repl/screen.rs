//! Standard output under a prompt: Ctrl-C ends what is being printed (contract section 10). What is left out is counted
//! for a moment, so that it can be said how much that is, and then not even rendered.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::lock;
use crate::signal::{self, Signal};

/// What a terminal takes at once: between two pieces Ctrl-C is looked for.
const PIECE: usize = 4096;
/// How long what is left out is counted.
const COUNTING: Duration = Duration::from_millis(50);

/// How many rows and columns the terminal has, where it tells that.
pub fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then(|| (size.ws_row.into(), size.ws_col.into()))
}

/// How wide the terminal is.
pub fn columns() -> usize {
    size().map_or(80, |(_, columns)| columns)
}

/// Writes to the terminal at once.
pub fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_ref())?;
    stdout.flush()
}

/// What is known of the output: shared by who writes and who asks.
#[derive(Clone, Default)]
pub struct Screen(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The line ends that were printed.
    printed: u64,
    cut: Option<Cut>,
}

/// What Ctrl-C has cut off.
#[derive(Debug)]
pub struct Cut {
    /// The line ends that were left out, and the bytes.
    pub lines: u64,
    pub bytes: u64,
    /// Whether there was more that was not counted.
    pub is_partial: bool,
    /// How many lines there would have been in all, where that is known.
    pub whole: Option<u64>,
    printed: u64,
    until: Instant,
    /// Whether what comes now is only what was rendered before.
    is_over: bool,
}

impl Screen {
    /// Standard output.
    pub fn open(&self) -> io::Result<Box<dyn Write + Send>> {
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Box::new(Printed { out, screen: self.clone() }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Counts what is printed from here on.
    pub fn begin(&self) {
        self.lock().printed = 0;
    }

    /// Whether something was cut off. From here on what comes belongs to that, until [`Self::reopen`].
    pub fn is_cut(&self) -> bool {
        let mut state = self.lock();
        state.cut.iter_mut().for_each(|cut| cut.is_over = true);
        state.cut.is_some()
    }

    /// Says how many lines there would have been, where something was cut off and `count` can tell it from how many were
    /// printed.
    pub fn note_whole(&self, count: impl FnOnce(u64) -> Option<u64>) {
        if let Some(cut) = &mut self.lock().cut {
            cut.whole = count(cut.printed);
        }
    }

    /// What was cut off; what comes now is printed again.
    pub fn reopen(&self) -> Option<Cut> {
        self.lock().cut.take()
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

impl Cut {
    fn begin(printed: u64) -> Self {
        let until = Instant::now() + COUNTING;
        Self { lines: 0, bytes: 0, is_partial: false, whole: None, printed, until, is_over: false }
    }

    /// What was left out, in words.
    pub fn describe(&self) -> String {
        if let Some(whole) = self.whole.filter(|whole| *whole > self.printed) {
            return format!("{} of {whole} elements were left out", whole - self.printed);
        }
        let more = if self.is_partial { "more than " } else { "" };
        let (count, what) = if self.lines > 1 { (self.lines, "line") } else { (self.bytes, "byte") };
        let (plural, were) = if count == 1 && !self.is_partial { ("", "was") } else { ("s", "were") };
        format!("{more}{count} {what}{plural} of the output {were} left out")
    }
}

/// The writer.
struct Printed {
    out: File,
    screen: Screen,
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        let mut state = self.screen.lock();
        while state.cut.is_none() && !rest.is_empty() {
            if signal::received() == Some(Signal::Interrupt) {
                state.cut = Some(Cut::begin(state.printed));
                break;
            }
            let piece = &rest[..rest.len().min(PIECE)];
            self.out.write_all(piece)?;
            state.printed += line_ends(piece);
            rest = &rest[piece.len()..];
        }
        let Some(cut) = state.cut.as_mut() else { return Ok(bytes.len()) };
        cut.bytes += rest.len() as u64;
        cut.lines += line_ends(rest);
        if Instant::now() >= cut.until && !cut.is_over {
            cut.is_partial = true;
            return Err(io::Error::other("cancelled"));
        }
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
    fn what_was_left_out_is_told_in_lines_or_bytes() {
        let cut = |lines, bytes, is_partial| Cut { lines, bytes, is_partial, ..Cut::begin(2) }.describe();
        assert_eq!(cut(12, 300, false), "12 lines of the output were left out");
        assert_eq!(cut(12, 300, true), "more than 12 lines of the output were left out");
        assert_eq!(cut(1, 300, true), "more than 300 bytes of the output were left out");
        assert_eq!(cut(0, 1, false), "1 byte of the output was left out");
        let known = Cut { whole: Some(10), is_partial: true, ..Cut::begin(2) };
        assert_eq!(known.describe(), "8 of 10 elements were left out");
    }
}
