//! A TCP proxy that delays every byte by half a round trip in each direction and limits nothing else.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::Result;

/// A listening proxy; its threads end with the connections, the listening one with the program.
pub struct Proxy {
    /// The port on 127.0.0.1 to connect to.
    pub port: u16,
}

/// Bytes and the moment at which they may go on.
type Delayed = (Instant, Vec<u8>);

impl Proxy {
    /// Forwards to `port` with `round_trip` added.
    pub fn start(port: u16, round_trip: Duration) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let own = listener.local_addr()?.port();
        spawn(move || {
            for client in listener.incoming().flatten() {
                // A refused connection is closed, which the client reports.
                let _ = connect(client, port, round_trip / 2);
            }
        });
        Ok(Self { port: own })
    }
}

fn connect(client: TcpStream, port: u16, delay: Duration) -> Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    forward(client.try_clone()?, server.try_clone()?, delay);
    forward(server, client, delay);
    Ok(())
}

/// One direction: a thread that reads at once and one that writes when the time has come. The queue between them
/// has no limit, as a network with this delay and unlimited bandwidth would have none.
fn forward(from: TcpStream, to: TcpStream, delay: Duration) {
    let (sender, receiver) = channel();
    spawn(move || read_all(from, &sender, delay));
    spawn(move || write_all(to, &receiver));
}

fn read_all(mut from: TcpStream, queue: &Sender<Delayed>, delay: Duration) {
    let mut block = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut block) {
        if queue.send((Instant::now() + delay, block[..read].to_vec())).is_err() {
            break;
        }
    }
}

fn write_all(mut to: TcpStream, queue: &Receiver<Delayed>) {
    while let Ok((due, bytes)) = queue.recv() {
        sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
