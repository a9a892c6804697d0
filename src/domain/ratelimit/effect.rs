//! An allowed CHECK as it is replicated.

use super::calendar::{Calendar, Unit};
use super::few::Few;
use super::name::Name;
use super::period::Span;
use super::rule::{Kind, Rule};
use super::spec::Limit;
use super::{MOST, MOST_LIMITS};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::value;
use crate::domain::zone::Zone;

/// What is taken of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    pub name: Option<Name>,
    pub rule: Rule,
    /// The period it falls into, for the kinds that have periods.
    pub span: Option<Span>,
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
            if let Some(span) = take.span {
                write_span(&mut writer, span);
            }
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
                let span = if rule.kind.has_periods() { Some(read_span(&mut reader)?) } else { None };
                let cost = reader.int()?;
                if (1..=MOST).contains(&cost) { Ok(Take { name, rule, span, cost }) } else { Err(Corrupt) }
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

/// Start and length.
pub(super) fn write_span(writer: &mut Writer, span: Span) {
    writer.int(span.start);
    writer.int(span.end - span.start);
}

pub(super) fn read_span(reader: &mut Reader<'_>) -> Result<Span, Corrupt> {
    let (start, length) = (reader.int()?, reader.int()?);
    let end = start.checked_add(length).filter(|_| length > 0).ok_or(Corrupt)?;
    Ok(Span { start, end })
}

/// The first byte of a limit: whether it is named, and its kind in the bits above.
const NAMED: u8 = 1;
const WINDOW: u8 = 0;
const BUCKET: u8 = 1;
const FIXED: u8 = 2;
const CALENDAR: u8 = 3;

/// Flags, name, count, and what else the kind has: the period in ms, a bucket's burst; a calendar's unit,
/// zone and anchor.
pub(super) fn write_limit(writer: &mut Writer, limit: &Limit<'_>) {
    let kind = match limit.rule.kind {
        Kind::Window => WINDOW,
        Kind::Bucket { .. } => BUCKET,
        Kind::Fixed => FIXED,
        Kind::Calendar(_) => CALENDAR,
    };
    writer.byte(u8::from(limit.name.is_some()) | kind << 1);
    if let Some(name) = limit.name {
        writer.bytes(name);
    }
    writer.int(limit.rule.count);
    match limit.rule.kind {
        Kind::Window | Kind::Fixed => writer.int(limit.rule.period_ms),
        Kind::Bucket { burst } => {
            writer.int(limit.rule.period_ms);
            writer.int(burst);
        }
        Kind::Calendar(Calendar { unit, zone, anchor }) => {
            writer.byte(unit as u8);
            // By its name: another version of the database numbers its zones otherwise.
            writer.bytes(zone.name().as_bytes());
            writer.byte(anchor);
        }
    }
}

/// Reads what [`write_limit`] wrote; every part is in its range.
pub(super) fn read_limit(reader: &mut Reader<'_>) -> Result<(Option<Name>, Rule), Corrupt> {
    let flags = reader.byte()?;
    let name = match flags & NAMED {
        0 => None,
        _ => Some(Name::new(reader.bytes()?).ok_or(Corrupt)?),
    };
    let count = reader.int()?;
    let rule = match flags >> 1 {
        WINDOW => Rule { count, period_ms: reader.int()?, kind: Kind::Window },
        BUCKET => Rule { count, period_ms: reader.int()?, kind: Kind::Bucket { burst: reader.int()? } },
        FIXED => Rule { count, period_ms: reader.int()?, kind: Kind::Fixed },
        CALENDAR => {
            let unit = *Unit::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?;
            let name = reader.bytes()?;
            let zone = Zone::named(name).filter(|zone| zone.name().as_bytes() == name).ok_or(Corrupt)?;
            let calendar = Calendar { unit, zone, anchor: reader.byte()? };
            Rule { count, period_ms: calendar.longest_ms(), kind: Kind::Calendar(calendar) }
        }
        _ => return Err(Corrupt),
    };
    if rule.is_sound() { Ok((name, rule)) } else { Err(Corrupt) }
}
