//! The binary form of limits, shared by effects and stored values.

use crate::domain::calendar::time_zone::Zone;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::ratelimit::charge::{ChargedLimit, TakenLimits};
use crate::domain::ratelimit::limit::calendar::{Calendar, CalendarUnit};
use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::ratelimit::{MAX_LIMITS, UNLIMITED};

/// Writes start and length.
pub(crate) fn write_span(writer: &mut Writer, span: Span) {
    writer.int(span.start);
    writer.int(span.end - span.start);
}

pub(crate) fn read_span(reader: &mut Reader<'_>) -> Result<Span, Corrupt> {
    let (start, length) = (reader.int()?, reader.int()?);
    let end = start.checked_add(length).filter(|_| length > 0).ok_or(Corrupt)?;
    Ok(Span { start, end })
}

/// The first byte of a limit. This bit tells whether the limit is named; the bits above tell its
/// kind.
const NAMED: u8 = 1;
const WINDOW: u8 = 0;
const BUCKET: u8 = 1;
const FIXED: u8 = 2;
const CALENDAR: u8 = 3;

/// Writes flags, name, count, and the parts of the kind: the period in ms, the burst of a bucket,
/// the unit, zone and anchor of a calendar.
pub(crate) fn write_limit(writer: &mut Writer, limit: &Limit<'_>) {
    let kind = match limit.rule.kind {
        LimitKind::Window => WINDOW,
        LimitKind::Bucket { .. } => BUCKET,
        LimitKind::Fixed => FIXED,
        LimitKind::Calendar(_) => CALENDAR,
    };
    writer.byte(u8::from(limit.name.is_some()) | kind << 1);
    if let Some(name) = limit.name {
        writer.bytes(name);
    }
    writer.int(limit.rule.count);
    match limit.rule.kind {
        LimitKind::Window | LimitKind::Fixed => writer.int(limit.rule.period_ms),
        LimitKind::Bucket { burst } => {
            writer.int(limit.rule.period_ms);
            writer.int(burst);
        }
        LimitKind::Calendar(Calendar { unit, zone, anchor }) => {
            writer.byte(unit as u8);
            // By its name: versions of the time-zone database number their zones differently.
            writer.bytes(zone.name().as_bytes());
            writer.byte(anchor);
        }
    }
}

/// Reads what [`write_limit`] wrote, and checks the range of every part.
pub(crate) fn read_limit(reader: &mut Reader<'_>) -> Result<(Option<LimitName>, Rule), Corrupt> {
    let flags = reader.byte()?;
    let name = match flags & NAMED {
        0 => None,
        _ => Some(LimitName::new(reader.bytes()?).ok_or(Corrupt)?),
    };
    let count = reader.int().map(|count| if count == OLD_UNLIMITED { UNLIMITED } else { count })?;
    let rule = match flags >> 1 {
        WINDOW => Rule { count, period_ms: reader.int()?, kind: LimitKind::Window },
        BUCKET => Rule { count, period_ms: reader.int()?, kind: LimitKind::Bucket { burst: reader.int()? } },
        FIXED => Rule { count, period_ms: reader.int()?, kind: LimitKind::Fixed },
        CALENDAR => {
            let unit = *CalendarUnit::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?;
            let name = reader.bytes()?;
            let zone = Zone::named(name).filter(|zone| zone.name().as_bytes() == name).ok_or(Corrupt)?;
            let calendar = Calendar { unit, zone, anchor: reader.byte()? };
            Rule { count, period_ms: calendar.longest_ms(), kind: LimitKind::Calendar(calendar) }
        }
        _ => return Err(Corrupt),
    };
    if rule.is_sound() { Ok((name, rule)) } else { Err(Corrupt) }
}

/// The count of `inf` in files of early development builds.
const OLD_UNLIMITED: u64 = (1 << 53) - 1;

/// Writes the limits that a call has charged, without costs.
pub(crate) fn write_taken_limits(writer: &mut Writer, taken: &TakenLimits) {
    writer.int(taken.at);
    writer.int(taken.limits.as_slice().len() as u64);
    for ChargedLimit { name, rule, span } in taken.limits.as_slice() {
        write_limit(writer, &Limit { name: name.as_ref().map(LimitName::as_bytes), rule: *rule });
        if let Some(span) = span {
            write_span(writer, *span);
        }
    }
}

pub(crate) fn read_taken_limits(reader: &mut Reader<'_>) -> Result<TakenLimits, Corrupt> {
    let (at, count) = (reader.int()?, reader.count(3)?);
    if !(1..=MAX_LIMITS).contains(&count) {
        return Err(Corrupt);
    }
    let limit = |_| {
        let (name, rule) = read_limit(reader)?;
        let span = if rule.kind.has_periods() { Some(read_span(reader)?) } else { None };
        Ok(ChargedLimit { name, rule, span })
    };
    Ok(TakenLimits { at, limits: (0..count).map(limit).collect::<Result<_, _>>()? })
}

/// The minimum size at which a block ends. It ends behind the limit that reaches this size.
pub(crate) const BLOCK_BYTES: usize = 64 * 1024;
