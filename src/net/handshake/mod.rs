//! Opening a session: connecting, and the introduction that a server wants before any command (contract section 1).

pub mod hello;
pub mod probe;

use std::time::Instant;

use redis::{Cmd, ServerError, Value};

use self::hello::{Greeting, ServerVersion, server_version};
use super::endpoint::{Address, Credentials, Endpoint, Protocol};
use super::error::{LOADING, Lost, Unopened};
use super::retry::open_patiently;
use super::session::Session;
use super::session::ending::describe_greeting;
use super::transport::Transport;
use crate::reply::{ErrorReply, error_reason, text_of, value_of};

impl Session {
    /// Connects and introduces itself: HELLO or AUTH, then SELECT. What is refused is so before any other command is
    /// sent (contract section 1). While nobody is there, or the server reads its data yet, it is tried again as `--wait`
    /// says.
    pub fn open(endpoint: &Endpoint) -> Result<Self, Unopened> {
        open_patiently(endpoint, || Self::open_once(endpoint), Self::is_ready)
    }

    /// Whether the server has read its data. It is asked whatever it may say beside that.
    fn is_ready(&mut self) -> Result<bool, Unopened> {
        let deadline = Instant::now() + self.endpoint.connect_timeout;
        let answer = self.call_before(&redis::cmd("PING"), deadline)?;
        Ok(!matches!(answer, Value::ServerError(error) if error.code() == LOADING))
    }

    /// One try of that.
    pub(super) fn open_once(endpoint: &Endpoint) -> Result<Self, Unopened> {
        if let Address::Sentinel(sentinels) = &endpoint.address {
            return sentinels.open(endpoint);
        }
        if endpoint.limits_first_answer { Self::open_heard(endpoint) } else { Self::open_unheard(endpoint) }
    }

    /// The same where no sentinel is to be asked. The first answer to what the caller asks is the caller's to limit.
    pub(super) fn open_unheard(endpoint: &Endpoint) -> Result<Self, Unopened> {
        let deadline = Instant::now() + endpoint.connect_timeout;
        let mut session = Self::connect(endpoint, endpoint.spoken(), deadline)?;
        match session.introduce(deadline) {
            Ok(()) => Ok(session),
            Err(Unopened::Unreachable(why)) if session.has_hung_up_at_hello() => {
                Self::open_without_hello(endpoint, deadline, why)
            }
            Err(why) => Err(why),
        }
    }

    /// The same, and has heard the server: one that hangs takes connections all the same, and no introduction is due
    /// in RESP2 without credentials.
    pub(super) fn open_heard(endpoint: &Endpoint) -> Result<Self, Unopened> {
        let deadline = Instant::now() + endpoint.connect_timeout;
        let mut session = Self::open_unheard(endpoint)?;
        session.hear(deadline)?;
        Ok(session)
    }

    fn connect(endpoint: &Endpoint, protocol: Protocol, deadline: Instant) -> Result<Self, Unopened> {
        let transport = Transport::connect(endpoint, deadline)?;
        let session = Self::over(&Endpoint { protocol, ..endpoint.clone() }, transport);
        endpoint.asker.iter().for_each(|asker| asker.note(&session));
        Ok(session)
    }

    /// Whether the connection has ended with no other answer to HELLO, where none was ever seen.
    pub(super) fn has_hung_up_at_hello(&self) -> bool {
        let is_said = self.endpoint.protocol == Protocol::Resp3 && !self.endpoint.hello.is_answered();
        is_said && self.has_ended() && self.received() == 0
    }

    /// Goes on in RESP2 with who hung up at HELLO, as proxies do that do not know it. Whether it was for HELLO is told
    /// by an answer to anything else; `why` is told where there is none.
    fn open_without_hello(endpoint: &Endpoint, deadline: Instant, why: String) -> Result<Self, Unopened> {
        let opened = Self::connect(endpoint, Protocol::Resp2, deadline).and_then(|mut session| {
            session.introduce(deadline)?;
            session.hear(deadline)?;
            Ok(session)
        });
        let session = match opened {
            Err(Unopened::Unreachable(_) | Unopened::NobodyListens(_)) => return Err(Unopened::Unreachable(why)),
            opened => opened?,
        };
        let place = &endpoint.address;
        if endpoint.hello.is_demanded {
            let reason = "the server closes the connection at HELLO and answers without it; use -2 in place of -3";
            return Err(Unopened::Unreachable(format!("cannot connect to {place}: {reason}")));
        }
        // Here, since whoever opens sessions opens many, and it is to be said once.
        endpoint.hello.note_hung_up(|| {
            format!("{place} closes the connection at HELLO: going on in RESP2, which -2 asks for at once")
        });
        Ok(session)
    }

