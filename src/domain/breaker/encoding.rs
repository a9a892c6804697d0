//! The binary form of a breaker, and the ranges of its own fields.

use crate::domain::breaker::state::breaker::{Breaker, Force, Forced, Permit, Phase};
use crate::domain::breaker::state::call_window::{COUNT_BOUND, Counts, SLICES, Slice, Window};
use crate::domain::breaker::state::config::{Config, PROBES};
use crate::domain::codec::ranges::{TIME, below, read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::token;

/// Open times stop growing long before this many rounds; see [`crate::domain::breaker::decide::report`].
pub(crate) const TOP_LEVEL: u32 = 64;

pub(crate) fn read_count(r: &mut Reader<'_>) -> Result<u64, Corrupt> {
    below(r, COUNT_BOUND)
}

pub(crate) fn read_level(r: &mut Reader<'_>) -> Result<u32, Corrupt> {
    below(r, u64::from(TOP_LEVEL) + 1).map(|level| level as u32)
}

pub(crate) fn write_slice(w: &mut Writer, slice: &Slice) {
    w.int(slice.index);
    w.int(slice.counts.ok);
    w.int(slice.counts.failed);
    w.int(slice.counts.slow);
}

pub(crate) fn read_slice(r: &mut Reader<'_>) -> Result<Slice, Corrupt> {
    // A slice is at least 50 ms long (see the shortest window), so that its end is a time.
    let index = below(r, TIME / 50)?;
    let counts = Counts { ok: read_count(r)?, failed: read_count(r)?, slow: read_count(r)? };
    if counts.calls() > 0 && counts.slow <= counts.calls() {
        Ok(Slice { index, counts })
    } else {
        Err(Corrupt)
    }
}

pub(crate) fn write_config(w: &mut Writer, mut config: Config) {
    for (number, _) in config.fields() {
        w.int(*number);
    }
}

pub(crate) fn read_config(r: &mut Reader<'_>) -> Result<Config, Corrupt> {
    let mut config = Config::default();
    for (number, (least, most)) in config.fields() {
        *number = r.int()?;
        if !(least..=most).contains(number) {
            return Err(Corrupt);
        }
    }
    Ok(config)
}

pub(crate) fn write_force(w: &mut Writer, what: Force) {
    w.byte(match what {
        Force::Open => 1,
        Force::Closed => 2,
        Force::Disabled => 3,
    });
}

pub(crate) fn read_force(r: &mut Reader<'_>) -> Result<Force, Corrupt> {
    match r.byte()? {
        1 => Ok(Force::Open),
        2 => Ok(Force::Closed),
        3 => Ok(Force::Disabled),
        _ => Err(Corrupt),
    }
}

const CLOSED: u8 = 1;
const OPEN: u8 = 2;
const HALF_OPEN: u8 = 3;

fn write_phase(w: &mut Writer, phase: &Phase) {
    match phase {
        Phase::Closed { generation, since } => {
            w.byte(CLOSED);
            w.int(*generation);
            w.int(*since);
        }
        Phase::Open { since, span } => {
            w.byte(OPEN);
            w.int(*since);
            w.int(*span);
        }
        Phase::HalfOpen { ok, slow, permits } => {
            w.byte(HALF_OPEN);
            w.int(*ok);
            w.int(*slow);
            w.int(permits.len() as u64);
            for permit in permits {
                w.int(permit.token);
                w.int(permit.since);
                w.int(permit.lease);
            }
        }
    }
}

fn read_phase(r: &mut Reader<'_>) -> Result<Phase, Corrupt> {
    match r.byte()? {
        CLOSED => {
            let (generation, since) = (below(r, token::BOUND)?, read_time(r)?);
            Ok(Phase::Closed { generation, since })
        }
        OPEN => Ok(Phase::Open { since: read_time(r)?, span: read_span(r)? }),
        HALF_OPEN => {
            let (ok, slow) = (read_count(r)?, read_count(r)?);
            let count = r.count(3)?;
            if count as u64 > PROBES.1 {
                return Err(Corrupt);
            }
            let mut permits: Vec<Permit> = Vec::with_capacity(count);
            for _ in 0..count {
                let permit = Permit { token: read_token(r)?, since: read_time(r)?, lease: read_span(r)? };
                if permits.last().is_some_and(|last| last.token >= permit.token) {
                    return Err(Corrupt);
                }
                permits.push(permit);
            }
            Ok(Phase::HalfOpen { ok, slow, permits })
        }
        _ => Err(Corrupt),
    }
}

fn read_window(r: &mut Reader<'_>) -> Result<Window, Corrupt> {
    let count = r.count(4)?;
    if count as u64 > SLICES {
        return Err(Corrupt);
    }
    let mut slices: Vec<Slice> = Vec::with_capacity(count);
    for _ in 0..count {
        let slice = read_slice(r)?;
        if slices.last().is_some_and(|last| last.index >= slice.index) {
            return Err(Corrupt);
        }
        slices.push(slice);
    }
    match (slices.first(), slices.last()) {
        (Some(first), Some(last)) if first.index + SLICES <= last.index => Err(Corrupt),
        _ => Ok(Window { slices }),
    }
}

/// The one block of a breaker that holds something.
pub(crate) fn write(breaker: &Breaker) -> Vec<u8> {
    let mut w = Writer::new();
    let config = (breaker.config != Config::default()).then_some(breaker.config);
    w.option(config, write_config);
    write_phase(&mut w, &breaker.phase);
    w.option(breaker.forced, |w, forced| {
        write_force(w, forced.what);
        w.int(forced.since);
        w.option(forced.span, Writer::int);
    });
    w.int(u64::from(breaker.level));
    w.int(breaker.window.slices.len() as u64);
    for slice in &breaker.window.slices {
        write_slice(&mut w, slice);
    }
    w.finish()
}

pub(crate) fn read(block: &[u8]) -> Result<Breaker, Corrupt> {
    let r = &mut Reader::new(block);
    let config = r.option(read_config)?;
    if config == Some(Config::default()) {
        return Err(Corrupt);
    }
    let breaker = Breaker {
        config: config.unwrap_or_default(),
        phase: read_phase(r)?,
        forced: r.option(|r| {
            Ok(Forced { what: read_force(r)?, since: read_time(r)?, span: r.option(read_span)? })
        })?,
        level: read_level(r)?,
        window: read_window(r)?,
    };
    if r.is_empty() && breaker != Breaker::default() { Ok(breaker) } else { Err(Corrupt) }
}
