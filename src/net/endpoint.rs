//! Where a server is and how to introduce oneself to it. Decided in `config`; opened in `session`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::cluster::Asker;
use super::handshake::hello::Hello;
use super::pushes::PushListener;
use super::resolve::Reach;
use super::sentinel::Sentinels;
use super::tls::Tls;
use crate::command::request::Request;
use crate::command::restrictions::read_only::refuse_write;
use crate::text;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host name or IP address, and a port.
    Tcp(String, u16),
    Unix(PathBuf),
    /// The primary that sentinels name, asked whenever a session is opened. Shown as the address that they named last.
    Sentinel(Sentinels),
}

impl Address {
    /// Whether sentinels know another primary once this one has become a replica.
    pub fn follows_primary(&self) -> bool {
        matches!(self, Self::Sentinel(_))
    }
}

/// As it may be shown: a host that a server has named may hold anything.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{}]:{port}", text::line(host)),
            Self::Tcp(host, port) => write!(f, "{}:{port}", text::line(host)),
            Self::Unix(path) => f.write_str(&text::line(&path.to_string_lossy())),
            Self::Sentinel(sentinels) => sentinels.fmt(f),
        }
    }
}

/// A user and a password. Has no `Debug` that could show it.
#[derive(Clone)]
pub struct Credentials {
    /// The ACL user; none for the default user.
    pub user: Option<String>,
    /// The password, as bytes: a server compares bytes.
    pub password: Vec<u8>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The version of RESP to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// No HELLO is sent.
    Resp2,
    /// HELLO 3; RESP2 where the server has no HELLO, or hangs up at it.
    Resp3,
}

/// All that is needed to open a session, and to open it again.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub address: Address,
    pub reach: Reach,
    /// TLS over TCP.
    pub tls: Option<Tls>,
    /// What AUTH sends.
    pub credentials: Option<Credentials>,
    /// What SELECT sends; 0 is not sent.
    pub db: u32,
    /// The version of RESP to ask for.
    pub protocol: Protocol,
    /// What is known of HELLO there.
    pub hello: Hello,
    /// The limit on connecting, TLS and the introduction included; [`Self::NO_LIMIT`] for none.
    pub connect_timeout: Duration,
    /// How long opening is tried again while nobody is there yet; 0 for one try (`--wait`).
    pub wait: Duration,
    /// Whether it holds for the first answer too, whatever that is to: then a PING is asked where nothing else is.
    pub limits_first_answer: bool,
    /// Whether an AUTH may come later, as a line: SELECT, where it is refused for want of one, is asked again then.
    pub may_log_in: bool,
    /// The longest silence while an answer is waited for; none is no limit.
    pub read_timeout: Option<Duration>,
    /// Whether only what reads is asked (`--read-only`).
    pub read_only: bool,
    /// Whether reads go to replicas: of a cluster's nodes, or of the primary that sentinels name.
    pub read_from_replicas: bool,
    /// Who is told of pushes; without it they are dropped as they come.
    pub pushes: Option<PushListener>,
    /// Who takes note of a connection before the first byte is sent.
    pub asker: Option<Asker>,
    /// How the cluster that the server belongs to is used; none to talk to that server only.
    pub cluster: Option<ClusterUse>,
}

/// How a cluster is used (contract section 11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterUse {
    /// A command runs on every primary.
    pub all_nodes: bool,
}

impl Endpoint {
    /// The limit on connecting where none is given.
    pub const DEFAULT_LIMIT: Duration = Duration::from_secs(5);
    /// What stands for no limit on connecting: 31 years, which no clock overflows.
    pub const NO_LIMIT: Duration = Duration::from_secs(1_000_000_000);

    /// The limit on what rcli does to find its way, which no option lifts: asking one node or sentinel of several, and
    /// waiting until there is a way. That on connecting, or the default where there is none (contract section 1).
    pub fn search_limit(&self) -> Duration {
        if self.connect_timeout == Self::NO_LIMIT { Self::DEFAULT_LIMIT } else { self.connect_timeout }
    }

    /// A server of which nothing but its address is known.
    pub fn at(address: Address) -> Self {
        Self {
            address,
            reach: Reach::default(),
            tls: None,
            credentials: None,
            db: 0,
            protocol: Protocol::Resp2,
            hello: Hello::default(),
            connect_timeout: Self::DEFAULT_LIMIT,
            wait: Duration::ZERO,
            limits_first_answer: false,
            may_log_in: false,
            read_timeout: None,
            read_only: false,
            read_from_replicas: false,
            pushes: None,
            asker: None,
            cluster: None,
        }
    }

    /// A replica that answers reads, where sentinels are to name one.
    pub fn of_replica(&self) -> Option<Self> {
        let Address::Sentinel(sentinels) = &self.address else { return None };
        let address = Address::Sentinel(sentinels.for_reads());
        self.read_from_replicas.then(|| Self { address, read_from_replicas: false, ..self.clone() })
    }

    /// Who is asked where nothing but reads is: such a replica, else the same.
    #[must_use]
    pub fn for_reads(self) -> Self {
        self.of_replica().unwrap_or(self)
    }

    /// Why a command is not asked here; none if it is (contract section 1, `--read-only`).
    pub fn refuse_write(&self, request: &Request) -> Option<String> {
        if self.read_only { refuse_write(request) } else { None }
    }

    /// The version of RESP that a new connection speaks, as far as is known.
    pub fn spoken(&self) -> Protocol {
        if self.hello.is_hung_up_at() { Protocol::Resp2 } else { self.protocol }
    }
}
