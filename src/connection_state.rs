//! The state of a connection: which commands set it, and what they have set. It is gone with the connection and with
//! RESET. What brings it back (`pipe --skip`, a reconnect of the REPL, a further node of a cluster) decides by this one
//! table (contract sections 5, 6 and 10). No I/O: others send and receive.

use crate::reply::Frame;
use crate::request::Request;
use crate::server::{Credentials, Protocol, Target};

/// What a command does to the connection that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that outlasts its reply.
    None,
    /// It sets this.
    Sets(Setting),
    /// HELLO: the version of RESP, and with its options the user and the name.
    Hello,
    /// It takes away everything that was set.
    Reset,
    /// It watches keys until EXEC, DISCARD or UNWATCH.
    Watch,
    /// It ends every WATCH.
    Unwatch,
    /// It opens a block.
    Multi,
    /// It runs the block.
    Exec,
    /// It drops the block.
    Discard,
}

/// Something that a connection keeps until it is set again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The database.
    Database,
    /// The user.
    User,
    /// Whether a replica in a cluster answers reads.
    Replica,
    /// The name in CLIENT LIST.
    Name,
    /// The name of the library in CLIENT LIST.
    LibraryName,
    /// Its version.
    LibraryVersion,
    /// Whether the connection is spared when clients take too much memory.
    NoEvict,
    /// Whether reading a key leaves its age as it is.
    NoTouch,
    /// What the server tells about keys that change.
    Tracking,
    /// What the client says that it can do.
    Capabilities,
    /// Whether it brings data from elsewhere, expired keys included.
    ImportSource,
}

/// What a command does to the connection that runs it, if the server takes it.
pub fn effect_of(request: &Request) -> Effect {
    let name = request.arg(0);
    // Asked for every command of a pipeline: the length and the first letter tell all but a few of them.
    let (word, effect) = match (name.len(), name.first().map_or(0, u8::to_ascii_uppercase)) {
        (4, b'A') => ("AUTH", Effect::Sets(Setting::User)),
        (4, b'E') => ("EXEC", Effect::Exec),
        (5, b'H') => ("HELLO", Effect::Hello),
        (5, b'M') => ("MULTI", Effect::Multi),
        (5, b'R') => ("RESET", Effect::Reset),
        (5, b'W') => ("WATCH", Effect::Watch),
        (6, b'C') => ("CLIENT", client_setting(request).map_or(Effect::None, Effect::Sets)),
        (6, b'S') => ("SELECT", Effect::Sets(Setting::Database)),
        (7, b'D') => ("DISCARD", Effect::Discard),
        (7, b'U') => ("UNWATCH", Effect::Unwatch),
        (8, b'R') => ("READONLY", Effect::Sets(Setting::Replica)),
        (9, b'R') => ("READWRITE", Effect::Sets(Setting::Replica)),
        _ => return Effect::None,
    };
    if request.is(0, word) { effect } else { Effect::None }
}

/// What this subcommand of CLIENT sets.
fn client_setting(request: &Request) -> Option<Setting> {
    const SETTINGS: [(&str, Setting); 6] = [
        ("SETNAME", Setting::Name),
        ("NO-EVICT", Setting::NoEvict),
        ("NO-TOUCH", Setting::NoTouch),
        ("TRACKING", Setting::Tracking),
        ("CAPA", Setting::Capabilities),
        ("IMPORT-SOURCE", Setting::ImportSource),
    ];
    if request.is(1, "SETINFO") {
        return Some(if request.is(2, "LIB-VER") { Setting::LibraryVersion } else { Setting::LibraryName });
    }
    SETTINGS.iter().find(|(word, _)| request.is(1, word)).map(|(_, setting)| *setting)
}

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

    /// The commands.
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
    start: Target,
    /// The same with the database, the user and the version of RESP that were chosen last.
    target: Target,
    /// What else was set: the introduction of a new connection does not say it.
    settings: Settings,
    /// What became of the watched keys.
    pub watch: Watch,
}

impl ConnectionState {
    /// A connection as the options chose it.
    pub fn new(target: Target) -> Self {
        Self { start: target.clone(), target, settings: Settings::default(), watch: Watch::None }
    }

    /// Where the server is, and how a new connection is introduced.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What a new connection is told after its introduction.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The server is no node of a cluster.
    pub fn leave_cluster(&mut self) {
        (self.start.cluster, self.target.cluster) = (None, None);
    }

    /// The server is reached elsewhere now.
    pub fn move_to(&mut self, address: crate::server::Address) {
        self.start.address = address.clone();
        self.target.address = address;
    }

    /// Takes in what a command has done, once the server has answered it.
    pub fn learn(&mut self, request: &Request, answer: Frame<'_>) {
        if answer.is_error() {
            return;
        }
        match effect_of(request) {
            Effect::Sets(Setting::Database) => {
                self.target.db = text(request, 1).parse().unwrap_or(self.target.db);
            }
            Effect::Sets(Setting::User) => {
                let user = (request.len() == 3).then(|| text(request, 1));
                let password = request.arg(request.len() - 1).to_vec();
                self.target.credentials = Some(Credentials { user, password });
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
            b"2" => self.target.protocol = Protocol::Resp2,
            b"3" => {
                self.target.protocol = Protocol::Resp3;
                self.target.hello.note_answered();
            }
            _ => {}
        }
        let mut at = 2;
        while at < request.len() {
            if request.is(at, "AUTH") {
                let password = request.arg(at + 2).to_vec();
                self.target.credentials = Some(Credentials { user: Some(text(request, at + 1)), password });
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
    fn effects_are_told_by_names_in_any_case() {
        for (line, effect) in [
            ("select 3", Effect::Sets(Setting::Database)),
            ("AUTH pw", Effect::Sets(Setting::User)),
            ("Client SetName x", Effect::Sets(Setting::Name)),
            ("CLIENT SETINFO lib-ver 1", Effect::Sets(Setting::LibraryVersion)),
            ("CLIENT SETINFO LIB-NAME x", Effect::Sets(Setting::LibraryName)),
            ("CLIENT NO-TOUCH on", Effect::Sets(Setting::NoTouch)),
            ("READWRITE", Effect::Sets(Setting::Replica)),
            ("watch k", Effect::Watch),
            ("unwatch", Effect::Unwatch),
            ("multi", Effect::Multi),
            ("exec", Effect::Exec),
            ("discard", Effect::Discard),
            ("reset", Effect::Reset),
            ("hello 3", Effect::Hello),
        ] {
            assert_eq!(effect_of(&request(line)), effect, "{line}");
        }
        for line in ["SET k v", "CLIENT LIST", "CLIENT", "EVAL", "SELECTS 3", "CONFIG SET a b", "SINTER a", ""] {
            assert_eq!(effect_of(&request(line)), Effect::None, "{line}");
        }
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
