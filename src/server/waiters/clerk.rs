//! The registry of all lines, and the one timer that works for them.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use super::line::Line;
use super::stretch::Stretch;
use super::{Attempt, Delivery, MAX_IN_ALL, MAX_PER_KEY, State, Waiter};
use crate::server::cell::MainThread;
use crate::server::ctx::Ctx;
use crate::server::guard::quietly;
use crate::server::name::{Name, OwnedName};
use crate::server::replicate::{Gate, may_write};
use crate::server::timer::{self, Timer};
use crate::server::{api, raw};

/// When to try again while the server is paused.
const PAUSED_RETRY_MS: u64 = 20;

type Place = (i32, Box<[u8]>);

#[derive(Default)]
struct Clerk {
    lines: HashMap<i32, HashMap<Box<[u8]>, Line>>,
    /// Blocked clients, those handed something but not yet freed included.
    total: usize,
    /// Handed something, to be woken.
    to_wake: VecDeque<Rc<Waiter>>,
    /// Handed to clients that have gone.
    to_put_back: VecDeque<(Place, Rc<dyn Delivery>)>,
    /// Lines to look at.
    stale: VecDeque<Place>,
    /// When to look at which line.
    calendar: BTreeSet<(u64, i32, Box<[u8]>)>,
    /// The running timer and when it fires.
    timer: Option<(u64, Timer)>,
}

static CLERK: MainThread<Option<Clerk>> = MainThread::new(None);

fn with<R>(body: impl FnOnce(&mut Clerk) -> R) -> R {
    CLERK.with(|clerk| body(clerk.get_or_insert_default()))
}

impl Clerk {
    fn line(&mut self, db: i32, key: &[u8]) -> Option<&mut Line> {
        self.lines.get_mut(&db)?.get_mut(key)
    }

    fn mark_stale(&mut self, db: i32, key: &[u8]) -> bool {
        match self.line(db, key) {
            Some(line) if !line.stale => {
                line.stale = true;
                self.stale.push_back((db, key.into()));
                true
            }
            _ => false,
        }
    }

    fn set_due(&mut self, db: i32, key: &[u8], due: Option<u64>) {
        let Some(line) = self.line(db, key) else { return };
        let before = std::mem::replace(&mut line.due, due);
        if before == due {
            return;
        }
        if let Some(at) = before {
            self.calendar.remove(&(at, db, key.into()));
        }
        if let Some(at) = due {
            self.calendar.insert((at, db, key.into()));
        }
    }

    /// Drops a line in which nobody waits.
    fn tidy(&mut self, db: i32, key: &[u8]) {
        if self.line(db, key).is_some_and(|line| line.len() == 0) {
            self.set_due(db, key, None);
            if let Some(lines) = self.lines.get_mut(&db) {
                lines.remove(key);
                if lines.is_empty() {
                    self.lines.remove(&db);
                }
            }
        }
    }

    /// When the timer has to fire: at once, when paused a little later, or when a line is due.
    fn next_tick(&self, now: u64, paused: bool) -> Option<u64> {
        if !self.to_wake.is_empty() {
            return Some(now);
        }
        if !self.stale.is_empty() || !self.to_put_back.is_empty() {
            return Some(if paused { now + PAUSED_RETRY_MS } else { now });
        }
        self.calendar.first().map(|(at, ..)| *at)
    }
}

/// Clients blocked now, and keys they wait for.
pub fn counts() -> (usize, usize) {
    with(|clerk| (clerk.total, clerk.lines.values().map(HashMap::len).sum()))
}

pub(super) fn is_full(db: i32, key: &[u8]) -> bool {
    with(|clerk| {
        let here = clerk.line(db, key).map_or(0, |line| line.len());
        here as i64 >= MAX_PER_KEY.get() || clerk.total as i64 >= MAX_IN_ALL.get()
    })
}

pub(super) fn join(ctx: Ctx<'_>, waiter: Rc<Waiter>, until: Option<u64>) {
    with(|clerk| {
        clerk.total += 1;
        let (db, key) = (waiter.db, waiter.key.clone());
        let line = clerk.lines.entry(db).or_default().entry(key.clone()).or_default();
        let first = line.len() == 0;
        let earlier = match (line.due, until) {
            (Some(before), Some(new)) => Some(before.min(new)),
            (before, new) => before.or(new),
        };
        line.join(waiter);
        clerk.set_due(db, &key, if first { until } else { earlier });
    });
    rearm(ctx, false);
}

/// The waiter, already marked, waits no longer.
pub(super) fn leave(waiter: &Waiter) {
    with(|clerk| {
        if let Some(line) = clerk.line(waiter.db, &waiter.key) {
            line.left();
            clerk.tidy(waiter.db, &waiter.key);
        }
    });
}

/// The server has forgotten the waiter. `unused` is what has to be put back.
pub(super) fn forget(ctx: Ctx<'_>, waiter: &Waiter, unused: Option<Rc<dyn Delivery>>) {
    with(|clerk| {
        clerk.total = clerk.total.saturating_sub(1);
        if let Some(delivery) = unused {
            clerk.to_put_back.push_back(((waiter.db, waiter.key.clone()), delivery));
        }
    });
    rearm(ctx, false);
}

/// Serves those who wait for `key` of the selected database, as far as it goes. Call it after every
/// change that may let one of them go on, in the same unit of replication.
pub fn serve(ctx: Ctx<'_>, key: Name<'_>) {
    if with(|clerk| clerk.lines.is_empty()) {
        return;
    }
    serve_line(ctx, ctx.db(), key);
    rearm(ctx, false);
}

