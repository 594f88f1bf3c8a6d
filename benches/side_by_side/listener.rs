//! Processes that listen to a stream until somebody ends them, and the publisher that feeds them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use wait4::Wait4;

use crate::measure::{Job, Usage, first_line, peak_memory, reap};

/// How long a listener may take for anything before the row is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A started listener that writes to a file; killed when dropped.
pub struct Listener {
    name: String,
    child: Option<Child>,
    complaints: File,
    output: PathBuf,
    began: Instant,
}

impl Listener {
    /// Starts the job with `output` as its standard output.
    pub fn start(job: &Job, output: &Path) -> Result<Self> {
        let began = Instant::now();
        let complaints = tempfile::tempfile()?;
        let stderr = complaints.try_clone()?.into();
        let child = job.clone().stdout(output).spawn(stderr)?;
        Ok(Self { name: job.name(), child: Some(child), complaints, output: output.to_owned(), began })
    }

    /// Stops the process, so that what it should read piles up at the server.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a stopped process go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Waits for something that needs the listener alive.
    pub fn wait_until(&mut self, mut done: impl FnMut(&Self) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let alive = self.is_alive();
            // Asked after the look at the process, so that nothing done at its last moment is missed.
            if done(self)? {
                return Ok(());
            }
            if !alive {
                bail!("{} ended too early: {}", self.name, first_line(&mut self.complaints)?);
            }
            ensure!(Instant::now() < deadline, "{} is not done within {PATIENCE:?}", self.name);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until `last` stands at the end of what it has written.
    pub fn wait_for(&mut self, last: &str) -> Result<()> {
        self.wait_until(|listener| listener.has_written(last))
    }

    /// Whether `last` stands at the end of what it has written.
    pub fn has_written(&self, last: &str) -> Result<bool> {
        Ok(tail(&self.output)?.contains(last))
    }

    /// Ends the process; its CPU time and peak memory so far, and the wall time since `from`.
    pub fn finish(mut self, from: Instant) -> Result<Usage> {
        let wall = from.elapsed();
        let Some(child) = self.child.take() else {
            bail!("the listener has ended before");
        };
        let usage = reap(child, self.began)?;
        Ok(Usage { wall, ..usage })
    }

    /// Waits until the process ends by itself, with status 0; its CPU time and peak memory, and the wall time since
    /// `from`.
    pub fn end(mut self, from: Instant) -> Result<Usage> {
        let deadline = Instant::now() + PATIENCE;
        while self.is_alive() {
            ensure!(Instant::now() < deadline, "{} has not ended within {PATIENCE:?}", self.name);
            std::thread::sleep(Duration::from_millis(1));
        }
        let wall = from.elapsed();
        let Some(mut child) = self.child.take() else {
            bail!("the listener has ended before");
        };
        let end = child.wait4()?;
        let complaint = first_line(&mut self.complaints)?;
        ensure!(end.status.success(), "{} ended with {}: {complaint}", self.name, end.status);
        Ok(Usage { wall, ..Usage::new(self.began, &end) })
    }

    fn is_alive(&self) -> bool {
        self.child.as_ref().is_some_and(|child| peak_memory(child.id()).is_some())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        if let Some(child) = &self.child
            && let Some(pid) = Pid::from_raw(child.id().try_into()?)
        {
            kill_process(pid, signal)?;
        }
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The last bytes of a file.
fn tail(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(300)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A connection that publishes the same message many times, as fast as the server takes it or at a given rate.
pub struct Publisher {
    stream: TcpStream,
    batch: Vec<u8>,
    replies: Vec<u8>,
}

/// Messages in one write.
const BATCH: usize = 500;

impl Publisher {
    /// Connects to the server on `port`; messages go to `channel`.
    pub fn connect(port: u16, channel: &str, message: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let one =
            format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${}\r\n{message}\r\n", channel.len(), message.len());
        Ok(Self {
            stream,
            batch: one.repeat(BATCH).into_bytes(),
            // The number of receivers, one digit: `:1`.
            replies: vec![0; BATCH * 4],
        })
    }

    /// Publishes at least `messages`, in whole batches; how many it were. With `rate`, at most so many a second.
    pub fn publish(&mut self, messages: usize, rate: Option<u32>) -> Result<usize> {
        let began = Instant::now();
        let batches = messages.div_ceil(BATCH);
        for batch in 0..batches {
            if let (Some(rate), Ok(sent)) = (rate, u32::try_from(batch * BATCH)) {
                let due = Duration::from_secs(1) * sent / rate;
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
            self.stream.write_all(&self.batch)?;
            // One batch stays in flight, so that the server always has work.
            if batch > 0 {
                self.stream.read_exact(&mut self.replies)?;
            }
        }
        if batches > 0 {
            self.stream.read_exact(&mut self.replies)?;
        }
        Ok(batches * BATCH)
    }
}
