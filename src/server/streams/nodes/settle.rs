//! What was found is asked for what it has: channels get their homes, nodes that joined or left are told.

use std::sync::Arc;
use std::time::Instant;

use super::super::super::cluster::Cluster;
use super::super::super::session::{Lost, Session};
use super::super::super::stream::ear::Ear;
use super::super::super::stream::source::is_final_code;
use super::super::super::stream::{Event, Heard};
use super::super::super::target::Address;
use super::super::scout::Found;
use super::super::want::{State, Want, What};
use super::{LOOK, Member, Nodes};
use crate::exit::{Failure, Outcome};

impl Nodes {
    /// Asks the nodes that were found for what they have.
    pub(super) fn settle(&mut self, found: Found) -> Outcome<()> {
        if found.nodes.iter().any(|(_, opened)| matches!(opened, Err(Lost::Interrupted(_)))) {
            // A signal cut the search short: it ends the run, or the next search goes on.
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
            let Some(home) = want.home(map) else {
                self.reason = format!("no node serves the slot of {}", want.describe());
                continue;
            };
            let open = self.members.iter_mut().find(|member| member.address == home);
            if let (Some(member), What::Channel(subscription, _)) = (open, &want.what) {
                member.ear.add(subscription.clone());
                member.asked.push(index);
                want.state = State::At(Arc::clone(&member.name));
            } else if let Some(at) = sessions.iter().position(|(address, _)| *address == home) {
                let (address, session) = sessions.remove(at);
                let name: Arc<str> = Arc::from(address.to_string());
                let ear = Ear::new(session, want.source());
                want.state = State::At(Arc::clone(&name));
                self.members.push(Member { address, name, ear, asked: vec![index], gap: None });
            }
        }
        self.tell_missing();
        let wants = &self.wants;
        self.members.retain(|member| wants.iter().any(|want| want.state == State::At(Arc::clone(&member.name))));
        let now = Instant::now();
        self.due = if self.is_short() { Some(now + self.tries.pause()) } else { self.is_monitor.then(|| now + LOOK) };
        Ok(())
    }

    /// Takes note of the nodes that joined or left, where all are followed.
    fn follow_nodes(&mut self, nodes: &[Address]) {
        for want in self.wants.iter_mut().filter(|want| want.state != State::Gone) {
            let What::Commands(address) = &want.what else { continue };
            if !nodes.is_empty() && !nodes.contains(address) {
                let name = Arc::from(address.to_string());
                self.members.retain(|member| member.address != *address);
                (want.state, want.from, want.silent_since) = (State::Gone, None, None);
                self.announced.push_back((name, Heard::Event(Event::Left)));
            }
        }
        for node in nodes {
            let is_it = |want: &&mut Want| matches!(&want.what, What::Commands(address) if address == node);
            match self.wants.iter_mut().find(is_it) {
                Some(want) if want.state == State::Gone => want.state = State::Homeless,
                Some(_) => continue,
                None => self.wants.push(Want::commands(node)),
            }
            self.announced.push_back((Arc::from(node.to_string()), Heard::Event(Event::Joined)));
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
            self.tries.note_loss(false);
            let home = map.and_then(|map| want.home(map));
            let name = home.map_or_else(|| Arc::clone(&self.current), |home| Arc::from(home.to_string()));
            if !told.contains(&name) {
                told.push(Arc::clone(&name));
                self.announced
                    .push_back((name, Heard::Event(Event::Disconnected { reason: self.reason.clone(), retrying })));
            }
        }
    }
}
