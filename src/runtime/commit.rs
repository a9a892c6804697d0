//! From a decision to a changed key: the one way in which state changes on a primary.

use std::ffi::CStr;

use smallvec::SmallVec;

use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::{Effect, Lifetime, OnString};
use crate::module_api::context::{Ctx, Origin, moves_slots_as_a_whole};
use crate::module_api::key::{Key, WrongType};
use crate::module_api::keyspace;
use crate::module_api::keyspace::EventClass;
use crate::module_api::panic_guard;
use crate::module_api::panic_guard::TestPoint;
use crate::module_api::server_string::ServerStr;
use crate::module_api::{blocking, replication};

use super::value_type::ValueType;
use crate::runtime::counters::JobTotals;
use crate::runtime::{counters, eviction, global_tables, replicated_clock, token_clock};

impl From<WrongType> for Refusal {
    fn from(_: WrongType) -> Self {
        Refusal::new(Code::WrongType, "Operation against a key holding the wrong kind of value")
    }
}

/// Where to send an effect, what may be overwritten, and whether blocked clients are served.
#[derive(Debug, Clone, Copy)]
pub struct Write {
    pub replicate_as: ReplicateAs,
    pub if_string: IfString,
    /// False for an attempt on behalf of a client that waits: its round serves the others.
    pub serves_waiters: bool,
    /// True where the decision itself has asked whether its effect is refused ([`refuse`]), because
    /// it replies.
    pub has_asked: bool,
}

impl Write {
    /// What most commands do: replicate the effect, refuse other types, serve the waiters.
    pub const DEFAULT: Write = Write {
        replicate_as: ReplicateAs::Effect,
        if_string: IfString::Refuse,
        serves_waiters: true,
        has_asked: false,
    };

    pub const fn replicated_as(replicate_as: ReplicateAs) -> Self {
        Write { replicate_as, ..Self::DEFAULT }
    }

    /// For a decision that replies, and calls [`refuse`] before it does.
    pub const fn replying(self) -> Self {
        Write { has_asked: true, ..self }
    }

    pub const fn over_string() -> Self {
        Write { if_string: IfString::Replace, ..Self::DEFAULT }
    }

    pub const fn without_serving() -> Self {
        Write { serves_waiters: false, ..Self::DEFAULT }
    }
}

/// What becomes of one of the server's own strings under the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfString {
    /// It is an error, as for every other type.
    Refuse,
    /// It counts as nothing and is replaced.
    Replace,
}

/// Like [`write_with`], in the way of most commands.
pub fn write<V: ValueType, R>(
    ctx: Ctx<'_>,
    name: ServerStr<'_>,
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    write_with(ctx, name, Write::DEFAULT, decide)
}

/// Runs `decide` on the key's value, replicates and applies its effect, and serves clients blocked
/// on the key.
///
/// An effect that [`refuse`] names is refused. A `decide` that replies by itself must ask that
/// before it does, and says so by [`Write::replying`].
pub fn write_with<V: ValueType, R>(
    ctx: Ctx<'_>,
    name: ServerStr<'_>,
    how: Write,
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    // A newcomer must not take what became due while others waited.
    if how.serves_waiters {
        blocking::serve(ctx, name);
    }
    write_to(Key::for_writing(ctx, name), how, decide)
}

/// Like [`write_with`], but first asks `in_place`, which decides on a value that is there without
/// an effect in between, and whose change `change` makes. Both must equal what `decide` and the
/// effect do. `in_place` returns `None` for a value with overdue changes and for all else that it
/// cannot decide. What it changes must add nothing to the server's memory and grant no token.
///
/// Only for verbatim commands whose `decide` replies. While clients wait or events are wanted,
/// `decide` alone is asked.
pub fn write_in_place<V: ValueType, C, R>(
    ctx: Ctx<'_>,
    name: ServerStr<'_>,
    in_place: impl FnOnce(&V, UnixMs) -> Option<(R, Option<C>)>,
    change: impl FnOnce(&mut V, C),
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    let how = Write::replicated_as(ReplicateAs::Verbatim).replying();
    if blocking::has_waiters() || keyspace::wants_module_events() {
        return write_with(ctx, name, how, decide);
    }
    let mut key = Key::for_writing(ctx, name);
    let now = key.now_ms();
    let decided = key.value::<V>()?.and_then(|value| in_place(value, now));
    let Some((reply, decided)) = decided else { return write_to(key, how, decide) };
    if let Some(decided) = decided {
        replicated_clock::replicate_tick(ctx, now, 0);
        replication::verbatim(ctx);
        panic_guard::abort_on_panic(|| {
            panic_guard::test_point(TestPoint::Apply);
            change_value::<V>(&mut key, None, |value| change(value, decided));
        });
        key.changed();
    }
    Ok(reply)
}

