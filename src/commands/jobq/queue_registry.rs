//! The registry of the queues on this server: which keys of which database hold a queue, and when a
//! schedule of it is due.
//!
//! The registry is a list of names outside of the data: never saved, never replicated, rebuilt by
//! every load. Whatever adds a queue is caught exactly (a first push, a load, RESTORE, COPY,
//! RENAME, MOVE, SWAPDB; on Valkey 8.1 `moved_queues` finds renamed and moved ones). A removal only
//! marks the name as stale, and a timer verifies it soon after: a RESTORE … REPLACE announces the
//! new value before it removes the old one.
//!
//! Schedules are right without it, because every write to a queue first does what is due. The
//! registry serves queues that no command touches. Its one timer goes through the commit gate: a
//! replica does nothing, a paused server waits. A node of a cluster that only imports a slot does
//! nothing either: the owner of the slot makes the runs and sends them with the rest. A run of its
//! own would take the serial of another job.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::domain::decision::Decision;
use crate::domain::jobq::Queue;
use crate::domain::time::UnixMs;
use crate::module_api::blocking::WorkBudget;
use crate::module_api::cluster_slots;
use crate::module_api::context::Ctx;
use crate::module_api::key::Key;
use crate::module_api::keyspace;
use crate::module_api::main_thread::MainThread;
use crate::module_api::panic_guard::catch_panic_or;
use crate::module_api::replication::write_gate::{Gate, may_write};
use crate::module_api::server_string::ServerString;
use crate::module_api::timer;
use crate::module_api::timer::Timer;

use crate::commands::jobq::moved_queues::MovedQueues;
use crate::runtime::commit;

/// Delay before a queue that may be gone is checked. Batches the checks when many queues are
/// deleted at once.
const STALE_CHECK_DELAY_MS: u64 = 100;
/// The longest sleep, so that a clock that is set forward delays no run for longer. A run is missed
/// after twice that.
const MAX_SLEEP_MS: u64 = 30_000;
/// When to check again whether this server owns the slot of a queue.
const FOREIGN_SLOT_RETRY_MS: u64 = 100;
/// The pause between two stretches of a search for queues that have moved.
const SEARCH_PAUSE_MS: u64 = 5;

type Bytes = Box<[u8]>;

/// The queues of a database.
#[derive(Default)]
struct Queues {
    /// With the time at which a schedule is due.
    names: BTreeMap<Bytes, Option<UnixMs>>,
    due: BTreeSet<(UnixMs, Bytes)>,
}

impl Queues {
    fn put(&mut self, name: &[u8], due: Option<UnixMs>) {
        let before = match self.names.get_mut(name) {
            Some(known) => std::mem::replace(known, due),
            None => self.names.insert(name.into(), due).flatten(),
        };
        if before != due {
            self.clear_due(name, before);
            self.due.extend(due.map(|due| (due, Bytes::from(name))));
        }
    }

    fn remove(&mut self, name: &[u8]) {
        if let Some(due) = self.names.remove(name) {
            self.clear_due(name, due);
        }
    }

    fn clear_due(&mut self, name: &[u8], due: Option<UnixMs>) {
        if let Some(due) = due {
            self.due.remove(&(due, name.into()));
        }
    }
}

#[derive(Default)]
struct QueueRegistry {
    by_db: BTreeMap<i32, Queues>,
    /// Names that may hold no queue any more.
    stale: BTreeSet<(i32, Bytes)>,
    /// The queues that were known when the current load began.
    before_load: BTreeMap<i32, Queues>,
    /// The running timer and when it fires.
    timer: Option<(UnixMs, Timer)>,
    /// How queues that were renamed or moved are found.
    follow: Follow,
    moved: MovedQueues,
}

/// How queues that a RENAME or MOVE has brought to another key are found.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Follow {
    #[default]
    NotYet,
    /// The server tells of them.
    ByEvents,
    BySearch,
}

static REGISTRY: MainThread<Option<QueueRegistry>> = MainThread::new(None);

fn with<R>(body: impl FnOnce(&mut QueueRegistry) -> R) -> R {
    REGISTRY.with(|registry| body(registry.get_or_insert_default()))
}

impl QueueRegistry {
    /// The first schedule that is due.
    fn first_due(&self) -> Option<(UnixMs, i32, Bytes)> {
        let firsts = self.by_db.iter().filter_map(|(db, queues)| {
            let (due, name) = queues.due.first()?;
            Some((*due, *db, name))
        });
        firsts.min().map(|(due, db, name)| (due, db, name.clone()))
    }

