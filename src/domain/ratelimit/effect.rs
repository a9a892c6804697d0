//! An allowed CHECK as it is replicated.

use super::few::Few;
use super::name::Name;
use super::spec::{Kind, Limit, Rule};
use super::{MOST, MOST_LIMITS};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::value;

/// What is taken of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    pub name: Option<Name>,
    pub rule: Rule,
    /// 1 to 10^12.
    pub cost: u64,
}

impl Take {
    pub(super) fn limit(&self) -> Limit<'_> {
        Limit { name: self.name.as_ref().map(Name::as_bytes), rule: self.rule }
    }
}

/// A change of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// An allowed CHECK. Applying takes, and never judges again.
    Taken { now: UnixMs, takes: Few<Take> },
}

/// The first byte tells the change; later ones get the next numbers.
const TAKEN: u8 = 0;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        let Effect::Taken { now, takes } = self;
        writer.byte(TAKEN);
        writer.int(*now);
        writer.int(takes.as_slice().len() as u64);
        for take in takes.as_slice() {
            write_limit(&mut writer, &take.limit());
            writer.int(take.cost);
        }
        writer.finish()
    }

    fn decode(head: &[u8], payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(head);
        if payload.is_some() || reader.byte()? != TAKEN {
            return Err(Corrupt);
        }
        let now = reader.int()?;
        let count = reader.count(4)?;
        if !(1..=MOST_LIMITS).contains(&count) {
            return Err(Corrupt);
        }
        let takes: Few<Take> = (0..count)
            .map(|_| {
                let (name, rule) = read_limit(&mut reader)?;
                let cost = reader.int()?;
                if (1..=MOST).contains(&cost) { Ok(Take { name, rule, cost }) } else { Err(Corrupt) }
            })
            .collect::<Result<_, _>>()?;
        let list = takes.as_slice();
        for (at, take) in list.iter().enumerate() {
            if list[..at].iter().any(|earlier| earlier.limit().same(&take.limit())) {
                return Err(Corrupt);
            }
        }
        reader.end()?;
        Ok(Effect::Taken { now, takes })
    }
}

const NAMED: u8 = 1;
const BUCKET: u8 = 2;

/// Flags, name, count, period, burst; as far as there are any.
pub(super) fn write_limit(writer: &mut Writer, limit: &Limit<'_>) {
    let burst = match limit.rule.kind {
        Kind::Window => None,
        Kind::Bucket { burst } => Some(burst),
    };
    let named = if limit.name.is_some() { NAMED } else { 0 };
    writer.byte(named | if burst.is_some() { BUCKET } else { 0 });
    if let Some(name) = limit.name {
        writer.bytes(name);
    }
    writer.int(limit.rule.count);
    writer.int(limit.rule.period_ms);
    if let Some(burst) = burst {
        writer.int(burst);
    }
}

/// Reads what [`write_limit`] wrote; every part is in its range.
pub(super) fn read_limit(reader: &mut Reader<'_>) -> Result<(Option<Name>, Rule), Corrupt> {
    let flags = reader.byte()?;
    if flags & !(NAMED | BUCKET) != 0 {
        return Err(Corrupt);
    }
    let name = match flags & NAMED {
        0 => None,
        _ => Some(Name::new(reader.bytes()?).ok_or(Corrupt)?),
    };
    let (count, period_ms) = (reader.int()?, reader.int()?);
    let kind = match flags & BUCKET {
        0 => Kind::Window,
        _ => Kind::Bucket { burst: reader.int()? },
    };
    let rule = Rule { count, period_ms, kind };
    if rule.is_sound() { Ok((name, rule)) } else { Err(Corrupt) }
}
