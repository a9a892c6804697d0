//! RATELIMIT.

use super::arg_spec::{FURTHER_KEY, KEY, duration, flag, integer, multiple, one_of, option, optional, text};
use crate::commands::ratelimit::{
    AcquirePlace, CheckLimits, CheckSeveral, LockSubject, Peek, Refund, ReleasePlace, Reset, Settle, Unlock,
    policy,
};
use crate::commands::table::internal::effects;
use crate::domain::ratelimit::Subject;
use crate::module_api::command::{Access, Arg, ArgType, Keys, Spec};
use crate::runtime::handler::{entry, entry_finding_keys, verbatim_entry};

const COST: Arg = option("COST", text("cost"));

const ALL_OR_NAMED: Arg = Arg { optional: false, ..COST };

pub static ROWS: &[Spec] = &[
    Spec {
        name: "RATELIMIT.CHECK",
        flags: "write fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Takes from one or several limits of a subject at once, all or nothing",
        complexity: "O(L) with L the number of limits",
        since: "0.1.0",
        args: &[
            KEY,
            multiple(text("limit")),
            COST,
            flag("UPTO", "upto"),
            duration("LOCKOUT"),
            option("FACTOR", integer("factor")),
            duration("MAX"),
            flag("SHADOW", "shadow"),
            option(
                "HOLD",
                Arg { kind: ArgType::Block, parts: &[text("id"), text("duration")], ..text("hold") },
            ),
            optional(one_of("shape", &[flag("DETAIL", "detail"), flag("BRIEF", "brief")])),
        ],
        entry: verbatim_entry::<CheckLimits>(),
    },
    Spec {
        name: "RATELIMIT.MCHECK",
        flags: "write fast getkeys-api",
        arity: -9,
        keys: Keys::AtAndBehind(1, "ALSO", Access::Update),
        summary: "Checks several subjects at once, all or nothing",
        complexity: "O(L) with L the number of limits, at most 16",
        since: "0.1.0",
        args: &[
            KEY,
            Arg {
                optional: false,
                ..option(
                    "ALSO",
                    Arg {
                        kind: ArgType::Block,
                        parts: &[integer("count"), multiple(FURTHER_KEY)],
                        ..text("also")
                    },
                )
            },
            Arg {
                kind: ArgType::Block,
                parts: &[integer("count"), multiple(text("limit"))],
                ..text("limits")
            },
            multiple(Arg {
                kind: ArgType::Block,
                parts: &[integer("count"), multiple(text("limit"))],
                ..text("limits-of-further-keys")
            }),
            COST,
            flag("DETAIL", "detail"),
        ],
        entry: entry_finding_keys::<CheckSeveral>(),
    },
    Spec {
        name: "RATELIMIT.PEEK",
        flags: "readonly fast",
        arity: -2,
        keys: Keys::At(1, Access::Read),
        summary: "Tells what a check would answer, or all limits that a subject holds",
        complexity: "O(L) with L the number of limits",
        since: "0.1.0",
        args: &[KEY, optional(multiple(text("limit"))), COST, flag("DETAIL", "detail")],
        entry: entry::<Peek>(),
    },
    Spec {
        name: "RATELIMIT.POLICY|SET",
        flags: "write admin fast",
        arity: -4,
        keys: Keys::EveryShard,
        summary: "Defines a policy: limits that calls name as @name",
        complexity: "O(L) with L the number of limits, at most 16",
        since: "0.1.0",
        args: &[text("name"), multiple(text("limit"))],
        entry: entry::<policy::Set>(),
    },
    Spec {
        name: "RATELIMIT.POLICY|DEL",
        flags: "write admin fast",
        arity: 3,
        keys: Keys::EveryShard,
        summary: "Deletes a policy",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[text("name")],
        entry: entry::<policy::Delete>(),
    },
    Spec {
        name: "RATELIMIT.POLICY|GET",
        flags: "readonly fast",
        arity: 3,
        keys: Keys::None,
        summary: "Shows the limits of a policy",
        complexity: "O(L) with L the number of limits, at most 16",
        since: "0.1.0",
        args: &[text("name")],
        entry: entry::<policy::Get>(),
    },
    Spec {
        name: "RATELIMIT.POLICY|LIST",
        flags: "readonly",
        arity: 2,
        keys: Keys::None,
        summary: "Shows all policies",
        complexity: "O(N) with N the number of limits in all policies",
        since: "0.1.0",
        args: &[],
        entry: entry::<policy::List>(),
    },
    Spec {
        name: "RATELIMIT.REFUND",
        flags: "write fast",
        arity: -5,
        keys: Keys::At(1, Access::Update),
        summary: "Gives back what was taken of limits",
        complexity: "O(L) with L the number of limits",
        since: "0.1.0",
        args: &[KEY, multiple(text("limit")), ALL_OR_NAMED],
        entry: entry::<Refund>(),
    },
    Spec {
        name: "RATELIMIT.SETTLE",
        flags: "write fast",
        arity: 5,
        keys: Keys::At(1, Access::Update),
        summary: "Replaces what a hold has charged by the actual costs",
        complexity: "O(H) with H the number of open holds of the key, at most 1,000",
        since: "0.1.0",
        args: &[KEY, text("hold-id"), ALL_OR_NAMED],
        entry: entry::<Settle>(),
    },
    Spec {
        name: "RATELIMIT.ACQUIRE",
        flags: "write fast blocking",
        arity: -5,
        keys: Keys::At(1, Access::Update),
        summary: "Takes one of a number of places, or renews it, by a lease",
        complexity: "O(log N) with N the number of leases, and amortised 1 for each that ran out",
        since: "0.1.0",
        args: &[
            KEY,
            text("holder"),
            Arg { optional: false, ..option("MAX", integer("max")) },
            duration("LEASE"),
            option("TOKEN", integer("token")),
            duration("BLOCK"),
        ],
        entry: entry::<AcquirePlace>(),
    },
    Spec {
        name: "RATELIMIT.RELEASE",
        flags: "write fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Gives a place back before its lease runs out",
        complexity: "O(log N) with N the number of leases",
        since: "0.1.0",
        args: &[KEY, text("holder"), option("TOKEN", integer("token"))],
        entry: entry::<ReleasePlace>(),
    },
    Spec {
        name: "RATELIMIT.LOCK",
        flags: "write fast",
        arity: 3,
        keys: Keys::At(1, Access::Update),
        summary: "Locks a subject out: everything is denied for a time",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY, text("duration")],
        entry: entry::<LockSubject>(),
    },
    Spec {
        name: "RATELIMIT.UNLOCK",
        flags: "write fast",
        arity: 2,
        keys: Keys::At(1, Access::Update),
        summary: "Ends a lock-out and forgets how often there was one",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY],
        entry: entry::<Unlock>(),
    },
    Spec {
        name: "RATELIMIT.RESET",
        flags: "write fast",
        arity: -2,
        keys: Keys::At(1, Access::Update),
        summary: "Forgets what was taken, of some limits or of all with locks, holds and leases",
        complexity: "O(L) with L the number of limits",
        since: "0.1.0",
        args: &[KEY, optional(multiple(text("name")))],
        entry: entry::<Reset>(),
    },
    effects::<Subject>("RATELIMIT._APPLY", "O(L) with L the number of limits"),
];
