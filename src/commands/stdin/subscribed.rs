//! redis-cli's subscribed mode on standard input (contract section 5): lines act on the subscription, and messages are
//! written between their answers, as they come.

use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::Lines;
use crate::cli::RepeatOptions;
use crate::command::request::Request;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::Source;
use crate::net::{Endpoint, Heartbeat, Lost, Protocol, PushListener, Server, Session, Verdict, poll, wait_among};
use crate::render::{Format, Record, Renderer, Stdout};
use crate::reply::{ErrorReply, Frame, Message, OwnedFrame};
use crate::shell::subscription::{Awaited, Subscriptions};

/// What redis-cli writes on a terminal while it waits for messages, and how it takes that away.
const READING: &str = "Reading messages... (press Ctrl-C to quit or any key to type command)\r";
const ERASE: &str = "\x1b[K";

/// What is subscribed on the connection of the lines.
#[derive(Default)]
pub struct Mode {
    subscriptions: Subscriptions,
    /// The same for who hears what comes between a command and its reply.
    is_open: Arc<AtomicBool>,
    /// Whether the terminal is told that messages are waited for.
    tells: bool,
    /// Whether it shows that just now: a line that has come only in part changes nothing.
    is_told: bool,
    /// Whether messages come among the replies, as in RESP2, which a server without HELLO speaks whatever was asked for.
    is_among_replies: bool,
    /// Of the connection, from when it was first listened to.
    heartbeat: Option<Heartbeat>,
}

/// Why nothing more is heard.
enum Stopped {
    Lost(Lost),
    Output(Failure),
    /// Nobody reads the output any more.
    Unread,
}

impl Mode {
    /// Nothing is subscribed. `tells`: the output is a terminal, or is to look so.
    pub fn new(context: &Context) -> Self {
        let style = &context.config.style;
        let tells = style.format == Format::Human && (style.is_terminal || context.config.guise.fakes_terminal);
        Self { tells, ..Self::default() }
    }

    /// Who writes what comes out of band while a command waits for its reply: of a subscription all, else what
    /// `--show-pushes` asks for.
    pub fn listener(&self, context: &Context) -> Outcome<PushListener> {
        let is_open = Arc::clone(&self.is_open);
        let (format, shows_pushes) = (context.config.style.format, context.config.show_pushes);
        let renderer = Mutex::new(context.renderer()?);
        Ok(PushListener::new(move |push| {
            let mut renderer = renderer.lock().unwrap_or_else(PoisonError::into_inner);
            // Where that is not possible, the next reply says so.
            let _ = if is_open.load(Ordering::Relaxed) {
                write_heard(&mut renderer, format, push).and_then(|()| renderer.flush())
            } else if shows_pushes {
                renderer.write(&Record::Push(push)).and_then(|()| renderer.flush())
            } else {
                Ok(())
            };
        }))
    }

