//! `--top`: the largest keys and a sum by type, counted as rows come. Of each node apart, so that one whose keys come
//! again can begin anew.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::render::{Cell, Ranked, Ranking, TypeSum};

/// What was counted.
#[derive(Debug)]
pub struct Tallies {
    limit: usize,
    /// What is large.
    pub measure: &'static str,
    nodes: Vec<Tally>,
}

/// What was counted at one node.
#[derive(Debug, Default)]
struct Tally {
    /// The smallest of the largest is the first to go.
    top: BinaryHeap<Reverse<Ranked>>,
    types: Vec<TypeSum>,
    /// The bytes of the names of the keys.
    name_bytes: u64,
}

/// What a key was when it was counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Bytes, elements or uses.
    pub size: i64,
    /// Whether it is larger than every other of its type so far.
    pub is_largest: bool,
    /// Whether it is among the largest so far.
    pub is_among_top: bool,
}

impl Tallies {
    /// The largest `limit` keys by this measure.
    pub fn new(limit: usize, measure: &'static str) -> Self {
        Self { limit, measure, nodes: Vec::new() }
    }

    /// Counts a key: its type and its size are the cells. What has no size is no largest.
    pub fn count(&mut self, node: usize, key: &[u8], cells: &[(&str, Cell<'_>)]) -> Counted {
        let [(_, key_type), (_, size)] = cells else { return Counted::default() };
        let key_type = type_of(key_type);
        let size = if let Cell::Number(size) = size { Some(*size) } else { None };
        if self.nodes.len() <= node {
            self.nodes.resize_with(node + 1, Tally::default);
        }
        let rivals = self.nodes.iter().flat_map(|tally| &tally.types);
        let is_largest = size.is_some()
            && !rivals.into_iter().any(|sum| sum.largest.key_type == key_type && sum.largest.size >= size);
        let is_among_top = self.nodes[node].count(self.limit, key, key_type, size);
        Counted { size: size.unwrap_or_default(), is_largest, is_among_top }
    }

    /// How many keys were counted.
    pub fn keys(&self) -> u64 {
        self.nodes.iter().flat_map(|tally| &tally.types).map(|sum| sum.keys).sum()
    }

    /// The bytes of the names of all keys.
    pub fn name_bytes(&self) -> u64 {
        self.nodes.iter().map(|tally| tally.name_bytes).sum()
    }

    /// Forgets what was counted at a node.
    pub fn forget(&mut self, node: usize) {
        if let Some(tally) = self.nodes.get_mut(node) {
            *tally = Tally::default();
        }
    }

    /// All nodes together.
    pub fn ranking(&self) -> Ranking {
        let mut top: Vec<Ranked> =
            self.nodes.iter().flat_map(|tally| tally.top.iter().map(|Reverse(ranked)| ranked.clone())).collect();
        top.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.key.cmp(&b.key)));
        // A key that was on its way stands at two nodes.
        top.dedup_by(|a, b| a.key == b.key);
        top.truncate(self.limit);
        let mut types: Vec<TypeSum> = Vec::new();
        for sum in self.nodes.iter().flat_map(|tally| &tally.types) {
            match types.iter_mut().find(|known| known.largest.key_type == sum.largest.key_type) {
                Some(known) => {
                    known.keys += sum.keys;
                    known.size = sum_of(known.size, sum.size);
                    if sum.largest.size > known.largest.size {
                        known.largest = sum.largest.clone();
                    }
                }
                None => types.push(sum.clone()),
            }
        }
        types.sort_by(|a, b| b.keys.cmp(&a.keys).then_with(|| a.largest.key_type.cmp(&b.largest.key_type)));
        Ranking { measure: self.measure, top, types }
    }
}

impl Tally {
    /// Counts a key; whether it is among the largest.
    fn count(&mut self, limit: usize, key: &[u8], key_type: &[u8], size: Option<i64>) -> bool {
        self.name_bytes += key.len() as u64;
        let ranked = || Ranked { size, key: key.to_vec(), key_type: key_type.to_vec() };
        match self.types.iter_mut().find(|known| known.largest.key_type == key_type) {
            Some(known) => {
                known.keys += 1;
                known.size = sum_of(known.size, size);
                if size > known.largest.size {
                    known.largest = ranked();
                }
            }
            None => self.types.push(TypeSum { keys: 1, size, largest: ranked() }),
        }
        let is_full = self.top.len() >= limit;
        if is_full && self.top.peek().is_some_and(|Reverse(least)| least.size >= size) {
            return false;
        }
        // SCAN gives a key twice now and then.
        if self.top.iter().any(|Reverse(known)| known.key == key) {
            return false;
        }
        self.top.push(Reverse(ranked()));
        if is_full {
            self.top.pop();
        }
        true
    }
}

/// The sum of what is known of two sizes.
fn sum_of(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.zip(other).map(|(one, other)| one.saturating_add(other)).or(one).or(other)
}

/// The type that a cell tells.
pub fn type_of<'a>(cell: &Cell<'a>) -> &'a [u8] {
    if let Cell::Word(word) = cell { word } else { b"unknown" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(tallies: &mut Tallies, node: usize, key: &str, key_type: &[u8], size: i64) {
        tallies.count(node, key.as_bytes(), &[("type", Cell::Word(key_type)), ("memory", Cell::Number(size))]);
    }

    #[test]
    fn the_largest_of_all_nodes_are_kept_and_no_more() {
        let mut tallies = Tallies::new(3, "memory");
        for size in 0..100 {
            count(&mut tallies, 0, &format!("a{size}"), b"string", size);
            count(&mut tallies, 1, &format!("b{size}"), b"list", size * 2);
            count(&mut tallies, 1, &format!("b{size}"), b"list", size * 2);
        }
        assert!(tallies.nodes.iter().all(|tally| tally.top.len() == 3));
        let ranking = tallies.ranking();
        let top: Vec<_> = ranking.top.iter().map(|ranked| (ranked.key.as_slice(), ranked.size)).collect();
        assert_eq!(top, [(&b"b99"[..], Some(198)), (b"b98", Some(196)), (b"b97", Some(194))]);
        let sums: Vec<_> = ranking.types.iter().map(|sum| (sum.keys, sum.size, sum.largest.size)).collect();
        assert_eq!(sums, [(200, Some(19_800), Some(198)), (100, Some(4950), Some(99))]);
        tallies.forget(1);
        assert_eq!(tallies.ranking().top[0].key, b"a99");
    }
}
