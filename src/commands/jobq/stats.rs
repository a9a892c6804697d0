//! STATS: the counts of a queue.

use crate::domain::jobq;
use crate::domain::jobq::{
    BOUNDS_MS, BUCKETS, BreakdownBy, BreakdownView, COLUMNS, DurationHistogram, MAX_MINUTES, Minute, Pause,
    Queue,
};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use super::push::one_of;
use crate::commands::args::{ArgReader, unknown};
use crate::runtime::commit;

/// What the counts of a minute are called.
const PER_MINUTE: [&str; COLUMNS] =
    ["pushed_per_min", "popped_per_min", "done_per_min", "failed_per_min", "dead_per_min", "expired_per_min"];

/// `[minute_unix_ms, pushed, popped, done, failed, dead, expired]`
fn minute_row(minute: &Minute, reply: Reply<'_>) {
    reply.array(1 + COLUMNS);
    reply.uint(minute.start_ms());
    minute.counts().into_iter().for_each(|count| reply.uint(count.into()));
}

/// The words behind BY.
const LABELS: [(&[u8], BreakdownBy); 2] = [(b"kind", BreakdownBy::Kind), (b"name", BreakdownBy::Name)];

/// The counts of a name, or those of a kind: of failures alone.
fn breakdown_row(row: &BreakdownView<'_>, by: BreakdownBy, reply: Reply<'_>) {
    let BreakdownView { label, jobs, totals, times } = row;
    let failures: [(&[u8], u64); 3] =
        [(b"failed", totals.failed), (b"retried", totals.retried), (b"died", totals.died)];
    let dead: (&[u8], u64) = (b"dead", jobs.dead as u64);
    let (head, numbers): (&[u8], Vec<(&[u8], u64)>) = match by {
        BreakdownBy::Kind => (b"kind", [dead].into_iter().chain(failures).collect()),
        BreakdownBy::Name => {
            let states: [(&[u8], u64); 3] = [
                (b"waiting", jobs.waiting as u64),
                (b"active", jobs.active as u64),
                (b"done", jobs.done as u64),
            ];
            let ends: [(&[u8], u64); 2] = [(b"pushed", totals.pushed), (b"acked", totals.acked)];
            let others: [(&[u8], u64); 2] = [(b"stalled", totals.stalled), (b"expired", totals.expired)];
            (b"name", states.into_iter().chain([dead]).chain(ends).chain(failures).chain(others).collect())
        }
    };
    let times: &[(&[u8], &[u8], &DurationHistogram)] = match by {
        BreakdownBy::Kind => &[(b"run", b"run_sum_ms", &times.run)],
        BreakdownBy::Name => &[(b"wait", b"wait_sum_ms", &times.wait), (b"run", b"run_sum_ms", &times.run)],
    };
    reply.map(1 + numbers.len() + 2 * times.len());
    reply.bulk(head);
    reply.bulk_or_null(*label);
    for (field, number) in numbers {
        reply.bulk(field);
        reply.uint(number);
    }
    for (counts, sum, histogram) in times {
        reply.bulk(counts);
        reply.array(BUCKETS);
        histogram.counts().into_iter().for_each(|count| reply.uint(count));
        reply.bulk(sum);
        reply.uint(histogram.sum_ms());
    }
}

/// `JOBQ.STATS key [SERIES n] [BY kind|name]`
pub struct Stats;

impl Handler for Stats {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let (mut series, mut by) = (None, None);
        while let Some(option) = words.option()? {
            match option.folded() {
                b"SERIES" => series = Some(words.integer("SERIES", 1, MAX_MINUTES)?),
                b"BY" => by = Some(one_of("BY", &mut words, &LABELS)?),
                _ => return Err(unknown(&option)),
            }
        }
        let reply = call.reply;
        commit::read::<Queue, _>(call.ctx, key, |queue, now| {
            let stats = jobq::stats(queue, now);
            let totals = stats.totals;
            let fields: [(&[u8], u64); 14] = [
                (b"ready", stats.ready as u64),
                (b"delayed", stats.delayed as u64),
                (b"active", stats.active as u64),
                (b"blocked", stats.blocked as u64),
                (b"done", stats.done as u64),
                (b"dead", stats.dead as u64),
                (b"oldest_ready_ms", stats.oldest_ready_ms),
                (b"pushed", totals.pushed),
                (b"acked", totals.acked),
                (b"failed", totals.failed),
                (b"retried", totals.retried),
                (b"stalled", totals.stalled),
                (b"died", totals.died),
                (b"expired", totals.expired),
            ];
            let rates = jobq::last_minute(queue, now).counts();
            let more = usize::from(series.is_some()) + 2 * usize::from(by.is_some());
            reply.map(fields.len() + rates.len() + 3 + more);
            for (field, number) in fields {
                reply.bulk(field);
                reply.uint(number);
            }
            let pause = stats.pause;
            reply.bulk(b"paused");
            reply.word(match pause {
                None => c"no",
                Some(Pause { pushes: false, .. }) => c"pops",
                Some(_) => c"pops and pushes",
            });
            reply.bulk(b"paused_until_ms");
            match pause.and_then(|pause| pause.until) {
                Some(until) => reply.uint(until),
                None => reply.null(),
            }
            reply.bulk(b"last_event");
            reply.uint(queue.map_or(0, Queue::last_event));
            for (name, rate) in PER_MINUTE.into_iter().zip(rates) {
                reply.bulk(name.as_bytes());
                reply.uint(rate.into());
            }
            if let Some(count) = series {
                reply.bulk(b"series");
                let minutes = jobq::series(queue, count, now);
                reply.array(minutes.len());
                minutes.iter().for_each(|minute| minute_row(minute, reply));
            }
            if let Some(by) = by {
                let rows = jobq::stats_by(queue, by, &stats, now);
                reply.bulk(b"bounds_ms");
                reply.array(BOUNDS_MS.len());
                BOUNDS_MS.into_iter().for_each(|bound| reply.uint(bound));
                reply.bulk(b"rows");
                reply.array(rows.len());
                rows.iter().for_each(|row| breakdown_row(row, by, reply));
            }
            Ok(())
        })
    }
}
