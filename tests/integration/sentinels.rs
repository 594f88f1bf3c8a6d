//! Real sentinels for the tests: one or several that watch a primary as `mymaster`, gone when dropped.

use crate::certificates::Certificates;
use crate::resp::{Client, Reply};
use crate::server::{DEADLINE, Port, Server, pause, wait_for};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// What a sentinel is started with.
#[derive(Default, Clone, Copy)]
pub struct Setup<'a> {
    /// How many have to agree that the primary is down.
    pub quorum: usize,
    /// The password it asks clients for.
    pub password: Option<&'a str>,
    /// Its port, and the primary's, speak TLS with these.
    pub tls: Option<&'a Certificates>,
}

/// A running sentinel.
pub struct Sentinel {
    child: Child,
    dir: TempDir,
    port: Port,
    password: Option<String>,
}

impl Sentinel {
    /// Starts a sentinel that watches this primary, and waits until it is in contact with it.
    pub fn start(primary: &Server, setup: Setup<'_>) -> Self {
        let dir = TempDir::new().expect("a directory");
        let port = Port::take();
        let number = port.number();
        let mut config =
            if setup.tls.is_some() { format!("port 0\ntls-port {number}\n") } else { format!("port {number}\n") };
        config += &format!("bind 127.0.0.1\ndir {0}\nunixsocket {0}/socket\nlogfile log\n", dir.path().display());
        config += &format!("sentinel monitor mymaster 127.0.0.1 {} {}\n", primary.port(), setup.quorum.max(1));
        config += "sentinel down-after-milliseconds mymaster 300\nsentinel failover-timeout mymaster 1500\n";
        if let Some(password) = setup.password {
            config += &format!("requirepass {password}\n");
        }
        if let Some(certificates) = setup.tls {
            config += &format!(
                "tls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients no\ntls-replication yes\n",
                certificates.server.display(),
                certificates.server_key.display(),
                certificates.ca.display()
            );
        }
        std::fs::write(dir.path().join("sentinel.conf"), config).expect("its file");
        let variable = if setup.tls.is_some() { "RCLI_TEST_TLS_SERVER" } else { "RCLI_TEST_SERVER" };
        let binary = std::env::var_os(variable).unwrap_or_else(|| "redis-server".into());
        let child = Command::new(binary)
            .args(["sentinel.conf", "--sentinel"])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a sentinel starts");
        let mut sentinel = Self { child, dir, port, password: setup.password.map(str::to_owned) };
        sentinel.hurry();
        sentinel
    }

    /// Waits until it answers, and makes its periods of seconds shorter.
    fn hurry(&mut self) {
        let begin = Instant::now();
        // On a busy machine votes are split and clocks jump: neither is to cost more than a second. A replica may be
        // promoted only if its INFO is younger than three INFO periods, or with its primary down than five ping periods,
        // and during a failover it is asked for INFO once a second whatever these are: shorter ones make failovers fail.
        let hurry = "SENTINEL DEBUG INFO-PERIOD 500 PUBLISH-PERIOD 100 ASK-PERIOD 100 PING-PERIOD 500 \
                     ELECTION-TIMEOUT 1000 TILT-PERIOD 300 MIN-LINK-RECONNECT-PERIOD 100";
        while self.try_ask(hurry).as_deref() != Some("OK") {
            assert!(self.child.try_wait().expect("its state").is_none(), "the sentinel ended");
            assert!(begin.elapsed() < DEADLINE, "the sentinel does not answer");
            pause();
        }
    }

    /// What it logged: printed when a test fails, for only there stands why a failover did not come.
    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_else(|_| "(none)".to_owned())
    }

    /// One command written as words, its reply as short text; none if it does not answer.
    fn try_ask(&self, command: &str) -> Option<String> {
        let mut client = Client::connect(&self.dir.path().join("socket")).ok()?;
        if let Some(password) = &self.password {
            client.call(&[b"AUTH", password.as_bytes()]).ok()?;
        }
        let argv: Vec<&[u8]> = command.split_whitespace().map(str::as_bytes).collect();
        client.call(&argv).ok().map(|reply: Reply| reply.to_string())
    }

    /// One command written as words, its reply as short text.
    pub fn ask(&self, command: &str) -> String {
        self.try_ask(command).expect("an answer from the sentinel")
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of sentinel {}:\n{}", self.address(), self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A primary, a replica, and three sentinels that know them and each other.
pub struct SentinelSet {
    /// What is the primary at the start.
    pub primary: Server,
    /// What becomes the primary when that is gone.
    pub replica: Server,
    /// The sentinels.
    pub sentinels: Vec<Sentinel>,
}

impl SentinelSet {
    /// Starts all of them, and waits until a failover is possible.
    pub fn start() -> Self {
        let (primary, replica) = replicated();
        let sentinels: Vec<_> =
            (0..3).map(|_| Sentinel::start(&primary, Setup { quorum: 2, ..Setup::default() })).collect();
        for sentinel in &sentinels {
            wait_for("sentinels that know each other", || {
                let state = sentinel.ask("SENTINEL MASTER mymaster");
                state.contains("num-slaves, 1,") && state.contains("num-other-sentinels, 2,")
            });
            wait_for("a replica that may be promoted", || {
                sentinel.ask("SENTINEL REPLICAS mymaster").contains("master-link-status, ok")
            });
        }
        Self { primary, replica, sentinels }
    }

    /// The addresses of the sentinels, for `--sentinel`.
    pub fn list(&self) -> String {
        self.sentinels.iter().map(Sentinel::address).collect::<Vec<_>>().join(",")
    }

    /// Waits until one of the sentinels names what was the replica.
    pub fn wait_for_failover(&self) {
        let port = self.replica.port().to_string();
        wait_for("the failover", || {
            self.sentinels
                .iter()
                .any(|sentinel| sentinel.ask("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster").contains(&port))
        });
    }
}

/// A primary and a replica that has caught up with it.
pub fn replicated() -> (Server, Server) {
    let primary = Server::with_args(["--repl-diskless-sync-delay", "0"]);
    let replica = Server::with_args(["--replicaof", "127.0.0.1", &primary.port().to_string()]);
    replica.wait_until("INFO replication", |text| text.contains("master_link_status:up"));
    primary.wait_until("INFO replication", |text| text.contains("state=online"));
    (primary, replica)
}
