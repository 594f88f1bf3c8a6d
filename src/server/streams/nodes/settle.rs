//! What was found is asked for what it has: channels get their homes, nodes that joined or left are told.

use std::sync::Arc;
use std::time::Instant;

use super::super::super::cluster::Cluster;
use super::super::super::session::{Lost, Session};
use super::super::super::stream::ear::Ear;
use super::super::super::stream::source::is_final_code;
use super::super::super::stream::{Event, Source, Told};
use super::super::super::target::Address;
use super::super::scout::{Follow, Found};
use super::super::want::{State, Want, What};
use super::{LOOK, Member, Nodes};
use crate::exit::{Failure, Outcome};

impl Nodes {
    /// Asks the nodes that were found for what they have.
    pub(super) fn settle(&mut self, found: Found) -> Outcome<()> {
        if found.is_cut_short {
            // The signal ends the run, or the next search goes on.
            self.due = Some(Instant::now() + self.tries.pause());
            return Ok(());
        }
        let mut sessions: Vec<(Address, Session)> = Vec::new();
        let mut refused = None;
        for (address, opened) in found.nodes {
            match opened {
                Ok(session) => sessions.push((address, session)),
                Err(Lost::Refused(words)) if words.split([' ', ':']).any(is_final_code) => {
                    return Err(Failure::failed(format!("{words}; not tried again")));
                }
                Err(lost) => {
                    self.reason = lost.reason();
                    refused = matches!(lost, Lost::Refused(_)).then(|| self.reason.clone()).or(refused);
                }
            }
        }
        // What was heard once is tried again; where nothing ever was, nobody wants us.
        let is_start = sessions.is_empty() && self.wants.iter().all(|want| want.from.is_none());
        if let (true, Some(words)) = (is_start, refused) {
            return Err(Failure::failed(words));
        }
        self.follow_nodes(&found.members);
        let Some(map) = self.scout.cluster().map(Cluster::map) else { return Ok(()) };
        for (index, want) in self.wants.iter_mut().enumerate().filter(|(_, want)| want.state == State::Homeless) {
            let Some(home) = want.home(map, self.members.first().map(|member| &member.address)) else {
                self.reason = format!("no node serves the slot of {}", want.describe());
                continue;
            };
            let source = want.source(self.of_nodes.as_ref());
            let open = self.members.iter_mut().find(|member| member.address == home);
            if let (Some(member), Source::Subscriptions(subscriptions)) = (open, &source) {
                for subscription in subscriptions {
                    member.ear.add(subscription.clone());
                    member.asked.push(index);
                }
                want.state = State::At(Arc::clone(&member.name));
            } else if let Some(at) = sessions.iter().position(|(address, _)| *address == home) {
                let (address, session) = sessions.remove(at);
                let name: Arc<str> = Arc::from(address.to_string());
                let asked = vec![index; source.len()];
                want.state = State::At(Arc::clone(&name));
                self.members.push(Member { address, name, ear: Ear::new(session, source), asked, gap: None });
            }
        }
        self.tell_missing();
        let wants = &self.wants;
        self.members.retain(|member| wants.iter().any(|want| want.state == State::At(Arc::clone(&member.name))));
        let now = Instant::now();
        self.due =
            if self.is_short() { Some(now + self.tries.pause()) } else { self.of_nodes.as_ref().map(|_| now + LOOK) };
        Ok(())
    }

    /// Takes note of the nodes that joined or left, where they are followed.
    fn follow_nodes(&mut self, nodes: &[Address]) {
        // Whoever takes over from a primary that was lost has what was not heard since.
        let mut silent_since = None;
        let now = Instant::now();
        for at in 0..self.wants.len() {
            let What::Node(address) = &self.wants[at].what else { continue };
            if self.wants[at].state == State::Gone || nodes.is_empty() || nodes.contains(address) {
                continue;
            }
            let name: Arc<str> = Arc::from(address.to_string());
            self.members.retain(|member| member.address != *address);
            for want in self.wants.iter_mut().filter(|want| want.state == State::At(Arc::clone(&name))) {
                want.lose(now);
            }
            let want = &mut self.wants[at];
            silent_since = silent_since.or(want.silent_since.filter(|_| want.is_told));
            *want = Want { state: State::Gone, ..Want::new(want.what.clone()) };
            self.announced.push_back((name, Told::Event(Event::Left)));
        }
        for node in nodes {
            let is_it = |want: &Want| matches!(&want.what, What::Node(address) if address == node);
            let want = match self.wants.iter().position(is_it) {
                Some(at) if self.wants[at].state == State::Gone => &mut self.wants[at],
                Some(_) => continue,
                None => {
                    self.wants.push(Want::node(node));
                    let Some(want) = self.wants.last_mut() else { continue };
                    want
                }
            };
            want.state = State::Homeless;
            if self.follow == Follow::Primaries {
                want.silent_since = silent_since.take();
                want.is_told = want.silent_since.is_some();
            }
            self.announced.push_back((Arc::from(node.to_string()), Told::Event(Event::Joined)));
        }
    }

    /// Says what could not be had from the start.
    fn tell_missing(&mut self) {
        let now = Instant::now();
        let retrying = self.tries.may_go_on();
        let map = self.scout.cluster().map(Cluster::map);
        let mut told: Vec<Arc<str>> = Vec::new();
        for want in &mut self.wants {
            if want.state != State::Homeless || want.silent_since.is_some() {
                continue;
            }
            want.silent_since = Some(now);
            want.is_told = true;
            self.tries.note_loss(false);
            let home = map.and_then(|map| want.home(map, None));
            let name = home.map_or_else(|| Arc::clone(&self.current), |home| Arc::from(home.to_string()));
            if !told.contains(&name) {
                told.push(Arc::clone(&name));
                self.announced.push_back((
                    name,
                    Told::Event(Event::Disconnected { channel: None, reason: self.reason.clone(), retrying }),
                ));
            }
        }
    }
}
