//! Why a value cannot be decoded, and what was declared to come that memory has no room for.

use std::collections::TryReserveError;
use std::fmt;

use super::Kind;

/// Why a value cannot be decoded.
pub enum Fault {
    /// It is no RESP, or not as servers speak it.
    Rubbish(String),
    /// Memory has no room for it.
    NoRoom(Declared),
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Rubbish(why)
    }
}

/// What was declared to come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// A string of so many bytes.
    Bytes(usize),
    /// An aggregate of so many elements or pairs.
    Aggregate(Kind, usize),
}

impl Declared {
    /// The fault that there is no room for it.
    pub fn no_room(self) -> impl Fn(TryReserveError) -> Fault {
        move |_| Fault::NoRoom(self)
    }
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(length) => write!(f, "a string of {length} bytes"),
            Self::Aggregate(Kind::Array, length) => write!(f, "an array of {length} elements"),
            Self::Aggregate(Kind::Set, length) => write!(f, "a set of {length} elements"),
            Self::Aggregate(Kind::Map, length) => write!(f, "a map of {length} pairs"),
            Self::Aggregate(Kind::Push, length) => write!(f, "a push of {length} elements"),
            Self::Aggregate(Kind::Attribute, length) => write!(f, "an attribute of {length} pairs"),
        }
    }
}
