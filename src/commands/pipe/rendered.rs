//! A reply that was rendered before its turn: a short text waits in a few bytes, where its frame would be spread over
//! the memory until then.

use std::io;

use crate::memory;

/// Texts up to this length need no memory of their own.
const SHORT: usize = 22;

/// What is to be written for a reply.
#[derive(Debug)]
pub enum Rendered {
    /// That many of these bytes.
    Short(u8, [u8; SHORT]),
    /// More.
    Long(Box<[u8]>),
}

impl Rendered {
    /// A copy of these bytes, if memory has room for it.
    pub fn new(bytes: &[u8]) -> io::Result<Self> {
        let mut short = [0; SHORT];
        match (short.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(bytes);
                Ok(Self::Short(length, short))
            }
            _ => Ok(Self::Long(memory::copy(bytes)?.into_boxed_slice())),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }

    /// How many bytes of memory it takes of its own.
    pub fn weight(&self) -> usize {
        match self {
            Self::Short(..) => 0,
            Self::Long(bytes) => bytes.len(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_come_back() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 255, 256, 70_000] {
            let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
            let rendered = Rendered::new(&bytes).unwrap();
            assert_eq!(rendered.bytes(), bytes);
            assert_eq!(rendered.weight(), if length > SHORT { length } else { 0 });
        }
    }
}
