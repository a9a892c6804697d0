//! BREAKER.

use super::arg_spec::{KEY, duration, flag, integer, multiple, one_of, option, optional, text};
use crate::commands::breaker::{
    BreakerAllow, BreakerConfigGet, BreakerConfigSet, BreakerForce, BreakerGet, BreakerReport, BreakerReset,
};
use crate::commands::table::internal::effects;
use crate::domain::breaker::Breaker;
use crate::module_api::command::{Access, Arg, ArgType, Keys, Spec};
use crate::runtime::handler::entry;

const MORE_FIELDS: Arg =
    optional(multiple(Arg { kind: ArgType::Block, parts: &[text("field"), text("value")], ..text("more") }));

const FORCED: Arg = one_of(
    "state",
    &[flag("OPEN", "open"), flag("CLOSED", "closed"), flag("DISABLED", "disabled"), flag("AUTO", "auto")],
);

pub static ROWS: &[Spec] = &[
    Spec {
        name: "BREAKER.ALLOW",
        flags: "write fast",
        arity: 2,
        keys: Keys::At(1, Access::Update),
        summary: "Asks whether a call may be made",
        complexity: "O(P) with P the number of probes that are out, at most 100",
        since: "0.1.0",
        args: &[KEY],
        entry: entry::<BreakerAllow>(),
    },
    Spec {
        name: "BREAKER.REPORT",
        flags: "write fast",
        arity: -2,
        keys: Keys::At(1, Access::Update),
        summary: "Reports how calls went",
        complexity: "O(P) with P the number of probes that are out, at most 100",
        since: "0.1.0",
        args: &[
            KEY,
            option("OK", integer("calls")),
            option("FAIL", integer("failed")),
            option("SLOW", integer("slow")),
            option("PERMIT", integer("permit")),
            option("BY", text("instance")),
        ],
        entry: entry::<BreakerReport>(),
    },
    Spec {
        name: "BREAKER.CONFIG|SET",
        flags: "write fast",
        arity: -5,
        keys: Keys::At(2, Access::Update),
        summary: "Sets fields of a breaker's configuration",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY, text("field"), text("value"), MORE_FIELDS],
        entry: entry::<BreakerConfigSet>(),
    },
    Spec {
        name: "BREAKER.CONFIG|GET",
        flags: "readonly fast",
        arity: 3,
        keys: Keys::At(2, Access::Read),
        summary: "Gets a breaker's configuration",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY],
        entry: entry::<BreakerConfigGet>(),
    },
    Spec {
        name: "BREAKER.FORCE",
        flags: "write fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Holds a breaker in a state, or lets it go",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY, FORCED, duration("FOR")],
        entry: entry::<BreakerForce>(),
    },
    Spec {
        name: "BREAKER.RESET",
        flags: "write fast",
        arity: 2,
        keys: Keys::At(1, Access::Update),
        summary: "Closes a breaker and forgets what was reported; keeps its configuration",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY],
        entry: entry::<BreakerReset>(),
    },
    Spec {
        name: "BREAKER.GET",
        flags: "readonly fast",
        arity: 2,
        keys: Keys::At(1, Access::Read),
        summary: "Gets a breaker's state and counts",
        complexity: "O(P) with P the number of probes that are out, at most 100",
        since: "0.1.0",
        args: &[KEY],
        entry: entry::<BreakerGet>(),
    },
    effects::<Breaker>("BREAKER._APPLY", "O(1)"),
];
