//! The binary form of what a subject has beside its limits; see [`crate::domain::ratelimit::encoding::subject`].

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::ratelimit::MOST_LIMITS;
use crate::domain::ratelimit::effect::{read_cost, read_id, read_level, read_lock, write_level, write_lock};
use crate::domain::ratelimit::encoding::limit::{BLOCK, read_limit, write_limit};
use crate::domain::ratelimit::one_or_many::Few;
use crate::domain::ratelimit::state::extras::Extras;
use crate::domain::ratelimit::state::holds::{Charge, Hold, LONGEST_ID, MOST_HOLDS};
use crate::domain::ratelimit::state::leases::{LONGEST_HOLDER, MOST_LEASES};

/// Above every first byte of a limit.
const LOCK: u8 = 8;
const LEVEL: u8 = 9;
const HOLD: u8 = 10;
const LEASE: u8 = 11;

/// Adds everything to what the writer holds already; full blocks go to `emit`.
pub fn save(extras: &Extras, writer: &mut Writer, emit: &mut dyn FnMut(&[u8])) {
    if let Some(lock) = &extras.lock {
        writer.byte(LOCK);
        write_lock(writer, lock);
    }
    if let Some(level) = &extras.level {
        writer.byte(LEVEL);
        write_level(writer, level);
    }
    let mut block = |writer: &mut Writer| {
        if writer.len() >= BLOCK {
            emit(&writer.take());
        }
    };
    for hold in extras.holds.iter() {
        save_hold(writer, hold);
        block(writer);
    }
    for (holder, end) in extras.leases.iter() {
        writer.byte(LEASE);
        writer.bytes(holder);
        writer.int(end);
        block(writer);
    }
}

fn save_hold(writer: &mut Writer, hold: &Hold) {
    writer.byte(HOLD);
    writer.bytes(&hold.id);
    writer.int(hold.at);
    writer.int(hold.until);
    writer.bool(hold.upto);
    let charges = hold.charges.as_slice();
    writer.int(charges.len() as u64);
    for charge in charges {
        write_limit(writer, &charge.limit());
        writer.int(charge.asked);
        writer.int(charge.taken);
        writer.int(charge.cost);
        writer.bool(charge.counted);
        writer.int((charge.owed >> 64) as u64);
        writer.int(charge.owed as u64);
    }
}

/// Whether an extra comes next.
pub fn is_next(reader: &Reader<'_>) -> bool {
    reader.clone().byte().is_ok_and(|tag| tag >= LOCK)
}

/// Reads one; they come in the order of [`save`].
pub fn load(extras: &mut Extras, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
    let tag = reader.byte()?;
    let (holds, leases) = (!extras.holds.is_empty(), !extras.leases.is_empty());
    match tag {
        LOCK if extras.is_empty() => extras.lock = Some(read_lock(reader)?),
        LEVEL if extras.level.is_none() && !holds && !leases => extras.level = Some(read_level(reader)?),
        HOLD if !leases && extras.holds.len() < MOST_HOLDS => {
            let before = extras.holds.len();
            extras.holds.add(load_hold(reader)?);
            if extras.holds.len() == before {
                return Err(Corrupt);
            }
        }
        LEASE if extras.leases.len() < MOST_LEASES => {
            let holder = read_id(reader, LONGEST_HOLDER)?;
            if extras.leases.last_holder().is_some_and(|last| *last >= *holder) {
                return Err(Corrupt);
            }
            extras.leases.hold(&holder, reader.int()?);
        }
        _ => return Err(Corrupt),
    }
    Ok(())
}

fn load_hold(reader: &mut Reader<'_>) -> Result<Hold, Corrupt> {
    let id = read_id(reader, LONGEST_ID)?;
    let (at, until, upto) = (reader.int()?, reader.int()?, reader.bool()?);
    let count = reader.count(6)?;
    if count > MOST_LIMITS {
        return Err(Corrupt);
    }
    let charges: Few<Charge> = (0..count).map(|_| load_charge(reader)).collect::<Result<_, _>>()?;
    let list = charges.as_slice();
    let twice = |at: usize| list[..at].iter().any(|earlier| earlier.limit().same(&list[at].limit()));
    if (0..list.len()).any(twice) { Err(Corrupt) } else { Ok(Hold { id, at, until, upto, charges }) }
}

fn load_charge(reader: &mut Reader<'_>) -> Result<Charge, Corrupt> {
    let (name, rule) = read_limit(reader)?;
    let (asked, taken, cost) = (read_cost(reader, 1)?, read_cost(reader, 1)?, read_cost(reader, 0)?);
    let counted = reader.bool()?;
    let (high, low) = (reader.int()?, reader.int()?);
    // The most that a cost of 10^12 can be in any bucket's units has 79 bits.
    if high >> 16 != 0 {
        return Err(Corrupt);
    }
    let owed = u128::from(high) << 64 | u128::from(low);
    Ok(Charge { name, rule, asked, taken, cost, counted, owed })
}
