//! Evaluates one command: runs it, collects it for a block, or executes the block (contract sections 5 and 10).
//! Stdin mode and the REPL both use it. No terminal here, and no output: the answer says what happened, the caller
//! says it to somebody.

pub mod block;
pub mod connection;
pub mod subscription;

use self::block::BlockCheck;
use self::connection::Link;
use crate::command::request::Request;
use crate::command::restrictions::{Effect, effect_of, refuse_in_block, refuse_uncounted};
use crate::net::transaction::{Step, Transaction};
use crate::net::{Lost, LostBlock, Transacted, Unopened, Watch};
use crate::reply::{ErrorReply, OwnedFrame};

/// What became of a command.
#[derive(Debug)]
pub enum Answer {
    /// The server's reply, or one given in its stead.
    Reply(OwnedFrame),
    /// The server was told to stop, and did.
    Stopped,
    /// EXEC was sent with the commands of this block, which came to that.
    Transacted(Vec<Request>, Transacted),
    /// EXEC ran nothing, and was not sent: the WATCH was lost with its connection.
    WatchLost,
}

impl Answer {
    /// Whether it shows that the server is a replica: it ran nothing of the command, or the block.
    pub fn is_of_replica(&self) -> bool {
        match self {
            Self::Reply(reply) => ErrorReply::of(reply.frame()).is_some_and(|error| error.is_of_replica()),
            Self::Transacted(_, transacted) => transacted.is_of_replica(),
            Self::Stopped | Self::WatchLost => false,
        }
    }
}

/// Why a command has no answer.
#[derive(Debug)]
pub enum Trouble {
    /// It cannot run here; the reason says what to do instead. An open block is as it was.
    Unfit(String),
    /// Memory has no room for it in the open block, which has so many commands.
    NoRoom(usize),
    /// There is no connection, and none could be opened: it was not sent.
    NotConnected(Unopened),
    /// RESET was answered, and the server did not take the introduction after it.
    NotIntroduced(Unopened),
    /// The connection was lost while the answer was waited for.
    Lost(Lost),
    /// The connection was lost during EXEC.
    LostBlock(LostBlock),
}

impl From<Lost> for Trouble {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

/// A conversation: the connection, and the block that may be open on this side.
pub struct Shell {
    link: Link,
    transaction: Transaction,
    /// Whether its EXEC runs nothing, as a command was refused and lines are run as redis-cli runs them.
    is_spoiled: bool,
    check: BlockCheck,
}

/// What EXEC is answered then: the server's own words.
const ABORT: &[u8] = b"EXECABORT Transaction discarded because of previous errors.";

impl Shell {
    /// A shell without an open block.
    pub fn new(link: Link) -> Self {
        Self { link, transaction: Transaction::default(), is_spoiled: false, check: BlockCheck::default() }
    }

    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// How many commands wait in the open block; none if no block is open.
    pub fn queued(&self) -> Option<usize> {
        self.transaction.queued()
    }

    /// Evaluates a command. After a lost connection the session is closed.
    pub fn eval(&mut self, request: &Request) -> Result<Answer, Trouble> {
        let answered = self.step(request);
        if matches!(
            answered,
            Ok(Answer::Stopped) | Err(Trouble::Lost(_) | Trouble::LostBlock(_) | Trouble::NotIntroduced(_))
        ) {
            self.link.lose();
        }
        answered
    }

    fn step(&mut self, request: &Request) -> Result<Answer, Trouble> {
        if let Some(reason) = self.link.refuse(request) {
            return Err(Trouble::Unfit(reason));
        }
        let step = self.transaction.feed(request);
        let refusal = if step == Step::Queue { refuse_in_block(request) } else { refuse_uncounted(request) };
        if let Some(reason) = refusal {
            return Err(Trouble::Unfit(reason));
        }
        match step {
            Step::Run | Step::Reset => self.call(request),
            Step::Opened => {
                self.is_spoiled = false;
                Ok(Answer::Reply(OwnedFrame::simple("OK")))
            }
            Step::Discarded => self.discard(),
            Step::Refused(error) => Ok(Answer::Reply(OwnedFrame::error(error))),
            Step::Queue => self.queue(request),
            Step::Execute(_) if self.is_spoiled => self.abort(),
            Step::Execute(block) => self.execute(block),
        }
    }

