//! Real servers for the tests: each on its own port and unix socket in its own directory, gone when dropped.
//!
//! `redis-server` from PATH, or the binary named by `RCLI_TEST_SERVER` (`RCLI_TEST_TLS_SERVER` for those that speak
//! TLS, which not every build does). A missing binary fails the test loudly.

use crate::certificates::Certificates;
use crate::rcli::{Rcli, rcli};
use crate::resp::{Client, Reply};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use std::ffi::{OsStr, OsString};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything in the tests may take before it counts as hung: enough for a machine that is busy with others.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// A running server.
pub struct Server {
    dir: TempDir,
    port: Port,
    /// Of a node of a cluster, the port for the other nodes.
    bus: Port,
    tls: bool,
    extra: Vec<OsString>,
    password: Option<String>,
    child: Option<Child>,
}

impl Server {
    /// An empty server without a password.
    pub fn start() -> Self {
        Self::with_args(Vec::<OsString>::new())
    }

    /// A server with further command-line arguments.
    pub fn with_args<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::launch(args.into_iter().map(|a| a.as_ref().to_owned()).collect(), None, false)
    }

    /// A server that asks for this password.
    pub fn with_password(password: &str) -> Self {
        Self::launch(vec!["--requirepass".into(), password.into()], Some(password.to_owned()), false)
    }

    /// A server whose port speaks TLS with these certificates; `clients` says whether a client needs one too.
    pub fn with_tls(certificates: &Certificates, clients: bool) -> Self {
        Self::with_tls_and_args(certificates, clients, Vec::<OsString>::new())
    }

    /// The same with further command-line arguments.
    pub fn with_tls_and_args<A: AsRef<OsStr>>(
        certificates: &Certificates,
        clients: bool,
        further: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut args: Vec<OsString> = Vec::new();
        for (option, value) in [
            ("--tls-cert-file", certificates.server.as_os_str()),
            ("--tls-key-file", certificates.server_key.as_os_str()),
            ("--tls-ca-cert-file", certificates.ca.as_os_str()),
            ("--tls-auth-clients", OsStr::new(if clients { "yes" } else { "no" })),
        ] {
            args.push(option.into());
            args.push(value.to_owned());
        }
        args.extend(further.into_iter().map(|arg| arg.as_ref().to_owned()));
        Self::launch(args, None, true)
    }

    /// Starts the binary.
    fn launch(extra: Vec<OsString>, password: Option<String>, tls: bool) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let mut server = Self { dir, port: Port::take(), bus: Port::take(), tls, extra, password, child: None };
        if let Some(option) = server.extra.iter().position(|arg| arg == "--cluster-port") {
            server.extra[option + 1] = server.bus.number().to_string().into();
        }
        assert!(server.spawn(), "the test server does not start; its log:\n{}", server.log());
        server
    }

    /// Starts the process and waits until it answers; false when it ended by itself.
    fn spawn(&mut self) -> bool {
        let variable = if self.tls { "RCLI_TEST_TLS_SERVER" } else { "RCLI_TEST_SERVER" };
        let binary = std::env::var_os(variable).unwrap_or_else(|| "redis-server".into());
        let (plain, tls) = if self.tls { (0, self.port()) } else { (self.port(), 0) };
        let mut command = Command::new(&binary);
        command.args(["--bind", "127.0.0.1", "--port", &plain.to_string()]);
        if self.tls {
            command.args(["--tls-port", &tls.to_string()]);
        }
        let child = command
            .args(["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"])
            .args(["--logfile", "log", "--unixsocket", "socket", "--dir"])
            .arg(self.dir.path())
            .args(&self.extra)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start the test server {}: {error}\nThe tests need a real one: install redis-server or \
                     valkey-server (Debian: apt-get install redis-server) or name a binary in {variable}.",
                    binary.display()
                )
            });
        let child = self.child.insert(child);
        let socket = self.dir.path().join("socket");
        let begin = Instant::now();
        loop {
            let pong = Client::connect(&socket).and_then(|mut client| client.call(&[b"PING"]));
            match pong {
                Ok(Reply::Status(text)) if text == "PONG" => return true,
                Ok(Reply::Error(text)) if text.starts_with("NOAUTH") => return true,
                _ => {}
            }
            if child.try_wait().expect("the server's state").is_some() {
                self.child = None;
                return false;
            }
            assert!(begin.elapsed() < DEADLINE, "the test server does not answer PING");
            pause();
        }
    }

    /// What the server logged.
    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_else(|_| "(none)".to_owned())
    }

    /// The TCP port, plain or TLS.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// The unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// A run of rcli with `-p PORT` before these arguments.
    pub fn rcli<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Rcli {
        rcli(["-p", &self.port().to_string()]).args(args)
    }

    /// A connection of the test's own, authenticated.
    pub fn client(&self) -> Client {
        let mut client = Client::connect(&self.socket()).expect("a connection to the test server");
        if let Some(password) = &self.password {
            let reply = client.call(&[b"AUTH", password.as_bytes()]).expect("an answer to AUTH");
            assert_eq!(reply.to_string(), "OK");
        }
        client
    }

    /// One command on a connection of its own.
    pub fn call(&self, argv: &[&[u8]]) -> Reply {
        self.client().call(argv).expect("an answer from the test server")
    }

    /// One command written as words, its reply as short text.
    pub fn ask(&self, command: &str) -> String {
        let argv: Vec<&[u8]> = command.split_whitespace().map(str::as_bytes).collect();
        self.call(&argv).to_string()
    }

    /// Waits until a command, written as words, is answered with a text that satisfies the check.
    pub fn wait_until(&self, command: &str, check: impl Fn(&str) -> bool) {
        wait_for(&format!("the answer of {command}"), || check(&self.ask(command)));
    }

    /// Stops it, as a machine that hangs: its kernel takes connections, and nobody answers.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn revive(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("a running server");
        kill_process(Pid::from_child(child), signal).expect("the server still runs");
    }

    /// `kill -9`, reaped.
    pub fn kill_nine(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts again on the same port after `kill_nine`; the data is gone.
    pub fn restart(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        assert!(self.spawn(), "the test server does not start again; its log:\n{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_nine();
    }
}

/// A port that nobody else is given as long as this is kept. A server of ours may listen on it, as servers reuse
/// addresses; while none does, connections are refused.
pub struct Port(Socket);

impl Port {
    /// Takes a port that is free for both families.
    pub fn take() -> Self {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None).expect("a socket");
        socket.set_only_v6(false).expect("a socket for both families");
        socket.set_reuse_address(true).expect("an address that is reused");
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).expect("a free port");
        Self(socket)
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        let address = self.0.local_addr().expect("its address");
        address.as_socket().expect("an internet address").port()
    }
}

/// A port that nobody listens on, as long as the tests run.
pub fn free_port() -> u16 {
    let port = Port::take();
    let number = port.number();
    std::mem::forget(port);
    number
}

/// Waits for a state of the outside world that nothing announces; panics at the deadline.
pub fn wait_for(what: &str, mut state: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !state() {
        assert!(begin.elapsed() < DEADLINE, "waited in vain for {what}");
        pause();
    }
}

/// The grain of polling a state.
pub fn pause() {
    std::thread::sleep(Duration::from_millis(3));
}
