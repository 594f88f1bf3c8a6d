//! Pushes out of band (`--show-pushes`): above the line being typed while there is one, else where replies go.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::exit::{Failure, Outcome, describe_io};
use crate::record::Record;
use crate::render::{Renderer, Style};
use crate::server::{PushListener, Server};

/// How many may wait for the terminal, and how often it is looked after when they are that many.
const WAITING: usize = 4096;
const GLANCE: Duration = Duration::from_millis(2);
/// What is written at once.
const MANY: usize = 32 * 1024;

/// Where pushes go.
pub struct Pushes {
    /// Whether a line is being typed.
    is_typing: Arc<AtomicBool>,
}

impl Pushes {
    /// Who is to be told of them; what is sent to `above` is written above the line being typed.
    pub fn new(style: &Style, above: SyncSender<String>) -> (Self, PushListener) {
        let is_typing = Arc::new(AtomicBool::new(false));
        let (style, typing) = (style.clone(), Arc::clone(&is_typing));
        let (queue, waiting) = sync_channel::<String>(WAITING);
        let at_prompt = Arc::clone(&is_typing);
        thread::spawn(move || {
            while let Ok(mut texts) = waiting.recv() {
                while texts.len() < MANY
                    && let Ok(text) = waiting.try_recv()
                {
                    texts.push_str(&text);
                }
                // Two writers at once would tear each other's lines: what is left waits for the next prompt.
                while !at_prompt.load(Ordering::Relaxed) {
                    thread::sleep(GLANCE);
                }
                if above.send(texts).is_err() {
                    return;
                }
            }
        });
        let listener = PushListener::new(move |push| {
            let mut renderer = Renderer::new(Vec::new(), style.clone());
            // What a terminal that is gone does not take is nobody's loss.
            let _ = renderer.write(&Record::Push(push));
            let mut text = String::from_utf8_lossy(renderer.written()).into_owned();
            // Once the line is typed nobody takes what waits before the next one, and the prompt waits for us.
            while typing.load(Ordering::Relaxed) {
                match queue.try_send(text) {
                    Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                    Err(TrySendError::Full(back)) => text = back,
                }
                thread::sleep(GLANCE);
            }
            let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
        });
        (Self { is_typing }, listener)
    }

    /// Reads a line, and hears what the server says meanwhile. That it has gone is noticed by whoever needs it.
    pub fn hear<T>(&self, server: &mut Server, read: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let failed = |error| Failure::failed(format!("cannot hear pushes: {}", describe_io(&error)));
        let (stopped, stop) = io::pipe().map_err(failed)?;
        self.is_typing.store(true, Ordering::Relaxed);
        thread::scope(|scope| {
            scope.spawn(move || {
                let _ = server.attend(Some(stopped.as_fd()), None);
            });
            let read = read();
            self.is_typing.store(false, Ordering::Relaxed);
            drop(stop);
            read
        })
    }
}
