//! SIGINT, SIGTERM and SIGHUP: the one handler, a flag to ask and a pipe to poll. What a signal means is each loop's own business.

use std::io::{self, PipeReader, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::exit::{Exit, Failure, Outcome};

/// A signal that ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
}

impl Signal {
    /// The exit status that tells of this signal: 128 and its number (contract section 1).
    pub fn status(self) -> u8 {
        128 + self.number()
    }

    fn number(self) -> u8 {
        // The numbers of signals that end a process are small.
        u8::try_from(match self {
            Self::Interrupt => SIGINT,
            Self::Terminate => SIGTERM,
            Self::HangUp => SIGHUP,
        })
        .unwrap_or_default()
    }
}

impl From<Signal> for rustix::process::Signal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::INT,
            Signal::Terminate => Self::TERM,
            Signal::HangUp => Self::HUP,
        }
    }
}

static RECEIVED: AtomicU8 = AtomicU8::new(0);
static WAKE: OnceLock<PipeReader> = OnceLock::new();

/// How long a run may take to write what it has received. A run that is blocked, on a stdout nobody reads
/// or on a name server, is ended then: it could not have written more.
const GRACE: Duration = Duration::from_secs(1);

/// Installs the handler: from here on a signal is seen by [`received`] and makes [`wake`] readable.
/// The second one is final.
pub fn install() -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    let _ = WAKE.set(reader);
    let sigint_wake = writer.try_clone()?;
    ctrlc::set_handler(move || note(Signal::Interrupt, &sigint_wake)).map_err(io::Error::other)?;
    let mut others = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for number in others.forever() {
            note(if number == SIGTERM { Signal::Terminate } else { Signal::HangUp }, &writer);
        }
    });
    Ok(())
}

fn note(signal: Signal, mut wake: &io::PipeWriter) {
    if RECEIVED.swap(signal.number(), Ordering::SeqCst) != 0 {
        end_now(signal);
    }
    let _ = wake.write_all(&[0]);
    thread::spawn(move || {
        thread::sleep(GRACE);
        end_now(signal);
    });
}

#[expect(clippy::exit, reason = "the main thread is blocked where nothing can wake it")]
fn end_now(signal: Signal) -> ! {
    std::process::exit(signal.status().into())
}

/// The signal that came, if one did.
pub fn received() -> Option<Signal> {
    match i32::from(RECEIVED.load(Ordering::Relaxed)) {
        0 => None,
        SIGTERM => Some(Signal::Terminate),
        SIGHUP => Some(Signal::HangUp),
        _ => Some(Signal::Interrupt),
    }
}

/// A descriptor that is readable once a signal came.
pub fn wake() -> Option<BorrowedFd<'static>> {
    WAKE.get().map(|reader| reader.as_fd())
}

/// Sleeps until the descriptor can be read; a signal ends the run instead.
pub fn wait_readable(fd: BorrowedFd<'_>) -> Outcome<()> {
    wait(Some(fd), None)
}

/// Sleeps until the deadline; a signal ends the run instead.
pub fn sleep_until(deadline: Instant) -> Outcome<()> {
    wait(None, Some(deadline))
}

fn wait(fd: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> Outcome<()> {
    let mut fds: Vec<_> = fd.into_iter().chain(wake()).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    sleep(&mut fds, deadline).map_err(|error| Failure::failed(format!("cannot wait: {error}")))?;
    received().map_or(Ok(()), |signal| Err(Failure::quiet(Exit::Signal(signal))))
}

/// Sleeps until a descriptor is ready or the deadline passes.
pub fn sleep(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<()> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, timeout.as_ref()) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
