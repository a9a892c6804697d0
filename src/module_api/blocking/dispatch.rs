//! Who is served when, and the one timer that works for all lines.

use std::collections::HashMap;
use std::rc::Rc;

use super::registry::{Place, with};
use super::wait_list::Line;
use super::work_budget::Stretch;
use crate::module_api::blocking::{Attempt, Awaited, Handed, KeyName, State, Waiter};
use crate::module_api::context::Ctx;
use crate::module_api::panic_guard::quietly;
use crate::module_api::replication::{Gate, may_write};
use crate::module_api::server_string::{Name, OwnedName};
use crate::module_api::timer;
use crate::module_api::{api, raw};

/// Serves those who wait for their turn at `key` of the selected database, as far as it goes, and
/// those who wait for news that [`stir`] announced. Call it after every change that may let one of
/// them go on, in the same unit of replication.
pub fn serve(ctx: Ctx<'_>, key: Name<'_>) {
    if with(|clerk| clerk.desks.is_empty()) {
        return;
    }
    serve_turn(ctx, ctx.db(), key);
    serve_stirred(ctx);
    rearm(ctx, false);
}

/// A subject of the key has changed: those who wait for news of it are tried at the next [`serve`].
pub fn stir(ctx: Ctx<'_>, key: Name<'_>, subject: u64) {
    with(|clerk| {
        if clerk.readers == 0 {
            return;
        }
        let db = ctx.db();
        let desks = clerk.desks.get(&db);
        if let Some((key, _)) = desks.and_then(|desks| desks.get_key_value(key.bytes())) {
            clerk.stir((db, Rc::clone(key), Awaited::NewsOf(subject)));
        }
    });
}

/// One after the other, until the first that gets nothing: those behind it would get nothing either.
fn serve_turn(ctx: Ctx<'_>, db: i32, key: Name<'_>) {
    let known = with(|clerk| Some(Rc::clone(clerk.desks.get(&db)?.get_key_value(key.bytes())?.0)));
    let Some(known) = known else { return };
    let place = (db, known, Awaited::ItsTurn);
    let mut stretch = Stretch::begin();
    let mut shared = None;
    while stretch.one_more() {
        let Some(waiter) = with(|clerk| clerk.line(&place).and_then(Line::head)) else { return };
        match waiter.request.attempt(ctx, key, &mut shared) {
            Attempt::Wait { until } => {
                with(|clerk| clerk.set_due(&place, until));
                return;
            }
            Attempt::Served(delivery) => with(|clerk| clerk.hand(waiter, &place.1, delivery)),
        }
    }
    with(|clerk| clerk.look_at(&place));
}

fn serve_stirred(ctx: Ctx<'_>) {
    let mut stretch = Stretch::begin();
    while let Some(place) = with(|clerk| {
        let place = clerk.stirred.pop_front()?;
        if let Some(line) = clerk.line(&place) {
            line.stirred = false;
        }
        Some(place)
    }) {
        if place.0 == ctx.db() {
            serve_news(ctx, &place, &mut stretch);
        } else {
            with(|clerk| clerk.look_at(&place));
        }
    }
}

/// Everyone of the round, whatever the others got; the timer goes on where the stretch ends.
fn serve_news(ctx: Ctx<'_>, place: &Place, stretch: &mut Stretch) {
    let name = OwnedName::new(&place.1);
    let mut shared = with(|clerk| clerk.line(place).and_then(|line| line.shared.take()));
    while stretch.one_more() {
        let Some(waiter) = with(|clerk| clerk.line(place).and_then(Line::next_of_round)) else { return };
        match waiter.request.attempt(ctx, name.borrow(), &mut shared) {
            // It has looked as of now: a time that is over would only make the timer spin.
            Attempt::Wait { until } => {
                let until = until.map(|at| at.max(ctx.now_ms() + 1));
                with(|clerk| clerk.due_by(place, until));
            }
            Attempt::Served(delivery) => with(|clerk| clerk.hand(waiter, &place.1, delivery)),
        }
    }
    with(|clerk| {
        if let Some(line) = clerk.line(place) {
            line.shared = shared;
        }
        clerk.look_at(place);
    });
}

/// The key has gone or come without a command of ours: its lines are looked at soon. Needs no
/// context, so that it can be called from where the server gives none.
pub fn stale(db: i32, key: &[u8]) {
    let is_awaited = with(|clerk| {
        clerk.look_at_key(db, key);
        !clerk.stale.is_empty()
    });
    if is_awaited {
        rearm(Ctx::home(), false);
    }
}

/// As [`stale`], for the line of one who waits.
pub(crate) fn line_stale(waiter: &Waiter, key: &KeyName) {
    with(|clerk| clerk.look_anew(&(waiter.db, Rc::clone(key), waiter.awaits)));
    rearm(Ctx::home(), false);
}

/// As [`stale`], for every key of a database.
pub fn db_stale(ctx: Ctx<'_>, db: i32) {
    with(|clerk| {
        let keys: Vec<KeyName> = clerk.desks.get(&db).into_iter().flat_map(HashMap::keys).cloned().collect();
        keys.iter().for_each(|key| clerk.look_at_key(db, key));
    });
    rearm(ctx, false);
}

/// As [`stale`], for every key.
pub fn all_stale(ctx: Ctx<'_>) {
    let dbs: Vec<i32> = with(|clerk| clerk.desks.keys().copied().collect());
    for db in dbs {
        db_stale(ctx, db);
    }
}

/// Sets the timer to the next thing that is to be done.
pub(crate) fn rearm(ctx: Ctx<'_>, paused: bool) {
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
            with(|clerk| clerk.open_due_lines(ctx.now_ms()));
            serve_stale(ctx);
            put_back(ctx);
            serve_stirred(ctx);
        }
        Gate::Later => with(|clerk| clerk.open_due_lines(ctx.now_ms())),
        // A replica's blocked clients are disconnected by the server; what they were handed has
        // a lease that runs out.
        Gate::Never => with(|clerk| clerk.stand_down()),
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

fn serve_stale(ctx: Ctx<'_>) {
    let mut stretch = Stretch::begin();
    // Only those that are stale now: a line that becomes so again waits for the next tick.
    for _ in 0..with(|clerk| clerk.stale.len()) {
        if !stretch.one_more() {
            break;
        }
        let place = with(|clerk| {
            let place = clerk.stale.pop_front()?;
            if let Some(line) = clerk.line(&place) {
                line.stale = false;
            }
            Some(place)
        });
        let Some(place) = place else { break };
        if !ctx.select(place.0) {
            continue;
        }
        match place.2 {
            Awaited::ItsTurn => {
                serve_turn(ctx, place.0, OwnedName::new(&place.1).borrow());
                serve_stirred(ctx);
            }
            Awaited::NewsOf(_) => serve_news(ctx, &place, &mut stretch),
        }
    }
}

fn put_back(ctx: Ctx<'_>) {
    let mut stretch = Stretch::begin();
    while let Some((db, Handed { key, delivery })) = with(|clerk| clerk.to_put_back.pop_front()) {
        if ctx.select(db) {
            let name = OwnedName::new(&key);
            delivery.put_back(ctx, name.borrow());
            serve_turn(ctx, db, name.borrow());
            serve_stirred(ctx);
        }
        if !stretch.one_more() {
            break;
        }
    }
}

/// Whether the server still knows a client.
pub(crate) fn client_is_there(id: u64) -> bool {
    // SAFETY: a null target asks only whether the client exists.
    unsafe { api!(RedisModule_GetClientInfoById)(std::ptr::null_mut(), id) == raw::REDISMODULE_OK as i32 }
}
