//! The naive model's groups: their own widths, pauses and rates.

use crate::domain::jobq::tests::model::Model;
use crate::domain::jobq::*;
use crate::domain::ratelimit::LimitKind;
use crate::domain::time::UnixMs;
use std::collections::BTreeMap;

/// What groups have of their own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    pub widths: BTreeMap<Vec<u8>, u32>,
    pub pauses: BTreeMap<Vec<u8>, Pause>,
    /// When jobs of the group were begun under `group_rate`.
    starts: BTreeMap<Vec<u8>, Vec<UnixMs>>,
    /// Those that are closed, and when they open by themselves.
    pub closed: BTreeMap<Vec<u8>, Option<UnixMs>>,
}

impl Model {
    /// How many jobs of a group its rate admits, and when it admits one again.
    pub fn group_starts_left(&self, group: &[u8], now: UnixMs) -> (usize, UnixMs) {
        let Some(rule) = self.config.group_rate else { return (usize::MAX, now) };
        assert_eq!(rule.kind, LimitKind::Window, "the model knows no other");
        let starts = self.groups.starts.get(group).into_iter().flatten();
        let counted: Vec<_> = starts.filter(|start| **start + rule.period_ms > now).collect();
        match counted.len().checked_sub(rule.count as usize) {
            Some(over) => (0, *counted[over] + rule.period_ms),
            None => (rule.count as usize - counted.len(), now),
        }
    }

    /// Closes a group or opens it.
    fn judge_group(&mut self, group: &[u8], now: UnixMs) {
        if self.config.group_rate.is_none() {
            self.groups.starts.remove(group);
        }
        self.groups.pauses.retain(|name, pause| name != group || pause.until.is_none_or(|until| now < until));
        let (left, next) = self.group_starts_left(group, now);
        let closed = match self.groups.pauses.get(group) {
            Some(pause) => Some(pause.until),
            None => (left == 0).then_some(Some(next)),
        };
        match closed {
            Some(opens) => _ = self.groups.closed.insert(group.to_vec(), opens),
            None => _ = self.groups.closed.remove(group),
        }
    }

    pub fn begin_in_group(&mut self, group: &[u8], now: UnixMs) {
        if self.config.group_rate.is_some() {
            self.groups.starts.entry(group.to_vec()).or_default().push(now);
            self.judge_group(group, now);
        }
    }

    /// A group whose time has come opens.
    pub fn open_a_group(&mut self, now: UnixMs) -> bool {
        let due = |opens: &Option<UnixMs>| opens.is_some_and(|at| at <= now);
        let found = self.groups.closed.iter().find(|(_, opens)| due(opens)).map(|(group, _)| group.clone());
        if let Some(group) = &found {
            self.judge_group(group, now);
        }
        found.is_some()
    }

    /// `group_rate` has changed.
    pub fn recheck_groups(&mut self, now: UnixMs) {
        let of_rates = self.groups.starts.keys().chain(self.groups.closed.keys());
        let all: Vec<Vec<u8>> = of_rates.cloned().collect();
        all.iter().for_each(|group| self.judge_group(group, now));
    }

    pub fn set_group(&mut self, group: &[u8], concurrency: Option<u32>, now: UnixMs) {
        let now = self.advance(now);
        let before = match concurrency {
            Some(concurrency) => self.groups.widths.insert(group.to_vec(), concurrency),
            None => self.groups.widths.remove(group),
        };
        if before != concurrency {
            self.changed(now);
        }
    }

    /// `None` is to resume.
    pub fn pause_group(&mut self, group: &[u8], pause: Option<(Option<u64>, bool)>, now: UnixMs) {
        let now = self.advance(now);
        let pause = pause.map(|(length, pushes)| Pause { until: length.map(|length| now + length), pushes });
        if self.groups.pauses.get(group).copied() == pause {
            return;
        }
        self.groups.pauses.remove(group);
        self.groups.pauses.extend(pause.map(|pause| (group.to_vec(), pause)));
        self.judge_group(group, now);
        self.changed(now);
    }

    pub fn group_takes_no_pushes(&self, group: Option<&[u8]>) -> bool {
        group.and_then(|group| self.groups.pauses.get(group)).is_some_and(|pause| pause.pushes)
    }
}