    /// Whether something is subscribed.
    pub fn is_open(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    fn note(&mut self, frame: Frame<'_>) {
        if let Some(message) = Message::of(frame) {
            self.subscriptions.note(&message);
            self.is_among_replies = !frame.is_push();
            self.is_open.store(self.is_open(), Ordering::Relaxed);
        }
    }

    /// RESET has ended it.
    pub fn reset(&mut self) {
        self.subscriptions.clear();
        self.is_open.store(false, Ordering::Relaxed);
    }

    /// Sends a command and writes what comes, until it is answered; the answer, where it is no message.
    fn ask(
        &mut self,
        session: &mut Session,
        request: &Request,
        out: &mut Renderer<Stdout>,
        format: Format,
    ) -> Result<Option<OwnedFrame>, Stopped> {
        let mut awaited = self.subscriptions.await_answer(request);
        session.begin(request);
        // What the server said before it closed is still to be read: a failed write is told after that.
        let mut unsendable = session.send().err();
        loop {
            while let Some(frame) = session.receive().map_err(|lost| unsendable.take().unwrap_or(lost))? {
                self.note(frame);
                let is_complete = awaited.is_complete_with(frame);
                if is_complete && (awaited == Awaited::Reply || frame.is_error()) {
                    return Ok(Some(frame.to_owned()));
                }
                write_heard(out, format, frame).map_err(Failure::output)?;
                if is_complete {
                    return Ok(None);
                }
            }
            out.flush().map_err(Failure::output)?;
            if session.wait(None, session.silence_ends())?.expired {
                return Err(session.silent().into());
            }
            if unsendable.is_none() {
                unsendable = session.send().err();
            }
        }
    }

    /// Writes what comes, until there is input to read or nothing is subscribed any more. A server that falls silent is
    /// asked for a sign of life; input waits for that, so that no command takes it for its answer.
    fn hear(
        &mut self,
        session: &mut Session,
        input: Option<&Source>,
        out: &mut Renderer<Stdout>,
        format: Format,
    ) -> Result<(), Stopped> {
        // Errors and hang-ups are reported unasked.
        let mut others = vec![PollFd::from_borrowed_fd(rustix::stdio::stdout(), PollFlags::empty())];
        others.extend(input.map(|input| PollFd::from_borrowed_fd(input.as_fd(), PollFlags::IN)));
        let mut owed = 0;
        loop {
            let mut unsendable = session.send().err();
            while let Some(frame) = session.receive().map_err(|lost| unsendable.take().unwrap_or(lost))? {
                if owed > 0 && Awaited::Reply.is_complete_with(frame) {
                    owed -= 1;
                    continue;
                }
                self.note(frame);
                tell(out, ERASE, std::mem::take(&mut self.is_told))?;
                write_heard(out, format, frame).map_err(Failure::output)?;
            }
            if !self.is_open() && owed == 0 {
                return Ok(());
            }
            tell(out, READING, self.tells && !self.is_told)?;
            self.is_told = self.tells;
            out.flush().map_err(Failure::output)?;
            let heartbeat = self.heartbeat.get_or_insert_with(Heartbeat::new);
            heartbeat.hear(session.received());
            let (slept, due) = (heartbeat.attend(), heartbeat.due());
            let watched = if owed == 0 { &others } else { &others[..1] };
            let (woken, ready) = wait_among([&mut *session], watched, Some(due))?;
            match heartbeat.check(slept, woken.session) {
                Verdict::Well => {}
                Verdict::Ask => {
                    session.begin(&Request::new(["PING"]));
                    owed += 1;
                }
                Verdict::Dead => return Err(Lost::Dead(heartbeat.heard.elapsed()).into()),
            }
            match ready.as_slice() {
                [true, ..] => return Err(Stopped::Unread),
                [_, true] if owed == 0 => return Ok(()),
                _ => {}
            }
        }
    }
}

/// Writes words for the terminal, where there is one to be told.
fn tell(out: &mut Renderer<Stdout>, words: &str, is_wanted: bool) -> Result<(), Stopped> {
    let told = if is_wanted { out.write_text(words) } else { Ok(()) };
    Ok(told.map_err(Failure::output)?)
}

/// Writes what came of a subscription: in JSON as the dictionaries of section 8, else as the frame that it is.
fn write_heard(out: &mut Renderer<Stdout>, format: Format, frame: Frame<'_>) -> std::io::Result<()> {
    match Message::of(frame) {
        Some(message) => out.write(&Record::Message { message: &message, time: None, node: None }),
        None if format == Format::Json => out.write(&Record::Push(frame)),
        None => out.write(&Record::Reply { frame, is_report: false }),
    }
}

/// Runs UNSUBSCRIBE and its kind as often as asked on a connection that is subscribed to nothing, as redis-cli does
/// (contract section 4): what confirms it is written. In a cluster any node says that.
pub fn leave(context: &Context, request: &Request, repetition: &RepeatOptions) -> Outcome<Exit> {
    let endpoint = Endpoint { cluster: None, ..context.endpoint()? };
    let mut session = Session::open(&endpoint)?;
    let (mut renderer, format) = (context.renderer()?, context.config.style.format);
    let mut exit = Exit::Done;
    for is_more in repetition.turns() {
        let refused = Mode::default().ask(&mut session, request, &mut renderer, format);
        let refused = refused.map_err(|stopped| stopped.into_failure(&endpoint.address.to_string()))?;
        renderer.flush().map_err(Failure::output)?;
        if let Some(error) = refused.as_ref().and_then(|reply| ErrorReply::of(reply.frame())) {
            exit = Failure::error_reply(error.to_string()).report();
        }
        if let (true, Some(interval)) = (is_more, repetition.interval) {
            poll::sleep_until(Instant::now() + interval)?;
        }
    }
    Ok(exit)
}

impl Lines {
    /// Whether a line is for the subscription: it changes one, or, in RESP2, it comes while there is one.
    pub(super) fn is_for_subscription(&mut self, request: &Request) -> bool {
        use crate::shell::subscription::changes_subscriptions;
        let is_resp2 = self.mode.is_among_replies || self.shell.link().endpoint().protocol == Protocol::Resp2;
        let is_alone = self.mode.is_open() && is_resp2;
        self.shell.queued().is_none() && (is_alone || changes_subscriptions(request))
    }

    /// Takes away what is written while messages are waited for: a line has come.
    pub(super) fn end_reading(&mut self) -> Outcome<()> {
        if std::mem::take(&mut self.mode.is_told) {
            self.renderer.write_text(ERASE).map_err(Failure::output)?;
        }
        Ok(())
    }

    /// Runs a line that is.
    pub(super) fn ask_subscribed(&mut self, request: &Request) -> Outcome<()> {
        let place = self.place(request);
        let link = self.shell.link();
        let Some(Server::One(session, _)) = link.server() else {
            let what = request.shown(20);
            let hint = "in a cluster a subscription has connections of its own: use rcli -c sub --control";
            return Err(Failure::usage(format!("{place}: {what}: {hint}")));
        };
        let answer = self.mode.ask(session, request, &mut self.renderer, self.format);
        let Some(answer) = answer.map_err(|stopped| stopped.into_failure(&place))? else {
            return self.renderer.flush().map_err(Failure::output);
        };
        let frame = answer.frame();
        self.shell.link().learn(request, frame).map_err(|lost| lost.into_failure_at(&place))?;
        if request.is(0, "RESET") && !frame.is_error() {
            self.mode.reset();
            self.shell.link().introduce_again()?;
        }
        self.reply(request, frame)?;
        self.renderer.flush().map_err(Failure::output)
    }

    /// Writes messages until there is input to read; without input until the stream ends, and how.
    pub(super) fn hear(&mut self, input: Option<&Source>) -> Outcome<Option<Exit>> {
        let link = self.shell.link();
        let place = link.place();
        let Some(Server::One(session, _)) = link.server() else { return Ok(None) };
        match self.mode.hear(session, input, &mut self.renderer, self.format) {
            Ok(()) => Ok(None),
            Err(Stopped::Unread) => Ok(Some(Exit::Done)),
            Err(Stopped::Output(failure)) => Err(failure),
            Err(Stopped::Lost(lost)) => Err(lost.into_failure(&place)),
        }
    }
}

impl Stopped {
    fn into_failure(self, place: &str) -> Failure {
        match self {
            Self::Lost(lost) => lost.into_failure_at(place),
            Self::Output(failure) => failure,
            Self::Unread => Failure::quiet(Exit::Done),
        }
    }
}

impl From<Lost> for Stopped {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Output(failure)
    }
}
