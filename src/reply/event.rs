//! What happens to the connections of a stream, as `--events` tells it (contract section 8).

use std::time::Duration;

use super::entries::EntryId;

/// What happens to the connection of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Disconnected {
        /// The one channel that is not heard any more, where the connection is still there.
        channel: Option<Vec<u8>>,
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
        channel: Vec<u8>,
        /// The node it was heard from before.
        from: String,
        /// For how long it was not heard: what was published then is lost.
        gap: Duration,
    },
    /// A channel is not listened to any more: it belongs to another node than the one that was asked for.
    PassedOver {
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
    /// Entries of streams are read again, and none is left out.
    Resumed {
        /// For how long there was no connection.
        gap: Duration,
    },
    /// Entries of a stream are not there any more, or it has begun again.
    Gap {
        stream: Vec<u8>,
        reason: GapReason,
        /// The last entry before the gap.
        after: EntryId,
        /// The first entry behind it, or the stream's last one where it has begun again; none where there is none.
        before: Option<EntryId>,
        /// How many entries are gone, where the server tells that.
        lost: Option<u64>,
    },
    /// The group of a stream was gone, and is made again.
    GroupMade {
        stream: Vec<u8>,
        group: Vec<u8>,
        /// What comes behind this entry is delivered.
        after: EntryId,
    },
}

/// Why there is a gap in a stream (contract section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// Entries were trimmed or deleted before they were read.
    Trimmed,
    /// The stream was deleted and has begun again with lower ids.
    BegunAgain,
    /// The server does not have the entries any more that were read last.
    SetBack,
}

impl GapReason {
    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trimmed => "trimmed",
            Self::BegunAgain => "begun_again",
            Self::SetBack => "set_back",
        }
    }
}

impl Event {
    /// What it is called in lines and for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disconnected { .. } => "disconnected",
            Self::Reconnected { .. } | Self::Resumed { .. } => "reconnected",
            Self::Gap { .. } => "gap",
            Self::GroupMade { .. } => "group_made",
            Self::Moved { .. } => "moved",
            Self::PassedOver { .. } => "passed_over",
            Self::Refused { .. } => "refused",
            Self::Joined => "joined",
            Self::Left => "left",
        }
    }
}
