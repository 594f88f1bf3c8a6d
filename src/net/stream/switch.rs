//! Hears from the sentinels that another server is the primary now (contract section 8).
//!
//! A thread for each sentinel listens for +switch-master, and then searches for the primary as whoever connects does: a
//! message alone moves nobody. It asks the sentinel first that told of the switch: the others may not know yet.

use crate::net::endpoint::Endpoint;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::super::error::Unopened;
use super::super::poll;
use super::super::sentinel::Sentinels;
use super::super::session::Session;
use super::connection::Loss;
use super::retries::pause;
use super::{Given, Heard, Source, Stream, Subscription, Topic};
use crate::reply::{Data, Message, MessageKind};

const CHANNEL: &[u8] = b"+switch-master";

/// A primary that was found after a switch.
pub struct Switched {
    pub session: Session,
    /// When the switch was told.
    pub since: Instant,
}

impl Switched {
    /// What it means for the connection with the primary before.
    pub fn loss(&self) -> Loss {
        let reason = format!("{} is the primary now", self.session.endpoint.address);
        Loss { since: Some(self.since), ..Loss::now(reason) }
    }
}

/// What the sentinels tell. The threads end when it is dropped.
pub struct Switches {
    found: Receiver<Switched>,
    /// Readable once something was found: a byte for each.
    wake: PipeReader,
    /// Closed, it ends the threads.
    _stop: PipeWriter,
}

impl Switches {
    /// Listens to the sentinels; the sessions are opened as the endpoint says.
    pub fn watch(sentinels: &Sentinels, endpoint: &Endpoint) -> io::Result<Self> {
        let (wake, woken) = io::pipe()?;
        let (stopped, stop) = io::pipe()?;
        let (sender, found) = channel();
        let stopped = Arc::new(stopped);
        for at in 0..sentinels.addresses.len() {
            let watcher = Watcher {
                sentinels: sentinels.from(at),
                endpoint: endpoint.clone(),
                found: sender.clone(),
                woken: woken.try_clone()?,
                stopped: Arc::clone(&stopped),
            };
            thread::Builder::new().name("sentinel".to_owned()).spawn(move || watcher.run())?;
        }
        Ok(Self { found, wake, _stop: stop })
    }

    /// Readable once a primary was found after a switch.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The primary that was found, if one was.
    pub fn next(&self) -> Option<Switched> {
        let switched = self.found.try_recv().ok()?;
        let _ = (&self.wake).read(&mut [0]);
        Some(switched)
    }
}

/// Who listens to one sentinel, the first of its list.
struct Watcher {
    sentinels: Sentinels,
    endpoint: Endpoint,
    found: Sender<Switched>,
    woken: PipeWriter,
    stopped: Arc<PipeReader>,
}

/// Nobody wants to know any more.
struct Stopped;

impl Watcher {
    fn run(&self) {
        let mut tries = 0;
        // A sentinel that cannot be reached, or lets nobody listen, is tried again: others are heard meanwhile.
        while let Err(_failure) = self.listen(&mut tries) {
            if self.rest(tries).is_err() {
                return;
            }
            tries += 1;
        }
    }

    /// Listens until nobody wants to know.
    fn listen(&self, tries: &mut u32) -> Result<(), Unopened> {
        let Some(endpoint) = self.sentinels.first(&self.endpoint) else { return Ok(()) };
        let channel = Subscription { topic: Topic::Channel, name: CHANNEL.to_vec() };
        let mut stream = Stream::open(&endpoint, Source::Subscriptions(vec![channel]), None)?;
        loop {
            while let Some(given) = stream.next()? {
                // A connection alone is not enough: it may not be allowed to listen.
                *tries = 0;
                if let Given { heard: Heard::Message(message), .. } = given
                    && self.is_switch(&message)
                    && self.search().is_err()
                {
                    return Ok(());
                }
            }
            let stopped = [PollFd::new(&*self.stopped, PollFlags::IN)];
            if stream.wait(&stopped, None)?.is_some() {
                return Ok(());
            }
        }
    }

    /// Whether this tells of our primary: `NAME OLD-HOST OLD-PORT NEW-HOST NEW-PORT`.
    fn is_switch(&self, message: &Message<'_>) -> bool {
        let Data::Payload(told) = &message.data else { return false };
        message.kind == MessageKind::Message
            && message.channel == Some(CHANNEL)
            && told.split(|byte| *byte == b' ').next() == Some(self.sentinels.master.as_bytes())
    }

    /// Searches for the primary until it is found, or nobody wants to know.
    fn search(&self) -> Result<(), Stopped> {
        let since = Instant::now();
        for tries in 0.. {
            match self.sentinels.open_primary(&self.endpoint) {
                Ok(session) => {
                    self.found.send(Switched { session, since }).map_err(|_| Stopped)?;
                    return (&self.woken).write_all(&[0]).map_err(|_| Stopped);
                }
                // What refuses us now does so when we come because the old one is gone, and is told then.
                Err(Unopened::Refused { .. }) => break,
                Err(_) => self.rest(tries)?,
            }
        }
        Ok(())
    }

    /// Rests before another try.
    fn rest(&self, tries: u32) -> Result<(), Stopped> {
        let mut fds = [PollFd::new(&*self.stopped, PollFlags::IN)];
        let slept = poll::sleep(&mut fds, Some(Instant::now() + pause(tries)));
        if slept.is_ok() && fds[0].revents().is_empty() { Ok(()) } else { Err(Stopped) }
    }
}
