//! Random histories of a node: no entry is ever removed from its WWIDs file that was there before
//! Proxmox VE added it, none at all while the configuration is being saved, and after undisturbed
//! passes the node is as the configuration says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use pve_multipath::node::maps::InUse;
use pve_multipath::node::plan::{
    Certainty, Cluster, Content, Node, Progress, Reading, Record, Usage, WwidAction, WwidStep, plan,
};
use pve_multipath::{Wwid, config};

/// An event on a node.
#[derive(Clone, Debug)]
enum Event {
    /// A WWID is added to or removed from the cluster's configuration.
    List(usize, bool),
    /// An administrator adds a line, of a form that multipath can read.
    AdminAdds(usize, Form),
    /// An administrator removes every line with a WWID.
    AdminRemoves(usize),
    /// An administrator leaves the file without a line feed at its end.
    AdminForgetsLineFeed,
    /// An administrator completes the last line.
    AdminAddsLineFeed,
    /// A map comes into use, or goes out of use.
    Use(usize, bool),
    /// The record is lost.
    LoseRecord,
    /// The record is cut.
    CutRecord(Index),
    /// A pass, killed before the change with this number if it gets that far; 'multipath' fails
    /// for these.
    Pass(Option<usize>, BTreeSet<usize>),
    /// A pass during which an administrator adds a WWID, before the change with this number.
    RacingPass(usize, usize),
    /// A pass that reads the configuration while it is being saved, up to here; it may be killed.
    EarlyPass(Index, Option<usize>),
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Junk,
    Crlf,
}

const WWIDS: [&str; 3] = ["3600a", "3600b", "3600c"];

/// A node, and the truth about it.
#[derive(Default)]
struct World {
    listed: BTreeSet<usize>,
    file: Vec<u8>,
    record: Option<Vec<u8>>,
    used: BTreeSet<usize>,
    /// WWIDs of which an administrator has put a line into the file that is still there, and that
    /// stood there before a pass of ours had begun to add the same.
    theirs: BTreeSet<usize>,
}

/// The pass was killed.
struct Killed;

/// The changes that a pass makes: it may be killed, or an administrator may come before, any.
struct Changes<'a> {
    /// How far the configuration is saved, if it is just being saved.
    saved: Option<Index>,
    count: usize,
    kill_at: Option<usize>,
    admin: Option<(usize, usize)>,
    fails: &'a BTreeSet<usize>,
}

impl World {
    fn has(&self, index: usize) -> bool {
        let start = format!("/{}/", WWIDS[index]).into_bytes();
        self.file
            .split(|&byte| byte == b'\n')
            .any(|line| line.starts_with(&start))
    }

    fn progress(&self, index: usize) -> Option<Progress> {
        let record = Record::parse(self.record.as_deref()?).ok()?;
        record.wwids.get(WWIDS[index]).copied()
    }

    fn admin_adds(&mut self, index: usize, form: Form) {
        // A line in the place of an entry of ours that vanished, or that a killed pass did not add,
        // cannot be told from ours.
        let in_our_place = matches!(
            self.progress(index),
            Some(Progress::Adding | Progress::Added)
        );
        if self.has(index) || !in_our_place {
            self.theirs.insert(index);
        }
        let end = match form {
            Form::Plain => "\n",
            Form::Junk => " junk\n",
            Form::Crlf => "\r\n",
        };
        if !self.file.is_empty() && !self.file.ends_with(b"\n") {
            self.file.push(b'\n');
        }
        self.file
            .extend_from_slice(format!("/{}/{end}", WWIDS[index]).as_bytes());
    }

    fn admin_removes(&mut self, index: usize) {
        let start = format!("/{}/", WWIDS[index]).into_bytes();
        let kept = self.file.split_inclusive(|&byte| byte == b'\n');
        self.file = kept
            .filter(|line| !line.starts_with(&start))
            .flatten()
            .copied()
            .collect();
        self.theirs.remove(&index);
    }

    /// `multipath -a`: appends, wherever the file ends.
    fn multipath_adds(&mut self, index: usize) {
        if !self.has(index) {
            self.file
                .extend_from_slice(format!("/{}/\n", WWIDS[index]).as_bytes());
        }
    }

