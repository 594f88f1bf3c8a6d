//! The threads that run handlers, one job each at a time, and the bounded backlog before them.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::{ioctl_fionbio, retry_on_intr};
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{Handler, Job, Takes};
use crate::cli::{OnHandlerError, RunningOptions};
use crate::exit::{Failure, Outcome};
use crate::guard::{self, Bound};
use crate::net::poll;
use crate::render::{Record, Style};
use crate::reply::{Message, Ticket};
use crate::report::{self, report};
use crate::signal::{self, Signal};
use crate::text::describe_io;

/// Messages that may wait, and their bytes; one may always.
const BACKLOG: usize = 1000;
const BACKLOG_BYTES: usize = 2 * 1024 * 1024;
/// What the environment of a process can hold of one name: the system's limit is 128 KiB.
const LONGEST_VARIABLE: usize = 100 * 1024;
/// How often a blocked write looks whether its reader has ended.
const GLANCE: Duration = Duration::from_millis(50);
/// After a signal: how long handlers may take to end by it, and then to be ended.
const LEAVE: Duration = Duration::from_millis(250);

/// Handlers at work. The threads end with the process.
pub struct Handlers {
    shared: Arc<Shared>,
    wake: PipeReader,
    style: Style,
}

struct Shared {
    handlers: Vec<Handler>,
    stop_on_error: bool,
    state: Mutex<State>,
    /// Told of a new job.
    arrived: Condvar,
    /// Written to whenever a job is over.
    done: PipeWriter,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    waiting_bytes: usize,
    /// Jobs that were taken and are not over.
    active: usize,
    /// The handlers' processes, each the leader of its group.
    running: Vec<Pid>,
    /// No further job is started.
    closed: bool,
    /// Whether a failure closed it.
    has_stopped: bool,
    /// Whether those that run are ended.
    is_abandoned: bool,
    /// Jobs that were never started, or ended before they were done.
    dropped: usize,
    /// Entries whose handlers have ended, and whether well.
    done: Vec<(Ticket, bool)>,
}

impl State {
    fn close(&mut self) {
        self.closed = true;
        self.dropped += self.waiting.len();
        self.waiting.clear();
        self.waiting_bytes = 0;
    }
}

impl Handlers {
    /// Starts the threads, as many as are to run at once; none where there are no handlers.
    pub fn start(handlers: Vec<Handler>, options: &RunningOptions, style: &Style) -> Outcome<Option<Self>> {
        if handlers.is_empty() {
            return Ok(None);
        }
        let failed = |error: io::Error| Failure::failed(format!("cannot start the handlers: {}", describe_io(&error)));
        let (wake, done) = io::pipe().map_err(failed)?;
        for fd in [wake.as_fd(), done.as_fd()] {
            ioctl_fionbio(fd, true).map_err(|error| failed(error.into()))?;
        }
        let stop_on_error = options.on_handler_error == OnHandlerError::Stop;
        let shared =
            Arc::new(Shared { handlers, stop_on_error, state: Mutex::default(), arrived: Condvar::new(), done });
        for _ in 0..options.handler_jobs {
            let (shared, voice) = (Arc::clone(&shared), report::voice());
            let work = move || {
                report::speak_as(voice);
                shared.work();
            };
            thread::Builder::new().name("handler".to_owned()).spawn(work).map_err(failed)?;
        }
        Ok(Some(Self { shared, wake, style: style.clone() }))
    }

    /// The handler of a message: by its pattern if it has one, else by its channel.
    pub fn find(&self, message: &Message<'_>) -> Option<usize> {
        if !message.kind.is_published() {
            return None;
        }
        let name = message.pattern.or(message.channel)?;
        let is_it = |handler: &Handler| matches!(&handler.takes, Takes::Messages(own) if own == name);
        self.shared.handlers.iter().position(is_it)
    }

    /// The handler of entries, or of what happens to connections.
    pub(in crate::follow) fn find_for(&self, what: &Takes) -> Option<usize> {
        self.shared.handlers.iter().position(|handler| handler.takes == *what)
    }

