//! SIGINT, SIGTERM and SIGHUP: the one handler, a flag to ask and a pipe to poll. What a signal means is each loop's own business.

use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal as Caught};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::exit::{Exit, Failure, Outcome, describe_io};

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
/// How much is being done that the first signal waits for.
static BUSY: AtomicUsize = AtomicUsize::new(0);
/// Whether a second signal came meanwhile.
static INSISTED: AtomicBool = AtomicBool::new(false);
static WAKE: OnceLock<PipeReader> = OnceLock::new();
/// Whether Ctrl-C cancels what runs and not the run: the REPL's choice.
static CTRL_C_CANCELS: AtomicBool = AtomicBool::new(false);
/// Whether the main thread waits for a person and has nothing left to write.
static IDLE: AtomicBool = AtomicBool::new(false);
/// Held while the flag and the pipe are brought into step.
static STEP: Mutex<()> = Mutex::new(());
/// What is to be done before a signal ends the process at once.
static FAREWELL: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// How long a run may take to write what it has received. A run that is blocked, on a stdout nobody reads
/// or on a name server, is ended then: it could not have written more.
const GRACE: Duration = Duration::from_secs(1);
/// How often what a signal waits for is looked after.
const GLANCE: Duration = Duration::from_millis(20);

/// Installs the handler: from here on a signal is seen by [`received`] and makes [`wake`] readable.
/// The second one is final, but for what is [`busy`]: that has
/// the same grace then.
pub fn install() -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    let _ = WAKE.set(reader);
    let latest = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&latest);
    // One thread for the three signals: ctrlc's, which does not say which of them came. That is written down in the
    // signal's own handler, a moment after this one is woken; one that comes before both are there waits.
    let signals = SigSet::from_iter([Caught::SIGINT, Caught::SIGTERM, Caught::SIGHUP]);
    signals.thread_block()?;
    let (again, end) = (Arc::clone(&told), writer.try_clone()?);
    match ctrlc::try_set_handler(move || note(name_of(&told), &writer)) {
        // One of them is ignored: SIGHUP, as nohup has it, stays so.
        Err(ctrlc::Error::MultipleHandlers) => {
            let keeps_on = is_ignored(SIGHUP);
            ctrlc::set_handler(move || match name_of(&again) {
                Signal::HangUp if keeps_on => {}
                signal => note(signal, &end),
            })
        }
        result => result,
    }
    .map_err(io::Error::other)?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_usize(signal, Arc::clone(&latest), signal.unsigned_abs() as usize)?;
    }
    signals.thread_unblock()?;
    Ok(())
}

/// Whether a signal was ignored when the process started; false where that is not told.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Which signal came.
fn name_of(latest: &AtomicUsize) -> Signal {
    let until = Instant::now() + Duration::from_millis(100);
    loop {
        match i32::try_from(latest.swap(0, Ordering::SeqCst)) {
            Ok(SIGTERM) => return Signal::Terminate,
            Ok(SIGHUP) => return Signal::HangUp,
            Ok(SIGINT) => return Signal::Interrupt,
            // Two came at once, and the other one told of both.
            _ if Instant::now() > until => return received().unwrap_or(Signal::Interrupt),
            _ => thread::yield_now(),
        }
    }
}

fn note(signal: Signal, mut wake: &io::PipeWriter) {
    let cancels = signal == Signal::Interrupt && CTRL_C_CANCELS.load(Ordering::SeqCst);
    let step = in_step();
    let before = RECEIVED.load(Ordering::SeqCst);
    if cancels && before != 0 {
        return;
    }
    if before != 0 && !(before == Signal::Interrupt.number() && CTRL_C_CANCELS.load(Ordering::SeqCst)) {
        if BUSY.load(Ordering::SeqCst) == 0 || INSISTED.swap(true, Ordering::SeqCst) {
            end_now(signal);
        }
        end_later(signal);
        return;
    }
    RECEIVED.store(signal.number(), Ordering::SeqCst);
    let _ = wake.write_all(&[0]);
    drop(step);
    if cancels {
        return;
    }
    if IDLE.load(Ordering::SeqCst) {
        end_now(signal);
    }
    thread::spawn(move || {
        while BUSY.load(Ordering::SeqCst) > 0 {
            thread::sleep(GLANCE);
        }
        end_later(signal);
    });
}

/// Ends a run that has not ended by itself when the grace is over.
fn end_later(signal: Signal) {
    thread::spawn(move || {
        thread::sleep(GRACE);
        end_now(signal);
    });
}

/// Something that the first signal waits for, as long as this is held; the second one does not.
#[derive(Debug)]
pub struct Busy(());

/// Begins something that the first signal waits for.
pub fn busy() -> Busy {
    BUSY.fetch_add(1, Ordering::SeqCst);
    Busy(())
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether a second signal came, while something was done that the first one waited for.
pub fn insisted() -> bool {
    INSISTED.load(Ordering::SeqCst)
}

/// Whether a signal came that ends the run.
pub fn is_ending() -> bool {
    received().is_some_and(|signal| signal != Signal::Interrupt || !CTRL_C_CANCELS.load(Ordering::SeqCst))
}

fn in_step() -> MutexGuard<'static, ()> {
    STEP.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::exit, reason = "the main thread is blocked where nothing can wake it")]
fn end_now(signal: Signal) -> ! {
    if let Some(farewell) = FAREWELL.get() {
        farewell();
    }
    std::process::exit(signal.status().into())
}

/// From here on Ctrl-C cancels what runs, however often it comes, and [`forget_ctrl_c`] takes it back. Other signals
/// still end the run; when they have to end it at once, `farewell` is called first, from another thread.
pub fn let_ctrl_c_cancel(farewell: impl Fn() + Send + Sync + 'static) {
    let _ = FAREWELL.set(Box::new(farewell));
    CTRL_C_CANCELS.store(true, Ordering::SeqCst);
}

/// Says that a line is being typed, or no longer: meanwhile a signal ends the run at once.
pub fn set_idle(idle: bool) {
    IDLE.store(idle, Ordering::SeqCst);
}

/// Forgets a Ctrl-C that came, so that the next wait is not cut short by it.
pub fn forget_ctrl_c() {
    let _step = in_step();
    if received() != Some(Signal::Interrupt) {
        return;
    }
    if let Some(mut wake) = WAKE.get() {
        // Each signal that was noted wrote one byte, and none is noted now.
        let _ = wake.read(&mut [0; 1]);
    }
    RECEIVED.store(0, Ordering::SeqCst);
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

/// Sleeps until the descriptor can be read or a signal came.
pub fn wait_for(fd: BorrowedFd<'_>) -> io::Result<()> {
    poll_with_wake(Some(fd), None)
}

fn poll_with_wake(fd: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> io::Result<()> {
    let mut fds: Vec<_> = fd.into_iter().chain(wake()).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    sleep(&mut fds, deadline)
}

fn wait(fd: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> Outcome<()> {
    poll_with_wake(fd, deadline).map_err(|error| Failure::failed(format!("cannot wait: {}", describe_io(&error))))?;
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