    fn put(&mut self, db: i32, name: &[u8], due: Option<UnixMs>) {
        self.by_db.entry(db).or_default().put(name, due);
    }

    /// What is due earlier is looked at then.
    fn postpone(&mut self, db: i32, name: &[u8], until: UnixMs) {
        let queues = self.by_db.get_mut(&db);
        if let Some(queues) = queues.filter(|queues| queues.names.get(name).is_some_and(Option::is_some)) {
            queues.put(name, Some(until));
        }
    }

    fn forget(&mut self, db: i32, name: &[u8]) {
        if let Some(queues) = self.by_db.get_mut(&db) {
            queues.remove(name);
            if queues.names.is_empty() {
                self.by_db.remove(&db);
            }
        }
    }
}

/// Notes that this key holds a queue, or is about to, and when a schedule of it is due.
pub fn on_key_added(db: i32, key: &[u8], due: Option<UnixMs>) {
    let follow = with(|registry| {
        registry.put(db, key, due);
        registry.follow
    });
    if follow == Follow::NotYet {
        let by_search = keyspace::following_moves_clients() || !keyspace::follow::<Queue>();
        with(|registry| registry.follow = if by_search { Follow::BySearch } else { Follow::ByEvents });
    }
    if due.is_some() {
        arm(Ctx::detached());
    }
}

/// Notes that a queue left this key. Another queue may take its place.
pub fn on_key_removed(db: i32, key: &[u8]) {
    with(|registry| {
        registry.stale.insert((db, key.into()));
        if registry.follow == Follow::BySearch {
            registry.moved.note_removal();
        }
    });
    arm(Ctx::detached());
}

/// All keys of a database (of all, if `None`) have gone.
pub fn flushed(db: Option<i32>) {
    with(|registry| match db {
        Some(db) => drop(registry.by_db.remove(&db)),
        None => registry.by_db.clear(),
    });
}

pub fn swapped(ctx: Ctx<'_>, first: i32, second: i32) {
    with(|registry| {
        let (one, other) = (registry.by_db.remove(&first), registry.by_db.remove(&second));
        registry.by_db.extend(one.map(|queues| (second, queues)));
        registry.by_db.extend(other.map(|queues| (first, queues)));
        // Their suspects go with them.
        let stale = std::mem::take(&mut registry.stale).into_iter();
        let there = |db| match db {
            db if db == first => second,
            db if db == second => first,
            db => db,
        };
        registry.stale = stale.map(|(db, name)| (there(db), name)).collect();
    });
    arm(ctx);
}

/// A load may add to what is there, replace it, or fail and leave it: which one, its end shows.
pub fn load_started() {
    with(|registry| registry.before_load = std::mem::take(&mut registry.by_db));
}

/// Marks the queues as stale that were known before the load and did not come with it. Usually
/// there are none: most loads begin with a flush.
pub fn load_ended() {
    with(|registry| {
        for (db, queues) in std::mem::take(&mut registry.before_load) {
            for (name, due) in queues.names {
                let loaded = registry.by_db.get(&db).is_some_and(|queues| queues.names.contains_key(&name));
                if !loaded {
                    registry.put(db, &name, due);
                    registry.stale.insert((db, name));
                }
            }
        }
    });
}

/// How many queues there are in all databases, and how many of them have a schedule that is due
/// some time; some may be gone since a moment ago.
pub fn counts() -> (usize, usize) {
    with(|registry| {
        let all = registry.by_db.values();
        all.fold((0, 0), |(queues, scheduled), each| (queues + each.names.len(), scheduled + each.due.len()))
    })
}

/// A part of the list of a database's queues, in the order of their names.
pub struct Page {
    pub names: Vec<Bytes>,
    /// The last name that was looked at, when more follow.
    pub last: Option<Bytes>,
}

/// The queues of the selected database that come after a name, of the next `count` that are known.
pub fn page(ctx: Ctx<'_>, after: Option<&[u8]>, count: usize) -> Page {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut names: Vec<Bytes> = with(|registry| {
        let queues = registry.by_db.get(&ctx.db()).into_iter();
        let names = queues.flat_map(|queues| queues.names.range::<[u8], _>((from, Bound::Unbounded)));
        names.take(count + 1).map(|(name, _)| name.clone()).collect()
    });
    let more = names.len() > count;
    names.truncate(count);
    let last = names.last().filter(|_| more).cloned();
    names.retain(|name| {
        let name = ServerString::new(name);
        let key = Key::open_no_touch(ctx, name.borrow());
        matches!(key.value::<Queue>(), Ok(Some(_)))
    });
    Page { names, last }
}