fn serve_line(ctx: Ctx<'_>, db: i32, key: Name<'_>) {
    let mut stretch = Stretch::begin();
    let mut shared = None;
    while stretch.one_more() {
        let head = with(|clerk| {
            clerk.tidy(db, key.bytes());
            clerk.line(db, key.bytes()).and_then(Line::head)
        });
        let Some(waiter) = head else { return };
        match waiter.request.attempt(ctx, key, &mut shared) {
            Attempt::Wait { until } => {
                with(|clerk| clerk.set_due(db, key.bytes(), until));
                return;
            }
            Attempt::Served(delivery) => {
                *waiter.state.borrow_mut() = State::Handed(delivery);
                leave(&waiter);
                with(|clerk| clerk.to_wake.push_back(waiter));
            }
        }
    }
    with(|clerk| clerk.mark_stale(db, key.bytes()));
}

/// The key has gone or come without a command of ours: its line is looked at soon. Needs no
/// context, so that it can be called from where the server gives none.
pub fn stale(db: i32, key: &[u8]) {
    if with(|clerk| !clerk.lines.is_empty() && clerk.mark_stale(db, key)) {
        rearm(Ctx::home(), false);
    }
}

/// As [`stale`], for every key of a database.
pub fn db_stale(ctx: Ctx<'_>, db: i32) {
    with(|clerk| {
        let keys: Vec<Box<[u8]>> =
            clerk.lines.get(&db).into_iter().flat_map(HashMap::keys).cloned().collect();
        for key in keys {
            clerk.mark_stale(db, &key);
        }
    });
    rearm(ctx, false);
}

/// As [`stale`], for every key.
pub fn all_stale(ctx: Ctx<'_>) {
    let dbs: Vec<i32> = with(|clerk| clerk.lines.keys().copied().collect());
    for db in dbs {
        db_stale(ctx, db);
    }
}

fn rearm(ctx: Ctx<'_>, paused: bool) {
    let now = ctx.now_ms();
    with(|clerk| {
        let Some(at) = clerk.next_tick(now, paused) else { return };
        if clerk.timer.as_ref().is_some_and(|(armed, _)| *armed <= at) {
            return;
        }
        if let Some((_, timer)) = clerk.timer.take() {
            timer::stop(ctx, timer);
        }
        clerk.timer = Some((at, timer::start(ctx, at.saturating_sub(now), tick)));
    });
}

/// What the timer does. It is armed again whatever happens in between.
fn tick(ctx: Ctx<'_>) {
    with(|clerk| clerk.timer = None);
    let gate = quietly(Gate::Later, || work(ctx));
    rearm(ctx, gate == Gate::Later);
}

/// Wakes, then looks at lines that are due or stale, then puts back.
fn work(ctx: Ctx<'_>) -> Gate {
    wake();
    let gate = may_write(ctx);
    match gate {
        Gate::Open => {
            open_due_lines(ctx.now_ms());
            serve_stale(ctx);
            put_back(ctx);
        }
        Gate::Later => open_due_lines(ctx.now_ms()),
        // A replica's blocked clients are disconnected by the server; what they were handed has
        // a lease that runs out.
        Gate::Never => with(|clerk| {
            clerk.to_put_back.clear();
            clerk.calendar.clear();
            for (db, key) in std::mem::take(&mut clerk.stale) {
                if let Some(line) = clerk.line(db, &key) {
                    line.stale = false;
                }
            }
            for line in clerk.lines.values_mut().flat_map(HashMap::values_mut) {
                line.due = None;
            }
        }),
    }
    gate
}

/// Wakes those who were handed something. Writes nothing.
fn wake() {
    let mut stretch = Stretch::begin();
    while let Some(waiter) = with(|clerk| clerk.to_wake.front().cloned()) {
        if !stretch.one_more() {
            break;
        }
        with(|clerk| clerk.to_wake.pop_front());
        let handed = matches!(*waiter.state.borrow(), State::Handed(_));
        if handed && !waiter.disconnected.get() && !waiter.freed.get() {
            // SAFETY: the handle is valid until the free callback, which has not run. The call may
            // come back through the timeout callback at once: nothing is borrowed here.
            unsafe { api!(RedisModule_UnblockClient)(waiter.handle.get(), std::ptr::null_mut()) };
        }
    }
}

fn open_due_lines(now: u64) {
    with(|clerk| {
        while let Some((at, db, key)) = clerk.calendar.first().cloned() {
            if at > now {
                break;
            }
            clerk.set_due(db, &key, None);
            clerk.mark_stale(db, &key);
        }
    });
}

fn serve_stale(ctx: Ctx<'_>) {
    let mut stretch = Stretch::begin();
    // Only those that are stale now: a line that becomes so again waits for the next tick.
    for _ in 0..with(|clerk| clerk.stale.len()) {
        if !stretch.one_more() {
            break;
        }
        let place = with(|clerk| {
            let (db, key) = clerk.stale.pop_front()?;
            if let Some(line) = clerk.line(db, &key) {
                line.stale = false;
            }
            Some((db, key))
        });
        if let Some((db, key)) = place
            && ctx.select(db)
        {
            serve_line(ctx, db, OwnedName::new(&key).borrow());
        }
    }
}

fn put_back(ctx: Ctx<'_>) {
    let mut stretch = Stretch::begin();
    while let Some(((db, key), delivery)) = with(|clerk| clerk.to_put_back.pop_front()) {
        if ctx.select(db) {
            let name = OwnedName::new(&key);
            delivery.put_back(ctx, name.borrow());
            serve_line(ctx, db, name.borrow());
        }
        if !stretch.one_more() {
            break;
        }
    }
}

/// Whether the server still knows a client.
pub(super) fn client_is_there(id: u64) -> bool {
    // SAFETY: a null target asks only whether the client exists.
    unsafe { api!(RedisModule_GetClientInfoById)(std::ptr::null_mut(), id) == raw::REDISMODULE_OK as i32 }
}
