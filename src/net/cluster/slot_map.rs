//! The slot map of a cluster: which node owns which slot, and how the addresses that nodes announce are reached.
//! Asking for it, and the sessions, are `cluster`'s (contract section 11).

use redis::Value;

use super::super::endpoint::Address;
use super::key_slot::SLOTS;
use crate::reply::{field_of, text_of};

/// A primary and its replicas, by the addresses where they are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Who takes reads and writes.
    pub primary: Address,
    /// Who may take reads.
    pub replicas: Vec<Address>,
}

/// Which shard owns each slot.
#[derive(Clone, Debug, Default)]
pub struct SlotMap {
    shards: Vec<Shard>,
    /// By slot: the number of its shard.
    owners: Vec<Option<u16>>,
    /// The ids of the nodes.
    ids: Vec<(Address, String)>,
}

impl SlotMap {
    /// Reads the reply to CLUSTER SLOTS. The addresses of nodes, as `asked` announced them, are told by `places`.
    pub fn read(reply: &Value, asked: &Address, places: &Places) -> Result<Self, String> {
        let Value::Array(ranges) = reply else { return Err("CLUSTER SLOTS is not an array".to_owned()) };
        let mut map = Self { owners: vec![None; SLOTS.into()], ..Self::default() };
        for range in ranges {
            let parts = range.as_sequence().ok_or("a range of CLUSTER SLOTS is not an array")?;
            let [Value::Int(first), Value::Int(last), nodes @ ..] = parts else {
                return Err("a range of CLUSTER SLOTS has no bounds".to_owned());
            };
            let mut reached = Vec::with_capacity(nodes.len());
            for node in nodes.iter().filter_map(Announced::read) {
                let address = places.reach(&node, asked);
                map.note_id(&address, node.id);
                reached.push(address);
            }
            if reached.is_empty() {
                continue;
            }
            let shard = map.shard(Shard { primary: reached.remove(0), replicas: reached });
            let bounds = |slot: &i64| usize::try_from(*slot).ok().filter(|slot| *slot < SLOTS.into());
            let (Some(first), Some(last)) = (bounds(first), bounds(last)) else {
                return Err(format!("CLUSTER SLOTS: {first} to {last} are no slots"));
            };
            map.owners.iter_mut().take(last + 1).skip(first).for_each(|owner| *owner = Some(shard));
        }
        Ok(map)
    }

    /// Nothing is known of any slot.
    pub fn unread() -> Self {
        Self { owners: vec![None; SLOTS.into()], ..Self::default() }
    }

    /// All slots are of one primary with one replica.
    pub fn of_one(primary: Address, replica: Address) -> Self {
        let shards = vec![Shard { primary, replicas: vec![replica] }];
        Self { shards, owners: vec![Some(0); SLOTS.into()], ids: Vec::new() }
    }

    fn note_id(&mut self, address: &Address, id: String) {
        if !self.ids.iter().any(|(known, _)| known == address) {
            self.ids.push((address.clone(), id));
        }
    }

    /// The id of the node at this address; none where it was not told.
    pub fn id_of(&self, address: &Address) -> Option<&str> {
        let (_, id) = self.ids.iter().find(|(known, _)| known == address)?;
        Some(id.as_str()).filter(|id| !id.is_empty())
    }

    /// The number of a shard, which is added if its primary is new.
    fn shard(&mut self, shard: Shard) -> u16 {
        let at = self.shards.iter().position(|known| known.primary == shard.primary).unwrap_or_else(|| {
            self.shards.push(shard);
            self.shards.len() - 1
        });
        // A cluster has at most as many primaries as slots.
        u16::try_from(at).unwrap_or_default()
    }

    /// The shard that owns a slot; none while nobody does.
    pub fn owner(&self, slot: u16) -> Option<&Shard> {
        let shard = (*self.owners.get(usize::from(slot))?)?;
        self.shards.get(usize::from(shard))
    }

    /// The slots that are of the same shard as this one, itself included.
    pub fn slots_beside(&self, slot: u16) -> impl Iterator<Item = usize> {
        let shard = self.owners.get(usize::from(slot));
        self.owners.iter().enumerate().filter(move |(_, owner)| Some(*owner) == shard).map(|(slot, _)| slot)
    }

    /// The primaries that own slots, in the order of their first slots.
    pub fn primaries(&self) -> impl Iterator<Item = &Address> {
        self.shards.iter().map(|shard| &shard.primary)
    }

    /// The primary that owns all slots; none where there is no such.
    pub fn only_primary(&self) -> Option<&Address> {
        let [Shard { primary, .. }] = self.shards.as_slice() else { return None };
        self.owners.iter().all(Option::is_some).then_some(primary)
    }

