//! All that touches a connection: where the server is, how to reach it, and the conversation with it.

mod any;
mod cluster;
mod decoder;
mod open;
mod patience;
mod redirect;
mod route;
mod sandbox;
mod sentinel;
mod session;
mod slots;
mod stream;
mod streams;
mod target;
mod tls;
mod transact;
mod transport;
mod wait;

pub use any::{ClusterUse, Server};
pub use cluster::{Cluster, NO_CLUSTER, refuse_in_cluster};
pub use decoder::EXACT_DOUBLE;
pub use open::Unopened;
pub use patience::Patience;
pub use redirect::Redirect;
pub use route::{Route, Router, Unroutable};
pub use sandbox::Sandbox;
pub use sentinel::Sentinels;
pub use session::{Lost, Session, error_text, server_error};
pub use slots::SLOTS;
pub use stream::{Event, Heard, Source, Subscription, Topic, Woken, ready_at};
pub use streams::Streams;
pub use target::{Address, Credentials, Protocol, Target};
pub use tls::{Tls, TlsFiles};
pub use transact::{LostBlock, Transacted};
pub use wait::{Ready, wait_for_any};
