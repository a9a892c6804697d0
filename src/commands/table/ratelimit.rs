//! RATELIMIT.

use super::effects;
use super::grammar::{KEY, flag, multiple, one_of, option, optional, text};
use crate::commands::ratelimit::{Check, Peek};
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
    effects::<Subject>("RATELIMIT._APPLY", "O(L) with L the number of limits"),
];
