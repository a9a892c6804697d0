//! The binary form of restrictions. See [`crate::domain::ratelimit::encoding::subject`].

use crate::domain::codec::ranges::read_token;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::ratelimit::MAX_LIMITS;
use crate::domain::ratelimit::effect::{read_cost, read_id, read_level, read_lock, write_level, write_lock};
use crate::domain::ratelimit::encoding::limit::{BLOCK_BYTES, read_limit, write_limit};
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::holds::{Hold, HoldCharge, MAX_HOLD_ID_LEN, MAX_HOLDS};
use crate::domain::ratelimit::state::leases::{Lease, MAX_HOLDER_LEN, MAX_LEASES};
use crate::domain::ratelimit::state::restrictions::Restrictions;

/// Tags, above every first byte of a limit.
const LOCK: u8 = 8;
const LEVEL: u8 = 9;
const HOLD: u8 = 10;
const LEASE: u8 = 11;

/// Writes all restrictions behind the content of the writer. Passes full blocks to `emit`.
pub fn save(restrictions: &Restrictions, writer: &mut Writer, emit: &mut dyn FnMut(&[u8])) {
    if let Some(lock) = &restrictions.lock {
        writer.byte(LOCK);
        write_lock(writer, lock);
    }
    if let Some(level) = &restrictions.level {
        writer.byte(LEVEL);
        write_level(writer, level);
    }
    let mut block = |writer: &mut Writer| {
        if writer.len() >= BLOCK_BYTES {
            emit(&writer.take());
        }
    };
    for hold in restrictions.holds.iter() {
        save_hold(writer, hold);
        block(writer);
    }
    for (holder, lease) in restrictions.leases.iter() {
        writer.byte(LEASE);
        writer.bytes(holder);
        writer.int(lease.end);
        writer.int(lease.at);
        writer.int(lease.token);
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
        writer.int((charge.refundable >> 64) as u64);
        writer.int(charge.refundable as u64);
    }
}

/// Whether a restriction comes next.
pub fn is_next(reader: &Reader<'_>) -> bool {
    reader.clone().byte().is_ok_and(|tag| tag >= LOCK)
}

/// Reads one restriction. They come in the order of [`save`].
pub fn load(restrictions: &mut Restrictions, encoding: u32, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
    let tag = reader.byte()?;
    let (holds, leases) = (!restrictions.holds.is_empty(), !restrictions.leases.is_empty());
    match tag {
        LOCK if restrictions.is_empty() => restrictions.lock = Some(read_lock(reader)?),
        LEVEL if restrictions.level.is_none() && !holds && !leases => {
            restrictions.level = Some(read_level(reader)?)
        }
        HOLD if !leases && restrictions.holds.len() < MAX_HOLDS => {
            let before = restrictions.holds.len();
            restrictions.holds.add(load_hold(reader)?);
            if restrictions.holds.len() == before {
                return Err(Corrupt);
            }
        }
        LEASE if restrictions.leases.len() < MAX_LEASES => {
            let holder = read_id(reader, MAX_HOLDER_LEN)?;
            if restrictions.leases.last_holder().is_some_and(|last| *last >= *holder) {
                return Err(Corrupt);
            }
            restrictions.leases.hold(&holder, load_lease(encoding, reader)?);
        }
        _ => return Err(Corrupt),
    }
    Ok(())
}

/// Encoding 1 had neither times nor tokens; such leases have long ended where files are kept.
fn load_lease(encoding: u32, reader: &mut Reader<'_>) -> Result<Lease, Corrupt> {
    let end = reader.int()?;
    let (at, token) = if encoding > 1 { (reader.int()?, read_token(reader)?) } else { (0, 1) };
    if at > end { Err(Corrupt) } else { Ok(Lease { end, at, token }) }
}

fn load_hold(reader: &mut Reader<'_>) -> Result<Hold, Corrupt> {
    let id = read_id(reader, MAX_HOLD_ID_LEN)?;
    let (at, until, upto) = (reader.int()?, reader.int()?, reader.bool()?);
    let count = reader.count(6)?;
    if count > MAX_LIMITS {
        return Err(Corrupt);
    }
    let charges: OneOrMany<HoldCharge> = (0..count).map(|_| load_charge(reader)).collect::<Result<_, _>>()?;
    let list = charges.as_slice();
    let twice =
        |at: usize| list[..at].iter().any(|earlier| earlier.limit().shares_counter(&list[at].limit()));
    if (0..list.len()).any(twice) { Err(Corrupt) } else { Ok(Hold { id, at, until, upto, charges }) }
}

fn load_charge(reader: &mut Reader<'_>) -> Result<HoldCharge, Corrupt> {
    let (name, rule) = read_limit(reader)?;
    let (asked, taken, cost) = (read_cost(reader, 0)?, read_cost(reader, 0)?, read_cost(reader, 0)?);
    let counted = reader.bool()?;
    let (high, low) = (reader.int()?, reader.int()?);
    // A cost of 10^12 in the units of any bucket takes at most 79 bits.
    if high >> 16 != 0 {
        return Err(Corrupt);
    }
    let refundable = u128::from(high) << 64 | u128::from(low);
    Ok(HoldCharge { name, rule, asked, taken, cost, counted, refundable })
}
