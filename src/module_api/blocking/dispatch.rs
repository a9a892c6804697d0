//! When each waiter is served, and the one timer that works for all lists.

use std::collections::HashMap;
use std::rc::Rc;

use super::registry::{ListId, with};
use super::serve_turn::{may_decide, serve_turn};
use super::unit_end;
use super::wait_list::WaitList;
use super::waiter::{Attempt, Handed, KeyName, State, WaitFor};
use super::work_budget::WorkBudget;
use crate::module_api::context::Ctx;
use crate::module_api::panic_guard::catch_panic_or;
use crate::module_api::replication::write_gate::{Gate, may_write};
use crate::module_api::server_string::{ServerStr, ServerString};
use crate::module_api::timer;
use crate::module_api::{api, raw};

/// Whether any client waits at any key.
#[inline]
pub fn has_waiters() -> bool {
    with(|registry| !registry.by_key.is_empty())
}

/// Serves the clients that wait for their turn at `key` of the selected database, as far as it
/// goes, and those that wait for subjects that [`notify`] announced. Call it after every change
/// that may let one of them go on, in the same unit of replication.
///
/// A transaction, script or function is one step also for those who wait: its commands only note
/// the lists that may go on, which are served once, by the state that is left when it ends.
pub fn serve(ctx: Ctx<'_>, key: ServerStr<'_>) {
    if with(|registry| registry.by_key.is_empty()) {
        return;
    }
    if ctx.must_not_block() {
        return serve_when_unit_ends(ctx, key);
    }
    serve_turn(ctx, ctx.db(), key);
    serve_notified(ctx);
    rearm(ctx, false);
}

/// Notes the key; its lists are served when the transaction, script or function has ended.
fn serve_when_unit_ends(ctx: Ctx<'_>, key: ServerStr<'_>) {
    let is_awaited = with(|registry| {
        registry.schedule_turns_check(ctx.db(), key.bytes());
        registry.key_waiters(ctx.db(), key.bytes()).is_some()
    });
    if is_awaited {
        if !unit_end::ask(look_now) {
            unit_end::signal(ctx, key);
            // Nobody is blocked on a shared key itself.
            for own in with(|registry| registry.keys_of_standing(ctx.db(), key.bytes())) {
                unit_end::signal(ctx, ServerString::new(&own).borrow());
            }
        }
        rearm(ctx, false);
    }
}

/// The server has found the key ready (it was created, renamed to, swapped in, or signalled), and
/// begins to call back for the clients that are blocked on it: no other client's command comes
/// before this.
pub(crate) fn key_ready(db: i32, key: &[u8]) {
    with(|registry| registry.schedule_key_check(db, key));
    let ctx = Ctx::detached();
    if !unit_end::ask(look_now) {
        look_now(ctx);
    }
    rearm(ctx, false);
}

/// A subject of the key has changed: the clients that wait for it are tried at the next [`serve`].
pub fn notify(ctx: Ctx<'_>, key: ServerStr<'_>, subject: u64) {
    with(|registry| {
        if registry.readers == 0 {
            return;
        }
        let db = ctx.db();
        let by_key = registry.by_key.get(&db);
        if let Some((key, _)) = by_key.and_then(|by_key| by_key.get_key_value(key.bytes())) {
            registry.notify((db, Rc::clone(key), WaitFor::Subject(subject)));
        }
    });
}

fn serve_notified(ctx: Ctx<'_>) {
    let mut budget = WorkBudget::start();
    while let Some(place) = with(|registry| {
        let place = registry.notified.pop_front()?;
        if let Some(list) = registry.list(&place) {
            list.notified = false;
        }
        Some(place)
    }) {
        if place.0 == ctx.db() {
            serve_subject(ctx, &place, &mut budget);
        } else {
            with(|registry| registry.schedule_check(&place));
        }
    }
}

