//! From a decision to a changed key: the one way in which state changes on a primary.

use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::{Effect, Lifetime};
use crate::module_api::context::{Ctx, Origin};
use crate::module_api::key::{Key, WrongType};
use crate::module_api::server_string::Name;
use crate::module_api::{blocking, replication};

use super::value_type::Stored;
use crate::runtime::{replicated_clock, token_clock};

impl From<WrongType> for Refusal {
    fn from(_: WrongType) -> Self {
        Refusal::new(Code::WrongType, "Operation against a key holding the wrong kind of value")
    }
}

/// Decides on the key's value, makes the effect happen, and lets those go on who wait for the key.
///
/// They come first: what became due a moment ago is theirs, and not the newcomer's.
pub fn write<V: Stored, R>(
    ctx: Ctx<'_>,
    name: Name<'_>,
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    write_and_serve(ctx, name, OverString::Refused, Carrier::Effect, decide)
}

/// As [`write`], for a command whose effect is carried by `carrier`.
pub fn write_carried<V: Stored, R>(
    ctx: Ctx<'_>,
    name: Name<'_>,
    carrier: Carrier,
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    write_and_serve(ctx, name, OverString::Refused, carrier, decide)
}

/// What takes an effect to replicas and to the append-only file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Its family's `_APPLY`.
    Effect,
    /// The client's own command as it came, behind a tick (see [`crate::runtime::replicated_clock`]). Only for a command whose
    /// effect, once it is decided that it has one, follows from its arguments, the time, the token and what
    /// the key holds, and from no setting: [`repeat`] makes it happen again.
    Command,
}

impl Carrier {
    /// What carries a call from `origin`; `none` where the call itself has come as a carrier, to be repeated.
    /// `by_itself` tells whether it may travel so.
    pub fn of(origin: Origin, by_itself: bool) -> Option<Self> {
        match origin {
            Origin::Client | Origin::ClientOfCluster if by_itself => Some(Carrier::Command),
            Origin::Client | Origin::ClientOfCluster | Origin::ClientOfReplica => Some(Carrier::Effect),
            Origin::History | Origin::Import => None,
        }
    }
}

/// Makes the effect of a command happen that came as its own carrier, and passes it on. `effect` does not judge
/// again; there is none where the history has lost what the command was about.
///
/// The command happened at the last tick. A primary that imports the slot, whom no tick reaches, takes its own time, but
/// does nothing else that is due by it: that is still for the other one to decide, and comes as an effect.
pub fn repeat<V: Stored>(
    ctx: Ctx<'_>,
    name: Name<'_>,
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
    replicated_clock::pass_on(ctx);
    if let Some(effect) = effect {
        replicated_clock::granted(effect.highest_token());
        apply::<V>(&mut key, effect);
    }
    replication::verbatim(ctx);
    Ok(())
}

/// What is said of a call in the history that never travels as it came.
pub fn not_by_itself() -> Refusal {
    Refusal::err("only plain calls of this command are replicated")
}

/// As [`write`], for a command that replaces one of the server's own strings as if nothing were there.
pub fn write_over_string<V: Stored, R>(
    ctx: Ctx<'_>,
    name: Name<'_>,
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    write_and_serve(ctx, name, OverString::Replaced, Carrier::Effect, decide)
}

/// What becomes of one of the server's own strings under the key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OverString {
    Refused,
    Replaced,
}

fn write_and_serve<V: Stored, R>(
    ctx: Ctx<'_>,
    name: Name<'_>,
    over: OverString,
    carrier: Carrier,
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    blocking::serve(ctx, name);
    let (reply, changed) = decide_and_commit(ctx, name, over, carrier, decide)?;
    if changed {
        blocking::serve(ctx, name);
    }
    Ok(reply)
}

