//! GET: a record as it stands, without claiming it.

use super::fingerprint::Fingerprint;
use super::record::{Phase, Record};
use crate::domain::time::UnixMs;

/// Where the work stands at the time of looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Somebody holds it.
    Claimed,
    /// Released, or its lease ran out: the next claim gets it (after `ms`, when it rests).
    Free,
    Done,
}

/// What GET shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    pub state: State,
    pub result: Option<&'a [u8]>,
    pub meta: Option<&'a [u8]>,
    pub owner: Option<&'a [u8]>,
    pub fingerprint: Option<&'a Fingerprint>,
    pub token: u64,
    pub attempt: u32,
    /// Until the lease or the rest after a release ends, or since completion, in milliseconds.
    pub ms: u64,
    /// Until the record is forgotten, in milliseconds.
    pub ttl: u64,
}

/// `None` when there is no record (any more).
pub fn view(state: Option<&Record>, now: UnixMs) -> Option<View<'_>> {
    let record = Record::alive(state, now)?;
    let mut view = View {
        state: State::Free,
        result: None,
        meta: None,
        owner: None,
        fingerprint: record.fingerprint.as_ref(),
        token: record.token,
        attempt: record.attempt,
        ms: 0,
        ttl: record.expires - now,
    };
    match &record.phase {
        Phase::Done { at, result, meta } => {
            view.state = State::Done;
            view.result = Some(result);
            view.meta = meta.as_deref();
            view.ms = now.saturating_sub(*at);
        }
        Phase::Leased { until, owner } if now < *until => {
            view.state = State::Claimed;
            view.owner = owner.as_deref();
            view.ms = until - now;
        }
        Phase::Released { until } => view.ms = until.saturating_sub(now),
        Phase::Leased { .. } | Phase::Empty => {}
    }
    Some(view)
}
