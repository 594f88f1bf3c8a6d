//! What happens to the connections of a stream, as `--events` tells it (contract section 8).

use std::time::Duration;

/// What happens to the connection of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It is lost.
    Disconnected {
        /// The one channel that is not heard any more, where the connection is still there.
        channel: Option<Vec<u8>>,
        /// Why.
        reason: String,
        /// Whether it will be tried again.
        retrying: bool,
    },
    /// Everything is subscribed again.
    Reconnected {
        /// The one channel that was not heard.
        channel: Option<Vec<u8>>,
        /// For how long nothing was heard: what was published then is lost.
        gap: Duration,
    },
    /// A shard channel is heard from another node of the cluster.
    Moved {
        /// Which.
        channel: Vec<u8>,
        /// The node it was heard from before.
        from: String,
        /// For how long it was not heard: what was published then is lost.
        gap: Duration,
    },
    /// A channel is not listened to any more: it belongs to another node than the one that was asked for.
    PassedOver {
        /// Which.
        channel: Vec<u8>,
        /// The server's words.
        reason: String,
    },
    /// What was asked for while the stream ran is refused: nothing has changed.
    Refused {
        /// The channel or pattern, where it is one.
        channel: Option<Vec<u8>>,
        /// The command, and the server's words.
        reason: String,
    },
    /// A node that joined the cluster, or its primaries, is heard too.
    Joined,
    /// A node that left them is not heard any more.
    Left,
}

impl Event {
    /// What it is called in lines and for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disconnected { .. } => "disconnected",
            Self::Reconnected { .. } => "reconnected",
            Self::Moved { .. } => "moved",
            Self::PassedOver { .. } => "passed_over",
            Self::Refused { .. } => "refused",
            Self::Joined => "joined",
            Self::Left => "left",
        }
    }
}
