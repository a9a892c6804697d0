//! The binary form of a schedule.

use crate::domain::calendar::cron::MAX_PATTERN_BYTES;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::encoding::fields::{Bytes, read_at_most, read_chosen_id, read_near};
use crate::domain::jobq::encoding::new_job::{read_new, write_new};
use crate::domain::jobq::encoding::shared_rate::read_cost;
use crate::domain::jobq::state::new_job::NewJob;
use crate::domain::jobq::state::schedules::{
    CatchUp, MAX_SCHEDULE_NAME_BYTES, Run, RunBounds, RunProgress, ScheduleEntry, ScheduleSpec,
};

/// Time zones have shorter names.
const MAX_ZONE_BYTES: usize = 64;

/// What a schedule says, its payload included, but for START, END, RUNS and COST.
pub(crate) fn write_schedule_spec(writer: &mut Writer, spec: &ScheduleSpec) {
    writer.bytes(&spec.pattern);
    writer.bytes(&spec.zone);
    writer.byte(spec.catch_up as u8);
    writer.bool(spec.overlap);
    write_new(writer, &spec.job);
    writer.bytes(&spec.job.payload);
}

pub(crate) fn read_schedule_spec(reader: &mut Reader<'_>) -> Result<ScheduleSpec, Corrupt> {
    let mut spec = ScheduleSpec {
        pattern: read_at_most(MAX_PATTERN_BYTES, reader)?,
        zone: read_at_most(MAX_ZONE_BYTES, reader)?,
        catch_up: *CatchUp::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?,
        overlap: reader.bool()?,
        bounds: RunBounds::default(),
        job: read_new(reader)?,
    };
    spec.job.payload = reader.bytes()?.into();
    // Every run has an id and a time of its own.
    let NewJob { id, due, unique, dependencies, .. } = &spec.job;
    let plain = id.is_none() && *due == 0 && unique.is_none() && dependencies.is_none();
    if plain { Ok(spec) } else { Err(Corrupt) }
}

pub(crate) fn write_run_bounds(writer: &mut Writer, bounds: RunBounds) {
    for bound in [bounds.start, bounds.end, bounds.max_runs] {
        writer.option(bound, Writer::int);
    }
}

pub(crate) fn read_run_bounds(reader: &mut Reader<'_>) -> Result<RunBounds, Corrupt> {
    let (start, end) = (reader.option(read_near)?, reader.option(read_near)?);
    let max_runs = reader.option(|reader| reader.int())?;
    let is_sound = max_runs != Some(0) && end.is_none_or(|end| start.is_none_or(|start| start <= end));
    if is_sound { Ok(RunBounds { start, end, max_runs }) } else { Err(Corrupt) }
}

/// Writes a schedule as it is saved since encoding 2.
pub(crate) fn write_schedule_entry(writer: &mut Writer, name: &[u8], entry: &ScheduleEntry) {
    writer.bytes(name);
    write_schedule_spec(writer, &entry.spec);
    writer.option(entry.next, Writer::int);
    writer.option(entry.last, |writer, run| {
        writer.int(run.due);
        writer.int(run.serial);
    });
    writer.int(entry.progress.behind.into());
    writer.bool(entry.held);
    write_run_bounds(writer, entry.spec.bounds);
    writer.int(entry.set_at);
    writer.int(entry.progress.made);
    writer.int(entry.progress.missed_until);
    writer.int(entry.spec.job.cost);
}

/// Reads a schedule. Encoding 1 has no START, END and RUNS, no intervals, and counts no runs.
pub(crate) fn read_schedule_entry(
    reader: &mut Reader<'_>,
    encoding: u32,
) -> Result<(Bytes, ScheduleEntry), Corrupt> {
    let name = read_schedule_name(reader)?;
    let mut entry = ScheduleEntry {
        spec: read_schedule_spec(reader)?,
        next: reader.option(read_near)?,
        last: reader.option(|reader| Ok(Run { due: read_near(reader)?, serial: read_near(reader)? }))?,
        set_at: 0,
        progress: RunProgress { behind: reader.narrow()?, ..RunProgress::default() },
        held: reader.bool()?,
    };
    if encoding > 1 {
        entry.spec.bounds = read_run_bounds(reader)?;
        entry.set_at = read_near(reader)?;
        entry.progress.made = reader.int()?;
        entry.progress.missed_until = read_near(reader)?;
    }
    if encoding >= 9 {
        entry.spec.job.cost = read_cost(reader)?;
    }
    Ok((name, entry))
}

pub(crate) fn read_schedule_name(reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    read_chosen_id(reader)
        .and_then(|name| if name.len() <= MAX_SCHEDULE_NAME_BYTES { Ok(name) } else { Err(Corrupt) })
}
