//! The binary form of a breaker, and the ranges of its own fields.

use crate::domain::breaker::state::breaker::{ActiveForce, Breaker, BreakerPhase, ForcedState, ProbePermit};
use crate::domain::breaker::state::call_window::{
    COUNT_BOUND, CallCounts, CallWindow, SLICES_PER_WINDOW, WindowSlice,
};
use crate::domain::breaker::state::config::{BreakerConfig, PROBES_RANGE};
use crate::domain::breaker::state::instances::{Instance, Instances, MAX_INSTANCE_LEN, MAX_INSTANCES};
use crate::domain::codec::ranges::{TIME, below, read_span, read_time, read_token, read_token_or_zero};
use crate::domain::codec::{Corrupt, Reader, Writer};

/// Open times stop growing long before this many rounds; see
/// [`crate::domain::breaker::decide::report`].
pub(crate) const MAX_LEVEL: u32 = 64;

pub(crate) fn read_count(r: &mut Reader<'_>) -> Result<u64, Corrupt> {
    below(r, COUNT_BOUND)
}

pub(crate) fn read_level(r: &mut Reader<'_>) -> Result<u32, Corrupt> {
    below(r, u64::from(MAX_LEVEL) + 1).map(|level| level as u32)
}

pub(crate) fn write_slice(w: &mut Writer, slice: &WindowSlice) {
    w.int(slice.index);
    w.int(slice.counts.ok);
    w.int(slice.counts.failed);
    w.int(slice.counts.slow);
}

pub(crate) fn read_slice(r: &mut Reader<'_>) -> Result<WindowSlice, Corrupt> {
    // A slice is at least 50 ms long (see the shortest window), so that its end is a time.
    let index = below(r, TIME / 50)?;
    let counts = CallCounts { ok: read_count(r)?, failed: read_count(r)?, slow: read_count(r)? };
    if counts.calls() > 0 && counts.slow <= counts.calls() {
        Ok(WindowSlice { index, counts })
    } else {
        Err(Corrupt)
    }
}

pub(crate) fn write_instance(w: &mut Writer, instance: &Instance) {
    w.bytes(&instance.name);
    w.option(instance.failed_in, Writer::int);
    w.option(instance.slow_in, Writer::int);
}

pub(crate) fn read_instance(r: &mut Reader<'_>) -> Result<Instance, Corrupt> {
    let name = r.bytes()?;
    let read_index = |r: &mut Reader<'_>| below(r, TIME / 50);
    let (failed_in, slow_in) = (r.option(read_index)?, r.option(read_index)?);
    if name.len() > MAX_INSTANCE_LEN || failed_in.max(slow_in).is_none() {
        return Err(Corrupt);
    }
    Ok(Instance { name: Box::from(name), failed_in, slow_in })
}

fn read_instances(r: &mut Reader<'_>) -> Result<Instances, Corrupt> {
    let count = r.count(3)?;
    if count > MAX_INSTANCES {
        return Err(Corrupt);
    }
    let mut instances: Vec<Instance> = Vec::with_capacity(count);
    for _ in 0..count {
        let instance = read_instance(r)?;
        if instances.last().is_some_and(|last| last.name >= instance.name) {
            return Err(Corrupt);
        }
        instances.push(instance);
    }
    Ok(Instances(instances))
}

pub(crate) fn write_config(w: &mut Writer, mut config: BreakerConfig) {
    for (number, _) in config.fields() {
        w.int(*number);
    }
}

pub(crate) fn read_config(r: &mut Reader<'_>) -> Result<BreakerConfig, Corrupt> {
    read_config_fields(r, BreakerConfig::NAMES.len())
}

/// Reads what was written before there was a quorum, the last field.
pub(crate) fn read_config_without_quorum(r: &mut Reader<'_>) -> Result<BreakerConfig, Corrupt> {
    read_config_fields(r, BreakerConfig::NAMES.len() - 1)
}

/// Reads the first `count` fields.
fn read_config_fields(r: &mut Reader<'_>, count: usize) -> Result<BreakerConfig, Corrupt> {
    let mut config = BreakerConfig::default();
    for (number, (least, most)) in config.fields().into_iter().take(count) {
        *number = r.int()?;
        if !(least..=most).contains(number) {
            return Err(Corrupt);
        }
    }
    Ok(config)
}

