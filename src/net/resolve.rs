//! The addresses of a host name, looked up within the limit on connecting, and where an announced address is reached
//! from here (contract section 1, `-t`, `-4`, `-6` and `--map`).

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::error::Unopened;
use super::poll::wait;
use crate::text::describe_io;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

pub type HostPort = (String, u16);

/// How hosts are reached. What is shown, and what TLS checks, stays the address that was announced.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Only addresses of this family; none for both.
    pub family: Option<Family>,
    /// Announced addresses, each with where it is reached; the last that fits counts.
    pub map: Arc<[(HostPort, HostPort)]>,
}

impl Reach {
    /// Where an address is looked for.
    fn place<'a>(&'a self, host: &'a str, port: u16) -> (&'a str, u16) {
        let is_it = |(from, _): &&(HostPort, HostPort)| from.0.eq_ignore_ascii_case(host) && from.1 == port;
        self.map.iter().rev().find(is_it).map_or((host, port), |(_, (host, port))| (host, *port))
    }

    pub(super) fn resolve(&self, host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, Unopened> {
        let (host, port) = self.place(host, port);
        let mut addresses = resolve(host, port, deadline)?;
        if let Some(family) = self.family {
            addresses.retain(|address| address.is_ipv4() == (family == Family::V4));
            if addresses.is_empty() {
                let name = if family == Family::V4 { "IPv4 (-4)" } else { "IPv6 (-6)" };
                return Err(format!("the host has no address of the family {name}").into());
            }
        }
        Ok(addresses)
    }
}

/// Looks a host up until `deadline`. The system's look-up knows no limit: it has a thread of its own, which is left to
/// itself when nobody waits any longer.
fn resolve(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, Unopened> {
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
    wait(&[PollFd::new(&end, PollFlags::IN)], Some(deadline))?;
    match receiver.try_recv() {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(Unopened::Unreachable(describe_io(&error))),
        Err(_) => Err("looking up the name took too long".to_owned().into()),
    }
}