/// Everyone of the round, whatever the others got; the timer goes on where the budget ends.
fn serve_subject(ctx: Ctx<'_>, place: &ListId, budget: &mut WorkBudget) {
    let name = ServerString::new(&place.1);
    if !may_decide(ctx, name.borrow(), place) {
        return;
    }
    let mut shared = with(|registry| registry.list(place).and_then(|list| list.shared.take()));
    while budget.try_spend() {
        let Some(waiter) = with(|registry| registry.list(place).and_then(WaitList::next_of_round)) else {
            return;
        };
        match waiter.request.attempt(ctx, name.borrow(), &mut shared) {
            // It has looked as of now: a time that is over would only make the timer spin.
            Attempt::Wait { until } | Attempt::Stand { until } => {
                let until = until.map(|at| at.max(ctx.now_ms() + 1));
                with(|registry| registry.due_by(place, until));
            }
            // It is for lists in order.
            Attempt::StepBack => {}
            Attempt::Served(delivery) => with(|registry| registry.hand(waiter, &place.1, delivery)),
        }
    }
    with(|registry| {
        if let Some(list) = registry.list(place) {
            list.shared = shared;
        }
        registry.schedule_check(place);
    });
}

/// The key has gone or come without a command of ours: its lists are looked at when the unit ends,
/// or by the timer. Needs no context, so that it can be called from where the server gives none.
pub fn stale(db: i32, key: &[u8]) {
    let is_awaited = with(|registry| {
        registry.schedule_key_check(db, key);
        !registry.stale.is_empty()
    });
    if is_awaited {
        look_soon(Ctx::detached());
    }
}

/// The lists that are stale are looked at when the unit ends where the server can tell, and by the
/// timer elsewhere.
fn look_soon(ctx: Ctx<'_>) {
    unit_end::ask(look_now);
    rearm(ctx, false);
}

/// Like [`stale`], but for every key of a database.
pub fn db_stale(ctx: Ctx<'_>, db: i32) {
    with(|registry| {
        let keys: Vec<KeyName> =
            registry.by_key.get(&db).into_iter().flat_map(HashMap::keys).cloned().collect();
        keys.iter().for_each(|key| registry.schedule_key_check(db, key));
    });
    look_soon(ctx);
}

/// Like [`stale`], but for the lists in order of every key: what they want has changed.
pub fn turns_stale(ctx: Ctx<'_>) {
    with(|registry| {
        let keys: Vec<(i32, KeyName)> = registry
            .by_key
            .iter()
            .flat_map(|(db, keys)| keys.keys().map(|key| (*db, Rc::clone(key))))
            .collect();
        keys.iter().for_each(|(db, key)| registry.schedule_turns_check(*db, key));
    });
    look_soon(ctx);
}

/// Like [`stale`], but for every key.
pub fn all_stale(ctx: Ctx<'_>) {
    let dbs: Vec<i32> = with(|registry| registry.by_key.keys().copied().collect());
    for db in dbs {
        db_stale(ctx, db);
    }
}

/// The times are looked at this often, in case the server's clock was set forward; see
/// [`clock_moved`] for one that was set back.
const LONGEST_SLEEP_MS: u64 = 1_000;

/// Sets the timer to the next thing that is to be done.
pub(crate) fn rearm(ctx: Ctx<'_>, paused: bool) {
    let now = ctx.now_ms();
    with(|registry| {
        let Some(at) = registry.next_tick(now, paused) else { return };
        if registry.timer.as_ref().is_some_and(|(armed, _)| *armed <= at) {
            return;
        }
        if let Some((_, timer)) = registry.timer.take() {
            timer::stop(ctx, timer);
        }
        let sleep = at.saturating_sub(now).min(LONGEST_SLEEP_MS);
        registry.timer = Some((at, timer::start_on_time(ctx, sleep, tick)));
    });
}

/// The clock was set back: the timer would fire late by as much, so it is armed again.
pub fn clock_moved(ctx: Ctx<'_>) {
    if let Some((_, timer)) = with(|registry| registry.timer.take()) {
        timer::stop(ctx, timer);
    }
    all_stale(ctx);
    rearm(ctx, false);
}

/// What the timer does. It is armed again whatever happens in between.
fn tick(ctx: Ctx<'_>) {
    with(|registry| registry.timer = None);
    let gate = catch_panic_or(Gate::Later, || work(ctx));
    rearm(ctx, gate == Gate::Later);
}

