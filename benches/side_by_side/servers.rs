//! A real server of its own for the benchmarks: started on a free port without persistence, ended when dropped.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use redis::{Connection, FromRedisValue};

/// A running server.
pub struct Server {
    child: Child,
    /// The port on 127.0.0.1 where it listens.
    pub port: u16,
    admin: Connection,
}

impl Server {
    /// Starts `program` with `directory` as its working directory and waits until it answers.
    pub fn start(program: &Path, directory: &Path) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut child = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| {
                format!(
                    "cannot start the server {}; install one (`apt-get install redis-server` or `valkey-server`) or \
                     name one with --server PATH",
                    program.display()
                )
            })?;
        match connect_until(port, Instant::now() + Duration::from_secs(10)) {
            Ok(admin) => Ok(Self { child, port, admin }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error.context(format!("{} does not answer", program.display())))
            }
        }
    }

    /// Runs one command over the connection kept for that.
    pub fn call<T: FromRedisValue>(&mut self, words: &[&str]) -> Result<T> {
        let mut command = redis::Cmd::new();
        command.arg(words);
        Ok(command.query(&mut self.admin)?)
    }

    /// Removes every key.
    pub fn flush(&mut self) -> Result<()> {
        self.call(&["FLUSHALL", "SYNC"])
    }

    /// Sends a filled pipeline and drops its replies.
    pub fn fill(&mut self, pipeline: &redis::Pipeline) -> Result<()> {
        pipeline.query::<redis::Value>(&mut self.admin)?;
        Ok(())
    }

    /// User and system time the server has used so far, as it says itself.
    pub fn cpu(&mut self) -> Result<Duration> {
        let system: f64 = self.info("cpu", "used_cpu_sys")?;
        let user: f64 = self.info("cpu", "used_cpu_user")?;
        Ok(Duration::from_secs_f64(system + user))
    }

    /// Name and version, as in `redis 7.0.15`.
    pub fn version(&mut self) -> Result<String> {
        let info: String = self.call(&["INFO", "server"])?;
        let redis = field(&info, "redis_version").unwrap_or("?");
        Ok(match field(&info, "valkey_version") {
            Some(valkey) => format!("valkey {valkey}"),
            None => format!("redis {redis}"),
        })
    }

    /// One line per client: `CLIENT LIST` without this connection's own line.
    pub fn other_clients(&mut self) -> Result<Vec<String>> {
        let own: u64 = self.call(&["CLIENT", "ID"])?;
        let list: String = self.call(&["CLIENT", "LIST"])?;
        let own = format!("id={own} ");
        let others = list.lines().filter(|line| !line.starts_with(&own));
        Ok(others.map(str::to_owned).collect())
    }

    /// One figure of a section of INFO.
    pub fn info<T>(&mut self, section: &str, name: &str) -> Result<T>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        let info: String = self.call(&["INFO", section])?;
        let value = field(&info, name).with_context(|| format!("INFO {section} lacks {name}"))?;
        Ok(value.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn connect_until(port: u16, deadline: Instant) -> Result<Connection> {
    let client = redis::Client::open(("127.0.0.1", port))?;
    loop {
        match client.get_connection() {
            Ok(connection) => return Ok(connection),
            Err(error) if Instant::now() > deadline => bail!(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