    fn call(&mut self, request: &Request) -> Result<Answer, Trouble> {
        let server = self.link.ready_for(request).map_err(Trouble::NotConnected)?;
        let value = match server.call(request) {
            Ok(value) => value,
            // A server that was told to stop answers by going away.
            Err(lost) if request.is(0, "SHUTDOWN") && lost.is_end() => return Ok(Answer::Stopped),
            Err(lost) => return Err(lost.into()),
        };
        self.link.learn(request, value.frame())?;
        if effect_of(request) == Effect::Reset && !value.frame().is_error() {
            self.link.introduce_again().map_err(Trouble::NotIntroduced)?;
        }
        Ok(Answer::Reply(value))
    }

    fn queue(&mut self, request: &Request) -> Result<Answer, Trouble> {
        let refusal = match self.queue_refusal(request) {
            Ok(refusal) => refusal,
            Err(lost @ Lost::Interrupted(_)) => return Err(lost.into()),
            Err(lost) if !self.link.reopens => return Err(lost.into()),
            // A block needs no connection before EXEC.
            Err(_) => {
                self.link.lose();
                self.check.refusal(None, request)?
            }
        };
        if let Some(error) = refusal {
            self.is_spoiled = self.link.is_peer();
            return Ok(Answer::Reply(OwnedFrame::error(&error)));
        }
        if !self.transaction.queue(request) {
            return Err(Trouble::NoRoom(self.transaction.commands().len()));
        }
        Ok(Answer::Reply(OwnedFrame::simple("QUEUED")))
    }

    /// Why a command cannot join the block: the server does not know it so, or its keys are not with the others'. A
    /// person can type another one; of a file whose keys do not fit, EXEC runs nothing.
    fn queue_refusal(&mut self, request: &Request) -> Result<Option<String>, Lost> {
        // Nothing that was not typed is sent between a WATCH and its block.
        let asked = if self.link.watch() == Watch::Held { None } else { self.link.server() };
        let refusal = self.check.refusal(asked, request)?;
        let (None, true, Some(server)) = (&refusal, self.link.is_typed(), self.link.server()) else {
            return Ok(refusal);
        };
        server.check_joins(self.transaction.commands(), request)
    }

    /// Ends a block of which a command was refused: nothing is sent of it.
    fn abort(&mut self) -> Result<Answer, Trouble> {
        let refused = || Answer::Transacted(Vec::new(), Transacted::Refused(Vec::new(), ErrorReply::new(ABORT)));
        Ok(self.unwatch()?.map_or_else(refused, Answer::Reply))
    }

    fn discard(&mut self) -> Result<Answer, Trouble> {
        Ok(Answer::Reply(self.unwatch()?.unwrap_or_else(|| OwnedFrame::simple("OK"))))
    }

    /// Ends the WATCH of a block that is dropped, which is all that the server knows of it; the error if it refuses.
    fn unwatch(&mut self) -> Result<Option<OwnedFrame>, Trouble> {
        if let (Watch::Held, Some(server)) = (self.link.watch(), self.link.server()) {
            let unwatched = server.call(&Request::new(["UNWATCH"]))?;
            if unwatched.frame().is_error() {
                return Ok(Some(unwatched));
            }
        }
        self.link.set_watch(Watch::None);
        Ok(None)
    }

    fn execute(&mut self, block: Vec<Request>) -> Result<Answer, Trouble> {
        if let Err(unopened) = self.link.ready() {
            self.transaction.reopen(block);
            return Err(Trouble::NotConnected(unopened));
        }
        if self.link.watch() == Watch::Lost {
            self.link.set_watch(Watch::None);
            return Ok(Answer::WatchLost);
        }
        let Some(server) = self.link.server() else { return Err(Lost::Closed.into()) };
        match server.transact(&block.iter().collect::<Vec<_>>()) {
            Ok(transacted) => self.conclude(block, transacted),
            Err(lost) => {
                // What certainly did not run is kept: the user may send it with another EXEC.
                if lost.may_have_run {
                    self.link.set_watch(Watch::None);
                } else {
                    self.transaction.reopen(block);
                }
                Err(Trouble::LostBlock(lost))
            }
        }
    }

    fn conclude(&mut self, block: Vec<Request>, transacted: Transacted) -> Result<Answer, Trouble> {
        if transacted.ends_watch() {
            self.link.set_watch(Watch::None);
        }
        if let Transacted::Executed(replies) = &transacted {
            for (request, reply) in block.iter().zip(replies.frame().children()) {
                self.link.learn(request, reply)?;
            }
        }
        Ok(Answer::Transacted(block, transacted))
    }
}
