//! Conversations that end before they begin: what a server says as it turns a connection away, and what is to be guessed
//! where it says nothing. No command ran (contract section 1). That a server is LOADING or BUSY is an answer, and it can
//! be used.

use std::io;
use std::time::{Duration, Instant};

use super::super::endpoint::Address;
use super::super::error::{Lost, TURNED_AWAY};
use super::super::handshake::probe::{SPEAKS_TLS, is_tls, speaks_tls};
use super::super::tls;
use super::super::transport::Transport;
use super::Session;
use crate::reply::ErrorReply;

/// How servers and what stands before them say that there are too many clients.
const CROWDED: [&str; 5] = [
    // Redis, Valkey, and most that are like them; `max number of clients + cluster connections reached`.
    "max number of clients",
    "max clients reached",
    "max concurrent connections",
    "too many clients",
    "too many connections",
];

/// How long the end of a connection that is turned away may take to arrive after the words.
const FAREWELL: Duration = Duration::from_secs(1);

impl Session {
    /// Whether the connection was found ended; one on which no RESP came has not ended.
    pub(in crate::net) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Why a conversation ended that had not begun: the server has said why it turns the connection away, or was spoken
    /// to plainly and has TLS, or wants a certificate, which it says only when the handshake is over.
    pub(super) fn ended(&mut self, lost: Lost) -> Lost {
        self.has_ended = !matches!(lost, Lost::Undecodable(_));
        if let Some(message) = &self.refusal {
            return turned_away(message.clone());
        }
        let reason = match (&lost, &self.transport, &self.endpoint.address) {
            (Lost::Undecodable(_), Transport::Tcp(_), _)
                if self.incoming.total < 64 && is_tls(&self.incoming.buffer) =>
            {
                SPEAKS_TLS.to_owned()
            }
            _ if self.incoming.total > 0 => return lost,
            (Lost::Broken(error), ..) if tls::is_refusal(error) => tls::describe(error),
            // Who knows HELLO speaks plainly, and of who may not know it another connection will tell.
            _ if self.endpoint.hello.is_answered() || self.has_hung_up_at_hello() => return lost,
            (_, Transport::Tcp(_), Address::Tcp(host, port))
                if speaks_tls(host, *port, &self.endpoint.reach, self.endpoint.connect_timeout) =>
            {
                SPEAKS_TLS.to_owned()
            }
            _ => return lost,
        };
        turned_away(format!("cannot connect to {}: {reason}", self.endpoint.address))
    }

    /// Whether the first value is no answer, but what a server says as it turns a connection away. That closes the
    /// connection; the same words in an answer, as a script may give them, do not.
    pub(super) fn check_greeting(&mut self) -> Result<(), Lost> {
        self.is_new = false;
        let Some(error) = ErrorReply::of(self.current()) else { return Ok(()) };
        let Some(reason) = describe_greeting(&error) else { return Ok(()) };
        if self.ends_here()? {
            self.refusal = Some(format!("cannot connect to {}: {reason}", self.endpoint.address));
        }
        self.refusal.clone().map_or(Ok(()), |message| Err(turned_away(message)))
    }

    /// Waits a moment for the end of the connection; false if something else comes, or nothing.
    fn ends_here(&mut self) -> Result<bool, Lost> {
        let deadline = Instant::now() + FAREWELL;
        while self.incoming.start + self.incoming.given == self.incoming.end {
            self.incoming.is_drained = false;
            match self.incoming.fill(&mut self.transport, 0) {
                Ok(count) => return Ok(count == 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.wait(None, Some(deadline))?.expired {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(true),
            }
        }
        Ok(false)
    }
}

fn turned_away(message: String) -> Lost {
    Lost::Refused { code: TURNED_AWAY.to_owned(), message }
}

/// Why a server turns a connection away with these words, and what to do; none where they are no such words.
pub(in crate::net) fn describe_greeting(error: &ErrorReply) -> Option<String> {
    let text = error.details()?.to_ascii_lowercase();
    match error.code() {
        "ERR" if CROWDED.iter().any(|words| text.contains(words)) => Some(format!(
            "the server has too many clients ({}); close some of them, or raise its maxclients",
            error.reason()
        )),
        "DENIED" if text.contains("protected mode") => Some(
            "the server is in protected mode (DENIED) and takes connections from its own machine only; give it a \
             password there, and that to rcli with -a, or CONFIG SET protected-mode no"
                .to_owned(),
        ),
        // Dragonfly's, to whom speaks plainly where it expects TLS.
        "ERR" if text.contains("bad tls header") => {
            Some(format!("the server speaks TLS there ({}); use --tls", error.reason()))
        }
        _ => None,
    }
}
