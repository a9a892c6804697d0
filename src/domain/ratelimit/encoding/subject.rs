//! The binary form of a subject.
//!
//! ```text
//! block   := (limit | extra)*                    limits in their order, across blocks too, then extras
//! limit   := flags name? count (period burst? | unit zone anchor) use
//! bucket  := TAT's low bits, high bits, part, time of the last charge or 0
//! window  := n (time cost)*                      the first time absolute, then differences
//!            if named: and retained?
//! period  := start length used
//! extra   := LOCK from length | LEVEL count until | HOLD id at until upto charges | LEASE holder end at token
//! charge  := flags name? … asked taken cost counted refundable
//! ```

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::ratelimit::algorithm::fixed_period::FixedPeriod;
use crate::domain::ratelimit::algorithm::sliding_window::{MAX_SLOTS, RetainedPeriods, SlidingWindow};
use crate::domain::ratelimit::algorithm::token_bucket::TokenBucket;
use crate::domain::ratelimit::encoding::limit::{
    BLOCK_BYTES, read_limit, read_span, write_limit, write_span,
};
use crate::domain::ratelimit::encoding::restrictions;
use crate::domain::ratelimit::limit::rule::LimitKind;
use crate::domain::ratelimit::state::subject::{Subject, SubjectParts};
use crate::domain::ratelimit::state::usage::{LimitUsage, Usage};
use crate::domain::ratelimit::{MAX_LIMITS, UNLIMITED};
use crate::domain::time::LONGEST;

pub(crate) fn save(subject: &Subject, emit: &mut dyn FnMut(&[u8])) {
    let mut writer = Writer::new();
    subject.for_each_limit(|limit, held| {
        write_limit(&mut writer, &limit);
        let named = limit.name.is_some();
        match &held.usage {
            Usage::Bucket(bucket) => {
                writer.int(bucket.low);
                writer.int(u64::from(bucket.high));
                writer.int(bucket.part);
                writer.int(bucket.at);
            }
            Usage::Window(window) => save_window(&mut writer, window, named),
            Usage::Period(period) => {
                write_span(&mut writer, period.span);
                writer.int(period.used);
            }
        }
        if writer.len() >= BLOCK_BYTES {
            emit(&writer.take());
        }
    });
    if let Some(restrictions) = subject.restrictions() {
        restrictions::save(restrictions, &mut writer, emit);
    }
    if !writer.is_empty() {
        emit(&writer.finish());
    }
}

fn save_window(writer: &mut Writer, window: &SlidingWindow, named: bool) {
    writer.int(window.entries().count() as u64);
    let mut last = 0;
    for (time, cost) in window.entries() {
        writer.int(time - last);
        writer.int(cost);
        last = time;
    }
    if named {
        writer.option(window.retained(), |writer, retained| {
            writer.int(retained.before);
            writer.int(retained.current);
            writer.int(retained.until);
        });
    }
}

/// Loads one block in addition to the blocks before it.
pub(crate) fn load(parts: &mut SubjectParts, encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
    let SubjectParts { list, restrictions } = parts;
    let mut reader = Reader::of_block(block, encoding < 3);
    while !reader.is_empty() {
        if restrictions::is_next(&reader) {
            restrictions::load(restrictions, encoding, &mut reader)?;
            continue;
        }
        if !restrictions.is_empty() {
            return Err(Corrupt);
        }
        let (name, rule) = read_limit(&mut reader)?;
        let named = name.is_some();
        let usage = match rule.kind {
            LimitKind::Bucket { .. } => {
                let (low, high) = (reader.int()?, reader.narrow()?);
                let part = reader.int()?;
                let at = if named || encoding > 1 { reader.int()? } else { 0 };
                if part >= rule.count || (high == 0 && at > low) {
                    return Err(Corrupt);
                }
                Usage::Bucket(TokenBucket { low, high, part, at })
            }
            LimitKind::Window => Usage::Window(load_window(&mut reader, named)?),
            LimitKind::Fixed | LimitKind::Calendar(_) => {
                let (span, used) = (read_span(&mut reader)?, reader.int()?);
                if used > UNLIMITED {
                    return Err(Corrupt);
                }
                Usage::Period(FixedPeriod { span, used })
            }
        };
        let held = LimitUsage { name, rule, usage };
        let rises = list.last().is_none_or(|last| last.limit().cmp_key(&held.limit()).is_lt());
        if !rises || list.len() == MAX_LIMITS {
            return Err(Corrupt);
        }
        list.push(held);
    }
    Ok(())
}

fn load_window(reader: &mut Reader<'_>, named: bool) -> Result<SlidingWindow, Corrupt> {
    let count = reader.count(2)?;
    if count > MAX_SLOTS {
        return Err(Corrupt);
    }
    let mut entries = Vec::with_capacity(count);
    let mut time = 0u64;
    for _ in 0..count {
        time = time.checked_add(reader.int()?).ok_or(Corrupt)?;
        entries.push((time, reader.int()?));
    }
    let retained = if named { reader.option(load_retained)? } else { None };
    SlidingWindow::rebuild(entries.into_iter(), retained).ok_or(Corrupt)
}

fn load_retained(reader: &mut Reader<'_>) -> Result<RetainedPeriods, Corrupt> {
    let retained = RetainedPeriods { before: reader.int()?, current: reader.int()?, until: reader.int()? };
    let periods = 1..=LONGEST;
    if periods.contains(&retained.before) && periods.contains(&retained.current) {
        Ok(retained)
    } else {
        Err(Corrupt)
    }
}