/// The clock was set back: the timer would fire late by as much, so it is armed again.
pub fn clock_moved(ctx: Ctx<'_>) {
    if let Some((_, timer)) = with(|registry| registry.timer.take()) {
        timer::stop(ctx, timer);
    }
    arm(ctx);
}

/// Arms the timer for what is next, if it is not armed already: to be called when this server may
/// write again.
pub fn arm(ctx: Ctx<'_>) {
    arm_after(ctx, 0);
}

/// Like [`arm`], but what is due already waits for `pause_ms`.
fn arm_after(ctx: Ctx<'_>, pause_ms: u64) {
    let now = ctx.now_ms();
    let may_run = ctx.is_primary();
    with(|registry| {
        let stale_check = (!registry.stale.is_empty()).then_some(now + STALE_CHECK_DELAY_MS);
        let search = registry.moved.is_searching().then_some(now + SEARCH_PAUSE_MS);
        let due = registry
            .first_due()
            .filter(|_| may_run)
            .map(|(due, ..)| due.clamp(now + pause_ms, now + MAX_SLEEP_MS));
        let Some(at) = stale_check.into_iter().chain(search).chain(due).min() else { return };
        if registry.timer.as_ref().is_some_and(|(armed, _)| *armed <= at) {
            return;
        }
        if let Some((_, timer)) = registry.timer.take() {
            timer::stop(ctx, timer);
        }
        registry.timer = Some((at, timer::start_on_time(ctx, at - now, tick)));
    });
}

/// What the timer does. It is armed again whatever happens in between.
fn tick(ctx: Ctx<'_>) {
    with(|registry| registry.timer = None);
    let gate = catch_panic_or(Gate::Later, || {
        // In the middle of a load nothing can be said of any key.
        if !ctx.is_loading() {
            verify_stale(ctx);
            find_moved(ctx);
        }
        let gate = may_write(ctx);
        if gate == Gate::Open {
            run_what_is_due(ctx);
        }
        gate
    });
    arm_after(ctx, if gate == Gate::Open { 0 } else { timer::PAUSED_RETRY_MS });
}

fn verify_stale(ctx: Ctx<'_>) {
    let mut budget = WorkBudget::start();
    while budget.try_spend() {
        let Some((db, name)) = with(|registry| registry.stale.pop_first()) else { break };
        verify(ctx, db, &name);
    }
}

/// Looks for queues that have moved, once all names that may hold none have been checked.
fn find_moved(ctx: Ctx<'_>) {
    let mut moved = with(|registry| {
        if registry.stale.is_empty() {
            let known = registry.by_db.values().map(|queues| queues.names.len()).sum();
            registry.moved.start(known);
        }
        std::mem::take(&mut registry.moved)
    });
    if moved.is_searching() {
        moved.step(ctx);
    }
    with(|registry| registry.moved = moved);
}

fn run_what_is_due(ctx: Ctx<'_>) {
    let now = ctx.now_ms();
    let mut budget = WorkBudget::start();
    while budget.try_spend() {
        let first = with(|registry| registry.first_due());
        let Some((_, db, name)) = first.filter(|(due, ..)| *due <= now) else { break };
        let known = ServerString::new(&name);
        let is_ours = ctx.select(db) && cluster_slots::owns(ctx, known.borrow());
        if is_ours {
            // Every write first does what is due, then serves waiters.
            let nothing = |_: Option<&Queue>, _, _: &_| Ok(Decision::answer(()));
            // Another type is found below.
            let _ = commit::write(ctx, known.borrow(), nothing);
        }
        verify(ctx, db, &name);
        if !is_ours {
            with(|registry| registry.postpone(db, &name, now + FOREIGN_SLOT_RETRY_MS));
        }
    }
}

/// Checks whether there is such a queue and when it is due.
fn verify(ctx: Ctx<'_>, db: i32, name: &[u8]) {
    let known = ServerString::new(name);
    let found = ctx.select(db).then(|| {
        let key = Key::open_no_expire(ctx, known.borrow());
        key.value::<Queue>().ok().flatten().map(Queue::next_run)
    });
    with(|registry| match found.flatten() {
        Some(due) => registry.put(db, name, due),
        None => registry.forget(db, name),
    });
}
