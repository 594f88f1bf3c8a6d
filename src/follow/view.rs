//! How a stream is shown, and what ends it from outside: what [`super::follow`] is given.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags};

use super::filter::Filter;
use super::limits::Limits;
use crate::follow::handler::Handlers;
use crate::render::{Renderer, Stdout};
use crate::signal::{self, Signal};

/// How a stream is shown.
pub struct View {
    /// Where the lines go, and how they look.
    pub renderer: Renderer<Stdout>,
    /// When it ends by itself.
    pub limits: Limits,
    /// Whether confirmations of subscriptions are written.
    pub confirmations: bool,
    /// Whether losses and reconnects are written (`--events`).
    pub events: bool,
    /// Whether other pushes are written (`--show-pushes`).
    pub pushes: bool,
    /// Whether lines tell when they came (`--time`).
    pub time: bool,
    /// Which monitored commands are written.
    pub filter: Filter,
    /// The commands that take messages in place of the output.
    pub handlers: Option<Handlers>,
    /// The output, watched for a reader that goes away.
    pub output: Option<Output>,
}

/// What lines are written to.
pub enum Output {
    Standard,
    /// What stands for it at the prompt.
    Elsewhere(Arc<File>),
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Standard => rustix::stdio::stdout(),
            Self::Elsewhere(file) => file.as_fd(),
        }
    }
}

impl View {
    /// Everything is shown but events and other pushes.
    pub fn new(renderer: Renderer<Stdout>, limits: Limits) -> Self {
        Self {
            renderer,
            limits,
            confirmations: true,
            events: false,
            pushes: false,
            time: false,
            filter: Filter::default(),
            handlers: None,
            output: None,
        }
    }
}

/// How a view ends, if a signal asks for it, or `stop` at the prompt.
pub(super) fn asked() -> Option<End> {
    signal::received().map(End::Signal)
}

/// Why a view ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The count is reached.
    Done,
    /// Nobody reads the output any more.
    Unread,
    /// Time is over.
    Expired,
    /// A handler failed, and that is to end it.
    HandlerFailed,
    Signal(Signal),
}

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Watched {
    Signal,
    Output,
    Handlers,
}

/// The descriptors that can end a view or give it room, and what each is.
pub(super) fn watched(view: &View) -> (Vec<PollFd<'_>>, Vec<Watched>) {
    let mut fds = Vec::with_capacity(3);
    let mut whats = Vec::with_capacity(3);
    let mut watch = |fd, flags, what| {
        fds.push(PollFd::from_borrowed_fd(fd, flags));
        whats.push(what);
    };
    if let Some(fd) = signal::wake() {
        watch(fd, PollFlags::IN, Watched::Signal);
    }
    if let Some(output) = &view.output {
        // Errors and hang-ups are reported unasked.
        watch(output.as_fd(), PollFlags::empty(), Watched::Output);
    }
    if let Some(handlers) = &view.handlers {
        watch(handlers.fd(), PollFlags::IN, Watched::Handlers);
    }
    (fds, whats)
}
