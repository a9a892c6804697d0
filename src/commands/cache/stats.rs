//! CACHE.STATS: what has happened to the entries of a policy, and how many there are.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::cache::{CLASSES, Class, Classes, Entry, Policies, State, Stats, UNRULED};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::value::Value;
use crate::module_api::command::{Call, Handler};
use crate::module_api::main_thread::MainThread;
use crate::module_api::reply::Reply;

use crate::runtime::global_tables;

/// What of a class is there now. Values are freed in the server's background thread too.
struct Size {
    entries: AtomicI64,
    bytes: AtomicI64,
}

static SIZES: [Size; CLASSES] =
    [const { Size { entries: AtomicI64::new(0), bytes: AtomicI64::new(0) } }; CLASSES];

struct Counts {
    classes: Classes,
    stats: Vec<Stats>,
}

static COUNTS: MainThread<Option<Counts>> = MainThread::new(None);

fn with<R>(body: impl FnOnce(&mut Counts) -> R) -> R {
    COUNTS.with(|counts| {
        body(counts.get_or_insert_with(|| Counts {
            classes: Classes::default(),
            stats: vec![Stats::default(); CLASSES],
        }))
    })
}

/// The class of a key: that of the policy that rules it.
pub fn class_of(key: &[u8]) -> Class {
    global_tables::read::<Policies, _>(|policies| match policies.of(key) {
        Some((prefix, _)) => class_of_prefix(policies, prefix),
        None => UNRULED,
    })
}

pub fn class_of_prefix(policies: &Policies, prefix: &[u8]) -> Class {
    with(|counts| {
        let (class, is_new) = counts.classes.give(prefix, |class, prefix| {
            let entries = SIZES[usize::from(class)].entries.load(Ordering::Relaxed);
            entries == 0 && policies.get(prefix).is_none()
        });
        if is_new {
            counts.stats[usize::from(class)] = Stats::default();
        }
        class
    })
}

/// Notes that something has happened.
pub fn note(class: Class, change: impl FnOnce(&mut Stats)) {
    with(|counts| change(&mut counts.stats[usize::from(class)]));
}

/// Notes what a read was answered.
pub fn note_answer(class: Class, state: State) {
    note(class, |stats| match state {
        State::Hit => stats.hits += 1,
        State::Elected => {
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
pub fn count(entry: &mut Entry, key: &[u8]) {
    entry.classify(class_of(key));
    add(entry, 1);
}

/// Before an entry is changed or freed: it is no longer counted.
pub fn uncount(entry: &Entry) {
    if entry.class() != 0 {
        add(entry, -1);
    }
}

fn add(entry: &Entry, times: i64) {
    let size = &SIZES[usize::from(entry.class()) % CLASSES];
    size.entries.fetch_add(times, Ordering::Relaxed);
    size.bytes.fetch_add(times * entry.memory() as i64, Ordering::Relaxed);
}

/// `CACHE.STATS [prefix]`
pub struct Show;

impl Handler for Show {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let classes = match call.args.get(1) {
            None => (UNRULED..CLASSES as Class).collect(),
            Some(prefix) => {
                vec![global_tables::read::<Policies, _>(|policies| match policies.get(prefix) {
                    Some(_) => Ok(class_of_prefix(policies, prefix)),
                    None if prefix.is_empty() => Ok(UNRULED),
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

fn show(classes: &[Class], reply: Reply<'_>) {
    let at = |class: &Class| usize::from(*class);
    let stats = with(|counts| {
        classes.iter().map(|class| counts.stats[at(class)]).fold(Stats::default(), Stats::plus)
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
        Some(ratio) => reply.bulk(format!("{ratio:.4}").as_bytes()),
        None => reply.null(),
    }
    for (name, value) in [("entries", sum(|size| &size.entries)), ("bytes", sum(|size| &size.bytes))] {
        reply.bulk(name.as_bytes());
        reply.int(value);
    }
}
