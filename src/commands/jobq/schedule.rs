//! CRON: schedules that a queue keeps, by which it pushes jobs itself.

use crate::domain::calendar::recurrence::Recurrence;
use crate::domain::calendar::time_zone::Zone;
use crate::domain::jobq;
use crate::domain::jobq::{CatchUp, MAX_SCHEDULE_NAME_BYTES, Queue, RunBounds, ScheduleView, SetSchedule};
use crate::domain::refusal::{Refusal, shown};
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use super::push::{MAX_AT_MS, parse_common_option, payload, refuse_if_evictable, reply_pushed};
use crate::commands::args::{ArgReader, unknown};
use crate::runtime::commit;

const CATCH_UPS: [(&str, CatchUp); 3] =
    [("skip", CatchUp::Skip), ("one", CatchUp::One), ("all", CatchUp::All)];

/// More runs than any schedule makes.
const MAX_RUNS: u64 = 1_000_000_000_000;

/// `JOBQ.CRON SET key name cron payload [TZ zone=UTC] [START unix_ms] [END unix_ms] [RUNS n]
/// [CATCHUP skip|one|all] [OVERLAP] [options of PUSH, but for those of the id and the time]`
pub struct CronSet;

impl Handler for CronSet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        words.next_arg("subcommand")?;
        let key = words.name("key")?;
        let mut plan = SetSchedule {
            name: schedule_name(&mut words)?,
            pattern: words.next_arg("cron")?,
            zone: zone(b"UTC")?,
            catch_up: CatchUp::Skip,
            overlap: false,
            bounds: RunBounds::default(),
            push: jobq::Push::plain(payload(&mut words)?),
        };
        while let Some(option) = words.option()? {
            match option.folded() {
                b"TZ" if Recurrence::is_interval(plan.pattern) => {
                    return Err(Refusal::err("TZ is not for @every: an interval is the same in every zone"));
                }
                b"TZ" => plan.zone = zone(words.next_arg("TZ")?)?,
                b"START" => plan.bounds.start = Some(words.integer("START", 0, MAX_AT_MS)?),
                b"END" => plan.bounds.end = Some(words.integer("END", 0, MAX_AT_MS)?),
                b"RUNS" => plan.bounds.max_runs = Some(words.integer("RUNS", 1, MAX_RUNS)?),
                b"CATCHUP" => plan.catch_up = catch_up(words.next_arg("CATCHUP")?)?,
                b"OVERLAP" => plan.overlap = true,
                b"ID" | b"MATCH" | b"DELAY" | b"AT" | b"AFTER" | b"ONDEAD" | b"UNIQUE" | b"UNTIL"
                | b"FOR" | b"ONDUP" => {
                    let given = shown(option.given()).to_ascii_uppercase();
                    let text = format!("{given} is not for schedules: each run has its own id and time");
                    return Err(Refusal::err(text));
                }
                _ if parse_common_option(&mut plan.push, &option, &mut words)? => {}
                _ => return Err(unknown(&option)),
            }
        }
        if let RunBounds { start: Some(start), end: Some(end), .. } = plan.bounds
            && end < start
        {
            return Err(Refusal::err(format!("END '{end}': must not be before START '{start}'")));
        }
        commit::write::<Queue, _>(call.ctx, key, |queue, now, _| {
            refuse_if_evictable(jobq::decide_set_schedule(queue, &plan, now))
        })?;
        call.reply.ok();
        Ok(())
    }
}

fn schedule_name<'a>(words: &mut ArgReader<'a>) -> Result<&'a [u8], Refusal> {
    let name = words.id_of("name", MAX_SCHEDULE_NAME_BYTES)?;
    if name.starts_with(b"#") {
        return Err(Refusal::err("name must not begin with '#': ids that do are given by the queue"));
    }
    Ok(name)
}

fn zone(given: &[u8]) -> Result<Zone, Refusal> {
    Zone::named(given).ok_or_else(|| {
        let given = shown(given);
        Refusal::err(format!("TZ '{given}': expected a name of the IANA database, such as Europe/Berlin"))
    })
}

fn catch_up(given: &[u8]) -> Result<CatchUp, Refusal> {
    let known = CATCH_UPS.into_iter().find(|(name, _)| given.eq_ignore_ascii_case(name.as_bytes()));
    known.map(|(_, catch_up)| catch_up).ok_or_else(|| {
        let given = shown(given);
        Refusal::err(format!("CATCHUP '{given}': expected skip, one or all"))
    })
}

/// `JOBQ.CRON DEL key name`
pub struct CronDelete;

impl Handler for CronDelete {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let name = call.args.get(3).unwrap_or_default();
        let deleted = commit::write::<Queue, _>(call.ctx, call.args.name(2), |queue, now, _| {
            Ok(jobq::decide_delete_schedule(queue, name, now))
        })?;
        call.reply.int(i64::from(deleted));
        Ok(())
    }
}

/// `JOBQ.CRON RUN key name`
pub struct CronRun;

impl Handler for CronRun {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let name = call.args.get(3).unwrap_or_default();
        let pushed = commit::write::<Queue, _>(call.ctx, call.args.name(2), |queue, now, _| {
            refuse_if_evictable(jobq::decide_run_schedule(queue, name, now))
        })?;
        reply_pushed(&pushed, call.reply);
        Ok(())
    }
}

/// `JOBQ.CRON LIST key`
pub struct CronList;

impl Handler for CronList {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let reply = call.reply;
        commit::read::<Queue, _>(call.ctx, call.args.name(2), |queue, now| {
            let schedules = jobq::schedules(queue, now);
            reply.array(schedules.len());
            schedules.iter().for_each(|schedule| show(schedule, reply));
            Ok(())
        })
    }
}

fn show(schedule: &ScheduleView<'_>, reply: Reply<'_>) {
    let spec = &schedule.entry.spec;
    let number_or_null =
        |number: Option<u64>| number.map_or_else(|| reply.null(), |number| reply.uint(number));
    reply.map(14);
    for (field, text) in [(&b"name"[..], schedule.name), (b"cron", &spec.pattern)] {
        reply.bulk(field);
        reply.bulk(text);
    }
    reply.bulk(b"tz");
    reply.bulk_or_null(Some(&*spec.zone).filter(|_| !Recurrence::is_interval(&spec.pattern)));
    reply.bulk(b"next_ms");
    number_or_null(schedule.entry.next);
    reply.bulk(b"last_ms");
    number_or_null(schedule.entry.last.map(|run| run.due));
    reply.bulk(b"last_id");
    reply.bulk_or_null(schedule.last_id().as_deref());
    reply.bulk(b"running");
    reply.boolean(schedule.running);
    reply.bulk(b"catchup");
    let named = CATCH_UPS.into_iter().find(|(_, catch_up)| *catch_up == spec.catch_up);
    reply.bulk(named.map_or("", |(name, _)| name).as_bytes());
    reply.bulk(b"overlap");
    reply.boolean(spec.overlap);
    reply.bulk(b"payload_bytes");
    reply.uint(spec.job.payload.len() as u64);
    let RunBounds { start, end, max_runs } = spec.bounds;
    for (field, bound) in [(&b"start_ms"[..], start), (b"end_ms", end), (b"runs", max_runs)] {
        reply.bulk(field);
        number_or_null(bound);
    }
    reply.bulk(b"made");
    reply.uint(schedule.entry.progress.made);
}
