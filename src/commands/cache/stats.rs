//! CACHE.STATS: what has happened to the entries of a policy, and how many there are.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::cache::{
    CacheEntry, CachePolicies, CacheStats, MAX_STATS_CLASSES, NO_POLICY, State, StatsClass, StatsClasses,
};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::value::Value;
use crate::module_api::command::Call;
use crate::module_api::main_thread::MainThread;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::runtime::counters::{FENCED, FILLS, HITS};
use crate::runtime::global_tables;

/// What of a class is there now. Values are freed in the server's background thread too.
struct Size {
    entries: AtomicI64,
    bytes: AtomicI64,
}

static SIZES: [Size; MAX_STATS_CLASSES] =
    [const { Size { entries: AtomicI64::new(0), bytes: AtomicI64::new(0) } }; MAX_STATS_CLASSES];

struct Counts {
    classes: StatsClasses,
    stats: Vec<CacheStats>,
}

static COUNTS: MainThread<Option<Counts>> = MainThread::new(None);

fn with_counts<R>(body: impl FnOnce(&mut Counts) -> R) -> R {
    COUNTS.with(|counts| {
        body(counts.get_or_insert_with(|| Counts {
            classes: StatsClasses::default(),
            stats: vec![CacheStats::default(); MAX_STATS_CLASSES],
        }))
    })
}

/// The class of a key: that of the policy that rules it.
pub fn class_of(key: &[u8]) -> StatsClass {
    global_tables::read::<CachePolicies, _>(|policies| match policies.longest_match(key) {
        Some((prefix, _)) => class_of_prefix(policies, prefix),
        None => NO_POLICY,
    })
}

pub fn class_of_prefix(policies: &CachePolicies, prefix: &[u8]) -> StatsClass {
    with_counts(|counts| {
        let (class, is_new) = counts.classes.assign(prefix, |class, prefix| {
            let entries = SIZES[usize::from(class)].entries.load(Ordering::Relaxed);
            entries == 0 && policies.get(prefix).is_none()
        });
        if is_new {
            counts.stats[usize::from(class)] = CacheStats::default();
        }
        class
    })
}

/// Notes that something has happened.
pub fn count_event(class: StatsClass, change: impl FnOnce(&mut CacheStats)) {
    with_counts(|counts| change(&mut counts.stats[usize::from(class)]));
}

/// Notes that a token was refused.
pub fn count_fenced(class: StatsClass) {
    FENCED.add(1);
    count_event(class, |stats| stats.fenced += 1);
}

/// Notes what a read was answered.
pub fn count_answer(class: StatsClass, state: State) {
    match state {
        State::Hit | State::EarlyRefresh => HITS.add(1),
        State::Refresh | State::Fill => FILLS.add(1),
        State::Stale | State::Busy | State::Stored | State::Absent => {}
    }
    count_event(class, |stats| match state {
        State::Hit => stats.hits += 1,
        State::EarlyRefresh => {
            stats.hits += 1;
            stats.early += 1;
        }
        State::Stale => stats.stale += 1,
        State::Refresh => {
            stats.stale += 1;
            stats.fills += 1;
        }
        State::Fill => {
            stats.misses += 1;
            stats.fills += 1;
        }
        State::Busy | State::Stored => stats.misses += 1,
        State::Absent => stats.absent += 1,
    });
}

/// Counts an entry that is under a key from now on, as it is.
pub fn count(entry: &mut CacheEntry, key: &[u8]) {
    entry.classify(class_of(key));
    add(entry, 1);
}

/// Before an entry is changed or freed: it is no longer counted.
pub fn uncount(entry: &CacheEntry) {
    if entry.class() != 0 {
        add(entry, -1);
    }
}

fn add(entry: &CacheEntry, times: i64) {
    let size = &SIZES[usize::from(entry.class()) % MAX_STATS_CLASSES];
    size.entries.fetch_add(times, Ordering::Relaxed);
    size.bytes.fetch_add(times * entry.memory() as i64, Ordering::Relaxed);
}

/// `CACHE.STATS [prefix]`
pub struct ShowStats;

impl Handler for ShowStats {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let classes = match call.args.get(1) {
            None => (NO_POLICY..MAX_STATS_CLASSES as StatsClass).collect(),
            Some(prefix) => {
                vec![global_tables::read::<CachePolicies, _>(|policies| match policies.get(prefix) {
                    Some(_) => Ok(class_of_prefix(policies, prefix)),
                    None if prefix.is_empty() => Ok(NO_POLICY),
                    None => Err(no_policy(prefix)),
                })?]
            }
        };
        if call.args.len() > 2 {
            return Err(Refusal::err("at most one prefix is allowed"));
        }
        show(&classes, call.reply);
        Ok(())
    }
}

fn no_policy(prefix: &[u8]) -> Refusal {
    let prefix = shown(prefix);
    Refusal::new(Code::NoPolicy, format!("no policy for the prefix '{prefix}': see CACHE.POLICY LIST"))
}

fn show(classes: &[StatsClass], reply: Reply<'_>) {
    let at = |class: &StatsClass| usize::from(*class);
    let stats = with_counts(|counts| {
        classes.iter().map(|class| counts.stats[at(class)]).fold(CacheStats::default(), CacheStats::plus)
    });
    let sum = |part: fn(&Size) -> &AtomicI64| -> i64 {
        classes.iter().map(|class| part(&SIZES[at(class)]).load(Ordering::Relaxed)).sum()
    };
    let rows = stats.rows();
    reply.map(rows.len() + 3);
    for (name, value) in rows {
        reply.bulk(name.as_bytes());
        reply.uint(value);
    }
    reply.bulk(b"hit_ratio");
    match stats.hit_ratio() {
        // Four digits say enough.
        Some(ratio) => reply.double((ratio * 10_000.0).round() / 10_000.0),
        None => reply.null(),
    }
    for (name, value) in [("entries", sum(|size| &size.entries)), ("bytes", sum(|size| &size.bytes))] {
        reply.bulk(name.as_bytes());
        reply.int(value);
    }
}