    /// Waits for an answer, to a PING where nothing else was asked. Any answer is a sign of life, whatever it says.
    fn hear(&mut self, deadline: Instant) -> Result<(), Unopened> {
        if self.received() == 0 {
            self.call_before(&redis::cmd("PING"), deadline)?;
        }
        Ok(())
    }

    /// What the server calls itself. Where HELLO did not say it, INFO is asked; a server that lets nobody ask has no
    /// name. After an error the session is of no use.
    pub fn learn_version(&mut self) -> Result<Option<ServerVersion>, Unopened> {
        // Who hangs up at HELLO does not answer INFO either.
        if self.server.is_none() && !self.endpoint.hello.is_hung_up_at() {
            let deadline = Instant::now() + self.endpoint.connect_timeout;
            let info = self.call_before(redis::cmd("INFO").arg("server"), deadline)?;
            self.server = text_of(&info).and_then(version_of_info);
        }
        Ok(self.server.clone())
    }

    /// Says HELLO once more where it was refused before AUTH, so that the version of RESP is the one asked for.
    pub fn greet_again(&mut self) -> Result<(), Lost> {
        if self.server.is_none() && self.endpoint.protocol == Protocol::Resp3 {
            let greeting = self.ask(redis::cmd("HELLO").arg(3))?;
            self.server = server_version(&greeting);
        }
        Ok(())
    }

    /// Introduces itself once more as `endpoint` says: RESET has taken away what the server knew of us.
    pub fn introduce_again(&mut self, endpoint: &Endpoint) -> Result<(), Unopened> {
        self.endpoint =
            Endpoint { address: self.endpoint.address.clone(), protocol: endpoint.spoken(), ..endpoint.clone() };
        self.server = None;
        self.introduce(Instant::now() + endpoint.connect_timeout)
    }

    /// Sends a command to a server that has until `deadline` to answer; a silence is one of connecting.
    pub(super) fn call_before(&mut self, question: &Cmd, deadline: Instant) -> Result<Value, Unopened> {
        self.put(question);
        self.answer_before(deadline)
    }

    /// Selects the database where that was refused for want of an AUTH, which may have come meanwhile.
    pub fn select_owed(&mut self) -> Result<(), Unopened> {
        let Some(select) = self.select().filter(|_| self.owes_select) else { return Ok(()) };
        let answer = self.call_before(&select, Instant::now() + self.endpoint.connect_timeout)?;
        self.check_select(Some(answer))
    }

    /// The command that selects the database, where it is not the one that a connection begins with.
    fn select(&self) -> Option<Cmd> {
        (self.endpoint.db != 0).then(|| {
            let mut select = redis::cmd("SELECT");
            select.arg(self.endpoint.db);
            select
        })
    }

    fn introduce(&mut self, deadline: Instant) -> Result<(), Unopened> {
        let select = self.select();
        if self.endpoint.protocol == Protocol::Resp3 {
            self.put(&hello::request(&self.endpoint));
            if let Some(select) = &select {
                self.put(select);
            }
            let greeting = Greeting::of(self.answer_before(deadline)?);
            self.endpoint.hello.note_answered();
            let selected = select.as_ref().map(|_| self.answer_before(deadline)).transpose()?;
            match greeting {
                Greeting::Nothing => {}
                Greeting::Refusal(error) => return Err(self.refused("refused the connection", &error)),
                Greeting::Welcome(server) => {
                    self.server = server;
                    return self.check_select(selected);
                }
            }
        }
        if let Some(auth) = self.endpoint.credentials.as_ref().map(auth) {
            let answer = self.call_before(&auth, deadline)?;
            self.check_ok("AUTH", "refused the credentials", answer)?;
        }
        let selected = select.map(|select| self.call_before(&select, deadline)).transpose()?;
        self.check_select(selected)
    }

