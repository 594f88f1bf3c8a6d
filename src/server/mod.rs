//! All that touches a connection: where the server is, how to reach it, and the conversation with it.

mod decoder;
mod open;
mod sandbox;
mod sentinel;
mod session;
mod stream;
mod target;
mod tls;
mod transact;
mod transport;

pub use decoder::EXACT_DOUBLE;
pub use open::Unopened;
pub use sandbox::Sandbox;
pub use sentinel::Sentinels;
pub use session::{Lost, Session, error_text, server_error};
pub use stream::{Heard, Source, Stream, Subscription, Topic, Woken, ready_at};
pub use target::{Address, Credentials, Protocol, Target};
pub use tls::{Tls, TlsFiles};
pub use transact::{LostBlock, Transacted};
