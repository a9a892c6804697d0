//! A naive model of an entry: a value with its two ends, and the last lease.

use crate::domain::cache::*;
use crate::domain::time::UnixMs;

#[derive(Debug, Clone, Default)]
pub(crate) struct ModelEntry {
    pub value: Option<ModelValue>,
    pub lease: Option<ModelLease>,
}

#[derive(Debug, Clone)]
pub(crate) struct ModelValue {
    /// Nothing where absence was stored.
    pub bytes: Option<Vec<u8>>,
    /// The lease's token that it came with, if any.
    by: Option<u64>,
    fresh_until: Option<UnixMs>,
    grace: u64,
    /// How long its load took; 0 when not known.
    load: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct ModelLease {
    token: u64,
    at: UnixMs,
    span: u64,
    released: bool,
}

/// State, value and ms of a reply.
pub(crate) type ModelAnswer = (State, Option<Vec<u8>>, i64);

impl ModelEntry {
    fn lease_left(&self, now: UnixMs) -> u64 {
        self.lease.as_ref().map_or(0, |lease| lease.span.saturating_sub(now.saturating_sub(lease.at)))
    }

    /// What may still be served, and whether it is fresh.
    fn served(&self, now: UnixMs) -> Option<(&ModelValue, bool)> {
        let value = self.value.as_ref()?;
        let fresh = value.fresh_until.is_none_or(|end| now < end);
        let gone = value.fresh_until.is_some_and(|end| now >= end + value.grace);
        (!gone).then_some((value, fresh))
    }

    pub fn fresh(&self, now: UnixMs) -> Option<&ModelValue> {
        self.served(now).filter(|(_, fresh)| *fresh).map(|(value, _)| value)
    }

    pub fn ended(&self, now: UnixMs) -> bool {
        let times = |lease: &ModelLease| if lease.released { 1 } else { 2 };
        let remembered = |lease: &ModelLease| now < lease.at + (times(lease) * lease.span).max(60_000);
        self.served(now).is_none() && !self.lease.as_ref().is_some_and(remembered)
    }

    /// What a GETSET must answer.
    pub fn getset(&self, request: &GetSetRequest, now: UnixMs) -> ModelAnswer {
        let (held, lease) = (self.lease_left(now), request.lease as i64);
        let Some((value, fresh)) = self.served(now) else {
            return if held > 0 { (State::Busy, None, held as i64) } else { (State::Fill, None, lease) };
        };
        let bytes = value.bytes.clone();
        let left = value.fresh_until.map(|end| end.saturating_sub(now));
        let ms = left.map_or(-1, |left| left as i64);
        let elected =
            |early: EarlyRefreshDraw| held == 0 && left.is_some_and(|left| early.elects(value.load, left));
        match (fresh, request.touch) {
            (true, _) if bytes.is_none() => (State::Absent, None, ms),
            (true, Some(touch)) => (State::Hit, bytes, touch as i64),
            (true, None) if request.early.is_some_and(elected) => (State::EarlyRefresh, bytes, lease),
            (true, None) => (State::Hit, bytes, ms),
            (false, _) if held > 0 => {
                (State::Stale, bytes, (value.fresh_until.unwrap() + value.grace - now) as i64)
            }
            (false, _) => (State::Refresh, bytes, lease),
        }
    }

    /// A lease was granted; what could not be served is forgotten.
    pub fn granted(&mut self, state: State, token: u64, span: u64, now: UnixMs) {
        self.lease = Some(ModelLease { token, at: now, span, released: false });
        if state == State::Fill {
            self.value = None;
        }
    }

    pub fn touched(&mut self, until: UnixMs) {
        if let Some(value) = &mut self.value {
            (value.fresh_until, value.load) = (Some(until), 0);
        }
    }

    /// Whether a SET must be answered 1, and whether it must store.
    pub fn may_set(&self, token: Option<u64>, bytes: Option<&[u8]>) -> (bool, bool) {
        let Some(token) = token else { return (true, true) };
        let came_with = self.value.as_ref().filter(|value| value.by == Some(token));
        match &self.lease {
            Some(lease) if lease.token == token => (!lease.released, !lease.released),
            Some(_) => (came_with.is_some_and(|value| value.bytes.as_deref() == bytes), false),
            None => (came_with.is_some(), came_with.is_some()),
        }
    }

    pub fn set(&mut self, set: &SetRequest<'_>, now: UnixMs) {
        let load = match (&self.lease, &self.value) {
            (Some(lease), _) if Some(lease.token) == set.token => now.saturating_sub(lease.at),
            (_, Some(value)) if value.by.is_some() && value.by == set.token => value.load,
            _ => 0,
        };
        // Absence lasts a minute unless told otherwise, and is never stale.
        let (ttl, grace) = match set.value {
            Some(_) => (set.ttl, set.grace.unwrap_or(0)),
            None => (set.ttl.or(Some(60_000)), 0),
        };
        let (bytes, fresh_until) = (set.value.map(<[u8]>::to_vec), ttl.map(|ttl| now + ttl));
        self.value = Some(ModelValue { bytes, by: set.token, fresh_until, grace, load });
        self.lease = None;
    }

    /// Whether a RELEASE must be answered OK.
    pub fn release(&mut self, token: u64, delay: u64, now: UnixMs) -> bool {
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.token == token) else { return false };
        if !lease.released {
            *lease = ModelLease { token, at: now, span: delay, released: true };
        }
        true
    }

    /// Whether an EXPIRE must find something.
    pub fn expire(&mut self, now: UnixMs) -> bool {
        let found = !self.ended(now) && (self.value.is_some() || self.lease.is_some());
        self.lease = None;
        self.value = self.value.take().filter(|value| value.grace > 0).map(|value| ModelValue {
            fresh_until: Some(value.fresh_until.map_or(now, |end| end.min(now))),
            // Its token is worth nothing any more.
            by: None,
            ..value
        });
        found
    }
}
