//! The state of a connection: what commands have set of it. It is gone with the connection and with RESET. What brings
//! it back (`pipe --skip`, a reconnect of the REPL, a further node of a cluster) keeps it here (contract sections 5, 6
//! and 10). Which commands set it is in `command::restrictions`. No I/O: others send and receive.

use crate::command::request::Request;
use crate::command::restrictions::{Effect, Setting, effect_of};
use crate::net::{Credentials, Endpoint, Protocol};
use crate::reply::Frame;

/// Commands that set something, the latest of each setting, in the order to send them again.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Each with its number.
    kept: Vec<(u64, Setting, Request)>,
    latest: u64,
}

impl Settings {
    /// Takes a command that the server has taken.
    pub fn keep(&mut self, setting: Setting, request: &Request) {
        // One TRACKING adds its prefixes to those of another, until it is OFF.
        let adds = setting == Setting::Tracking && !request.is(2, "OFF");
        self.kept.retain(|(_, known, other)| *known != setting || adds && !other.is(2, "OFF") && other != request);
        self.latest += 1;
        self.kept.push((self.latest, setting, request.clone()));
    }

    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.since(0)
    }

    /// The number of the command that was taken last, counted from 1; 0 for none.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// The commands that a connection lacks which has those up to this number.
    pub fn since(&self, number: u64) -> impl Iterator<Item = &Request> {
        self.kept.iter().filter(move |(own, ..)| *own > number).map(|(.., request)| request)
    }
}

/// Whether the server watches keys for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// No key.
    None,
    /// At least one.
    Held,
    /// It did, on a connection that was lost since: nobody knows whether a key has changed.
    Lost,
}

/// What rcli's options and the commands after them have made of a connection that may be opened again.
pub struct ConnectionState {
    /// As the options chose it.
    start: Endpoint,
    /// The same with the database, the user and the version of RESP that were chosen last.
    endpoint: Endpoint,
    /// What else was set: the introduction of a new connection does not say it.
    settings: Settings,
    /// What became of the watched keys.
    pub watch: Watch,
}

impl ConnectionState {
    /// A connection as the options chose it.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { start: endpoint.clone(), endpoint, settings: Settings::default(), watch: Watch::None }
    }

    /// Where the server is, and how a new connection is introduced.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What a new connection is told after its introduction.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The server is no node of a cluster.
    pub fn leave_cluster(&mut self) {
        (self.start.cluster, self.endpoint.cluster) = (None, None);
    }

    /// The server is reached elsewhere now.
    pub fn move_to(&mut self, address: crate::net::Address) {
        self.start.address = address.clone();
        self.endpoint.address = address;
    }

    /// Takes in what a command has done, once the server has answered it.
    pub fn learn(&mut self, request: &Request, answer: Frame<'_>) {
        if answer.is_error() {
            return;
        }
        match effect_of(request) {
            Effect::Sets(Setting::Database) => {
                self.endpoint.db = text(request, 1).parse().unwrap_or(self.endpoint.db);
            }
            Effect::Sets(Setting::User) => {
                let user = (request.len() == 3).then(|| text(request, 1));
                let password = request.arg(request.len() - 1).to_vec();
                self.endpoint.credentials = Some(Credentials { user, password });
            }
            Effect::Sets(setting) => self.settings.keep(setting, request),
            Effect::Hello => self.learn_hello(request),
            Effect::Reset => *self = Self::new(self.start.clone()),
            // A second WATCH does not bring back what was lost with the first.
            Effect::Watch if self.watch == Watch::None => self.watch = Watch::Held,
            Effect::Unwatch => self.watch = Watch::None,
            // Blocks are opened and executed by whoever sends them.
            Effect::Watch | Effect::Multi | Effect::Exec | Effect::Discard | Effect::None => {}
        }
    }

    fn learn_hello(&mut self, request: &Request) {
        match request.arg(1) {
            b"2" => self.endpoint.protocol = Protocol::Resp2,
            b"3" => {
                self.endpoint.protocol = Protocol::Resp3;
                self.endpoint.hello.note_answered();
            }
            _ => {}
        }
        let mut at = 2;
        while at < request.len() {
            if request.is(at, "AUTH") {
                let password = request.arg(at + 2).to_vec();
                self.endpoint.credentials = Some(Credentials { user: Some(text(request, at + 1)), password });
                at += 3;
            } else {
                let name: [&[u8]; 3] = [b"CLIENT", b"SETNAME", request.arg(at + 1)];
                self.settings.keep(Setting::Name, &Request::new(name));
                at += 2;
            }
        }
    }
}

fn text(request: &Request, index: usize) -> String {
    String::from_utf8_lossy(request.arg(index)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Request {
        Request::new(line.split(' '))
    }

    fn kept(lines: &[&str]) -> Vec<String> {
        let mut settings = Settings::default();
        for line in lines {
            if let Effect::Sets(setting) = effect_of(&request(line)) {
                settings.keep(setting, &request(line));
            }
        }
        settings.iter().map(|request| request.shown(100)).collect()
    }

    #[test]
    fn the_latest_of_each_setting_is_kept_in_order() {
        assert_eq!(
            kept(&[
                "SELECT 3",
                "CLIENT SETNAME a",
                "CLIENT SETINFO LIB-NAME l",
                "SELECT 4",
                "CLIENT SETINFO LIB-VER 1"
            ]),
            ["CLIENT SETNAME a", "CLIENT SETINFO LIB-NAME l", "SELECT 4", "CLIENT SETINFO LIB-VER 1"]
        );
        let prefixes = ["CLIENT TRACKING ON BCAST PREFIX a", "CLIENT TRACKING ON BCAST PREFIX b"];
        assert_eq!(kept(&prefixes), prefixes);
        assert_eq!(kept(&[prefixes[0], "CLIENT TRACKING OFF"]), ["CLIENT TRACKING OFF"]);
        assert_eq!(kept(&[prefixes[0], "CLIENT TRACKING OFF", prefixes[1]]), [prefixes[1]]);
    }
}
