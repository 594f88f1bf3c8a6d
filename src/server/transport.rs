//! A connected, non-blocking socket: TCP, TLS over TCP, or unix. Bytes only; replies are the session's.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use super::target::{Address, Target};
use crate::exit::describe_io;

/// A dead peer is found after 10 s of silence and three probes 5 s apart: within 30 s (contract section 8).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent bytes may stay unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(25);

/// A byte stream to a server. Reads and writes never block.
pub enum Transport {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

impl Transport {
    /// Connects, and does the TLS handshake where TLS is asked for, until `deadline`.
    pub fn connect(target: &Target, deadline: Instant) -> Result<Self, String> {
        let transport = match &target.address {
            Address::Unix(path) => Self::Unix(connect_unix(path, deadline)?),
            Address::Tcp(host, port) => {
                let socket = connect_tcp(host, *port, deadline)?;
                match &target.tls {
                    None => Self::Tcp(socket),
                    Some(tls) => Self::Tls(Box::new(tls.handshake(host, socket, deadline)?)),
                }
            }
            Address::Sentinel(sentinels) => return Err(format!("no sentinel was asked where {sentinels} is")),
        };
        transport.set_nonblocking().map_err(|error| describe_io(&error))?;
        Ok(transport)
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nonblocking(true),
            Self::Tls(stream) => stream.sock.set_nonblocking(true),
            Self::Unix(socket) => socket.set_nonblocking(true),
        }
    }

    /// Whether a read that fills less than its buffer has taken all there was. TLS hands out one record at a time.
    pub fn tells_when_drained(&self) -> bool {
        !matches!(self, Self::Tls(_))
    }

    /// Whether bytes that were accepted wait for the socket to take them: TLS holds records of its own.
    pub fn holds_unsent(&self) -> bool {
        match self {
            Self::Tls(stream) => stream.conn.wants_write(),
            Self::Tcp(_) | Self::Unix(_) => false,
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            // A peer that closes without TLS's farewell has closed all the same.
            Self::Tls(stream) => match stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                result => result,
            },
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.flush(),
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Tls(stream) => stream.sock.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

/// Tries every address of the host in turn.
fn connect_tcp(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, String> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| describe_io(&error))?;
    let mut last = "the host name has no address".to_owned();
    for address in addresses {
        let connected = time_left(deadline).and_then(|left| TcpStream::connect_timeout(&address, left));
        match connected {
            Ok(socket) => {
                prepare(&socket).map_err(|error| describe_io(&error))?;
                return Ok(socket);
            }
            Err(error) => last = describe_io(&error),
        }
    }
    Err(last)
}

/// A server that is stopped lets its backlog fill up, and connecting waits for room in it.
fn connect_unix(path: &Path, deadline: Instant) -> Result<UnixStream, String> {
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_write_timeout(Some(time_left(deadline)?))?;
        socket.connect(&SockAddr::unix(path)?).map(|()| socket)
    };
    loop {
        match connect() {
            Ok(socket) => return Ok(UnixStream::from(OwnedFd::from(socket))),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(describe_io(&error)),
        }
    }
}

fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}

/// The time until `deadline`; the error when there is none.
pub(super) fn time_left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::Error::new(io::ErrorKind::TimedOut, "connecting took too long")) } else { Ok(left) }
}
