//! All that touches a connection: where the server is, how to reach it, and the conversation with it.

mod client;
mod cluster;
mod connection_state;
mod endpoint;
mod entries;
mod error;
mod handshake;
pub mod poll;
mod pushes;
mod reader;
mod resolve;
mod retry;
mod sentinel;
mod session;
mod snapshot;
mod stream;
mod tls;
pub mod transaction;
mod transport;

pub use client::Server;
pub use cluster::Cluster;
pub use cluster::everywhere::Note;
#[cfg(any(test, fuzzing))]
pub use cluster::fuzz;
pub use cluster::holdings::{Holdings, SlotSet};
pub use cluster::key_slot::{SLOTS, slot_of};
pub use cluster::redirects::Redirect;
pub use cluster::router::{Route, Router, Unroutable};
pub use connection_state::{ConnectionState, Settings, Watch};
pub use endpoint::{Address, ClusterUse, Credentials, Endpoint, Protocol};
pub use entries::{Acknowledge, Edge, Entries, Group, Reading};
pub use error::{Lost, LostBlock, Unopened};
pub use handshake::hello::Hello;
pub use poll::{Ready, wait_among, wait_for_any};
pub use pushes::{PushListener, PushQueue};
pub use resolve::{Family, HostPort, Reach};
pub use retry::{RandomBackoff, Retry};
pub use sentinel::Sentinels;
pub use session::Session;
pub use snapshot::Snapshot;
pub use stream::heartbeat::{Heartbeat, Verdict};
pub use stream::retries::pause as reconnect_pause;
pub use stream::{Change, Given, Heard, Source, Stream, Subscription, Topic, ready_at};
pub use tls::{Tls, TlsFiles, Verify};
pub use transaction::Transacted;
