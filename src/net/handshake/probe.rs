//! Whether a port speaks TLS or plain RESP, asked on a second connection when a first one came to nothing: so that
//! `--tls` too much or too little is called that (contract section 1).

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::super::error::Unopened;
use super::super::resolve::Reach;
use super::super::tls::{Tls, TlsFiles, Verify};
use super::super::transport::{connect_tcp, wait_for};

/// The longest that a port may take to tell.
const LIMIT: Duration = Duration::from_secs(1);

/// What TLS begins a record of its handshake, and one of an alert, with.
const HANDSHAKE: u8 = 0x16;
const ALERT: u8 = 0x15;

/// Said of a port that was spoken to plainly.
pub(in crate::net) const SPEAKS_TLS: &str = "the port speaks TLS: use --tls, or a rediss:// URL";
/// Said of a port that was greeted with TLS.
pub(in crate::net) const SPEAKS_PLAINLY: &str =
    "the port does not speak TLS: leave --tls and its options out, or use a redis:// URL";

/// Whether these are the first bytes of a server that speaks TLS.
pub(in crate::net) fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [HANDSHAKE | ALERT, 3, ..])
}

/// Whether a greeting of TLS is answered with TLS.
pub(in crate::net) fn speaks_tls(host: &str, port: u16, reach: &Reach, limit: Duration) -> bool {
    let mut greeting = Vec::new();
    let greeted = Tls::load(&TlsFiles { verify: Verify::Nothing, ..TlsFiles::default() })
        .and_then(|tls| tls.greet(host))
        .is_ok_and(|mut connection| connection.write_tls(&mut greeting).is_ok());
    greeted && answer(host, port, reach, &greeting, limit).is_ok_and(|answer| is_tls(&answer))
}

/// Whether a plain PING is answered as RESP has it, be it with an error.
pub(in crate::net) fn speaks_plainly(host: &str, port: u16, reach: &Reach, limit: Duration) -> bool {
    let answer = answer(host, port, reach, b"*1\r\n$4\r\nPING\r\n", limit);
    answer.is_ok_and(|answer| matches!(answer.first(), Some(b'+' | b'-')))
}

/// What a port says first to these bytes, as far as it comes at once.
fn answer(host: &str, port: u16, reach: &Reach, question: &[u8], limit: Duration) -> Result<Vec<u8>, Unopened> {
    let deadline = Instant::now() + limit.min(LIMIT);
    let mut socket = connect_tcp(host, port, reach, deadline)?;
    // The little that is asked fits the buffer of a new connection.
    socket.write_all(question)?;
    let mut answer = vec![0; 16];
    loop {
        match socket.read(&mut answer) {
            Ok(count) => {
                answer.truncate(count);
                return Ok(answer);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait_for(&socket, PollFlags::IN, deadline)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
