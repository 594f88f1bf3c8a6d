//! The connection behind a shell: what the user chose on it, the WATCH it holds, and opening it again.
//! A command is never sent twice: whoever asked learns that the connection was lost.

use std::mem;
use std::time::Duration;

use crate::command::request::Request;
use crate::command::restrictions::{Effect, Setting, effect_of, refuse_in_cluster};
use crate::exit::Outcome;
use crate::net::{ConnectionState, Endpoint, Lost, Note, Protocol, Server, Unopened, Watch};
use crate::reply::{ErrorReply, Frame};
use crate::report::Told;

/// A connection that is open, or can be opened.
pub struct Link {
    state: ConnectionState,
    server: Option<Server>,
    /// Where the connection was that was lost last.
    lost_place: Option<String>,
    /// Whether a command opens a lost connection again.
    pub reopens: bool,
    /// Whether a loss is noticed before a command is sent.
    looks: bool,
    pub was_open: bool,
    /// Whether it was opened as nobody, for a command to say who we are.
    is_anonymous: bool,
    notices: Vec<Told>,
}

/// The longest part of a command in a notice, in characters.
const SHOWN: usize = 60;

impl Link {
    /// Opens a connection that is used until it is lost (stdin).
    pub fn once(endpoint: &Endpoint) -> Outcome<Self> {
        let mut link = Self { reopens: false, looks: false, was_open: true, ..Self::lasting(endpoint.clone()) };
        let server = Server::open(link.endpoint())?;
        link.take(server);
        Ok(link)
    }

    /// Opens a connection that the command is lost with which finds it lost, and the next one opens again (stdin, called
    /// by redis-cli's name).
    pub fn again(endpoint: &Endpoint) -> Outcome<Self> {
        Ok(Self { reopens: true, looks: false, ..Self::once(endpoint)? })
    }

    /// A connection that is opened by the first command, and again by the first after it was lost (REPL).
    pub fn lasting(endpoint: Endpoint) -> Self {
        Self {
            state: ConnectionState::new(Endpoint { may_log_in: true, ..endpoint }),
            server: None,
            lost_place: None,
            reopens: true,
            looks: true,
            was_open: false,
            is_anonymous: false,
            notices: Vec::new(),
        }
    }

    /// What to call the server: where it is; of a cluster, the node that stands for it.
    pub fn name(&self) -> String {
        match &self.server {
            Some(server @ Server::One(..)) => server.place(),
            _ => self.endpoint().address.to_string(),
        }
    }

    /// Where the last command went, for messages.
    pub fn place(&self) -> String {
        match (&self.server, &self.lost_place) {
            (Some(server), _) => server.place(),
            (None, Some(place)) => place.clone(),
            (None, None) => self.endpoint().address.to_string(),
        }
    }

    /// Where the server is, and what the user last chose there.
    pub fn endpoint(&self) -> &Endpoint {
        self.state.endpoint()
    }

    /// The connection, if it is open.
    pub fn server(&mut self) -> Option<&mut Server> {
        self.server.as_mut()
    }

    /// Why a command cannot be run over this connection; none if it can.
    pub fn refuse(&self, request: &Request) -> Option<String> {
        let refused = self.endpoint().cluster.and_then(|_| refuse_in_cluster(request));
        refused.or_else(|| self.endpoint().refuse_write(request))
    }

    /// Whether it leads to all the nodes of a cluster.
    pub fn is_cluster(&self) -> bool {
        self.endpoint().cluster.is_some()
    }

    /// Whether a person types the commands, sees what becomes of each, and can type another (REPL).
    pub fn is_typed(&self) -> bool {
        self.looks
    }

    /// Whether lines are run as redis-cli runs them.
    pub fn is_peer(&self) -> bool {
        self.reopens && !self.looks
    }

    /// Whether it is open, as far as is known.
    pub fn is_open(&self) -> bool {
        match &self.server {
            Some(Server::One(..)) => true,
            Some(Server::Cluster(cluster)) => cluster.is_connected(),
            None => false,
        }
    }

    pub fn watch(&self) -> Watch {
        self.state.watch
    }

    /// Says what became of the watched keys.
    pub fn set_watch(&mut self, watch: Watch) {
        self.state.watch = watch;
    }

    /// What there is to tell since the last time: reconnects, and what was lost with a connection.
    pub fn take_notices(&mut self) -> Vec<Told> {
        if let Some(Server::Cluster(cluster)) = &mut self.server {
            self.notices.extend(cluster.take_refused().into_iter().map(Told::Failure));
            self.notices.extend(cluster.take_notes().into_iter().map(|note| match note {
                Note::AnsweredBy(node) => Told::Notice(format!("answered by {node}")),
                Note::Partial(words) => Told::Failure(words),
            }));
        }
        if let Some(Server::Cluster(cluster)) = &self.server
            && cluster.is_connected()
            && cluster.endpoint().address != self.endpoint().address
        {
            let home = cluster.endpoint().address.clone();
            self.notices.push(Told::Notice(format!("{} is gone; going on at {home}", self.endpoint().address)));
            self.state.move_to(home);
        }
        mem::take(&mut self.notices)
    }

