//! A session given over to listening: what it listens to is remembered, and asked for again after a loss
//! (contract sections 8 and 9). Prints nothing; whoever follows it decides what to say.
//!
//! [`Stream::next`] never blocks and [`Stream::wait`] is the only sleep: so output is flushed exactly when nothing
//! waits, and no message is lost to a time limit.

pub(super) mod ear;
mod event;
mod pulse;
mod roam;
pub(super) mod source;
mod switch;

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

pub(super) use self::event::Told;
pub use self::event::{Event, Given, Heard};
pub use self::source::{Source, Subscription, Topic};

use self::ear::{Ear, Form, Got, Loss};
use self::roam::Roam;
use self::source::{is_final, is_final_code};
use self::switch::{Switched, Switches};
use super::open::Unopened;
use super::poll;
use super::session::Session;
use super::target::{Address, Target};
use crate::exit::{Failure, Outcome};
use crate::reply::{ErrorReply, Message, MessageKind, OwnedFrame};
use crate::report::describe_io;

/// The first pause before a new connection is tried; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a channel is asked for again where it was.
pub(super) const ENDED: &str = "the server has ended the subscription, as it does when a slot is assigned";

/// What [`Stream::wait`] woke up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something may have come.
    Stream,
    /// The descriptor at this place among the others is ready.
    Other(usize),
}

enum Link {
    Up(Box<Ear>),
    /// Not connected; when to try again.
    Down(Instant),
}

/// A source that is listened to, over as many connections as it takes.
pub struct Stream {
    target: Target,
    /// Where else to go; none where no other server has it.
    roam: Option<Roam>,
    /// Who tells that another server is the primary now.
    switches: Option<Switches>,
    /// A session with that one, to go on with.
    found: Option<Session>,
    source: Source,
    /// The server that was connected to last: its own address, not that of who named it.
    place: String,
    /// How often in a row to try a new connection; none: for ever.
    retries: Option<u32>,
    link: Link,
    /// How often in a row it was tried.
    tries: u32,
    /// Whether everything was confirmed once.
    was_ready: bool,
    /// Since when nothing is heard; none when all is well.
    lost_at: Option<Instant>,
    /// Why there is no connection.
    reason: String,
    /// Whether channels of other nodes are passed over from the start.
    passes_over: bool,
    /// What [`Self::next`] gives before anything else, and what it gave of that last.
    announced: VecDeque<Told>,
    told: Option<Told>,
    /// Subscriptions that the server has ended, and that it was asked for again: their places among the commands, the
    /// server's words, and when they ended.
    ended: Vec<(usize, OwnedFrame, Instant)>,
}

impl Stream {
    /// Connects and asks for the source. That there is no server, or that it refuses us, ends the run (status 3); only
    /// what was heard once is tried again, `retries` times in a row.
    pub fn open(target: &Target, source: Source, retries: Option<u32>) -> Outcome<Self> {
        let session = Session::open(target)?;
        Ok(Self::over(session, target, None, source, retries))
    }

    /// The same at this node of a cluster: channels that it does not own are passed over.
    pub fn open_node(target: &Target, source: Source, retries: Option<u32>) -> Outcome<Self> {
        Ok(Self { passes_over: true, ..Self::open(target, source, retries)? })
    }

    /// The same on any node of a cluster: first the one of the target, another one after each loss.
    pub fn open_anywhere(target: &Target, source: Source, retries: Option<u32>) -> Outcome<Self> {
        let (roam, session) = Roam::open(target).map_err(Unopened::into_failure)?;
        Ok(Self::over(session, target, Some(roam), source, retries))
    }

    fn over(session: Session, target: &Target, roam: Option<Roam>, source: Source, retries: Option<u32>) -> Self {
        let switches = match &target.address {
            Address::Sentinel(sentinels) => Switches::watch(sentinels, target).ok(),
            _ => None,
        };
        Self {
            target: target.clone(),
            roam,
            switches,
            found: None,
            source: source.clone(),
            place: session.target.address.to_string(),
            retries,
            link: Link::Up(Box::new(Ear::new(session, source))),
            tries: 0,
            was_ready: false,
            lost_at: None,
            reason: String::new(),
            passes_over: false,
            announced: VecDeque::new(),
            told: None,
            ended: Vec::new(),
        }
    }