/// Looks at the lists that are stale or whose subject has changed, at the end of a unit or when the
/// server has found a key ready.
fn look_now(ctx: Ctx<'_>) {
    let has_work = with(|registry| {
        // Those of the unit may be of any database.
        registry.notified_are_stale();
        !registry.stale.is_empty()
    });
    if has_work && may_write(ctx) == Gate::Open {
        serve_stale(ctx);
    }
    rearm(ctx, false);
}

/// Wakes, then looks at lists that are due or stale, then puts back.
fn work(ctx: Ctx<'_>) -> Gate {
    wake();
    // Most often there was only somebody to wake, and the gate costs a look into INFO.
    if !with(|registry| registry.has_work(ctx.now_ms())) {
        return Gate::Open;
    }
    let gate = may_write(ctx);
    match gate {
        Gate::Open => {
            with(|registry| registry.open_due_lists(ctx.now_ms()));
            serve_stale(ctx);
            put_back(ctx);
            serve_notified(ctx);
        }
        Gate::Later => with(|registry| registry.open_due_lists(ctx.now_ms())),
        // This server is a replica now. The server itself ends the wait of its clients (UNBLOCKED).
        // A job that was handed to one of them comes back when its lease runs out.
        Gate::Never => with(|registry| registry.clear_for_replica()),
    }
    gate
}

/// Wakes the clients that have a delivery. Writes nothing.
fn wake() {
    let mut budget = WorkBudget::start();
    while let Some(waiter) = with(|registry| registry.to_wake.front().cloned()) {
        if !budget.try_spend() {
            break;
        }
        with(|registry| registry.to_wake.pop_front());
        let handed = matches!(*waiter.state.borrow(), State::Handed(_));
        if handed && !waiter.disconnected.get() && !waiter.freed.get() {
            // SAFETY: the handle is valid until the free callback, which has not run. The call may
            // come back through the timeout callback at once: nothing is borrowed here.
            unsafe { api!(RedisModule_UnblockClient)(waiter.handle.get(), std::ptr::null_mut()) };
        }
    }
}

/// Ends the waits that the server has not ended in time. Writes nothing.
pub fn end_overdue() {
    let mut budget = WorkBudget::start();
    while budget.try_spend() {
        let Some(waiter) = with(|registry| registry.next_overdue()) else { break };
        if waiter.waits() && !waiter.disconnected.get() && !waiter.freed.get() {
            // SAFETY: as in `wake`; the timeout callback answers.
            unsafe { api!(RedisModule_UnblockClient)(waiter.handle.get(), std::ptr::null_mut()) };
        }
    }
}

fn serve_stale(ctx: Ctx<'_>) {
    let mut budget = WorkBudget::start();
    // Only those that are stale now: a list that becomes so again waits for the next tick.
    for _ in 0..with(|registry| registry.stale.len()) {
        if !budget.try_spend() {
            break;
        }
        let place = with(|registry| {
            let place = registry.stale.pop_front()?;
            let is_stale =
                registry.list(&place).is_some_and(|list| std::mem::replace(&mut list.stale, false));
            Some((place, is_stale))
        });
        let Some((place, is_stale)) = place else { break };
        if !is_stale || !ctx.select(place.0) {
            continue;
        }
        match place.2 {
            WaitFor::Turn | WaitFor::TurnOf(_) => {
                serve_turn(ctx, place.0, ServerString::new(&place.1).borrow());
                serve_notified(ctx);
            }
            WaitFor::Subject(_) => serve_subject(ctx, &place, &mut budget),
        }
    }
}

fn put_back(ctx: Ctx<'_>) {
    let mut budget = WorkBudget::start();
    while let Some((db, Handed { key, delivery })) = with(|registry| registry.to_undo.pop_front()) {
        if ctx.select(db) {
            let name = ServerString::new(&key);
            delivery.undo(ctx, name.borrow());
            serve_turn(ctx, db, name.borrow());
            serve_notified(ctx);
        }
        if !budget.try_spend() {
            break;
        }
    }
}

/// Whether the server still knows a client.
pub(crate) fn client_is_there(id: u64) -> bool {
    // SAFETY: a null target asks only whether the client exists.
    unsafe { api!(RedisModule_GetClientInfoById)(std::ptr::null_mut(), id) == raw::REDISMODULE_OK as i32 }
}
