//! The binary form of a job that is pushed.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::MAX_AFTER;
use crate::domain::jobq::encoding::fields::{
    read_bytes, read_chosen_id, read_duration, read_name, read_near, read_on_dead, read_priority, read_until,
};
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::new_job::{KeyClaim, NewDependencies, NewJob, NewKey};
use crate::domain::jobq::state::payload::Payload;
use crate::domain::jobq::state::shared_rate::DEFAULT_COST;
use crate::domain::jobq::state::unique_keys::Until;

/// Added to how a job claims its key where the chain of replaced holders follows: effects of
/// earlier builds have none.
const CHAINED: u8 = 4;

/// Writes the job of a push, but for its payload and its cost.
pub(crate) fn write_new(writer: &mut Writer, job: &NewJob) {
    writer.int(job.due);
    writer.option(job.id.as_deref(), Writer::bytes);
    writer.option(job.name.as_deref(), Writer::bytes);
    writer.option(job.meta.as_deref(), Writer::bytes);
    writer.int(job.retries.into());
    writer.option(job.backoff.as_deref(), |writer, backoff| backoff.write(writer));
    writer.int(job.lease);
    writer.signed(job.priority.into());
    writer.bool(job.lifo);
    writer.option(job.group.as_deref(), Writer::bytes);
    writer.int(job.expire);
    writer.option(job.keep, Writer::int);
    writer.option(job.unique.as_ref(), write_key);
    writer.option(job.dependencies.as_ref(), write_dependencies);
}

/// Reads the job of a push; its payload is left empty, and its cost is the usual one.
pub(crate) fn read_new(reader: &mut Reader<'_>) -> Result<NewJob, Corrupt> {
    Ok(NewJob {
        payload: Payload::default(),
        due: read_near(reader)?,
        id: reader.option(read_chosen_id)?,
        name: reader.option(read_bytes)?,
        meta: reader.option(read_bytes)?,
        retries: reader.narrow()?,
        backoff: reader.option(|reader| Backoff::read(reader).map(Box::new))?,
        lease: read_duration(reader)?,
        priority: read_priority(reader)?,
        lifo: reader.bool()?,
        group: reader.option(read_name)?,
        cost: DEFAULT_COST,
        expire: read_duration(reader)?,
        keep: reader.option(read_duration)?,
        unique: reader.option(read_key)?,
        dependencies: reader.option(read_dependencies)?,
    })
}

pub(crate) fn write_dependencies(writer: &mut Writer, dependencies: &NewDependencies) {
    writer.byte(dependencies.on_dead as u8);
    writer.option(dependencies.dependency_error.as_deref(), Writer::bytes);
    writer.int(dependencies.after.len() as u64);
    dependencies.after.iter().for_each(|&root| writer.int(root));
}

pub(crate) fn read_dependencies(reader: &mut Reader<'_>) -> Result<NewDependencies, Corrupt> {
    let (on_dead, dependency_error) = (read_on_dead(reader)?, reader.option(read_bytes)?);
    let count = reader.count(1)?;
    if count > MAX_AFTER {
        return Err(Corrupt);
    }
    Ok(NewDependencies {
        after: (0..count).map(|_| read_near(reader)).collect::<Result<_, _>>()?,
        on_dead,
        dependency_error,
    })
}

fn write_key(writer: &mut Writer, unique: &NewKey) {
    writer.bytes(&unique.key);
    writer.byte(unique.until as u8);
    writer.int(unique.window);
    match unique.claim {
        KeyClaim::Free => writer.byte(CHAINED),
        KeyClaim::Wait => writer.byte(CHAINED + 1),
        KeyClaim::Dead => writer.byte(CHAINED + 3),
        KeyClaim::Replace(serial) => {
            writer.byte(CHAINED + 2);
            writer.int(serial);
        }
    }
    writer.bool(unique.cancels);
    writer.int(unique.since);
}

fn read_key(reader: &mut Reader<'_>) -> Result<NewKey, Corrupt> {
    let (key, until, window) = (read_bytes(reader)?, read_until(reader)?, read_duration(reader)?);
    let code = reader.byte()?;
    let claim = match code % CHAINED {
        0 => KeyClaim::Free,
        1 => KeyClaim::Wait,
        3 => KeyClaim::Dead,
        _ => KeyClaim::Replace(read_near(reader)?),
    };
    let (cancels, since) = match code / CHAINED {
        0 => (false, 0),
        1 => (reader.bool()?, read_near(reader)?),
        _ => return Err(Corrupt),
    };
    let is_sound = until != Until::Time || window > 0;
    if is_sound { Ok(NewKey { key, until, window, claim, cancels, since }) } else { Err(Corrupt) }
}
