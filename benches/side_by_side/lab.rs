//! What all rows share: the programs, the server, the sizes, and a directory for input and output files.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::measure::Job;
use crate::servers::Server;

/// How much work each row does.
pub struct Sizes {
    /// Pairs of runs with a peer that is about as fast.
    pub pairs: usize,
    /// Pairs of runs with a peer that takes many times longer.
    pub slow_pairs: usize,
    /// `SET` lines.
    pub set_lines: usize,
    /// Mixed lines.
    pub mixed_lines: usize,
    /// `SET` lines for redis-py.
    pub python_lines: usize,
    /// Mixed lines over a cluster.
    pub cluster_lines: usize,
    /// Lines for a peer that waits for each reply.
    pub waiting_lines: usize,
    /// Elements of the long list.
    pub elements: usize,
    /// One-command processes in one half of a pair.
    pub starts: usize,
    /// Lines of the larger memory run.
    pub memory_lines: usize,
    /// GETs of 10 KB while stdout is blocked.
    pub blocked_gets: usize,
    /// Messages of a stream.
    pub messages: usize,
    /// Entries of a stream.
    pub entries: usize,
    /// Keys that are listed with more than their names.
    pub described_keys: usize,
    /// Messages over the shard channels of a cluster.
    pub sharded_messages: usize,
    /// Seconds for which the paced publisher publishes.
    pub paced_seconds: u32,
    /// Commands under MONITOR.
    pub monitored: usize,
    /// Transactions with a program in one half of a pair.
    pub transactions: usize,
}

impl Sizes {
    /// The sizes the goals are stated for, except where a run would take minutes.
    pub const MODERATE: Self = Self {
        pairs: 7,
        slow_pairs: 3,
        set_lines: 1_000_000,
        mixed_lines: 250_000,
        python_lines: 250_000,
        cluster_lines: 250_000,
        waiting_lines: 100_000,
        elements: 1_000_000,
        starts: 40,
        memory_lines: 2_000_000,
        blocked_gets: 200_000,
        messages: 500_000,
        entries: 200_000,
        described_keys: 100_000,
        sharded_messages: 300_000,
        paced_seconds: 3,
        monitored: 500_000,
        transactions: 20,
    };

    /// Enough to see that every row works; its ratios mean little.
    pub const QUICK: Self = Self {
        pairs: 3,
        slow_pairs: 1,
        set_lines: 100_000,
        mixed_lines: 25_000,
        python_lines: 25_000,
        cluster_lines: 50_000,
        waiting_lines: 5_000,
        elements: 100_000,
        starts: 10,
        memory_lines: 400_000,
        blocked_gets: 50_000,
        messages: 50_000,
        entries: 20_000,
        described_keys: 20_000,
        sharded_messages: 30_000,
        paced_seconds: 1,
        monitored: 50_000,
        transactions: 3,
    };

    /// Exactly the sizes the goals are stated for.
    pub const FULL: Self = Self {
        memory_lines: 10_000_000,
        python_lines: 1_000_000,
        cluster_lines: 500_000,
        entries: 500_000,
        described_keys: 200_000,
        transactions: 200,
        ..Self::MODERATE
    };
}

/// The place where the rows are measured.
pub struct Lab {
    rcli: OsString,
    /// The server all programs talk to.
    pub server: Server,
    /// How much to do.
    pub sizes: Sizes,
    scratch: TempDir,
    program: PathBuf,
}

impl Lab {
    /// Starts a server and makes a directory under cargo's own for temporary files.
    pub fn open(rcli: OsString, server: &Path, sizes: Sizes) -> Result<Self> {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let program = server.to_owned();
        Ok(Self { rcli, server: Server::start(server, scratch.path())?, sizes, scratch, program })
    }

    /// The path of a file that lives as long as the lab.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// `rcli` on the lab's server.
    pub fn rcli(&self) -> Job {
        self.rcli_at(self.server.port)
    }

    /// The binary that is measured.
    pub fn rcli_program(&self) -> &OsStr {
        &self.rcli
    }

    /// `rcli` that is not told where the server is.
    pub fn rcli_nowhere(&self) -> Job {
        Job::new(&self.rcli)
    }

    /// `rcli` on another port.
    pub fn rcli_at(&self, port: u16) -> Job {
        Job::new(&self.rcli).args(["-p", &port.to_string()])
    }

    /// `redis-cli` on the lab's server.
    pub fn redis_cli(&self) -> Job {
        redis_cli_at(self.server.port)
    }

    /// A script of `benches/peers` in Python; its first argument is the server's port.
    pub fn python(&self, script: &str) -> Job {
        python_at(self.server.port, script)
    }

    /// The binary of the lab's server.
    pub fn program(&self) -> &Path {
        &self.program
    }
}

/// A script of `benches/peers` in Python on any port.
pub fn python_at(port: u16, script: &str) -> Job {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(script);
    Job::new("python3").args([path]).args([port.to_string()])
}

/// `redis-cli` on any port.
pub fn redis_cli_at(port: u16) -> Job {
    Job::new("redis-cli").args(["-p", &port.to_string()])
}

/// Refuses to begin when a peer is missing, and says how to get it.
pub fn require_peers() -> Result<()> {
    let peers: [(&str, &[&str], &str); 3] = [
        ("redis-cli", &["--version"], "apt-get install redis-tools"),
        ("redis-benchmark", &["--version"], "apt-get install redis-tools"),
        ("python3", &["-c", "import redis"], "pip install redis"),
    ];
    for (program, args, install) in peers {
        let works = Command::new(program)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        ensure!(works, "`{program} {}` fails, and the benchmarks need it; to install it: {install}", args.join(" "));
    }
    Ok(())
}