    /// `multipath -w`: makes a comment of the first line that is the entry and nothing else.
    fn multipath_removes(&mut self, index: usize) {
        let line = format!("/{}/\n", WWIDS[index]).into_bytes();
        let mut start = 0;
        for present in self.file.clone().split_inclusive(|&byte| byte == b'\n') {
            if present == line {
                self.file[start] = b'#';
                return;
            }
            start += present.len();
        }
    }

    /// Before each change.
    fn change(&mut self, changes: &mut Changes<'_>) -> Result<(), Killed> {
        if changes.kill_at == Some(changes.count) {
            return Err(Killed);
        }
        if let Some((at, index)) = changes.admin {
            // between the last look and 'multipath -a' it is unknown who was first
            if at == changes.count && self.progress(index) != Some(Progress::Adding) {
                self.admin_adds(index, Form::Plain);
            }
        }
        changes.count += 1;
        Ok(())
    }

    fn plan(&self, saved: Option<Index>) -> Vec<WwidStep> {
        let sections = self.listed.iter();
        let sections = sections.map(|index| format!("wwid: {}\n\n", WWIDS[*index]));
        let mut text = sections.collect::<Vec<_>>().concat();
        if let Some(saved) = saved {
            text.truncate(saved.index(text.len() + 1));
        }
        let certainty = match saved {
            None => Certainty::Settled,
            Some(_) => Reading::new(text.as_bytes(), None, 0.0).certainty(),
        };
        let config = config::parse("multipath.cfg", text.as_bytes()).config;
        let used = self
            .used
            .iter()
            .map(|index| Wwid::new(WWIDS[*index]).unwrap());
        let node = Node {
            wwids: Content::Text(&self.file),
            record: match &self.record {
                Some(text) => Content::Text(text),
                None => Content::Absent,
            },
            usage: Usage::Known(InUse {
                open: used.collect(),
                held: BTreeSet::new(),
            }),
            ..Node::default()
        };
        let cluster = Cluster {
            config_is: certainty,
            ..Cluster::settled(&config, b"")
        };
        plan(&cluster, &node).wwids
    }

    fn note(
        &mut self,
        noted: &BTreeMap<usize, Option<Progress>>,
        changes: &mut Changes<'_>,
    ) -> Result<(), Killed> {
        let text = self.record.as_deref();
        let Some(mut record) =
            text.map_or(Some(Record::default()), |text| Record::parse(text).ok())
        else {
            return Ok(());
        };
        for (index, progress) in noted {
            let wwid = Wwid::new(WWIDS[*index]).unwrap();
            match progress {
                Some(progress) => record.wwids.insert(wwid, *progress),
                None => record.wwids.remove(&wwid),
            };
        }
        let text = record.to_text().map(String::into_bytes);
        if text != self.record {
            self.change(changes)?;
            self.record = text;
        }
        Ok(())
    }

    /// What the glue does with a plan.
    fn pass(&mut self, changes: &mut Changes<'_>) -> Result<(), Killed> {
        let steps = self.plan(changes.saved);
        let index = |step: &WwidStep| WWIDS.iter().position(|w| *w == step.wwid.as_str()).unwrap();
        let of = |action: WwidAction| steps.iter().filter(move |step| step.action == action);
        let all = |action, progress| of(action).map(move |step| (index(step), progress));
        let noted: BTreeMap<_, _> = all(WwidAction::Confirm, Some(Progress::Added))
            .chain(all(WwidAction::Drop, None))
            .collect();
        self.note(&noted, changes)?;

        for added in of(WwidAction::Add).map(index) {
            self.note(&[(added, Some(Progress::Adding))].into(), changes)?;
            // another program may have added it first
            let theirs = self.has(added);
            if !theirs {
                self.change(changes)?;
                if !changes.fails.contains(&added) {
                    self.multipath_adds(added);
                }
            }
            let progress = (!theirs && self.has(added)).then_some(Progress::Added);
            self.note(&[(added, progress)].into(), changes)?;
        }
        for removed in of(WwidAction::Remove).map(index) {
            self.change(changes)?;
            if !changes.fails.contains(&removed) {
                self.multipath_removes(removed);
                self.note(&[(removed, None)].into(), changes)?;
            }
        }
        Ok(())
    }

