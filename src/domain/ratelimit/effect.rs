//! Changes of a subject in their replicated form.

use crate::domain::codec::ranges::read_token;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::ratelimit::charge::Charge;
use crate::domain::ratelimit::encoding::limit::{read_limit, read_span, write_limit, write_span};
use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::holds::MAX_HOLD_ID_LEN;
use crate::domain::ratelimit::state::leases::MAX_HOLDER_LEN;
use crate::domain::ratelimit::state::lockout::{Lock, LockLevel};
use crate::domain::ratelimit::{MAX_COUNT, MAX_LIMITS};
use crate::domain::time::UnixMs;
use crate::domain::value;

/// A change of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// An allowed CHECK. Applying it charges without deciding again.
    Taken {
        now: UnixMs,
        charges: OneOrMany<Charge>,
        hold: Option<Box<NewHold>>,
    },
    /// LOCK, or a denial with LOCKOUT. The latter also sets the level.
    Locked {
        lock: Lock,
        level: Option<LockLevel>,
    },
    Unlocked,
    /// The new costs of the charges of a hold, in their order.
    Settled {
        now: UnixMs,
        id: Box<[u8]>,
        costs: Vec<u64>,
    },
    Refunded {
        now: UnixMs,
        refunds: OneOrMany<Charge>,
    },
    /// The true cost of what was charged at `at` without a hold: `cost` in the place of each
    /// charge.
    Corrected {
        now: UnixMs,
        at: UnixMs,
        charges: OneOrMany<Charge>,
        cost: u64,
    },
    /// RESET of some limits.
    Reset {
        counters: Vec<CounterKey>,
    },
    /// The clock was set back: what lies in the future moves to `now`.
    Rebased {
        now: UnixMs,
        /// The periods of `now` for the calendar limits that move, in the order of the limits.
        spans: Vec<Span>,
    },
    /// RESET of everything.
    Cleared,
    Acquired {
        now: UnixMs,
        holder: Box<[u8]>,
        until: UnixMs,
        token: u64,
    },
    Released {
        now: UnixMs,
        holder: Box<[u8]>,
    },
}

/// The hold of an allowed CHECK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHold {
    pub id: Box<[u8]>,
    pub until: UnixMs,
    /// With UPTO, the cost in the call.
    pub asked: Option<u64>,
    /// SHADOW allowed a call that a limit denies: the hold opens, and nothing is charged.
    pub is_shadow: bool,
}

/// The key of a counter: the name of a limit, or the rule of an unnamed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CounterKey {
    Named(LimitName),
    Unnamed(Rule),
}

impl CounterKey {
    pub fn matches(&self, limit: &Limit<'_>) -> bool {
        match self {
            CounterKey::Named(name) => limit.name == Some(name.as_bytes()),
            CounterKey::Unnamed(rule) => limit.name.is_none() && limit.rule == *rule,
        }
    }
}