    fn check_select(&mut self, selected: Option<Value>) -> Result<(), Unopened> {
        self.owes_select = self.endpoint.may_log_in
            && matches!(&selected, Some(Value::ServerError(error)) if error.code() == "NOAUTH");
        let Some(answer) = selected.filter(|_| !self.owes_select) else { return Ok(()) };
        self.check_ok("SELECT", &format!("refused database {}", self.endpoint.db), answer)
    }

    /// A server that answers something else than was asked is out of step: no later answer would be to its question.
    fn check_ok(&self, name: &str, refused: &str, answer: Value) -> Result<(), Unopened> {
        match answer {
            Value::ServerError(error) => Err(self.refused(refused, &error)),
            answer if text_of(&answer) == Some("OK") => Ok(()),
            _ => {
                let place = &self.endpoint.address;
                let reason = format!("{name} was answered with something else than OK or an error");
                Err(Unopened::Unreachable(format!("cannot connect to {place}: {reason}")))
            }
        }
    }

    fn refused(&self, what: &str, error: &ServerError) -> Unopened {
        let hint = match error.code() {
            "WRONGPASS" | "NOAUTH" => "; check the user and the password",
            _ => "",
        };
        let place = &self.endpoint.address;
        let words = error_reason(error);
        let message = match describe_greeting(&ErrorReply::new(words.as_bytes())) {
            Some(reason) => format!("cannot connect to {place}: {reason}"),
            None if words.trim().is_empty() => format!("{place} {what} with an error that says nothing"),
            None => format!("{place} {what}: {words}{hint}"),
        };
        Unopened::Refused { code: error.code().to_owned(), message }
    }

    pub(super) fn answer_before(&mut self, deadline: Instant) -> Result<Value, Unopened> {
        let place = self.endpoint.address.clone();
        // In TLS 1.3 a client learns only now that its certificate is refused.
        let lost = |lost: Lost| match lost {
            Lost::Interrupted(signal) => Unopened::Interrupted(signal),
            Lost::Refused { code, message } => Unopened::Refused { code, message },
            Lost::Broken(error) => Unopened::from(error).at(&place),
            lost => Unopened::from(lost.reason()).at(&place),
        };
        loop {
            // What a server said before it closed is still to be read: a failed write is told after that.
            let unsendable = self.send().err();
            let expired = match self.receive() {
                Ok(Some(frame)) if frame.is_push() => {
                    self.tell();
                    deadline <= Instant::now()
                }
                Ok(Some(frame)) => return value_of(frame).map_err(|why| lost(Lost::Undecodable(why))),
                Ok(None) => self.wait(None, Some(deadline)).map_err(lost)?.expired,
                Err(refused @ Lost::Refused { .. }) => return Err(lost(refused)),
                Err(why) => return Err(lost(unsendable.unwrap_or(why))),
            };
            if expired {
                let seconds = self.endpoint.connect_timeout.as_secs_f64();
                let unsent = if self.endpoint.limits_first_answer { "; nothing was sent" } else { "" };
                return Err(Unopened::from(format!("no answer within {seconds} s{unsent}")).at(&place));
            }
        }
    }
}

/// The server's name and version from INFO. A Valkey server also names the Redis that it is like.
fn version_of_info(info: &str) -> Option<ServerVersion> {
    ["valkey", "redis"].into_iter().find_map(|name| {
        let version = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("_version:"))?;
        Some(ServerVersion { name: name.to_owned(), version: version.trim().to_owned() })
    })
}

fn auth(credentials: &Credentials) -> Cmd {
    let mut auth = redis::cmd("AUTH");
    auth.arg(credentials.user.as_deref()).arg(credentials.password.as_slice());
    auth
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn pushes_do_not_put_off_the_end_of_connecting() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        peer.write_all(b">1\r\n+note\r\n%0\r\n").unwrap();
        let endpoint = Endpoint { protocol: Protocol::Resp3, ..Endpoint::at(Address::Unix("socket".into())) };
        let mut session = Session::over(&endpoint, Transport::Unix(ours));
        let answer = session.answer_before(Instant::now());
        assert!(matches!(answer, Err(Unopened::Unreachable(_))), "{answer:?}");
    }
}