pub(crate) fn write_force(w: &mut Writer, what: ForcedState) {
    w.byte(match what {
        ForcedState::Open => 1,
        ForcedState::Closed => 2,
        ForcedState::Disabled => 3,
    });
}

pub(crate) fn read_force(r: &mut Reader<'_>) -> Result<ForcedState, Corrupt> {
    match r.byte()? {
        1 => Ok(ForcedState::Open),
        2 => Ok(ForcedState::Closed),
        3 => Ok(ForcedState::Disabled),
        _ => Err(Corrupt),
    }
}

const CLOSED: u8 = 1;
const OPEN: u8 = 2;
const HALF_OPEN: u8 = 3;

fn write_phase(w: &mut Writer, phase: &BreakerPhase) {
    match phase {
        BreakerPhase::Closed { generation, since } => {
            w.byte(CLOSED);
            w.int(*generation);
            w.int(*since);
        }
        BreakerPhase::Open { since, span } => {
            w.byte(OPEN);
            w.int(*since);
            w.int(*span);
        }
        BreakerPhase::HalfOpen { ok, slow, permits } => {
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

fn read_phase(r: &mut Reader<'_>) -> Result<BreakerPhase, Corrupt> {
    match r.byte()? {
        CLOSED => {
            let (generation, since) = (read_token_or_zero(r)?, read_time(r)?);
            Ok(BreakerPhase::Closed { generation, since })
        }
        OPEN => Ok(BreakerPhase::Open { since: read_time(r)?, span: read_span(r)? }),
        HALF_OPEN => {
            let (ok, slow) = (read_count(r)?, read_count(r)?);
            let count = r.count(3)?;
            if count as u64 > PROBES_RANGE.1 {
                return Err(Corrupt);
            }
            let mut permits: Vec<ProbePermit> = Vec::with_capacity(count);
            for _ in 0..count {
                let mut permit =
                    ProbePermit { token: read_token(r)?, since: read_time(r)?, lease: read_span(r)? };
                let above = permits.last().map_or(0, |last| last.token);
                if r.has_long_tokens() {
                    // Several long tokens may have become one.
                    permit.token = permit.token.max(above + 1);
                }
                if permit.token <= above {
                    return Err(Corrupt);
                }
                permits.push(permit);
            }
            Ok(BreakerPhase::HalfOpen { ok, slow, permits })
        }
        _ => Err(Corrupt),
    }
}

fn read_window(r: &mut Reader<'_>) -> Result<CallWindow, Corrupt> {
    let count = r.count(4)?;
    if count as u64 > SLICES_PER_WINDOW {
        return Err(Corrupt);
    }
    let mut slices: Vec<WindowSlice> = Vec::with_capacity(count);
    for _ in 0..count {
        let slice = read_slice(r)?;
        if slices.last().is_some_and(|last| last.index >= slice.index) {
            return Err(Corrupt);
        }
        slices.push(slice);
    }
    match (slices.first(), slices.last()) {
        (Some(first), Some(last)) if first.index + SLICES_PER_WINDOW <= last.index => Err(Corrupt),
        _ => Ok(CallWindow { slices }),
    }
}

/// The one block of a breaker that holds something.
pub(crate) fn write(breaker: &Breaker) -> Vec<u8> {
    let mut w = Writer::new();
    let config = (breaker.config != BreakerConfig::default()).then_some(breaker.config);
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
    w.int(breaker.instances.0.len() as u64);
    for instance in &breaker.instances.0 {
        write_instance(&mut w, instance);
    }
    w.finish()
}

/// Encoding 1 knew neither the quorum nor instances, 3 shortened the tokens.
pub(crate) fn read(encoding: u32, block: &[u8]) -> Result<Breaker, Corrupt> {
    let r = &mut Reader::of_block(block, encoding < 3);
    let config = r.option(if encoding == 1 { read_config_without_quorum } else { read_config })?;
    if config == Some(BreakerConfig::default()) {
        return Err(Corrupt);
    }
    let breaker = Breaker {
        config: config.unwrap_or_default(),
        phase: read_phase(r)?,
        forced: r.option(|r| {
            Ok(ActiveForce { what: read_force(r)?, since: read_time(r)?, span: r.option(read_span)? })
        })?,
        level: read_level(r)?,
        window: read_window(r)?,
        instances: if encoding == 1 { Instances::default() } else { read_instances(r)? },
    };
    if r.is_empty() && breaker != Breaker::default() { Ok(breaker) } else { Err(Corrupt) }
}
