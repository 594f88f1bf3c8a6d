//! Pushes out of band (`--show-pushes`): above the line being typed while there is one, else where replies go.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;

use crate::exit::{Failure, Outcome, describe_io};
use crate::record::Record;
use crate::render::{Renderer, Style};
use crate::server::{PushListener, Server};

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
        let listener = PushListener::new(move |push| {
            let mut renderer = Renderer::new(Vec::new(), style.clone());
            // What a terminal that is gone does not take is nobody's loss.
            let _ = renderer.write(&Record::Push(push));
            if typing.load(Ordering::Relaxed) {
                let _ = above.send(String::from_utf8_lossy(&renderer.into_writer()).into_owned());
            } else {
                let _ = io::stdout().write_all(renderer.written()).and_then(|()| io::stdout().flush());
            }
        });
        (Self { is_typing }, listener)
    }

    /// Reads a line, and hears what the server says meanwhile. That it has gone is noticed by whoever needs it.
    pub fn hear<T>(&self, server: &mut Server, read: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let failed = |error| Failure::failed(format!("cannot hear pushes: {}", describe_io(&error)));
        let (stopped, stop) = io::pipe().map_err(failed)?;
        self.is_typing.store(true, Ordering::Relaxed);
        let read = thread::scope(|scope| {
            scope.spawn(move || {
                let _ = server.attend(Some(stopped.as_fd()), None);
            });
            let read = read();
            drop(stop);
            read
        });
        self.is_typing.store(false, Ordering::Relaxed);
        read
    }
}
