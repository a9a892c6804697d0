//! RATELIMIT.

use super::effects;
use super::grammar::{KEY, flag, multiple, one_of, option, optional, text};
use crate::commands::ratelimit::{Check, Peek};
use crate::commands::ratelimit_policy;
use crate::domain::ratelimit::Subject;
use crate::server::command::{Access, Arg, Keys, Spec, entry};

const COST: Arg = option("COST", text("cost"));

pub static ROWS: &[Spec] = &[
    Spec {
        name: "RATELIMIT.CHECK",
        flags: "write deny-oom fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Takes from one or several limits of a subject at once, all or nothing",
        complexity: "O(L) with L the number of limits",
        since: "0.1.0",
        args: &[
            KEY,
            multiple(text("limit")),
            COST,
            optional(one_of("shape", &[flag("DETAIL", "detail"), flag("BRIEF", "brief")])),
        ],
        entry: entry::<Check>(),
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
        flags: "write deny-oom fast",
        arity: -4,
        keys: Keys::EveryShard,
        summary: "Defines a policy: limits that calls name as @name",
        complexity: "O(L) with L the number of limits, at most 16",
        since: "0.1.0",
        args: &[text("name"), multiple(text("limit"))],
        entry: entry::<ratelimit_policy::Set>(),
    },
    Spec {
        name: "RATELIMIT.POLICY|DEL",
        flags: "write fast",
        arity: 3,
        keys: Keys::EveryShard,
        summary: "Deletes a policy",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[text("name")],
        entry: entry::<ratelimit_policy::Delete>(),
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
        entry: entry::<ratelimit_policy::Get>(),
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
        entry: entry::<ratelimit_policy::List>(),
    },
    effects::<Subject>("RATELIMIT._APPLY", "O(L) with L the number of limits"),
];