    /// Notices that the connection was lost while nobody used it. Does not wait.
    pub fn look_after(&mut self) {
        if self.looks
            && let Some(server) = &mut self.server
            && let Err(lost) = server.look_after()
        {
            let watch = match (server, self.state.watch) {
                (Server::Cluster(_), Watch::Held) => "; the WATCH was lost with it",
                _ => "",
            };
            let text = format!("{}: connection lost: {}{watch}", self.place(), lost.reason());
            self.notices.push(Told::Failure(text));
            self.lose();
        }
    }

    /// The open connection. Where it may, it is opened first, also when it was lost while nobody used it.
    pub fn ready(&mut self) -> Result<&mut Server, Unopened> {
        self.look_after();
        if self.server.is_none() && self.reopens {
            let server = Server::open(self.endpoint())?;
            self.take(server);
            self.is_anonymous = false;
            if mem::replace(&mut self.was_open, true) {
                self.restore_settings().map_err(|lost| lost.while_opening(&self.place()))?;
            }
        }
        match &mut self.server {
            Some(server) => {
                if let Server::One(session, _) = server {
                    session.select_owed()?;
                }
                Ok(server)
            }
            None => Err(Unopened::Unreachable(format!("{}: not connected", self.state.endpoint().address))),
        }
    }

    /// The same for this command. Where the server refuses whom it knew, as after a change of the password, a command that
    /// says who we are is sent over a connection of nobody.
    pub fn ready_for(&mut self, request: &Request) -> Result<&mut Server, Unopened> {
        let says_who = self.server.is_none() && self.reopens && effect_of(request) == Effect::Sets(Setting::User);
        if says_who && matches!(self.ready(), Err(Unopened::Refused { .. })) {
            let server = Server::open(&Endpoint { credentials: None, ..self.endpoint().clone() })?;
            self.take(server);
            (self.was_open, self.is_anonymous) = (true, true);
        }
        self.ready()
    }

    /// The same where the server answers within this time; an error where it does not. A server that is busy with what
    /// was asked of it is then not waited for.
    pub fn ready_within(&mut self, limit: Duration) -> Result<(), Unopened> {
        if self.server.is_none() {
            // What is kept has the limits that were asked for.
            Server::open(&Endpoint { connect_timeout: limit, wait: Duration::ZERO, ..self.endpoint().clone() })?;
        }
        self.ready().map(drop)
    }

    /// Takes a connection that was opened, which may show that there is no cluster.
    fn take(&mut self, server: Server) {
        if !server.is_cluster() {
            self.state.leave_cluster();
        }
        self.server = Some(server);
    }

    /// Gives a new connection what the old one was told beyond its introduction.
    fn restore_settings(&mut self) -> Result<(), Lost> {
        self.notices.push(Told::Notice(self.describe_reopened()));
        let Some(server) = &mut self.server else { return Ok(()) };
        let notices = &mut self.notices;
        let lost = self.state.settings().iter().find_map(|request| match server.call(request) {
            Ok(answer) => {
                let refusal = ErrorReply::of(answer.frame());
                notices.extend(
                    refusal.map(|error| Told::Failure(format!("{} was refused there: {error}", request.shown(SHOWN)))),
                );
                None
            }
            Err(lost) => Some(lost),
        });
        lost.map_or(Ok(()), |lost| {
            self.lose();
            Err(lost)
        })
    }

    fn describe_reopened(&self) -> String {
        let db = if self.endpoint().db == 0 { String::new() } else { format!(", database {}", self.endpoint().db) };
        let watch = if self.watch() == Watch::Lost { "; the WATCH was lost with the old connection" } else { "" };
        format!("connected again to {}{db}{watch}", self.place())
    }

    /// Closes the connection to a primary that has become a replica, where sentinels know the new one: the next command
    /// asks them. Whether it did. They close such connections themselves, if they may.
    pub fn leave_replica(&mut self) -> bool {
        let leaves = self.server.is_some() && self.endpoint().address.follows_primary();
        if leaves {
            self.lose();
        }
        leaves
    }

    /// Closes a connection that is of no use any more.
    pub fn lose(&mut self) {
        self.lost_place = Some(self.place());
        match &mut self.server {
            // Its other nodes are as they were.
            Some(Server::Cluster(cluster)) => cluster.forget_watch(),
            _ => self.server = None,
        }
        if self.watch() == Watch::Held {
            self.set_watch(Watch::Lost);
        }
    }

    /// Remembers what a command that the server answered has changed, so that a reconnect brings it back.
    pub fn learn(&mut self, request: &Request, answer: Frame<'_>) -> Result<(), Lost> {
        self.state.learn(request, answer);
        if effect_of(request) != Effect::Sets(Setting::User) || answer.is_error() {
            return Ok(());
        }
        if self.endpoint().protocol == Protocol::Resp3
            && let Some(Server::One(session, _)) = &mut self.server
        {
            session.greet_again()?;
        }
        if mem::take(&mut self.is_anonymous) { self.restore_settings() } else { Ok(()) }
    }

    /// Introduces itself again after a RESET that the server has answered: the version of RESP, the user and the
    /// database are those of the start.
    pub fn introduce_again(&mut self) -> Result<(), Unopened> {
        match &mut self.server {
            Some(Server::One(session, _)) => session.introduce_again(self.state.endpoint()),
            _ => Ok(()),
        }
    }
}