    /// The server's address, for messages to people.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        matches!(self.link, Link::Up(_))
    }

    /// What has come, and where; none if nothing waits. Does not block.
    pub fn next(&mut self) -> Outcome<Option<(Heard<'_>, &str)>> {
        let form = self.advance()?;
        let heard = match (form, &self.link) {
            (Some(form), Link::Up(ear)) => Some(ear.heard(form)),
            _ => self.told.as_ref().and_then(Told::heard),
        };
        Ok(heard.map(|heard| (heard, self.place.as_str())))
    }

    /// Receives until there is something to be told: what was received is of the form that this gives, or stands in
    /// `told`. Neither if nothing waits.
    fn advance(&mut self) -> Outcome<Option<Form>> {
        loop {
            self.told = self.announced.pop_front();
            if self.told.is_some() {
                return Ok(None);
            }
            let Link::Up(ear) = &mut self.link else { return Ok(None) };
            match ear.receive() {
                Ok(None) => return Ok(None),
                Ok(Some(Got::Heard(form @ Form::Message(MessageKind::SUnsubscribe)))) => {
                    let Heard::Message(message) = ear.heard(form) else { return Ok(Some(form)) };
                    // Nobody has unsubscribed: its slot has moved, or was assigned anew to the server that had it.
                    let subscription = Subscription { topic: Topic::ShardChannel, name: message.channel.to_vec() };
                    if !self.source.has(&subscription) {
                        return Ok(Some(form));
                    }
                    let message = message.frame.to_owned();
                    self.ended.push((ear.add(subscription), message, Instant::now()));
                }
                Ok(Some(Got::Heard(form))) => return Ok(Some(form)),
                Ok(Some(Got::Confirmed(index, message))) => self.confirm(index, message),
                Ok(Some(Got::Refused(index, error))) => self.refuse(index, &error)?,
                Err(loss) => self.lose(loss)?,
            }
        }
    }

    /// One more of the source's commands is confirmed.
    fn confirm(&mut self, index: usize, message: Option<OwnedFrame>) {
        if let Some(at) = self.ended.iter().position(|(asked, ..)| *asked == index) {
            let (_, ended, since) = self.ended.remove(at);
            let channel = Message::of(ended.frame()).map(|ended| ended.channel.to_vec());
            let lost = Event::Disconnected { channel: channel.clone(), reason: ENDED.to_owned(), retrying: true };
            let events = [lost, Event::Reconnected { channel, gap: since.elapsed() }];
            self.announced.extend(events.map(Told::Event));
        } else {
            self.announced.extend(message.map(Told::Message));
        }
        self.note_answered();
    }

    fn note_answered(&mut self) {
        if matches!(&self.link, Link::Up(ear) if ear.is_ready()) {
            self.was_ready = true;
            if let Some(lost_at) = self.lost_at.take() {
                let event = Event::Reconnected { channel: None, gap: lost_at.elapsed() };
                self.announced.push_back(Told::Event(event));
            }
        }
    }

    /// The server refuses what it was asked for at this place.
    fn refuse(&mut self, index: usize, error: &ErrorReply) -> Outcome<()> {
        let Link::Up(ear) = &self.link else { return Ok(()) };
        let refusal = ear.describe_refusal(index, error);
        if error.code() == "MOVED" && (self.passes_over || self.was_ready) {
            return self.pass_over(index, refusal);
        }
        if !self.was_ready || is_final(error) {
            let advice = if error.code() == "MOVED" { ": use -c" } else { "" };
            return Err(Failure::failed(format!("{}: {refusal}{advice}", self.place())));
        }
        self.lose(Loss::now(refusal))
    }

    /// Another node has the channel that was asked for at this place: the others are listened to.
    fn pass_over(&mut self, index: usize, reason: String) -> Outcome<()> {
        let Link::Up(ear) = &self.link else { return Ok(()) };
        let Some(subscription) = ear.asked_at(index).cloned() else { return Ok(()) };
        self.source.forget(&subscription);
        if self.source.len() == 0 {
            return Err(Failure::failed(format!("{}: {reason}", self.place())));
        }
        if let Some(at) = self.ended.iter().position(|(asked, ..)| *asked == index) {
            self.announced.push_back(Told::Message(self.ended.remove(at).1));
        }
        self.announced.push_back(Told::Event(Event::PassedOver { channel: subscription.name, reason }));
        self.note_answered();
        Ok(())
    }

    /// Drops a connection that sends what cannot be understood, and begins anew.
    pub fn distrust(&mut self, reason: &str) -> Outcome<()> {
        self.lose(Loss::now(reason))
    }

    /// The connection is lost.
    fn lose(&mut self, loss: Loss) -> Outcome<()> {
        let now = Instant::now();
        let Link::Up(ear) = &self.link else { return Ok(()) };
        let Loss { reason, since, is_refusal } = ear.complete(loss);
        if !self.was_ready && is_refusal {
            return Err(Failure::failed(reason));
        }
        if !self.was_ready {
            return Err(Failure::failed(format!("{}: connection lost: {reason}", self.place())));
        }
        if ear.was_good() {
            self.tries = 0;
        }
        self.link = Link::Down(now + pause(self.tries));
        self.ended.clear();
        self.reason.clone_from(&reason);
        if self.lost_at.is_none() {
            self.lost_at = Some(since.unwrap_or(now));
            let event = Event::Disconnected { channel: None, reason, retrying: self.may_retry() };
            self.announced.push_back(Told::Event(event));
        }
        Ok(())
    }

    fn may_retry(&self) -> bool {
        self.retries.is_none_or(|retries| self.tries < retries)
    }

    /// Sleeps until something comes, one of the other descriptors is ready, or the deadline passes; tries a new
    /// connection when it is time for that. Ends the run when no further try is allowed.
    pub fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Outcome<Woken> {
        if !self.announced.is_empty() {
            return Ok(Woken::Stream);
        }
        match &self.link {
            Link::Up(_) => self.wait_up(others, deadline),
            Link::Down(due) => {
                let due = *due;
                if !self.may_retry() {
                    return Err(self.give_up());
                }
                let mut fds = others.to_vec();
                fds.extend(self.switches.as_ref().map(|it| PollFd::from_borrowed_fd(it.fd(), PollFlags::IN)));
                sleep(&mut fds, sooner(deadline, due))?;
                if let Some(index) = ready_at(&fds[..others.len()]) {
                    return Ok(Woken::Other(index));
                }
                self.follow_switch()?;
                if Instant::now() >= due || self.found.is_some() {
                    self.reopen(deadline)?;
                }
                Ok(Woken::Stream)
            }
        }
    }

    fn wait_up(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Outcome<Woken> {
        let Link::Up(ear) = &mut self.link else { return Ok(Woken::Stream) };
        let (slept, mut due) = ear.prepare();
        if let Some(roam) = &mut self.roam {
            due = due.min(roam.doubt(&self.target.address)?);
        }
        let interest = ear.interest();
        let mut fds = vec![PollFd::from_borrowed_fd(ear.as_fd(), interest)];
        fds.extend_from_slice(others);
        let scout = self.roam.as_ref().and_then(Roam::fd);
        let told = self.switches.as_ref().map(Switches::fd);
        fds.extend(scout.into_iter().chain(told).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        sleep(&mut fds, sooner(deadline, due))?;
        let events = fds[0].revents();
        let other = ready_at(&fds[1..=others.len()]);
        drop(fds);
        if let Err(loss) = ear.conclude(slept, events) {
            self.lose(loss)?;
        } else if let Some(roam) = &mut self.roam
            && roam.has_left(&self.target.address)?
        {
            self.lose(Loss::now("this node is not of the cluster any more"))?;
        }
        self.follow_switch()?;
        Ok(other.map_or(Woken::Stream, Woken::Other))
    }

    /// Leaves a server that is the primary no more for the one that is.
    fn follow_switch(&mut self) -> Outcome<()> {
        let Some(Switched { session, since }) = self.switches.as_ref().and_then(Switches::next) else { return Ok(()) };
        let place = session.target.address.to_string();
        if self.is_connected() {
            if place == self.place || !self.was_ready {
                return Ok(());
            }
            self.lose(Loss { since: Some(since), ..Loss::now(format!("{place} is the primary now")) })?;
            self.link = Link::Down(Instant::now());
        }
        self.found = Some(session);
        Ok(())
    }

    fn adopt(&mut self, session: Session) {
        self.place = session.target.address.to_string();
        self.link = Link::Up(Box::new(Ear::new(session, self.source.clone())));
    }

    /// Tries a new connection, until the deadline at most.
    fn reopen(&mut self, deadline: Option<Instant>) -> Outcome<()> {
        if let Some(session) = self.found.take() {
            self.adopt(session);
            return Ok(());
        }
        self.tries += 1;
        if let Some(roam) = &self.roam {
            self.target.address = roam.after(&self.target.address);
        }
        let mut target = self.target.clone();
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            target.connect_timeout = target.connect_timeout.min(left);
        }
        let opened = match &mut self.roam {
            Some(roam) => roam.learn(&target),
            None => Session::try_open(&target),
        };
        match opened {
            Ok(session) => {
                self.adopt(session);
                return Ok(());
            }
            Err(Unopened::Refused { code, message }) if is_final_code(&code) => {
                return Err(Failure::failed(format!("{}; not tried again: {message}", self.lost_words())));
            }
            Err(
                Unopened::Refused { message, .. } | Unopened::Unreachable(message) | Unopened::NobodyListens(message),
            ) => self.reason = message,
            Err(interrupted) => return Err(interrupted.into_failure()),
        }
        self.link = Link::Down(Instant::now() + pause(self.tries));
        Ok(())
    }

    fn lost_words(&self) -> String {
        format!("{}: connection lost", self.place())
    }

    /// The end of a run whose tries are used up.
    fn give_up(&self) -> Failure {
        let words = self.lost_words();
        Failure::failed(match self.tries {
            0 => format!("{words}: {}", self.reason),
            1 => format!("{words}, and not regained with 1 try: {}", self.reason),
            tries => format!("{words}, and not regained with {tries} tries: {}", self.reason),
        })
    }
}

/// The pause after so many tries.
pub(super) fn pause(tries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries.min(16))).min(LONGEST_PAUSE)
}

pub(super) fn sooner(deadline: Option<Instant>, due: Instant) -> Instant {
    deadline.map_or(due, |deadline| deadline.min(due))
}

pub(super) fn sleep(fds: &mut [PollFd<'_>], deadline: Instant) -> Outcome<()> {
    poll::sleep(fds, Some(deadline)).map_err(|error| Failure::failed(format!("cannot wait: {}", describe_io(&error))))
}

/// The place of the first descriptor that is ready.
pub fn ready_at(fds: &[PollFd<'_>]) -> Option<usize> {
    fds.iter().position(|fd| !fd.revents().is_empty())
}
