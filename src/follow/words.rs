//! What happens to what is followed, in words for people.

use std::time::Duration;

use crate::reply::{EntryId, Event, GapReason};
use crate::report::Told;

/// An event in words; none where the end of the run says all of it.
pub(super) fn describe(event: &Event, place: &str) -> Option<Told> {
    let name = |channel: &[u8]| String::from_utf8_lossy(channel).into_owned();
    let lost_after = |gap: Duration| format!("after {:.2} s; what came meanwhile is lost", gap.as_secs_f64());
    let text = match event {
        Event::Disconnected { retrying: false, .. } => return None,
        Event::Disconnected { channel: Some(channel), reason, .. } => {
            format!("{}: not heard at {place}: {reason}; subscribing again", name(channel))
        }
        Event::Disconnected { reason, .. } => format!("{place}: connection lost: {reason}; reconnecting"),
        Event::Reconnected { channel: Some(channel), gap } => {
            format!("{}: subscribed again at {place} {}", name(channel), lost_after(*gap))
        }
        Event::Reconnected { gap, .. } => format!("{place}: reconnected {}", lost_after(*gap)),
        Event::Moved { channel, from, gap } => {
            format!("{}: moved from {from} to {place} {}", name(channel), lost_after(*gap))
        }
        Event::PassedOver { channel, reason } => format!("{place}: {} is passed over: {reason}", name(channel)),
        Event::Refused { reason, .. } => format!("{place}: {reason}"),
        Event::Resumed { gap } => {
            format!("{place}: reconnected after {:.2} s; nothing is left out", gap.as_secs_f64())
        }
        Event::Gap { stream, reason, after, before, lost } => {
            describe_gap(&name(stream), *reason, *after, *before, *lost)
        }
        Event::GroupMade { stream, group, after } => {
            format!("{}: the group {} was gone; made again behind {after}", name(stream), name(group))
        }
        Event::Joined => format!("{place}: joined; heard from now on"),
        Event::Left => format!("{place}: left; not heard any more"),
    };
    Some(match event {
        Event::Disconnected { .. } | Event::PassedOver { .. } | Event::Refused { .. } | Event::Gap { .. } => {
            Told::Failure(text)
        }
        _ => Told::Notice(text),
    })
}

/// A gap in a stream, in words.
fn describe_gap(stream: &str, reason: GapReason, after: EntryId, before: Option<EntryId>, lost: Option<u64>) -> String {
    let newest = before.unwrap_or_default();
    match reason {
        GapReason::Trimmed => {
            let number = match lost {
                Some(1) => "1 entry".to_owned(),
                Some(lost) => format!("{lost} entries"),
                None => "entries".to_owned(),
            };
            let before = before.map(|before| format!(" and before {before}")).unwrap_or_default();
            format!("{stream}: gap: {number} behind {after}{before} were trimmed or deleted before they were read")
        }
        GapReason::BegunAgain => format!(
            "{stream}: gap: it was deleted and has begun again with lower ids: {after} was read last, {newest} is its last \
             one; read from its beginning"
        ),
        GapReason::SetBack => format!(
            "{stream}: gap: the server has lost its newest entries: {after} was read last, {newest} is its last one; read on \
             from there"
        ),
    }
}