    /// Every node, primaries first.
    pub fn nodes(&self) -> impl Iterator<Item = &Address> {
        self.primaries().chain(self.shards.iter().flat_map(|shard| &shard.replicas))
    }

    /// A node said that this slot is another's now.
    pub fn move_slot(&mut self, slot: u16, primary: Address) {
        let shard = self.shard(Shard { primary, replicas: Vec::new() });
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = Some(shard);
        }
    }
}

/// A node as CLUSTER SLOTS, MOVED or ASK name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Host name or address; none: the host where the announcing node was reached.
    host: Option<String>,
    port: u16,
    /// The node's id; empty where it is not told.
    id: String,
}

impl Announced {
    /// Reads a node of CLUSTER SLOTS: endpoint, port, id, and further facts in pairs.
    fn read(node: &Value) -> Option<Self> {
        let [endpoint, Value::Int(port), rest @ ..] = node.as_sequence()? else { return None };
        let id = rest.first().and_then(text_of).unwrap_or_default().to_owned();
        Self::at(text_of(endpoint), rest.get(1).and_then(|facts| fact(facts, "ip")), *port, id)
    }

    /// A node with this endpoint. Where host names are asked for and it has none that is `?`: its address counts then.
    fn at(endpoint: Option<&str>, ip: Option<&str>, port: i64, id: String) -> Option<Self> {
        let host = match endpoint {
            Some("?") => ip,
            host => host.filter(|host| !host.is_empty()),
        };
        let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
        Some(Self { host: host.map(str::to_owned), port, id })
    }

    /// Reads the nodes of CLUSTER SHARDS that are not down; none if nobody owns a slot.
    pub fn read_shards(reply: &Value, is_tls: bool) -> Vec<Self> {
        let shards = reply.as_sequence().unwrap_or_default();
        if shards.iter().all(|shard| items_of(shard, "slots").is_empty()) {
            return Vec::new();
        }
        let nodes = shards.iter().flat_map(|shard| items_of(shard, "nodes"));
        nodes.filter_map(|node| Self::of_shard(node, is_tls)).collect()
    }

    fn of_shard(node: &Value, is_tls: bool) -> Option<Self> {
        let port = match (field_of(node, "port"), field_of(node, "tls-port")) {
            (_, Some(Value::Int(port))) if is_tls => *port,
            (Some(Value::Int(port)), _) | (None, Some(Value::Int(port))) => *port,
            _ => return None,
        };
        if fact(node, "health").is_some_and(|health| health.starts_with("fail")) {
            return None;
        }
        let id = fact(node, "id").unwrap_or_default().to_owned();
        Self::at(fact(node, "endpoint"), fact(node, "ip"), port, id)
    }

    /// Reads `HOST:PORT` as MOVED and ASK write it; an IPv6 address has no brackets there.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Self::at(Some(host), None, port.parse().ok()?, String::new())
    }
}

/// The items of a field that is an array.
fn items_of<'v>(fields: &'v Value, name: &str) -> &'v [Value] {
    field_of(fields, name).and_then(Value::as_sequence).unwrap_or_default()
}

/// A further fact of a node, by its name.
fn fact<'v>(facts: &'v Value, name: &str) -> Option<&'v str> {
    field_of(facts, name).and_then(text_of)
}

/// How announced addresses are reached, where that is another address.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// What a node announces, and where it was reached.
    aliases: Vec<(Address, Address)>,
    /// The id of the node that was asked first, and where: it is reached there, whatever it announces.
    ids: Vec<(String, Address)>,
}

impl Places {
    /// The node of this id is reached at this address.
    pub fn learn_id(&mut self, id: &str, reached: &Address) {
        if !id.is_empty() && !self.ids.iter().any(|(known, _)| known == id) {
            self.ids.push((id.to_owned(), reached.clone()));
        }
    }

    /// Learns the aliases of all nodes in a reply to CLUSTER SLOTS whose ids are known.
    pub fn learn_aliases(&mut self, slots: &Value, asked: &Address) {
        let ranges = slots.as_sequence().unwrap_or_default().iter().filter_map(Value::as_sequence);
        for node in ranges.flat_map(|parts| parts.iter().skip(2)).filter_map(Announced::read) {
            let known = self.ids.iter().find(|(id, _)| *id == node.id).map(|(_, reached)| reached.clone());
            let announced = announced_address(&node, asked);
            if let Some(reached) = known.filter(|reached| *reached != announced) {
                self.aliases.retain(|(known, _)| *known != announced);
                self.aliases.push((announced, reached));
            }
        }
    }

    /// Where a node that `asked` announced is reached.
    pub fn reach(&self, node: &Announced, asked: &Address) -> Address {
        let announced = announced_address(node, asked);
        let alias = self.aliases.iter().find(|(known, _)| *known == announced);
        alias.map_or(announced, |(_, reached)| reached.clone())
    }
}

