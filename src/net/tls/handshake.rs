//! The TLS handshake, and what to make of a port that does not answer it.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustls::{ClientConnection, Error};

use super::super::error::Unopened;
use super::super::handshake::probe::SPEAKS_PLAINLY;
use super::super::transport::wait_for;
use super::words::tls_error;
use crate::text::describe_io;

/// How long a server may be silent before it is asked whether it speaks TLS at all: one that does not may wait for the
/// end of a line.
const SILENCE: Duration = Duration::from_secs(1);

/// Does the handshake over a connected socket, until `deadline`. `is_plain` tells within a limit whether the port speaks
/// plainly.
pub(in crate::net) fn shake_hands(
    mut connection: ClientConnection,
    socket: &TcpStream,
    is_plain: impl Fn(Duration) -> bool,
    deadline: Instant,
) -> Result<ClientConnection, Unopened> {
    let left = || deadline.saturating_duration_since(Instant::now());
    // When to doubt that it is TLS; never once something was heard.
    let mut doubt_at = Some(Instant::now() + SILENCE.min(left() / 2));
    while connection.is_handshaking() {
        match exchange(&mut connection, socket) {
            Ok(()) => doubt_at = None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let wants = if connection.wants_write() { PollFlags::OUT } else { PollFlags::IN };
                match (wait_for(socket, wants, doubt_at.unwrap_or(deadline)), doubt_at.take()) {
                    (Err(Unopened::Unreachable(_)), Some(_)) if is_plain(left() / 2) => return Err(no_tls()),
                    (Err(Unopened::Unreachable(_)), Some(_)) => {}
                    (result, doubted_at) => {
                        doubt_at = doubted_at;
                        result?;
                    }
                }
            }
            Err(error) => {
                let is_garbage = matches!(tls_error(&error), Some(Error::InvalidMessage(_)));
                let is_end = tls_error(&error).is_none();
                let is_plain = doubt_at.is_some() && (is_garbage || is_end && is_plain(left()));
                return Err(match doubt_at {
                    Some(_) if is_plain => no_tls(),
                    // A server that turns a connection away before TLS has no way to say why.
                    Some(_) if is_end => Unopened::Unreachable(format!(
                        "{} before the TLS handshake, as happens where there are too many clients",
                        describe_io(&error)
                    )),
                    _ => error.into(),
                });
            }
        }
    }
    // The last words of the handshake; those that are not taken now go before the first command.
    let _ = speak(&mut connection, socket);
    Ok(connection)
}

/// Passes on what is to be said, and takes in what came.
fn exchange(connection: &mut ClientConnection, mut socket: &TcpStream) -> io::Result<()> {
    speak(connection, socket)?;
    if connection.read_tls(&mut socket)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
    }
    connection.process_new_packets().map(drop).map_err(|error| {
        // The server may be told why.
        let _ = speak(connection, socket);
        io::Error::other(error)
    })
}

fn speak(connection: &mut ClientConnection, mut socket: &TcpStream) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(&mut socket)?;
    }
    Ok(())
}

fn no_tls() -> Unopened {
    Unopened::turned_away(SPEAKS_PLAINLY)
}
