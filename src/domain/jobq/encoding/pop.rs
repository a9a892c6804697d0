//! The binary form of a POP.

use crate::domain::codec::ranges::read_token;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::effect::{Change, Grant, Grants, GroupCharge};
use crate::domain::jobq::encoding::fields::{read_bytes, read_near};
use crate::domain::jobq::encoding::shared_rate::{read_rate_charge, write_rate_charge};
use crate::domain::jobq::state::serial::MAX_STORED_TIME;
use crate::domain::value::Effect as _;
use crate::domain::{long_token, ratelimit};
use std::sync::Arc;

/// Before 0.1.0.
pub(crate) const POP_WITH_LONG_TOKENS: u8 = 3;
/// With a batch.
pub(crate) const POP_BATCH: u8 = 28;
pub(crate) const POP: u8 = 29;
/// With the charges of groups, and a batch or none.
pub(crate) const POP_WITH_CHARGES: u8 = 33;
/// With the charge of a subject; the charges of groups, and a batch, or none.
pub(crate) const POP_WITH_RATE: u8 = 40;

/// Writes a [`Change::Pop`].
pub(crate) fn write_pop(writer: &mut Writer, pop: &Change) {
    let Change::Pop { grants, rate, worker, batch, group_rates, charge } = pop else { return };
    if charge.is_some() || !group_rates.is_empty() {
        writer.byte(if charge.is_some() { POP_WITH_RATE } else { POP_WITH_CHARGES });
        if let Some(charge) = charge {
            write_rate_charge(writer, charge);
        }
        writer.option(*batch, Writer::int);
        writer.int(group_rates.len() as u64);
        for GroupCharge { nth, effect } in group_rates {
            writer.int(*nth as u64);
            writer.bytes(&effect.encode());
        }
    } else if let Some(batch) = batch {
        writer.byte(POP_BATCH);
        writer.int(*batch);
    } else {
        writer.byte(POP);
    }
    write_grants(writer, grants);
    writer.option(rate.as_deref(), |writer, rate| writer.bytes(&rate.encode()));
    writer.option(worker.as_deref(), Writer::bytes);
}

/// Reads what follows `code`, one of those above.
pub(crate) fn read_pop(reader: &mut Reader<'_>, code: u8) -> Result<Change, Corrupt> {
    if code == POP_WITH_LONG_TOKENS {
        reader.expect_long_tokens();
    }
    let charge = if code == POP_WITH_RATE { Some(Arc::new(read_rate_charge(reader)?)) } else { None };
    let batch = match code {
        POP_BATCH => Some(read_token(reader)?),
        POP_WITH_CHARGES | POP_WITH_RATE => reader.option(read_token)?,
        _ => None,
    };
    let group_rates = match code {
        POP_WITH_CHARGES | POP_WITH_RATE => read_charges(reader)?,
        _ => Vec::new(),
    };
    // Without any it has another form.
    if code == POP_WITH_CHARGES && group_rates.is_empty() {
        return Err(Corrupt);
    }
    let grants = read_grants(reader)?;
    let rate = reader.option(|reader| ratelimit::Effect::decode(reader.bytes()?, None))?;
    let worker = reader.option(read_bytes)?;
    Ok(Change::Pop { grants, rate: rate.map(Box::new), worker, batch, group_rates, charge })
}

fn read_charges(reader: &mut Reader<'_>) -> Result<Vec<GroupCharge>, Corrupt> {
    let count = reader.count(2)?;
    let charge = |_| {
        let nth = usize::try_from(reader.int()?).map_err(|_| Corrupt)?;
        Ok(GroupCharge { nth, effect: Box::new(ratelimit::Effect::decode(reader.bytes()?, None)?) })
    };
    (0..count).map(charge).collect()
}

/// The token and the deadline of each by how far they are from those before: mostly one, and
/// nothing.
fn write_grants(writer: &mut Writer, grants: &[Grant]) {
    writer.int(grants.len() as u64);
    let (mut token, mut deadline) = (0, 0);
    for grant in grants {
        writer.int(grant.serial);
        write_step(writer, &mut token, grant.token);
        write_step(writer, &mut deadline, grant.deadline);
    }
}

fn read_grants(reader: &mut Reader<'_>) -> Result<Grants, Corrupt> {
    let count = reader.count(3)?;
    let (mut number, mut deadline) = (0, 0);
    let grant = |_| {
        let serial = read_near(reader)?;
        number = read_step(reader, number, long_token::BOUND)?;
        deadline = read_step(reader, deadline, MAX_STORED_TIME)?;
        let token = reader.token(number)?;
        if token > 0 { Ok(Grant { serial, token, deadline }) } else { Err(Corrupt) }
    };
    (0..count).map(grant).collect()
}

fn write_step(writer: &mut Writer, before: &mut u64, value: u64) {
    // Both are below 2^53.
    writer.signed(value as i64 - *before as i64);
    *before = value;
}

fn read_step(reader: &mut Reader<'_>, before: u64, bound: u64) -> Result<u64, Corrupt> {
    let value = before.checked_add_signed(reader.signed()?).ok_or(Corrupt)?;
    if value < bound { Ok(value) } else { Err(Corrupt) }
}