    fn happens(&mut self, event: &Event) {
        let none = BTreeSet::new();
        let undisturbed = Changes {
            saved: None,
            count: 0,
            kill_at: None,
            admin: None,
            fails: &none,
        };
        match event {
            Event::List(index, true) => drop(self.listed.insert(*index)),
            Event::List(index, false) => drop(self.listed.remove(index)),
            Event::AdminAdds(index, form) => self.admin_adds(*index, *form),
            Event::AdminRemoves(index) => self.admin_removes(*index),
            Event::AdminForgetsLineFeed => {
                if self.file.ends_with(b"\n") {
                    self.file.pop();
                }
            }
            Event::AdminAddsLineFeed => {
                if !self.file.is_empty() && !self.file.ends_with(b"\n") {
                    self.file.push(b'\n');
                }
            }
            Event::Use(index, true) => drop(self.used.insert(*index)),
            Event::Use(index, false) => drop(self.used.remove(index)),
            Event::LoseRecord => self.record = None,
            Event::CutRecord(at) => {
                if let Some(record) = &mut self.record {
                    record.truncate(at.index(record.len() + 1));
                }
            }
            Event::Pass(kill_at, fails) => {
                let mut changes = Changes {
                    kill_at: *kill_at,
                    fails,
                    ..undisturbed
                };
                let _ = self.pass(&mut changes);
            }
            Event::RacingPass(at, index) => {
                let mut changes = Changes {
                    admin: Some((*at, *index)),
                    ..undisturbed
                };
                let _ = self.pass(&mut changes);
            }
            Event::EarlyPass(saved, kill_at) => {
                let mut changes = Changes {
                    saved: Some(*saved),
                    kill_at: *kill_at,
                    ..undisturbed
                };
                let _ = self.pass(&mut changes);
            }
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let wwid = 0..WWIDS.len();
    let form = prop_oneof![4 => Just(Form::Plain), 1 => Just(Form::Junk), 1 => Just(Form::Crlf)];
    prop_oneof![
        4 => (wwid.clone(), any::<bool>()).prop_map(|(w, on)| Event::List(w, on)),
        2 => (wwid.clone(), form).prop_map(|(w, form)| Event::AdminAdds(w, form)),
        1 => wwid.clone().prop_map(Event::AdminRemoves),
        1 => Just(Event::AdminForgetsLineFeed),
        1 => Just(Event::AdminAddsLineFeed),
        1 => (wwid.clone(), any::<bool>()).prop_map(|(w, on)| Event::Use(w, on)),
        1 => Just(Event::LoseRecord),
        1 => any::<Index>().prop_map(Event::CutRecord),
        6 => (
            prop::option::of(0..12_usize),
            prop_oneof![
                3 => Just(BTreeSet::new()),
                1 => prop::collection::btree_set(wwid.clone(), 0..2),
            ],
        )
            .prop_map(|(kill_at, fails)| Event::Pass(kill_at, fails)),
        2 => (0..8_usize, wwid).prop_map(|(at, w)| Event::RacingPass(at, w)),
        3 => (any::<Index>(), prop::option::of(0..12_usize))
            .prop_map(|(saved, kill_at)| Event::EarlyPass(saved, kill_at)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 10_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_of_others_is_ever_removed(events in prop::collection::vec(event(), 1..25)) {
        let mut world = World::default();
        for event in &events {
            let before: Vec<_> = (0..WWIDS.len())
                .map(|index| (world.has(index), world.progress(index)))
                .collect();
            world.happens(event);
            if let Event::EarlyPass(..) = event {
                for (index, (was_there, progress)) in before.into_iter().enumerate() {
                    prop_assert!(!was_there || world.has(index), "{} is gone", WWIDS[index]);
                    let is_known = progress.is_none() || world.progress(index).is_some();
                    prop_assert!(is_known || !world.has(index), "{} is unknown", WWIDS[index]);
                }
            }
            for index in &world.theirs {
                prop_assert!(world.has(*index), "{} is gone after {event:?}", WWIDS[*index]);
            }
        }

        // two undisturbed passes at the end, and there is nothing left to do
        world.happens(&Event::AdminAddsLineFeed);
        let first = Event::Pass(None, BTreeSet::new());
        world.happens(&first);
        for index in 0..WWIDS.len() {
            prop_assert!(world.has(index) || !world.listed.contains(&index));
        }
        world.happens(&first);
        let file = world.file.clone();
        let record = world.record.clone();
        world.happens(&first);
        prop_assert_eq!(file, world.file);
        prop_assert_eq!(record, world.record);
    }
}