    /// Puts something into the backlog: its handler gets the record as a JSON line, and these variables; `ticket` names the
    /// entry that it is. Whether there is room is asked with [`Self::is_full`].
    pub fn push(
        &self,
        handler: usize,
        record: &Record<'_>,
        variables: &[(&'static str, &[u8])],
        ticket: Option<Ticket>,
    ) -> io::Result<()> {
        let job = Job { ticket, ..Job::new(handler, record, variables, &self.style)? };
        let mut state = self.shared.lock();
        if state.closed {
            state.dropped += 1;
            return Ok(());
        }
        state.waiting_bytes += job.line.len();
        state.waiting.push_back(job);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// The entries whose handlers have ended since the last time, and whether well.
    pub fn take_done(&self) -> Vec<(Ticket, bool)> {
        std::mem::take(&mut self.shared.lock().done)
    }

    /// Whether no further message should be read.
    pub fn is_full(&self) -> bool {
        let state = self.shared.lock();
        state.waiting.len() >= BACKLOG || state.waiting_bytes >= BACKLOG_BYTES && !state.waiting.is_empty()
    }

    /// Whether a full backlog is still not half done.
    pub fn is_behind(&self) -> bool {
        let state = self.shared.lock();
        state.waiting.len() > BACKLOG / 2 || state.waiting_bytes > BACKLOG_BYTES / 2 && !state.waiting.is_empty()
    }

    /// Whether nothing waits and nothing runs.
    pub fn is_idle(&self) -> bool {
        let state = self.shared.lock();
        state.waiting.is_empty() && state.active == 0
    }

    /// Whether a failure has ended it all (`--on-handler-error stop`).
    pub fn has_stopped(&self) -> bool {
        self.shared.lock().has_stopped
    }

    /// Starts nothing more: those that run go on.
    pub fn close(&self) {
        self.shared.lock().close();
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.shared.lock().running.len()
    }

    /// How many messages were not handled.
    pub fn dropped(&self) -> usize {
        self.shared.lock().dropped
    }

    /// Readable when a job is over.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Takes note of what made [`Self::fd`] readable.
    pub fn note(&self) {
        let mut bytes = [0; 512];
        while (&self.wake).read(&mut bytes).is_ok_and(|count| count > 0) {}
    }

    /// Starts nothing more, passes the signal on to the handlers that run, and ends those that do not heed it.
    /// Gives the number of messages that were not handled.
    pub fn abandon(&self, signal: Signal) -> usize {
        {
            let mut state = self.shared.lock();
            state.close();
            state.is_abandoned = true;
        }
        for signal in [signal.into(), rustix::process::Signal::KILL] {
            for pid in &self.shared.lock().running {
                // One that has just ended is no failure.
                let _ = kill_process_group(*pid, signal);
            }
            let until = Instant::now() + LEAVE;
            while !self.is_idle() && Instant::now() < until {
                let _ = poll::sleep(&mut [PollFd::new(&self.wake, PollFlags::IN)], Some(until));
                self.note();
            }
            if self.is_idle() {
                break;
            }
        }
        self.dropped()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs jobs, one after the other, as long as the process lives.
    fn work(&self) {
        loop {
            let job = self.take();
            let ran = self.run(&job);
            let mut state = self.lock();
            state.active -= 1;
            if let Some(ticket) = job.ticket {
                state.done.push((ticket, ran == Ok(true)));
            }
            match ran {
                // Handlers that were ended on purpose did not fail.
                Err(_) if state.is_abandoned => state.dropped += 1,
                Err(reason) => {
                    if self.stop_on_error {
                        state.close();
                        state.has_stopped = true;
                    }
                    drop(state);
                    report(&format!("{}: {reason}", self.handlers[job.handler].title(&job)));
                }
                Ok(_) => drop(state),
            }
            // A full pipe is readable already.
            let _ = (&self.done).write(&[0]);
        }
    }

    fn take(&self) -> Job {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                state.waiting_bytes -= job.line.len();
                state.active += 1;
                return job;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs one handler to its end; false where it was not begun, for everything ends. An error says how it failed.
    fn run(&self, job: &Job) -> Result<bool, String> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.handlers[job.handler].command).stdin(Stdio::piped()).process_group(0);
        set_variables(&mut command, job);
        let _busy = signal::busy();
        guard::stand_by();
        let mut child = {
            let mut state = self.lock();
            if state.closed || signal::ending().is_some() {
                state.dropped += 1;
                return Ok(false);
            }
            let child = command.spawn().map_err(|error| format!("cannot run sh: {}", describe_io(&error)))?;
            state.running.push(Pid::from_child(&child));
            child
        };
        let pid = Pid::from_child(&child);
        let bound = Bound::group(pid);
        let fed = child.stdin.take().map_or(Ok(()), |stdin| feed(stdin, &job.line, pid));
        let status = self.wait(&mut child, pid, bound);
        match (status, fed) {
            (Ok(status), _) if !status.success() => Err(describe_status(status)),
            (Err(error), _) | (Ok(_), Err(error)) => Err(describe_io(&error)),
            _ => Ok(true),
        }
    }

    /// Waits for the end of a process. Its id leaves the list before it is free for another process.
    fn wait(&self, child: &mut Child, pid: Pid, bound: Bound) -> io::Result<ExitStatus> {
        let waited = retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
        self.lock().running.retain(|other| *other != pid);
        drop(bound);
        waited?;
        child.wait()
    }
}

/// The variables, as far as an environment can hold them: no NUL, no endless one.
fn set_variables(command: &mut Command, job: &Job) {
    for (variable, value) in &job.variables {
        if value.contains(&0) || value.len() > LONGEST_VARIABLE {
            command.env_remove(variable);
        } else {
            command.env(variable, OsStr::from_bytes(value));
        }
    }
}

/// Writes the line to a handler's stdin. A handler need not read it: its end, or its closing of stdin, ends the write.
fn feed(mut stdin: ChildStdin, line: &[u8], pid: Pid) -> io::Result<()> {
    ioctl_fionbio(&stdin, true)?;
    let mut rest = line;
    while !rest.is_empty() {
        match stdin.write(rest) {
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let until = Instant::now() + GLANCE;
                poll::sleep(&mut [PollFd::new(&stdin, PollFlags::OUT)], Some(until))?;
                // A process that it left behind may hold its stdin open, unread.
                if Instant::now() >= until && has_ended(pid)? {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn has_ended(pid: Pid) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(retry_on_intr(|| waitid(WaitId::Pid(pid), options))?.is_some())
}

fn describe_status(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