const TAKEN: u8 = 0;
const HELD: u8 = 1;
const LOCKED: u8 = 2;
const UNLOCKED: u8 = 3;
const SETTLED: u8 = 4;
const REFUNDED: u8 = 5;
const RESET: u8 = 6;
const CLEARED: u8 = 7;
const RELEASED: u8 = 9;
const SHADOW_HELD: u8 = 10;
/// The form before there were tokens.
const ACQUIRED_WITHOUT_TOKEN: u8 = 8;
/// Before 0.1.0.
const ACQUIRED_WITH_LONG_TOKEN: u8 = 11;
const ACQUIRED: u8 = 13;
const REBASED: u8 = 12;
const CORRECTED: u8 = 14;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Effect::Taken { now, charges, hold } => {
                writer.byte(match hold {
                    None => TAKEN,
                    Some(hold) => [HELD, SHADOW_HELD][usize::from(hold.is_shadow)],
                });
                writer.int(*now);
                write_charges(&mut writer, charges, true);
                if let Some(hold) = hold {
                    writer.bytes(&hold.id);
                    writer.int(hold.until);
                    writer.option(hold.asked, Writer::int);
                }
            }
            Effect::Locked { lock, level } => {
                writer.byte(LOCKED);
                write_lock(&mut writer, lock);
                writer.option(*level, |writer, level| write_level(writer, &level));
            }
            Effect::Unlocked => writer.byte(UNLOCKED),
            Effect::Settled { now, id, costs } => {
                writer.byte(SETTLED);
                writer.int(*now);
                writer.bytes(id);
                writer.int(costs.len() as u64);
                costs.iter().for_each(|&cost| writer.int(cost));
            }
            Effect::Refunded { now, refunds } => {
                writer.byte(REFUNDED);
                writer.int(*now);
                write_charges(&mut writer, refunds, false);
            }
            Effect::Corrected { now, at, charges, cost } => {
                writer.byte(CORRECTED);
                writer.int(*now);
                writer.int(*at);
                write_charges(&mut writer, charges, true);
                writer.int(*cost);
            }
            Effect::Reset { counters } => {
                writer.byte(RESET);
                writer.int(counters.len() as u64);
                counters.iter().for_each(|counter| write_counter(&mut writer, counter));
            }
            Effect::Rebased { now, spans } => {
                writer.byte(REBASED);
                writer.int(*now);
                writer.int(spans.len() as u64);
                spans.iter().for_each(|&span| write_span(&mut writer, span));
            }
            Effect::Cleared => writer.byte(CLEARED),
            Effect::Acquired { now, holder, until, token } => {
                writer.byte(ACQUIRED);
                writer.int(*now);
                writer.bytes(holder);
                writer.int(*until);
                writer.int(*token);
            }
            Effect::Released { now, holder } => {
                writer.byte(RELEASED);
                writer.int(*now);
                writer.bytes(holder);
            }
        }
        writer.finish()
    }

    fn highest_token(&self) -> u64 {
        match self {
            Effect::Acquired { token, .. } => *token,
            _ => 0,
        }
    }

    fn read(reader: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let change = reader.byte()?;
        if payload.is_some() {
            return Err(Corrupt);
        }
        let effect = match change {
            TAKEN => {
                let (now, charges) = (reader.int()?, read_charges(reader, true, 1)?);
                Effect::Taken { now, charges, hold: None }
            }
            HELD | SHADOW_HELD => {
                let (now, charges) = (reader.int()?, read_charges(reader, true, 0)?);
                let hold = read_hold(reader, change == SHADOW_HELD)?;
                let hold = Some(Box::new(hold));
                Effect::Taken { now, charges, hold }
            }
            LOCKED => {
                let lock = read_lock(reader)?;
                Effect::Locked { lock, level: reader.option(read_level)? }
            }
            UNLOCKED => Effect::Unlocked,
            SETTLED => {
                let (now, id) = (reader.int()?, read_id(reader, MAX_HOLD_ID_LEN)?);
                let count = reader.count(1)?;
                let costs = (0..count).map(|_| read_cost(reader, 0)).collect::<Result<_, _>>()?;
                Effect::Settled { now, id, costs }
            }
            REFUNDED => Effect::Refunded { now: reader.int()?, refunds: read_charges(reader, false, 1)? },
            CORRECTED => {
                let (now, at) = (reader.int()?, reader.int()?);
                let (charges, cost) = (read_charges(reader, true, 0)?, read_cost(reader, 0)?);
                if at > now {
                    return Err(Corrupt);
                }
                Effect::Corrected { now, at, charges, cost }
            }
            RESET => {
                let count = reader.count(1)?;
                let counters = (0..count).map(|_| read_counter(reader)).collect::<Result<_, _>>()?;
                Effect::Reset { counters }
            }
            REBASED => {
                let (now, count) = (reader.int()?, reader.count(2)?);
                let spans = (0..count).map(|_| read_span(reader)).collect::<Result<_, _>>()?;
                Effect::Rebased { now, spans }
            }
            CLEARED => Effect::Cleared,
            ACQUIRED | ACQUIRED_WITH_LONG_TOKEN | ACQUIRED_WITHOUT_TOKEN => {
                if change == ACQUIRED_WITH_LONG_TOKEN {
                    reader.expect_long_tokens();
                }
                let (now, holder) = (reader.int()?, read_id(reader, MAX_HOLDER_LEN)?);
                let until = reader.int()?;
                let token = if change == ACQUIRED_WITHOUT_TOKEN { 1 } else { read_token(reader)? };
                if now > until {
                    return Err(Corrupt);
                }
                Effect::Acquired { now, holder, until, token }
            }
            RELEASED => Effect::Released { now: reader.int()?, holder: read_id(reader, MAX_HOLDER_LEN)? },
            _ => return Err(Corrupt),
        };
        reader.end()?;
        Ok(effect)
    }
}