/// As [`write`], without serving those who wait: for an attempt made on behalf of one of them.
pub fn write_alone<V: Stored, R>(
    ctx: Ctx<'_>,
    name: Name<'_>,
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<R, Refusal> {
    decide_and_commit(ctx, name, OverString::Refused, Carrier::Effect, decide).map(|(reply, _)| reply)
}

fn decide_and_commit<V: Stored, R>(
    ctx: Ctx<'_>,
    name: Name<'_>,
    over: OverString,
    carrier: Carrier,
    decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
) -> Result<(R, bool), Refusal> {
    let mut key = Key::for_writing(ctx, name);
    let now = ctx.now_ms();
    let overdue = state_of::<V>(&key, over)?.and_then(|value| {
        // No family has both.
        let overruled = value.overruled(name.bytes());
        if overruled.is_some() {
            V::on_overruled(name.bytes());
        }
        overruled.or_else(|| value.overdue(now))
    });
    let advanced = overdue.is_some();
    if let Some(effect) = overdue {
        commit::<V>(ctx, &mut key, name, effect);
    }
    let state = state_of::<V>(&key, over)?;
    let decision = token_clock::tokens(|tokens| decide(state, now, tokens))?;
    let changed = decision.effect.is_some();
    if let Some(effect) = decision.effect {
        match carrier {
            Carrier::Effect => commit::<V>(ctx, &mut key, name, effect),
            Carrier::Command => {
                let token = effect.highest_token();
                replicated_clock::announce(ctx, now, token);
                replicated_clock::granted(token);
                replication::verbatim(ctx);
                apply::<V>(&mut key, effect);
            }
        }
    }
    Ok((decision.reply, advanced || changed))
}

fn state_of<'k, V: Stored>(key: &'k Key<'_>, over: OverString) -> Result<Option<&'k V>, WrongType> {
    if over == OverString::Replaced && key.is_string() { Ok(None) } else { key.value::<V>() }
}

/// Looks at the key's value without a trace.
pub fn read<V: Stored, R>(
    ctx: Ctx<'_>,
    name: Name<'_>,
    view: impl FnOnce(Option<&V>, UnixMs) -> Result<R, Refusal>,
) -> Result<R, Refusal> {
    let key = Key::for_reading(ctx, name);
    view(key.value::<V>()?, ctx.now_ms())
}

fn commit<V: Stored>(ctx: Ctx<'_>, key: &mut Key<'_>, name: Name<'_>, effect: V::Effect) {
    let token = effect.highest_token();
    // What a client of a replica writes is no part of the history.
    if token > 0 && ctx.is_primary() {
        replicated_clock::granted(token);
    }
    let blob = effect.encode();
    match effect.payload() {
        Some(payload) => replication::effect_with_payload(ctx, V::APPLY, name, &blob, payload),
        None => replication::effect(ctx, V::APPLY, name, &blob),
    }
    apply::<V>(key, effect);
}

/// Applies an effect to the key: the same on a primary, a replica and while loading.
pub fn apply<V: Stored>(key: &mut Key<'_>, effect: V::Effect) {
    token_clock::tokens(|tokens| tokens.saw(effect.highest_token()));
    let is_visible = effect.is_visible();
    change::<V>(key, effect);
    if is_visible {
        key.changed();
    }
}

fn change<V: Stored>(key: &mut Key<'_>, effect: V::Effect) {
    // Only a cache entry is ever stored over one of the server's own strings.
    if key.is_missing() || key.is_string() {
        return put::<V>(key, effect);
    }
    // Any other type was refused when the effect was decided.
    let name = key.name();
    let mut news = key.news();
    let ctx = key.ctx();
    if let Ok(Some(value)) = key.value_mut::<V>() {
        let before = value.lifetime();
        let alarm = value.alarm();
        value.uncount();
        value.apply(effect);
        value.settled();
        value.count(name);
        if value.alarm() != alarm {
            value.placed(ctx.db(), name);
        }
        let after = value.lifetime();
        value.stirred(&mut news);
        arm(key, before, after);
    }
}

fn put<V: Stored>(key: &mut Key<'_>, effect: V::Effect) {
    let mut value = V::default();
    value.apply(effect);
    value.settled();
    value.stirred(&mut key.news());
    let after = value.lifetime();
    if after != Lifetime::Over {
        value.count(key.name());
        key.put(value);
        arm(key, Lifetime::Endless, after);
    }
}

/// Gives the key the expiry that its value wants, when that has changed.
fn arm(key: &mut Key<'_>, before: Lifetime, after: Lifetime) {
    match after {
        _ if before == after => {}
        Lifetime::Over => key.delete(),
        Lifetime::Until(at) => key.expire_at(Some(at)),
        Lifetime::Endless => key.expire_at(None),
    }
}
