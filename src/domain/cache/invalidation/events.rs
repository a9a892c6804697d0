//! The log of CACHE.EVENTS: invalidated tags and prefixes, for processes that keep copies of
//! values.
//!
//! The number of an event is a token: it is above the number of every earlier event, in this run of
//! the server and in those before it, and the same on a primary and its replicas. The log itself is
//! neither replicated nor saved.

use crate::domain::cache::invalidation::log::Scope;
use crate::domain::time::UnixMs;
use std::cell::Cell;
use std::collections::VecDeque;

/// Events that a server keeps.
pub const MAX_EVENTS: usize = 10_000;
/// Bytes of the names in these events.
const MAX_NAME_BYTES: usize = 1024 * 1024;

/// One invalidated tag or prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationEvent {
    pub seq: u64,
    pub at: UnixMs,
    pub scope: Scope,
    pub name: Box<[u8]>,
    pub hard: bool,
}

/// The newest events, oldest first.
#[derive(Debug, Default, Clone)]
pub struct InvalidationEvents {
    kept: VecDeque<InvalidationEvent>,
    name_bytes: usize,
    /// Events up to this number may have happened and are not kept. `None` until the log is first
    /// used.
    start: Cell<Option<u64>>,
}

impl InvalidationEvents {
    /// Adds the newest event and drops the oldest ones above the limits.
    pub(crate) fn record(&mut self, event: InvalidationEvent) {
        let newest = self.start.get().max(self.kept.back().map(|event| event.seq));
        if newest.is_none_or(|newest| newest >= event.seq) {
            // The first event, or an event of another history: the kept events do not lead up to
            // it.
            self.kept.clear();
            self.name_bytes = 0;
            self.start.set(Some(event.seq - 1));
        }
        self.name_bytes += event.name.len();
        self.kept.push_back(event);
        while self.kept.len() > MAX_EVENTS || self.name_bytes > MAX_NAME_BYTES {
            let Some(dropped) = self.kept.pop_front() else { return };
            self.name_bytes -= dropped.name.len();
            self.start.set(Some(dropped.seq));
        }
    }

    /// Forgets all events, since a load has replaced the values. `next_token` is the token that
    /// would be granted now.
    pub fn forget(&self, next_token: u64) {
        self.start.set(Some(next_token.saturating_sub(1)));
    }

    /// Returns up to `count` events after number `since`.
    ///
    /// Where events after `since` may be missing (they were dropped, the server was restarted, or
    /// `since` is another server's number), the first one invalidates everything: the empty prefix,
    /// hard. `next_token` gives the token that would be granted now; it is called once in the life
    /// of a log.
    pub fn after(
        &self,
        since: u64,
        count: usize,
        now: UnixMs,
        next_token: impl FnOnce() -> u64,
    ) -> Vec<InvalidationEvent> {
        let start = self.start.get().unwrap_or_else(|| next_token().saturating_sub(1));
        self.start.set(Some(start));
        let newest = self.kept.back().map_or(start, |event| event.seq.max(start));
        let is_complete = (start..=newest).contains(&since);
        let gap = (!is_complete).then(|| InvalidationEvent {
            seq: start,
            at: now,
            scope: Scope::Prefix,
            name: Box::default(),
            hard: true,
        });
        let since = if is_complete { since } else { start };
        let first = self.kept.partition_point(|event| event.seq <= since);
        gap.into_iter().chain(self.kept.iter().skip(first).cloned()).take(count).collect()
    }
}

#[cfg(test)]
#[path = "../tests/invalidation_events.rs"]
mod tests;
