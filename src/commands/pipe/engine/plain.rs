//! Plain lines, as most of a bulk load are: each is packed straight from the input to where it is sent from.

use super::super::files::InputFiles;
use super::super::reorder::Entry;
use super::{Engine, short};
use crate::command::restrictions::is_ordinary;

impl Engine {
    /// Takes the next commands straight from the input while they are plain lines and their node has room. Whether there
    /// was room to the last: then the next command is to be read first.
    pub fn take_plain(&mut self, files: &mut InputFiles) -> bool {
        match self.only {
            Some(at) => self.take_for_only(at, files),
            // Each line has its node while all slots rest and only their owners are asked.
            None if self.traffic.is_none() && !self.reads_from_replicas => self.take_for_owners(files),
            None => true,
        }
    }

    fn take_for_only(&mut self, at: usize, files: &mut InputFiles) -> bool {
        let (number, file, cluster) = (self.next_number(), files.file(), &mut self.cluster);
        let mut takes = |name: &[u8], words| match cluster {
            None => is_ordinary(name),
            Some(cluster) => cluster.has_one_key(name, words),
        };
        self.nodes[at].in_flight.push_while(number, file, |packed| files.pack_plain(packed, &mut takes))
    }

    fn take_for_owners(&mut self, files: &mut InputFiles) -> bool {
        let Self { cluster: Some(cluster), nodes, owners, reorder, blocked, .. } = self else { return true };
        while reorder.has_room() {
            let Some(slot) = files.plain_words().and_then(|words| cluster.slot_of_words(words)) else { return true };
            let at = usize::from(owners[usize::from(slot)]);
            let Some(node) = nodes.get_mut(at).filter(|node| node.is_open()) else { return true };
            if !node.in_flight.has_room() {
                *blocked = Some(at);
                return false;
            }
            let (number, file) = (reorder.next_number(), files.file());
            let size = node.in_flight.push_with(number, file, |packed| files.pack_plain(packed, |_, _| true));
            let Some(size) = size else { return true };
            reorder.push(Entry::new(slot, short(at), true, size));
        }
        false
    }
}
