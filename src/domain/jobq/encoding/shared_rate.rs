//! The binary form of costs, and of what POPs with RATE have charged.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::state::shared_rate::{JobRate, RateCharge};
use crate::domain::ratelimit::{MAX_COUNT, read_taken_limits, write_taken_limits};
use std::sync::Arc;

pub(crate) fn read_cost(reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    reader.int().and_then(|cost| if cost <= MAX_COUNT { Ok(cost) } else { Err(Corrupt) })
}

pub(crate) fn write_job_rate(writer: &mut Writer, rate: &JobRate) {
    writer.int(rate.cost);
    writer.option(rate.charge.as_deref(), write_rate_charge);
}

pub(crate) fn read_job_rate(reader: &mut Reader<'_>) -> Result<JobRate, Corrupt> {
    let rate = JobRate { cost: read_cost(reader)?, charge: reader.option(read_rate_charge)?.map(Arc::new) };
    // One that says nothing is left out.
    if rate == JobRate::default() { Err(Corrupt) } else { Ok(rate) }
}

pub(crate) fn write_rate_charge(writer: &mut Writer, charge: &RateCharge) {
    writer.bytes(&charge.subject);
    write_taken_limits(writer, &charge.taken);
}

pub(crate) fn read_rate_charge(reader: &mut Reader<'_>) -> Result<RateCharge, Corrupt> {
    Ok(RateCharge { subject: reader.bytes()?.into(), taken: read_taken_limits(reader)? })
}
