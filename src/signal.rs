//! SIGINT, SIGTERM and SIGHUP: the handlers, a flag to ask and a descriptor to poll. What a signal means is each loop's
//! own business, and so is the sleep that it ends (`net::poll`).

mod handlers;
mod stop;

use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGTERM};

#[cfg(all(own_entry, not(test)))]
pub use self::handlers::outlive_closed_pipes;
pub use self::handlers::{end_with_status, install};
pub use self::stop::{Stop, heed, heeded};

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
        u8::try_from(rustix::process::Signal::from(self).as_raw()).unwrap_or_default()
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

/// The name of a signal by its number, `SIGKILL`; none where it has none.
pub fn name(number: i32) -> Option<&'static str> {
    signal_hook::low_level::signal_name(number)
}

static RECEIVED: AtomicU8 = AtomicU8::new(0);
/// How much is being done that the first signal waits for, and whoever waits for its end.
static BUSY: Mutex<usize> = Mutex::new(0);
static FREE: Condvar = Condvar::new();
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

fn note(signal: Signal, mut wake: &io::PipeWriter) {
    let cancels = signal == Signal::Interrupt && CTRL_C_CANCELS.load(Ordering::SeqCst);
    let step = lock(&STEP);
    let before = RECEIVED.load(Ordering::SeqCst);
    if cancels && before != 0 {
        // Again, for what the first one waits for.
        if *lock(&BUSY) > 0 {
            INSISTED.store(true, Ordering::SeqCst);
        }
        return;
    }
    if before != 0 && !(before == Signal::Interrupt.number() && CTRL_C_CANCELS.load(Ordering::SeqCst)) {
        if *lock(&BUSY) == 0 || INSISTED.swap(true, Ordering::SeqCst) {
            end_now(signal);
        }
        drop(step);
        end_later(signal);
        return;
    }
    RECEIVED.store(signal.number(), Ordering::SeqCst);
    let _ = wake.write_all(&[0]);
    drop(step);
    if cancels {
        return;
    }
    // With the terminal gone nobody could end what is waited for.
    if IDLE.load(Ordering::SeqCst) && (signal == Signal::HangUp || *lock(&BUSY) == 0) {
        end_now(signal);
    }
    end_later(signal);
}

/// Ends a run that has not ended by itself when the grace is over. That begins when the last of what the first signal
/// waits for is done, or with the second signal.
fn end_later(signal: Signal) {
    let end = move || {
        let waits = |busy: &mut usize| *busy > 0 && !insisted();
        drop(FREE.wait_while(lock(&BUSY), waits).unwrap_or_else(PoisonError::into_inner));
        thread::sleep(GRACE);
        end_now(signal)
    };
    // Where no thread can be had there is this one.
    if thread::Builder::new().spawn(end).is_err() {
        end();
    }
}

/// Something that the first signal waits for, as long as this is held; the second one does not.
#[derive(Debug)]
pub struct Busy(());

/// Begins something that the first signal waits for.
pub fn busy() -> Busy {
    *lock(&BUSY) += 1;
    Busy(())
}

impl Drop for Busy {
    fn drop(&mut self) {
        *lock(&BUSY) -= 1;
        FREE.notify_all();
    }
}

/// Whether a second signal came, while something was done that the first one waited for.
pub fn insisted() -> bool {
    INSISTED.load(Ordering::SeqCst)
}

/// The signal that ends the run, if one came that does.
pub fn ending() -> Option<Signal> {
    received().filter(|signal| *signal != Signal::Interrupt || !CTRL_C_CANCELS.load(Ordering::SeqCst))
}

/// No thread can have left something half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::exit, reason = "the main thread is blocked where nothing can wake it")]
fn end_now(signal: Signal) -> ! {
    say_farewell();
    std::process::exit(signal.status().into())
}

/// Does what is to be done before the process ends at once.
pub fn say_farewell() {
    if let Some(farewell) = FAREWELL.get() {
        farewell();
    }
}

/// Ends the process, and does nothing else.
pub fn end_at_once(status: u8) -> ! {
    signal_hook::low_level::exit(status.into())
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
    let _step = lock(&STEP);
    if received() != Some(Signal::Interrupt) {
        return;
    }
    if let Some(mut wake) = WAKE.get() {
        // Each signal that was noted wrote one byte, and none is noted now.
        let _ = wake.read(&mut [0; 1]);
    }
    RECEIVED.store(0, Ordering::SeqCst);
    INSISTED.store(false, Ordering::SeqCst);
}

/// The signal that came, if one did; in a thread with a [`Stop`] of its own, Ctrl-C once that was asked for.
pub fn received() -> Option<Signal> {
    if let Some(is_asked) = stop::of_this_thread(Stop::is_asked) {
        return is_asked.then_some(Signal::Interrupt);
    }
    match i32::from(RECEIVED.load(Ordering::Relaxed)) {
        0 => None,
        SIGTERM => Some(Signal::Terminate),
        SIGHUP => Some(Signal::HangUp),
        _ => Some(Signal::Interrupt),
    }
}

/// A descriptor that is readable once [`received`] tells of a signal.
pub fn wake() -> Option<BorrowedFd<'static>> {
    stop::of_this_thread(Stop::fd).or_else(|| WAKE.get().map(|reader| reader.as_fd()))
}
