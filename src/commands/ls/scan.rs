//! Which SCAN is sent: of the keys or of what is in one, with which cursor and COUNT.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;
use std::time::Duration;

use redis::Cmd;

use crate::cli::LsArgs;
use crate::net::{SlotSet, slot_of};

/// What of a server is to be walked.
#[derive(Clone, Debug)]
pub enum Target {
    All,
    /// All, of which only the keys of these slots are given.
    Slots(Rc<SlotSet>),
    /// This slot (CLUSTERSCAN).
    Slot(u16),
}

impl Target {
    /// The slots whose keys are given, where not all are.
    pub fn slots(&self) -> Option<&Rc<SlotSet>> {
        if let Self::Slots(slots) = self { Some(slots) } else { None }
    }

    /// The cursor that it begins with. CLUSTERSCAN's goes by the slot of what is in its braces: with 0 alone any slot
    /// would be begun where the slot of `0` is.
    pub fn start(&self) -> Vec<u8> {
        let Self::Slot(slot) = self else { return b"0".to_vec() };
        let is_there = |number: &u32| slot_of(number.to_string().as_bytes()) == *slot;
        (0..u32::MAX).find(is_there).map_or_else(|| b"0".to_vec(), |tag| format!("0-{{{tag}}}-0").into_bytes())
    }
}

/// The container whose elements are walked.
#[derive(Debug)]
pub struct Container {
    pub key: Vec<u8>,
    /// HSCAN, SSCAN or ZSCAN.
    command: &'static str,
    /// What the two parts of an element are called, where it has two.
    names: Option<(&'static str, &'static str)>,
}

impl Container {
    /// The container of this key and type; none for a type whose elements cannot be walked.
    pub fn new(key: Vec<u8>, key_type: &str) -> Option<Self> {
        let (command, names) = match key_type {
            "hash" => ("HSCAN", Some(("field", "value"))),
            "set" => ("SSCAN", None),
            "zset" => ("ZSCAN", Some(("member", "score"))),
            _ => return None,
        };
        Some(Self { key, command, names })
    }
}

/// What is asked for again and again.
#[derive(Debug)]
pub struct Scan {
    container: Option<Container>,
    pattern: Option<Vec<u8>>,
    key_type: Option<Vec<u8>>,
    /// How long is waited between two of them.
    pub interval: Option<Duration>,
}

impl Scan {
    /// Of all keys, or of what is in a container.
    pub fn new(args: &LsArgs, container: Option<Container>) -> Self {
        let bytes = |text: &Option<_>| text.as_deref().map(|text: &OsStr| text.as_bytes().to_vec());
        let (pattern, key_type) = (bytes(&args.pattern), bytes(&args.key_type));
        Self { container, pattern, key_type, interval: args.interval }
    }

    /// The one key that it is of, which has its place in a cluster.
    pub fn key(&self) -> Option<&[u8]> {
        self.container.as_ref().map(|container| container.key.as_slice())
    }

    /// What the two parts of an element are called, where it has two.
    pub fn pair_names(&self) -> Option<(&'static str, &'static str)> {
        self.container.as_ref()?.names
    }

    /// Whether all keys are given.
    pub fn is_whole(&self) -> bool {
        self.container.is_none() && self.key_type.is_none() && self.pattern.as_ref().is_none_or(|all| all == b"*")
    }

    pub fn request(&self, target: &Target, cursor: &[u8], count: u32) -> Cmd {
        let mut request = match (&self.container, target) {
            (Some(container), _) => redis::cmd(container.command),
            (None, Target::Slot(_)) => redis::cmd("CLUSTERSCAN"),
            (None, _) => redis::cmd("SCAN"),
        };
        request.arg(self.key()).arg(cursor);
        if let Some(pattern) = &self.pattern {
            request.arg("MATCH").arg(pattern);
        }
        request.arg("COUNT").arg(count);
        if let Some(key_type) = &self.key_type {
            request.arg("TYPE").arg(key_type);
        }
        if let Target::Slot(slot) = target {
            request.arg("SLOT").arg(*slot);
        }
        request
    }
}

/// SCAN's COUNT: as given, or grown to 1,000 while what it leads to is not large.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    fixed: Option<u32>,
    next: u32,
}

/// No more than this is asked for at once.
const MOST: u32 = 1000;
/// It begins with this, or where values are asked for, of which nobody knows how large they are, with less.
const FIRST: u32 = 100;
const FIRST_OF_VALUES: u32 = 10;
/// What a page may lead to in bytes.
const ENOUGH: usize = 1 << 20;

impl Counts {
    /// As given, if it is given.
    pub fn new(fixed: Option<u32>, with_values: bool) -> Self {
        Self { fixed, next: if with_values { FIRST_OF_VALUES } else { FIRST } }
    }

    /// The COUNT of the next page.
    pub fn next(&self) -> u32 {
        self.fixed.unwrap_or(self.next)
    }

    /// A page led to so many bytes.
    pub fn note(&mut self, bytes: usize) {
        if bytes > ENOUGH {
            self.next = (self.next / 2).max(1);
        } else if bytes < ENOUGH / 4 {
            self.next = (self.next * 2).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_begun_where_it_is() {
        for slot in [0, 7, 12182, 16383] {
            assert_eq!(slot_of(&Target::Slot(slot).start()), slot);
        }
        assert_eq!(Target::All.start(), b"0");
    }

    #[test]
    fn the_count_grows_to_a_thousand_and_shrinks_where_replies_are_large() {
        let mut counts = Counts::new(None, false);
        let mut seen = Vec::new();
        for bytes in [0, 0, 0, 0, 0, 2 << 20, 2 << 20, 1 << 19, 0] {
            seen.push(counts.next());
            counts.note(bytes);
        }
        assert_eq!(seen, [100, 200, 400, 800, 1000, 1000, 500, 250, 250]);
        (0..20).for_each(|_| counts.note(usize::MAX));
        assert_eq!((counts.next(), Counts::new(Some(7), true).next()), (1, 7));
    }
}
