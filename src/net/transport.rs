//! A connected, non-blocking socket: TCP, TLS over TCP, or unix. Bytes only; replies are the session's.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use super::endpoint::{Address, Endpoint};
use super::error::Unopened;
use super::handshake::probe::speaks_plainly;
use super::poll::{sleep_until, wait};
use super::resolve::Reach;
use super::tls;

/// A dead peer is found after 10 s of silence and three probes 5 s apart: within 30 s (contract section 8).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long a full backlog is left alone.
const FULL_BACKLOG: Duration = Duration::from_millis(10);
/// How long sent bytes may stay unacknowledged.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(25);

/// A byte stream to a server. Reads and writes never block.
pub enum Transport {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

impl Transport {
    /// Connects, and does the TLS handshake where TLS is asked for, until `deadline`.
    pub fn connect(endpoint: &Endpoint, deadline: Instant) -> Result<Self, Unopened> {
        Self::reach(endpoint, deadline).map_err(|why| why.at(&endpoint.address))
    }

    fn reach(endpoint: &Endpoint, deadline: Instant) -> Result<Self, Unopened> {
        Ok(match &endpoint.address {
            Address::Unix(path) => Self::Unix(connect_unix(path, deadline)?),
            Address::Tcp(host, port) => {
                let socket = connect_tcp(host, *port, &endpoint.reach, deadline)?;
                match &endpoint.tls {
                    None => Self::Tcp(socket),
                    Some(tls) => {
                        let connection = {
                            let is_plain = |limit| speaks_plainly(host, *port, &endpoint.reach, limit);
                            tls::shake_hands(tls.greet(host)?, &socket, is_plain, deadline)?
                        };
                        Self::Tls(Box::new(StreamOwned::new(connection, socket)))
                    }
                }
            }
            Address::Sentinel(sentinels) => return Err(format!("no sentinel was asked where {sentinels} is").into()),
        })
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
                Err(error) if is_gone(&error) => read_last(stream, buffer, error),
                result => result,
            },
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

/// Whether the peer takes nothing any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Reads what a peer said before it went: a read writes first what waits for that, and ends where it cannot. `error` is
/// for when there is nothing.
fn read_last(
    stream: &mut StreamOwned<ClientConnection, TcpStream>,
    buffer: &mut [u8],
    error: io::Error,
) -> io::Result<usize> {
    while stream.conn.wants_read() && stream.conn.read_tls(&mut stream.sock).is_ok_and(|count| count > 0) {
        stream.conn.process_new_packets().map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
    }
    stream.conn.reader().read(buffer).ok().filter(|count| *count > 0).ok_or(error)
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
pub(super) fn connect_tcp(host: &str, port: u16, reach: &Reach, deadline: Instant) -> Result<TcpStream, Unopened> {
    let mut last = Unopened::Unreachable("the host name has no address".to_owned());
    for address in reach.resolve(host, port, deadline)? {
        match connect_to(address, deadline) {
            Err(unreached @ (Unopened::Unreachable(_) | Unopened::NobodyListens(_))) => last = unreached,
            result => return result,
        }
    }
    Err(last)
}

fn connect_to(address: SocketAddr, deadline: Instant) -> Result<TcpStream, Unopened> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    prepare(&socket)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if is_under_way(&error) => {
            wait_for(&socket, PollFlags::OUT, deadline)?;
            if let Some(error) = socket.take_error()? {
                return Err(error.into());
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(socket.into())
}

/// A server that is stopped lets its backlog fill up, and nothing tells when there is room in it again.
fn connect_unix(path: &Path, deadline: Instant) -> Result<UnixStream, Unopened> {
    let address = SockAddr::unix(path).map_err(|_| "the path is too long for a socket".to_owned())?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    loop {
        match socket.connect(&address) {
            Ok(()) => return Ok(OwnedFd::from(socket).into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep_until(deadline.min(Instant::now() + FULL_BACKLOG))?;
                check_time(deadline)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

/// Sleeps until the socket is ready; that the deadline passes is an error.
pub(super) fn wait_for(socket: &impl AsFd, events: PollFlags, deadline: Instant) -> Result<(), Unopened> {
    wait(&[PollFd::new(socket, events)], Some(deadline))?;
    // What comes byte by byte would never end otherwise.
    check_time(deadline)
}

fn check_time(deadline: Instant) -> Result<(), Unopened> {
    if Instant::now() < deadline { Ok(()) } else { Err("connecting took too long".to_owned().into()) }
}

fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}
