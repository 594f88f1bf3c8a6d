//! Pushes out of band (`--show-pushes`): above the line being typed while there is one, else where replies go.

use std::io;
use std::mem;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{lock, screen};
use crate::exit::{Failure, Outcome};
use crate::memory::Growing;
use crate::net::{PushListener, Server};
use crate::render::{Record, Renderer, Style};
use crate::text::describe_io;

/// How many bytes may wait for the terminal; more stays with the server.
const MANY: usize = 32 * 1024;
/// How often it is looked after whether a line is still being typed.
const GLANCE: Duration = Duration::from_millis(2);

/// Where pushes go.
pub struct Pushes {
    /// Whether a line is being typed.
    is_typing: Arc<AtomicBool>,
}

/// What waits to be written above the line being typed.
#[derive(Default)]
struct Waiting {
    texts: Mutex<String>,
    changed: Condvar,
}

impl Waiting {
    /// Adds a text; gives it back when there is no room yet.
    fn add(&self, text: String) -> Option<String> {
        let texts = lock(&self.texts);
        let is_full = |texts: &mut String| texts.len() >= MANY;
        let waited = self.changed.wait_timeout_while(texts, GLANCE, is_full);
        let (mut texts, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Some(text);
        }
        texts.push_str(&text);
        self.changed.notify_all();
        None
    }

    /// Takes all there is, once there is something.
    fn take(&self) -> String {
        let texts = lock(&self.texts);
        let waited = self.changed.wait_while(texts, |texts| texts.is_empty());
        let taken = mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
        taken
    }
}

impl Pushes {
    /// Who is to be told of them; what is sent to `above` is written above the line being typed.
    pub fn new(style: &Style, above: SyncSender<String>) -> Outcome<(Self, PushListener)> {
        let is_typing = Arc::new(AtomicBool::new(false));
        let (style, typing) = (style.clone(), Arc::clone(&is_typing));
        let waiting = Arc::new(Waiting::default());
        let (at_prompt, from) = (Arc::clone(&is_typing), Arc::clone(&waiting));
        let write = move || {
            loop {
                let texts = from.take();
                // Two writers at once would tear each other's lines: what is left waits for the next prompt.
                while !at_prompt.load(Ordering::Relaxed) {
                    thread::sleep(GLANCE);
                }
                if above.send(texts).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().spawn(write).map_err(|error| cannot_hear(&error))?;
        let listener = PushListener::new(move |push| {
            let mut renderer = Renderer::new(Growing::default(), style.clone());
            // What memory has no room for is not shown.
            if renderer.write(&Record::Push(push)).is_err() {
                return;
            }
            let mut text = String::from_utf8_lossy(renderer.written()).into_owned();
            // Once the line is typed nobody takes what waits before the next one, and the prompt waits for us.
            while typing.load(Ordering::Relaxed) {
                match waiting.add(text) {
                    None => return,
                    Some(back) => text = back,
                }
            }
            let _ = screen::print(text);
        });
        Ok((Self { is_typing }, listener))
    }

    /// Reads a line, and hears what the server says meanwhile. That it has gone is noticed by whoever needs it.
    pub fn hear<T>(&self, server: &mut Server, read: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let (stopped, stop) = io::pipe().map_err(|error| cannot_hear(&error))?;
        self.is_typing.store(true, Ordering::Relaxed);
        thread::scope(|scope| {
            let hear = move || {
                let _ = server.attend(Some(stopped.as_fd()), None);
            };
            // Where no thread can be had they are heard with the next answer.
            let _ = thread::Builder::new().spawn_scoped(scope, hear);
            let read = read();
            self.is_typing.store(false, Ordering::Relaxed);
            drop(stop);
            read
        })
    }
}

fn cannot_hear(error: &io::Error) -> Failure {
    Failure::failed(format!("cannot hear pushes: {}", describe_io(error)))
}