/// Refuses an effect that would add to a server that is full, or that needs a token beyond the
/// last.
#[inline]
pub fn refuse<V: ValueType>(
    ctx: Ctx<'_>,
    state: Option<&V>,
    effect: Option<&V::Effect>,
) -> Result<(), Refusal> {
    eviction::refuse_if_full(ctx, state, effect)?;
    token_clock::refuse_spent(effect)
}

fn write_to<V: ValueType, R>(
    mut key: Key<'_>,
    how: Write,
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    let (ctx, name, now) = (key.ctx(), key.server_name(), key.now_ms());
    let has_advanced = advance::<V>(ctx, &mut key, name, how.if_string, now)?;
    let state = state_of::<V>(&key, how.if_string)?;
    let Decision { reply, effect } = token_clock::tokens(|tokens| decide(state, now, tokens))?;
    if !how.has_asked {
        refuse(ctx, state, effect.as_ref())?;
    }
    let has_changed = has_advanced || effect.is_some();
    if let Some(effect) = effect {
        match how.replicate_as {
            ReplicateAs::Verbatim if state.is_none_or(|state| state.follows_from_call(&effect)) => {
                commit_verbatim::<V>(ctx, &mut key, now, effect);
            }
            _ => commit::<V>(ctx, &mut key, name, effect),
        }
    }
    drop(key);
    if how.serves_waiters && has_changed {
        blocking::serve(ctx, name);
    }
    Ok(reply)
}

/// What a decision on two keys changes: the first one's effect is that of the decision.
pub struct Both<R, S> {
    pub reply: R,
    pub second: Option<S>,
}

/// Like [`write_with`], but for two keys, which are different ones, changed in one step.
///
/// Both effects travel in one unit of replication, the second key's first: it is what the first
/// one's refers to. Neither is refused on a full server.
pub fn write_both<V: ValueType, S: ValueType, R>(
    ctx: Ctx<'_>,
    (name, second): (ServerStr<'_>, ServerStr<'_>),
    serves_waiters: bool,
    decide: impl FnOnce(
        Option<&V>,
        Option<&S>,
        UnixMs,
        &TokenClock,
    ) -> Result<Decision<Both<R, S::Effect>, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    if serves_waiters {
        blocking::serve(ctx, second);
        blocking::serve(ctx, name);
    }
    let (mut key, mut second_key) = (Key::for_writing(ctx, name), Key::for_writing(ctx, second));
    // Nothing is changed where one of them is of another type.
    key.value::<V>()?;
    second_key.value::<S>()?;
    let now = ctx.now_ms();
    let mut has_changed = advance::<S>(ctx, &mut second_key, second, IfString::Refuse, now)?;
    has_changed |= advance::<V>(ctx, &mut key, name, IfString::Refuse, now)?;
    let (state, second_state) = (key.value::<V>()?, second_key.value::<S>()?);
    let Decision { reply, effect } = token_clock::tokens(|tokens| decide(state, second_state, now, tokens))?;
    token_clock::refuse_spent(effect.as_ref())?;
    let Both { reply, second: second_effect } = reply;
    has_changed |= effect.is_some() || second_effect.is_some();
    if let Some(effect) = second_effect {
        commit::<S>(ctx, &mut second_key, second, effect);
    }
    if let Some(effect) = effect {
        commit::<V>(ctx, &mut key, name, effect);
    }
    drop((key, second_key));
    if serves_waiters && has_changed {
        blocking::serve(ctx, name);
        blocking::serve(ctx, second);
    }
    Ok(reply)
}

/// Commits a pending invalidation or overdue changes before the decision. Returns whether there
/// were any.
fn advance<V: ValueType>(
    ctx: Ctx<'_>,
    key: &mut Key<'_>,
    name: ServerStr<'_>,
    if_string: IfString,
    now: UnixMs,
) -> Result<bool, WrongType> {
    let due = state_of::<V>(key, if_string)?.and_then(|value| {
        // No value type has both.
        let invalidated = value.pending_invalidation(name.bytes());
        if invalidated.is_some() {
            V::on_invalidated(name.bytes());
        }
        invalidated.or_else(|| value.overdue(now))
    });
    let has_advanced = due.is_some();
    if let Some(effect) = due {
        commit::<V>(ctx, key, name, effect);
    }
    Ok(has_advanced)
}

