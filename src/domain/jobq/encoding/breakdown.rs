//! The binary form of what STATS counts by NAME and by KIND.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::encoding::fields::{read_bytes, read_near};
use crate::domain::jobq::history::breakdown::{Breakdown, BreakdownRow, JobCounts, JobTimes};
use crate::domain::jobq::history::duration_histogram::DurationHistogram;
use crate::domain::jobq::state::totals::Totals;

/// The first byte of the block of names, and of that of kinds.
pub(crate) const NAMES: u8 = 12;
pub(crate) const KINDS: u8 = 13;

/// How many jobs a row has is not written: the jobs carry its number.
pub(crate) fn save_breakdown(breakdown: &Breakdown, head: u8, emit: &mut dyn FnMut(&[u8])) {
    if breakdown.is_empty() {
        return;
    }
    let mut writer = Writer::new();
    writer.byte(head);
    write_times(&mut writer, &breakdown.rest);
    for row in breakdown.rows() {
        writer.bytes(&row.label);
        write_totals(&mut writer, &row.totals);
        write_times(&mut writer, &row.times);
        writer.int(row.empty_since);
    }
    emit(&writer.finish());
}

pub(crate) fn load_breakdown(reader: &mut Reader<'_>) -> Result<Breakdown, Corrupt> {
    let mut breakdown = Breakdown::default();
    breakdown.rest = read_times(reader)?;
    while !reader.is_empty() {
        let row = BreakdownRow {
            label: read_bytes(reader)?.into(),
            jobs: JobCounts::default(),
            totals: read_totals(reader)?,
            times: read_times(reader)?,
            empty_since: read_near(reader)?,
        };
        if !breakdown.restore(row) {
            return Err(Corrupt);
        }
    }
    if breakdown.is_empty() { Err(Corrupt) } else { Ok(breakdown) }
}

fn write_times(writer: &mut Writer, times: &JobTimes) {
    times.wait.write(writer);
    times.run.write(writer);
}

fn read_times(reader: &mut Reader<'_>) -> Result<JobTimes, Corrupt> {
    Ok(JobTimes { wait: DurationHistogram::read(reader)?, run: DurationHistogram::read(reader)? })
}

pub(crate) fn write_totals(writer: &mut Writer, totals: &Totals) {
    let Totals { pushed, acked, failed, retried, stalled, died, expired } = *totals;
    for total in [pushed, acked, failed, retried, stalled, died, expired] {
        writer.int(total);
    }
}

pub(crate) fn read_totals(reader: &mut Reader<'_>) -> Result<Totals, Corrupt> {
    Ok(Totals {
        pushed: reader.int()?,
        acked: reader.int()?,
        failed: reader.int()?,
        retried: reader.int()?,
        stalled: reader.int()?,
        died: reader.int()?,
        expired: reader.int()?,
    })
}
