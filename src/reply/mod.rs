//! What came from a server: frames, the bytes of one reply as they came, and what is read from them. Knows neither how
//! they are shown nor where they came from.

mod declared;
mod entries;
mod error;
mod event;
mod frame;
mod framer;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod header;
mod message;
mod monitor_line;
mod quoted;
#[cfg(test)]
mod tests;
mod value;

pub use self::declared::describe_no_room;
pub use self::entries::{BadForm, Deliveries, Entry, EntryId, Found, Place, Ticket};
pub use self::error::{ErrorReply, error_words, split_code};
pub use self::event::{Event, GapReason};
pub use self::frame::{Element, Frame, Kind, OwnedFrame, Walk};
pub use self::framer::Framer;
pub use self::message::{Data, Message, MessageKind};
pub use self::monitor_line::{ClientType, MonitorLine};
pub use self::quoted::ArgPlaces;
pub use self::value::{error_reason, field_of, text_of, value_of};
