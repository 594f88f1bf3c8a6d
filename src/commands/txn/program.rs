//! PROGRAM of `txn -- PROGRAM`: a process whose output is read as commands and whose input are replies. It is never
//! waited for while it does not read: replies it has not taken are kept in memory, however many they are.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process, kill_process_group, waitid};
use rustix::termios::tcgetpgrp;

use crate::exit::{Failure, Outcome};
use crate::guard::{self, Bound};
use crate::input::Source;
use crate::net::{Lost, Server, poll};

/// How long a program that is told to end has for it. Shorter than the grace that a signal leaves to rcli itself.
const GRACE: Duration = Duration::from_millis(500);

/// What [`Program::wait`] woke up for.
#[derive(Debug)]
pub struct Woken {
    /// Output can be read, or has ended.
    pub output: bool,
    /// The deadline has passed.
    pub expired: bool,
}

/// A running program; dropping it ends it, and what it started too where it leads a group of its own.
pub struct Program {
    child: Child,
    /// Ends it with this process, as long as it is not waited for.
    bound: Option<Bound>,
    /// Its standard input, which does not block; none once either side has closed it.
    input: Option<File>,
    /// Replies it has not taken yet, after `taken` bytes that it has; [`Self::pass_replies`] passes them on.
    pub replies: Vec<u8>,
    taken: usize,
    /// Whether its input is to be closed behind the last of them.
    is_last_reply: bool,
    pub output: Source,
    /// Readable once the process has ended.
    ended: PipeReader,
    pub status: Option<ExitStatus>,
    leads_group: bool,
}

impl Program {
    /// Starts it; `attempt` counts from 1. Its stderr is ours.
    pub fn start(words: &[OsString], attempt: u64) -> Outcome<Self> {
        let name = words.first().cloned().unwrap_or_default().to_string_lossy().into_owned();
        let failed = |error: io::Error| Failure::unusable(&format!("{name}: cannot be started"), &error);
        let leads_group = !shares_terminal();
        let mut command = Command::new(words.first().map_or_else(Default::default, Clone::clone));
        command
            .args(words.iter().skip(1))
            .env("RCLI_ATTEMPT", attempt.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if leads_group {
            command.process_group(0);
        }
        guard::stand_by();
        let mut child = command.spawn().map_err(failed)?;
        let pid = Pid::from_child(&child);
        let bound = if leads_group { Bound::group(pid) } else { Bound::process(pid) };
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(io::Error::other("it has no pipes")));
        };
        let input = OwnedFd::from(input);
        let ended = fcntl_setfl(&input, OFlags::NONBLOCK).map_err(io::Error::from).and_then(|()| watch_end(&child));
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let _ = child.kill();
                drop(bound);
                let _ = child.wait();
                return Err(failed(error));
            }
        };
        Ok(Self {
            child,
            bound: Some(bound),
            input: Some(input.into()),
            replies: Vec::new(),
            taken: 0,
            is_last_reply: false,
            output: Source::new(name.clone(), output),
            ended,
            status: None,
            leads_group,
        })
    }

    /// No reply comes after those: a program that reads on sees the end of its input.
    pub fn end_replies(&mut self) {
        self.is_last_reply = true;
    }

    /// Passes on what the pipe takes now. A program that has closed its input does without.
    pub fn pass_replies(&mut self) {
        while let Some(input) = &mut self.input
            && self.taken < self.replies.len()
        {
            match input.write(&self.replies[self.taken..]) {
                Ok(count) => self.taken += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.input = None,
            }
        }
        if self.taken == self.replies.len() || self.input.is_none() {
            self.replies.clear();
            self.taken = 0;
            if self.is_last_reply {
                self.input = None;
            }
        } else if self.taken > self.replies.len() / 2 {
            self.replies.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// Sleeps until the server, or the program at one of its ends, can be served, or `deadline` passes.
    /// Its output is looked at only where that is asked for.
    pub fn wait(&mut self, server: &mut Server, wants_output: bool, deadline: Option<Instant>) -> Result<Woken, Lost> {
        let (woken, has_ended) = {
            let mut fds = Vec::with_capacity(3);
            let mut add = |fd, flags| {
                fds.push(PollFd::from_borrowed_fd(fd, flags));
                fds.len() - 1
            };
            let output = wants_output.then(|| add(self.output.as_fd(), PollFlags::IN));
            let ended = self.status.is_none().then(|| add(self.ended.as_fd(), PollFlags::IN));
            if let Some(input) = self.input.as_ref().filter(|_| !self.replies.is_empty()) {
                add(input.as_fd(), PollFlags::OUT);
            }
            let (ready, ends) = server.wait_among(&fds, deadline)?;
            let is_ready = |at: Option<usize>| at.is_some_and(|at| ends[at]);
            (Woken { output: is_ready(output), expired: ready.expired }, is_ready(ended))
        };
        if has_ended {
            self.bound = None;
            self.status = self.child.wait().map_err(Lost::Broken)?.into();
        }
        Ok(woken)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        let _ = if self.leads_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.status.is_some() {
            return;
        }
        self.signal(Signal::TERM);
        let mut fds = [PollFd::new(&self.ended, PollFlags::IN)];
        let _ = poll::sleep(&mut fds, Some(Instant::now() + GRACE));
        // Not yet waited for, it keeps its id and its group's: this can hit nobody else.
        self.signal(Signal::KILL);
        self.bound = None;
        let _ = self.child.wait();
    }
}

/// A pipe that becomes readable when the process ends, which stays to be waited for.
fn watch_end(child: &Child) -> io::Result<PipeReader> {
    let (ended, writer) = io::pipe()?;
    let pid = Pid::from_child(child);
    thread::Builder::new().name("program".to_owned()).stack_size(64 * 1024).spawn(move || {
        let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
        drop(writer);
    })?;
    Ok(ended)
}

/// Whether we are in the foreground of a terminal. A program started there stays there, so that it may ask its user,
/// and Ctrl-C reaches it by itself. Anywhere else it leads a group, so that all it started can be ended with it.
fn shares_terminal() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp()))
}