/// Writes limits and costs; with `spans` also the periods of the charges.
fn write_charges(writer: &mut Writer, charges: &OneOrMany<Charge>, spans: bool) {
    writer.int(charges.as_slice().len() as u64);
    for charge in charges.as_slice() {
        write_limit(writer, &charge.limit());
        if let Some(span) = charge.span.filter(|_| spans) {
            write_span(writer, span);
        }
        writer.int(charge.cost);
    }
}

fn read_charges(reader: &mut Reader<'_>, spans: bool, min_cost: u64) -> Result<OneOrMany<Charge>, Corrupt> {
    let count = reader.count(4)?;
    if !(1..=MAX_LIMITS).contains(&count) {
        return Err(Corrupt);
    }
    let charges: OneOrMany<Charge> = (0..count)
        .map(|_| {
            let (name, rule) = read_limit(reader)?;
            let span = if spans && rule.kind.has_periods() { Some(read_span(reader)?) } else { None };
            Ok(Charge { name, rule, span, cost: read_cost(reader, min_cost)? })
        })
        .collect::<Result<_, _>>()?;
    let list = charges.as_slice();
    let twice =
        |at: usize| list[..at].iter().any(|earlier| earlier.limit().shares_counter(&list[at].limit()));
    if (0..list.len()).any(twice) { Err(Corrupt) } else { Ok(charges) }
}

pub(crate) fn read_cost(reader: &mut Reader<'_>, least: u64) -> Result<u64, Corrupt> {
    reader.int().and_then(|cost| if (least..=MAX_COUNT).contains(&cost) { Ok(cost) } else { Err(Corrupt) })
}

fn read_hold(reader: &mut Reader<'_>, is_shadow: bool) -> Result<NewHold, Corrupt> {
    let id = read_id(reader, MAX_HOLD_ID_LEN)?;
    let until = reader.int()?;
    Ok(NewHold { id, until, asked: reader.option(|reader| read_cost(reader, 1))?, is_shadow })
}

pub(crate) fn read_id(reader: &mut Reader<'_>, longest: usize) -> Result<Box<[u8]>, Corrupt> {
    let id = reader.bytes()?;
    if (1..=longest).contains(&id.len()) { Ok(id.into()) } else { Err(Corrupt) }
}

pub(crate) fn write_lock(writer: &mut Writer, lock: &Lock) {
    writer.int(lock.from);
    writer.int(lock.until - lock.from);
}

pub(crate) fn read_lock(reader: &mut Reader<'_>) -> Result<Lock, Corrupt> {
    let (from, length) = (reader.int()?, reader.int()?);
    Ok(Lock { from, until: from.checked_add(length).ok_or(Corrupt)? })
}

pub(crate) fn write_level(writer: &mut Writer, level: &LockLevel) {
    writer.int(u64::from(level.count));
    writer.int(level.until);
}

pub(crate) fn read_level(reader: &mut Reader<'_>) -> Result<LockLevel, Corrupt> {
    Ok(LockLevel { count: reader.narrow()?, until: reader.int()? })
}

fn write_counter(writer: &mut Writer, counter: &CounterKey) {
    match counter {
        CounterKey::Named(name) => {
            writer.bool(true);
            writer.bytes(name.as_bytes());
        }
        CounterKey::Unnamed(rule) => {
            writer.bool(false);
            write_limit(writer, &Limit { name: None, rule: *rule });
        }
    }
}

fn read_counter(reader: &mut Reader<'_>) -> Result<CounterKey, Corrupt> {
    if reader.bool()? {
        return Ok(CounterKey::Named(LimitName::new(reader.bytes()?).ok_or(Corrupt)?));
    }
    match read_limit(reader)? {
        (None, rule) => Ok(CounterKey::Unnamed(rule)),
        _ => Err(Corrupt),
    }
}
