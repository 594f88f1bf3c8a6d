//! All that touches a connection: where the server is, how to reach it, and the conversation with it.

mod any;
mod cluster;
mod error;
mod hello;
mod open;
pub mod poll;
mod probe;
mod pushes;
mod redirect;
mod resolve;
mod retry;
mod route;
mod sentinel;
mod session;
mod slots;
mod stream;
mod target;
mod tls;
pub mod transaction;
mod transport;

pub use any::Server;
pub use cluster::Cluster;
pub use error::{Lost, LostBlock, NO_CLUSTER, Unopened, WaitError};
pub use hello::Hello;
pub use poll::{Ready, wait_for_any};
pub use pushes::{PushListener, PushQueue};
pub use redirect::Redirect;
pub use retry::{RandomBackoff, Retry};
pub use route::{Route, Router, Unroutable};
pub use sentinel::Sentinels;
pub use session::Session;
pub use slots::SLOTS;
pub use stream::{Event, Given, Heard, Source, Stream, Subscription, Topic, Woken, ready_at};
pub use target::{Address, ClusterUse, Credentials, Protocol, Target};
pub use tls::{Tls, TlsFiles, Verify};
pub use transaction::Transacted;
