//! REDRIVE and PURGE in random histories, by what failed and how.

use super::properties::Play;
use super::random_steps::Failure;
use crate::domain::jobq::*;

/// `kind` is borrowed for as long as the filter is used.
fn filter<'k>(kind: &'k Option<u8>, error: Option<&str>) -> JobFilter<'k> {
    JobFilter {
        kind: kind.as_ref().map(std::slice::from_ref),
        error: error.map(|error| Glob::new(error.as_bytes())),
    }
}

impl Play {
    pub(super) fn redrive(
        &mut self,
        limit: usize,
        done: bool,
        older: u64,
        (kind, error): Failure,
        ids: Option<&[u8]>,
    ) {
        let ids: Option<Vec<_>> = ids.map(|ids| ids.iter().map(std::slice::from_ref).collect());
        let filter = if done { JobFilter::default() } else { filter(&kind, error) };
        let redrive = Redrive { ids: ids.as_deref(), filter, older, done, limit };
        let expected = self.model.redrive(&redrive, self.world.now);
        assert_eq!(self.world.redrive(&redrive), expected);
    }

    pub(super) fn purge(&mut self, state: State, older: u64, (kind, error): Failure, limit: usize) {
        // Those that are ready go group by group, which is another order than that of their age.
        let limit = if state == State::Ready { 10_000 } else { limit };
        let purge = Purge { state, filter: filter(&kind, error), older, limit };
        let expected = self.model.purge(&purge, self.world.now);
        assert_eq!(self.world.purge_by(&purge), expected);
    }
}
