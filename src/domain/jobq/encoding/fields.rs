//! Fields that effects and saved queues have in common.

use crate::domain::codec::{Corrupt, Reader};
use crate::domain::jobq::state::dependencies::OnDead;
use crate::domain::jobq::state::serial::MAX_STORED_TIME;
use crate::domain::jobq::state::unique_keys::Until;
use crate::domain::jobq::{MAX_CONCURRENCY, MAX_KIND_BYTES, MAX_NAME_BYTES};
use crate::domain::time::LONGEST;

pub(crate) type Bytes = Box<[u8]>;

pub(crate) fn read_bytes(reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    reader.bytes().map(Box::from)
}

pub(crate) fn read_below(bound: u64, reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    reader.int().and_then(|value| if value < bound { Ok(value) } else { Err(Corrupt) })
}

/// A time or a serial.
pub(crate) fn read_near(reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    read_below(MAX_STORED_TIME, reader)
}

/// A duration of the job's own, 0 when it has none.
pub(crate) fn read_duration(reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    read_below(LONGEST + 1, reader)
}

pub(crate) fn read_priority(reader: &mut Reader<'_>) -> Result<i32, Corrupt> {
    i32::try_from(reader.signed()?).map_err(|_| Corrupt)
}

/// An id that a pusher may choose; the others are automatic.
pub(crate) fn read_chosen_id(reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    read_bytes(reader)
        .and_then(|id| if matches!(id.first(), None | Some(b'#')) { Err(Corrupt) } else { Ok(id) })
}

/// The name of a group: 1 to 128 bytes.
pub(crate) fn read_name(reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    read_bytes(reader)
        .and_then(|name| if (1..=MAX_NAME_BYTES).contains(&name.len()) { Ok(name) } else { Err(Corrupt) })
}

/// How many runs of a group may be under way.
pub(crate) fn read_concurrency(reader: &mut Reader<'_>) -> Result<u32, Corrupt> {
    let concurrency = reader.narrow::<u32>()?;
    if (1..=MAX_CONCURRENCY).contains(&concurrency) { Ok(concurrency) } else { Err(Corrupt) }
}

pub(crate) fn read_at_most(most: usize, reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    read_bytes(reader).and_then(|bytes| if bytes.len() <= most { Ok(bytes) } else { Err(Corrupt) })
}

/// The KIND of a failure.
pub(crate) fn read_kind(reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    read_at_most(MAX_KIND_BYTES, reader)
}

pub(crate) fn read_on_dead(reader: &mut Reader<'_>) -> Result<OnDead, Corrupt> {
    OnDead::ALL.get(usize::from(reader.byte()?)).copied().ok_or(Corrupt)
}

pub(crate) fn read_until(reader: &mut Reader<'_>) -> Result<Until, Corrupt> {
    Until::ALL.get(usize::from(reader.byte()?)).copied().ok_or(Corrupt)
}

/// Blocks end after this many bytes.
pub(crate) const BLOCK: usize = 64 * 1024;