/// How an effect reaches replicas and the append-only file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReplicateAs {
    /// As the `_APPLY` command of its value type.
    #[default]
    Effect,
    /// As the client's own command, behind a tick (see [`crate::runtime::replicated_clock`]).
    /// Allowed only if arguments, time, token and the key's value determine the effect; settings
    /// must not influence it. [`apply_verbatim`] applies it again.
    Verbatim,
}

impl ReplicateAs {
    /// Verbatim where the command `is_plain` and its client is one of a primary whose slots do not
    /// move as a whole.
    pub fn choose(origin: Origin, is_plain: bool) -> Self {
        match origin {
            Origin::Client if is_plain => ReplicateAs::Verbatim,
            Origin::ClientOfCluster if is_plain && !moves_slots_as_a_whole() => ReplicateAs::Verbatim,
            _ => ReplicateAs::Effect,
        }
    }
}

/// Applies the effect of a command that was replicated verbatim, and forwards the command. `effect`
/// does not judge again; it returns `None` where the history has lost what the command was about.
///
/// The command happened at the last tick. A primary that imports the slot, which no tick reaches,
/// takes its own time, but does nothing else that is due by it: that is still for the other one to
/// decide, and comes as an effect.
pub fn apply_verbatim<V: ValueType>(
    ctx: Ctx<'_>,
    name: ServerStr<'_>,
    origin: Origin,
    effect: impl FnOnce(Option<&V>, UnixMs) -> Option<V::Effect>,
) -> Result<(), Refusal> {
    if origin == Origin::Import {
        let mut key = Key::for_writing(ctx, name);
        if let Some(effect) = effect(key.value::<V>()?, ctx.now_ms()) {
            commit::<V>(ctx, &mut key, name, effect);
        }
        return Ok(());
    }
    let mut key = Key::for_writing(ctx, name);
    let effect = effect(key.value::<V>()?, replicated_clock::last());
    replicated_clock::forward(ctx);
    if let Some(effect) = effect {
        replicated_clock::note_next_token(effect.highest_token());
        apply::<V>(&mut key, effect);
    }
    replication::verbatim(ctx);
    Ok(())
}

/// The error for a call in the history that is never replicated verbatim.
pub fn not_replicable_verbatim() -> Refusal {
    Refusal::err("only plain calls of this command are replicated")
}

fn state_of<'k, V: ValueType>(key: &'k Key<'_>, if_string: IfString) -> Result<Option<&'k V>, WrongType> {
    if if_string == IfString::Replace && key.is_string() { Ok(None) } else { key.value::<V>() }
}

/// Reads the value without touching its LRU/LFU data or expiring it.
pub fn read<V: ValueType, R>(
    ctx: Ctx<'_>,
    name: ServerStr<'_>,
    view: impl FnOnce(Option<&V>, UnixMs) -> Result<R, Refusal>,
) -> Result<R, Refusal> {
    let key = Key::for_reading(ctx, name);
    view(key.value::<V>()?, ctx.now_ms())
}

fn commit<V: ValueType>(ctx: Ctx<'_>, key: &mut Key<'_>, name: ServerStr<'_>, effect: V::Effect) {
    global_tables::before_commit(ctx);
    let token = effect.highest_token();
    // What a client of a replica writes is no part of the history.
    if token > 0 && ctx.is_primary() {
        replicated_clock::note_token(token);
    }
    let blob = effect.encode();
    match effect.payload() {
        Some(payload) => replication::effect_with_payload(ctx, V::APPLY, name, &blob, payload),
        None => replication::effect(ctx, V::APPLY, name, &blob),
    }
    apply::<V>(key, effect);
}

fn commit_verbatim<V: ValueType>(ctx: Ctx<'_>, key: &mut Key<'_>, now: UnixMs, effect: V::Effect) {
    global_tables::before_commit(ctx);
    replicated_clock::replicate_tick(ctx, now, effect.first_token());
    replicated_clock::note_token(effect.highest_token());
    replication::verbatim(ctx);
    apply::<V>(key, effect);
}

