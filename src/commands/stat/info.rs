//! What a line takes from INFO.

/// What a server says of itself, or the sum of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The keys of all databases.
    pub keys: u64,
    /// The memory in use, in bytes.
    pub memory: u64,
    /// The clients, this one among them.
    pub clients: u64,
    /// Those that wait in a blocking command.
    pub blocked: u64,
    /// The commands that were ever run.
    pub requests: u64,
    /// The connections that were ever made.
    pub connections: u64,
}

impl Info {
    /// Reads INFO's text; what is missing is 0.
    pub fn read(text: &str) -> Self {
        let mut info = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.trim_end().split_once(':')) {
            let number = || value.parse().unwrap_or_default();
            match name {
                "used_memory" => info.memory = number(),
                "connected_clients" => info.clients = number(),
                "blocked_clients" => info.blocked = number(),
                "total_commands_processed" => info.requests = number(),
                "total_connections_received" => info.connections = number(),
                _ => info.keys = info.keys.saturating_add(keys_of(name, value).unwrap_or_default()),
            }
        }
        info
    }

    /// Adds another server's.
    pub fn add(&mut self, other: &Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.memory = self.memory.saturating_add(other.memory);
        self.clients = self.clients.saturating_add(other.clients);
        self.blocked = self.blocked.saturating_add(other.blocked);
        self.requests = self.requests.saturating_add(other.requests);
        self.connections = self.connections.saturating_add(other.connections);
    }
}

/// The keys of a database, `db0:keys=1,expires=0,…`.
fn keys_of(name: &str, value: &str) -> Option<u64> {
    name.strip_prefix("db")?.parse::<u32>().ok()?;
    value.split(',').find_map(|field| field.strip_prefix("keys="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_all_databases_and_what_is_missing_is_0() {
        let text = "# Keyspace\r\ndb0:keys=2,expires=0\r\ndb9:keys=3\r\ndbx:keys=9\r\nused_memory:7\r\nx\r\n";
        assert_eq!(Info::read(text), Info { keys: 5, memory: 7, ..Info::default() });
    }
}
