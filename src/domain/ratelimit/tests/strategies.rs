//! Effects of every kind, for property tests.

use crate::domain::ratelimit::charge::Charge;
use crate::domain::ratelimit::effect::{CounterKey, Effect, NewHold};
use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::lockout::{Lock, LockLevel};
use crate::domain::ratelimit::{MAX_COUNT, UNLIMITED};
use crate::domain::time::{LONGEST, UnixMs};
use proptest::prelude::*;

fn read(text: &str) -> Rule {
    Limit::parse(text.as_bytes()).expect("a limit").rule
}

fn charges() -> impl Strategy<Value = Charge> {
    let name = prop::option::of("[a-c]|[A-Za-z0-9_.:-]{1,64}");
    (name, rules(), 1..=MAX_COUNT, spans()).prop_map(|(name, rule, cost, span)| {
        let name = name.and_then(|name| LimitName::new(name.as_bytes()));
        Charge { name, rule, span: rule.kind.has_periods().then_some(span), cost }
    })
}

fn spans() -> impl Strategy<Value = Span> {
    let start = prop_oneof![0u64..20_000, any::<u64>()];
    (start, 1..=LONGEST)
        .prop_map(|(start, length)| Span { start, end: start.saturating_add(length).max(1) })
        .prop_filter("a span ends after it began", |span| span.start < span.end)
}

fn rules() -> impl Strategy<Value = Rule> {
    let count = prop_oneof![3 => 1..=MAX_COUNT, 1 => Just(UNLIMITED)];
    let zone = prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Tokyo"]);
    let calendar = ("day|week|month", zone, 1u8..=7);
    (count, 1..=LONGEST, 1..=MAX_COUNT, 0u8..4, calendar).prop_map(
        |(count, period_ms, burst, kind, (unit, zone, anchor))| {
            let anchor = if unit == "day" { String::new() } else { format!(":anchor={anchor}") };
            match kind {
                0 if count <= MAX_COUNT => Rule { count, period_ms, kind: LimitKind::Window },
                1 if count <= MAX_COUNT => Rule { count, period_ms, kind: LimitKind::Bucket { burst } },
                2 => Rule { count, period_ms, kind: LimitKind::Fixed },
                _ => Rule { count, ..read(&format!("1/{unit}@{zone}{anchor}")) },
            }
        },
    )
}

fn effects() -> impl Strategy<Value = Effect> {
    let now = prop_oneof![0u64..10_000, 1u64 << 62..1 << 63, any::<u64>()];
    (now, prop::collection::vec(charges(), 1..=16)).prop_map(|(now, mut list)| {
        let mut kept: Vec<Charge> = Vec::new();
        for take in list.drain(..) {
            if !kept.iter().any(|earlier| earlier.limit().shares_counter(&take.limit())) {
                kept.push(take);
            }
        }
        Effect::Taken { now, charges: kept.into_iter().collect::<OneOrMany<Charge>>(), hold: None }
    })
}

fn ids() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(0u8..4, 1..3).prop_map(Vec::into_boxed_slice)
}

fn times() -> impl Strategy<Value = UnixMs> {
    prop_oneof![4 => 0u64..20_000, 1 => any::<u64>()]
}

/// Effects of every kind, with few names, so that they meet.
pub fn any_effects() -> impl Strategy<Value = Effect> {
    let hold = (ids(), times(), prop::option::of(1..=MAX_COUNT)).prop_map(|(id, until, asked)| NewHold {
        id,
        until,
        asked,
        is_shadow: false,
    });
    let hold =
        (hold, any::<bool>()).prop_map(|(hold, is_shadow)| Some(Box::new(NewHold { is_shadow, ..hold })));
    let held = (effects(), hold).prop_map(|(effect, hold)| match effect {
        Effect::Taken { now, charges, .. } => Effect::Taken { now, charges, hold },
        other => other,
    });
    let lock = (times(), 0..=LONGEST, prop::option::of((any::<u32>(), times())));
    let locked = lock.prop_map(|(from, length, level)| Effect::Locked {
        lock: Lock::new(from, length),
        level: level.map(|(count, until)| LockLevel { count, until }),
    });
    let settled = (times(), ids(), prop::collection::vec(0..=MAX_COUNT, 0..17))
        .prop_map(|(now, id, costs)| Effect::Settled { now, id, costs });
    let refunded = effects().prop_map(|effect| match effect {
        Effect::Taken { now, charges, .. } => {
            let refunds = charges.into_iter().map(|take| Charge { span: None, ..take }).collect();
            Effect::Refunded { now, refunds }
        }
        other => other,
    });
    let corrected = (effects(), times(), 0..=MAX_COUNT).prop_map(|(effect, at, cost)| match effect {
        Effect::Taken { now, charges, .. } => Effect::Corrected { now, at: at.min(now), charges, cost },
        other => other,
    });
    let reset = prop::collection::vec(charges(), 0..4).prop_map(|charges| {
        let counter = |take: Charge| take.name.map_or(CounterKey::Unnamed(take.rule), CounterKey::Named);
        Effect::Reset { counters: charges.into_iter().map(counter).collect() }
    });
    prop_oneof![
        4 => effects(),
        4 => held,
        1 => locked,
        1 => Just(Effect::Unlocked),
        2 => settled,
        1 => refunded,
        2 => corrected,
        1 => reset,
        1 => Just(Effect::Cleared),
        1 => (times(), prop::collection::vec(spans(), 0..3)).prop_map(|(now, spans)| Effect::Rebased { now, spans }),
        2 => (times(), ids(), 0..=LONGEST, 1u64..1 << 40).prop_map(|(now, holder, lease, token)| {
            Effect::Acquired { now, holder, until: now.saturating_add(lease), token }
        }),
        1 => (times(), ids()).prop_map(|(now, holder)| Effect::Released { now, holder }),
    ]
}
