//! Who is told of the pushes that come out of band, when they come (`--show-pushes`, contract section 1).

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use crate::reply::{Frame, OwnedFrame};

/// Who is told of pushes. Whoever reads the connection tells it, so what was written before has to be flushed by then.
#[derive(Clone)]
pub struct PushListener(Arc<dyn Fn(Frame<'_>) + Send + Sync>);

impl PushListener {
    /// Has this called with every push.
    pub fn new(listener: impl Fn(Frame<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub(super) fn tell(&self, push: Frame<'_>) {
        (self.0)(push);
    }
}

/// Pushes that are kept until they can be written.
#[derive(Default)]
pub struct PushQueue(Arc<Mutex<Vec<OwnedFrame>>>);

impl PushQueue {
    /// Who keeps them.
    pub fn listener(&self) -> PushListener {
        let queue = Arc::clone(&self.0);
        PushListener::new(move |push| queue.lock().unwrap_or_else(PoisonError::into_inner).push(push.to_owned()))
    }

    /// Those that came since the last time.
    pub fn take(&self) -> Vec<OwnedFrame> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for PushListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushListener")
    }
}
