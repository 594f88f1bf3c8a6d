//! The addresses of a host name, looked up within the limit on connecting (contract section 1, `-t`).

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::error::Unopened;
use super::transport::wait_until;
use crate::text::describe_io;

/// Looks a host up until `deadline`. The system's look-up knows no limit: it has a thread of its own, which is left to
/// itself when nobody waits any longer.
pub(super) fn resolve(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, Unopened> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = host.to_owned();
    let (sender, receiver) = channel();
    let (end, held) = io::pipe()?;
    thread::Builder::new().spawn(move || {
        let _ = sender.send((name.as_str(), port).to_socket_addrs().map(Vec::from_iter));
        // Its end wakes who waits.
        drop(held);
    })?;
    wait_until(&[PollFd::new(&end, PollFlags::IN)], deadline)?;
    match receiver.try_recv() {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(Unopened::Unreachable(describe_io(&error))),
        Err(_) => Err("looking up the name took too long".to_owned().into()),
    }
}