fn announced_address(node: &Announced, asked: &Address) -> Address {
    let host = node.host.clone().unwrap_or_else(|| match asked {
        Address::Tcp(host, _) => host.clone(),
        Address::Unix(_) | Address::Sentinel(_) => "127.0.0.1".to_owned(),
    });
    Address::Tcp(host, node.port)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    fn reply(resp: &str) -> Value {
        redis::parse_redis_value(resp.replace(' ', "\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn a_node_without_a_host_is_where_the_announcing_one_is() {
        for host in ["$0 ", "$-1", "$1 ?"] {
            let slots = reply(&format!("*1 *3 :0 :5 *3 {host} :7001 $2 id "));
            let map = SlotMap::read(&slots, &tcp("db.example", 7000), &Places::default()).unwrap();
            assert_eq!(map.owner(5).unwrap().primary, tcp("db.example", 7001), "{host}");
            assert!(map.owner(6).is_none());
        }
    }

    #[test]
    fn a_node_without_a_host_name_is_reached_by_its_address() {
        for facts in ["*2 $2 ip $9 192.0.2.7 ", "%1 $2 ip $9 192.0.2.7 "] {
            let slots = reply(&format!("*1 *3 :0 :5 *4 $1 ? :7001 $2 id {facts}"));
            let map = SlotMap::read(&slots, &tcp("db.example", 7000), &Places::default()).unwrap();
            assert_eq!(map.owner(0).unwrap().primary, tcp("192.0.2.7", 7001));
        }
    }

    #[test]
    fn shards_name_nodes_without_slots_and_leave_out_those_that_are_down() {
        let node = |port: u16, health: &str| {
            let size = health.len();
            format!("*8 $4 port :{port} $8 tls-port :{} $8 endpoint $1 h $6 health ${size} {health} ", port + 1)
        };
        let shard =
            |slots: &str, nodes: &[String]| format!("*4 $5 slots {slots} $5 nodes *{} {}", nodes.len(), nodes.concat());
        let idle = shard("*0", &[node(3, "online")]);
        let slots = shard("*2 :0 :5", &[node(1, "fail"), node(5, "online")]);
        let ports = |resp: &str, is_tls| {
            let nodes = Announced::read_shards(&reply(resp), is_tls);
            nodes.iter().map(|node| node.port).collect::<Vec<_>>()
        };
        assert_eq!(ports(&format!("*2 {slots}{idle}"), false), [5, 3]);
        assert_eq!(ports(&format!("*2 {slots}{idle}"), true), [6, 4]);
        // A node that has left its cluster knows itself.
        assert_eq!(ports(&format!("*1 {idle}"), false), [0_u16; 0]);
    }

    #[test]
    fn the_node_that_was_asked_is_reached_where_it_was_asked() {
        let slots = reply("*1 *4 :0 :5 *3 $8 10.0.0.1 :7001 $2 id *3 $8 10.0.0.2 :7002 $2 xx ");
        let mut places = Places::default();
        places.learn_id("id", &tcp("localhost", 8001));
        places.learn_aliases(&slots, &tcp("localhost", 8001));
        let map = SlotMap::read(&slots, &tcp("localhost", 8001), &places).unwrap();
        let shard = map.owner(1).unwrap();
        assert_eq!((&shard.primary, &shard.replicas[0]), (&tcp("localhost", 8001), &tcp("10.0.0.2", 7002)));
        let moved = Announced::parse("10.0.0.1:7001").unwrap();
        assert_eq!(places.reach(&moved, &tcp("10.0.0.2", 7002)), tcp("localhost", 8001));
    }

    #[test]
    fn redirections_name_hosts_ipv6_addresses_and_nothing() {
        let asked = tcp("db.example", 7000);
        for (text, host) in [("::1:7001", "::1"), ("h:7001", "h"), (":7001", "db.example"), ("?:7001", "db.example")] {
            let node = Announced::parse(text).unwrap();
            assert_eq!(Places::default().reach(&node, &asked), tcp(host, 7001), "{text}");
        }
        assert_eq!(Announced::parse("7001"), None);
    }

    #[test]
    fn a_moved_slot_has_its_new_owner_and_others_keep_theirs() {
        let slots = reply("*1 *3 :0 :5 *3 $1 a :1 $2 id ");
        let mut map = SlotMap::read(&slots, &tcp("a", 1), &Places::default()).unwrap();
        map.move_slot(3, tcp("b", 2));
        assert_eq!(map.owner(3).unwrap().primary, tcp("b", 2));
        assert_eq!(map.owner(4).unwrap().primary, tcp("a", 1));
        assert_eq!(map.primaries().count(), 2);
    }
}
