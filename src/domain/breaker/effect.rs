//! How a breaker changes: resolved tokens, times and totals only.

use crate::domain::breaker::encoding::{
    read_config, read_config_without_quorum, read_count, read_force, read_instance, read_level, read_slice,
    write_config, write_force, write_instance, write_slice,
};
use crate::domain::breaker::state::breaker::ForcedState;
use crate::domain::breaker::state::call_window::WindowSlice;
use crate::domain::breaker::state::config::BreakerConfig;
use crate::domain::breaker::state::instances::Instance;
use crate::domain::codec::ranges::{read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::value;

/// A change of a [`Breaker`](crate::domain::breaker::Breaker). All spans are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The newest slice of the window with its new totals, and the instance where a quorum counts
    /// it.
    Count {
        slice: WindowSlice,
        instance: Option<Instance>,
    },
    Open {
        counted: Option<WindowSlice>,
        instance: Option<Instance>,
        since: UnixMs,
        span: u64,
        level: u32,
    },
    /// A probe is sent, in the place of one whose lease ran out if need be.
    Probe {
        token: u64,
        since: UnixMs,
        lease: u64,
        instead_of: Option<u64>,
    },
    /// A probe has succeeded; the totals of this round with it.
    ProbeSucceeded {
        token: u64,
        ok: u64,
        slow: u64,
    },
    Close {
        generation: u64,
        since: UnixMs,
    },
    Reset {
        generation: u64,
        since: UnixMs,
    },
    /// The generation is that of a breaker forced closed or disabled.
    Force {
        what: ForcedState,
        generation: u64,
        since: UnixMs,
        span: Option<u64>,
    },
    EndForce,
    Configure(BreakerConfig),
    /// The clock has stepped back to here.
    Rebase {
        now: UnixMs,
    },
}

/// First byte of the encoded form.
/// The forms before there was a quorum.
const COUNT_ALONE: u8 = 1;
const OPEN_ALONE: u8 = 2;
const CONFIGURE_WITHOUT_QUORUM: u8 = 9;
const PROBE: u8 = 3;
const PROBE_SUCCEEDED: u8 = 4;
const CLOSE: u8 = 5;
const RESET: u8 = 6;
const FORCE: u8 = 7;
const END_FORCE: u8 = 8;
const REBASE: u8 = 10;
const COUNT: u8 = 11;
const OPEN: u8 = 12;
const CONFIGURE: u8 = 13;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            Effect::Count { slice, instance } => {
                w.kind(COUNT);
                write_slice(&mut w, slice);
                w.option(instance.as_ref(), write_instance);
            }
            Effect::Open { counted, instance, since, span, level } => {
                w.kind(OPEN);
                w.option(counted.as_ref(), write_slice);
                w.option(instance.as_ref(), write_instance);
                w.int(*since);
                w.int(*span);
                w.int(u64::from(*level));
            }
            Effect::Probe { token, since, lease, instead_of } => {
                w.kind(PROBE);
                w.int(*token);
                w.int(*since);
                w.int(*lease);
                w.option(*instead_of, Writer::int);
            }
            Effect::ProbeSucceeded { token, ok, slow } => {
                w.kind(PROBE_SUCCEEDED);
                w.int(*token);
                w.int(*ok);
                w.int(*slow);
            }
            Effect::Close { generation, since } | Effect::Reset { generation, since } => {
                w.kind(if matches!(self, Effect::Close { .. }) { CLOSE } else { RESET });
                w.int(*generation);
                w.int(*since);
            }
            Effect::Force { what, generation, since, span } => {
                w.kind(FORCE);
                write_force(&mut w, *what);
                w.int(*generation);
                w.int(*since);
                w.option(*span, Writer::int);
            }
            Effect::EndForce => w.kind(END_FORCE),
            Effect::Configure(config) => {
                w.kind(CONFIGURE);
                write_config(&mut w, *config);
            }
            Effect::Rebase { now } => {
                w.kind(REBASE);
                w.int(*now);
            }
        }
        w.finish()
    }

    fn read(r: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        if payload.is_some() {
            return Err(Corrupt);
        }
        let effect = match r.kind()? {
            COUNT_ALONE => Effect::Count { slice: read_slice(r)?, instance: None },
            COUNT => Effect::Count { slice: read_slice(r)?, instance: r.option(read_instance)? },
            kind @ (OPEN_ALONE | OPEN) => Effect::Open {
                counted: r.option(read_slice)?,
                instance: if kind == OPEN { r.option(read_instance)? } else { None },
                since: read_time(r)?,
                span: read_span(r)?,
                level: read_level(r)?,
            },
            PROBE => Effect::Probe {
                token: read_token(r)?,
                since: read_time(r)?,
                lease: read_span(r)?,
                instead_of: r.option(read_token)?,
            },
            PROBE_SUCCEEDED => {
                let token = read_token(r)?;
                let (ok, slow) = (read_count(r)?, read_count(r)?);
                Effect::ProbeSucceeded { token, ok, slow }
            }
            CLOSE => Effect::Close { generation: read_token(r)?, since: read_time(r)? },
            RESET => Effect::Reset { generation: read_token(r)?, since: read_time(r)? },
            FORCE => Effect::Force {
                what: read_force(r)?,
                generation: read_token(r)?,
                since: read_time(r)?,
                span: r.option(read_span)?,
            },
            END_FORCE => Effect::EndForce,
            CONFIGURE => Effect::Configure(read_config(r)?),
            CONFIGURE_WITHOUT_QUORUM => Effect::Configure(read_config_without_quorum(r)?),
            REBASE => Effect::Rebase { now: read_time(r)? },
            _ => return Err(Corrupt),
        };
        if r.is_empty() { Ok(effect) } else { Err(Corrupt) }
    }

    fn highest_token(&self) -> u64 {
        match self {
            Effect::Probe { token, .. } => *token,
            Effect::Close { generation, .. }
            | Effect::Reset { generation, .. }
            | Effect::Force { generation, .. } => *generation,
            Effect::Count { .. }
            | Effect::Open { .. }
            | Effect::ProbeSucceeded { .. }
            | Effect::EndForce
            | Effect::Configure(_)
            | Effect::Rebase { .. } => 0,
        }
    }
}