/// Applies an effect to the key: the same on a primary, a replica and while loading.
pub fn apply<V: ValueType>(key: &mut Key<'_>, effect: V::Effect) {
    token_clock::tokens(|tokens| tokens.saw(effect.highest_token()));
    let is_deleted = match keyspace::wants_module_events() {
        true => apply_and_tell::<V>(key, effect),
        false => apply_unheard::<V>(key, effect, None),
    };
    if is_deleted {
        keyspace::notify(key.ctx(), EventClass::Generic, c"del", key.server_name());
    }
}

/// Returns whether the key was deleted.
fn apply_unheard<V: ValueType>(key: &mut Key<'_>, effect: V::Effect, events: Option<&mut Events>) -> bool {
    let is_visible = effect.is_visible();
    let was_there = !key.is_missing();
    panic_guard::abort_on_panic(|| {
        panic_guard::test_point(TestPoint::Apply);
        update::<V>(key, effect, events);
    });
    if is_visible {
        key.changed();
    }
    was_there && key.is_missing()
}

/// Like [`apply_unheard`], where somebody may hear of the module's events.
#[cold]
fn apply_and_tell<V: ValueType>(key: &mut Key<'_>, effect: V::Effect) -> bool {
    let mut events = Events::from_iter(V::event(&effect));
    let is_deleted = apply_unheard::<V>(key, effect, Some(&mut events));
    for event in events {
        keyspace::notify(key.ctx(), EventClass::Module, event, key.server_name());
    }
    is_deleted
}

/// Keyspace events of one effect.
type Events = SmallVec<[&'static CStr; 4]>;

/// `events` takes those that only the value knows, where anybody may hear of them.
fn update<V: ValueType>(key: &mut Key<'_>, effect: V::Effect, events: Option<&mut Events>) {
    if key.is_string() {
        match V::on_string(&effect) {
            OnString::Replace => {}
            OnString::Delete => return key.delete(),
            OnString::ExpireAt(at) => {
                key.expire_at(Some(at));
                return keyspace::notify(key.ctx(), EventClass::Generic, c"expire", key.server_name());
            }
        }
    }
    // Only a cache entry is ever stored over one of the server's own strings.
    if key.is_missing() || key.is_string() {
        return insert::<V>(key, effect, events);
    }
    change_value::<V>(key, events, |value| value.apply(effect));
}

/// Changes the value that is under the key. Any other type was refused when that was decided.
#[inline]
fn change_value<V: ValueType>(
    key: &mut Key<'_>,
    mut events: Option<&mut Events>,
    change: impl FnOnce(&mut V),
) {
    let name = key.name();
    let mut notify = key.subject_notifier();
    let ctx = key.ctx();
    if let Ok(Some(value)) = key.value_mut::<V>() {
        let totals = value.job_totals();
        let before = value.lifetime();
        let alarm = value.next_wakeup();
        value.uncount();
        if events.is_some() {
            // What was not told of while nobody listened.
            value.take_events(&mut |_| {});
        }
        change(value);
        if let Some(events) = &mut events {
            value.take_events(&mut |event| events.push(event));
        }
        counters::add_jobs(totals, value.job_totals());
        value.after_change();
        value.count(name);
        if value.next_wakeup() != alarm {
            value.on_key_added(ctx.db(), name);
        }
        let after = value.lifetime();
        value.take_changed_subjects(&mut notify);
        update_expiry(key, before, after);
    }
}

fn insert<V: ValueType>(key: &mut Key<'_>, effect: V::Effect, events: Option<&mut Events>) {
    let mut value = V::default();
    value.apply(effect);
    if let Some(events) = events {
        value.take_events(&mut |event| events.push(event));
    }
    counters::add_jobs(JobTotals::default(), value.job_totals());
    value.after_change();
    value.take_changed_subjects(&mut key.subject_notifier());
    let after = value.lifetime();
    if after != Lifetime::Over {
        value.count(key.name());
        key.put(value);
        update_expiry(key, Lifetime::Endless, after);
    }
}

/// Gives the key the expiry that its value wants, when that has changed.
fn update_expiry(key: &mut Key<'_>, before: Lifetime, after: Lifetime) {
    match after {
        // Whatever it was before: a file may hold a value that is over.
        Lifetime::Over => key.delete(),
        _ if before == after => {}
        Lifetime::Until(at) => key.expire_at(Some(at)),
        Lifetime::Endless => key.expire_at(None),
    }
}
