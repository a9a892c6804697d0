//! CACHE.

use super::effects;
use super::grammar::{KEY, duration, integer, option, text};
use crate::commands::cache::{Get, GetSet, Set};
use crate::domain::cache::Entry;
use crate::server::command::{Access, Keys, Spec, entry};

pub static ROWS: &[Spec] = &[
    Spec {
        name: "CACHE.GETSET",
        flags: "write deny-oom fast blocking",
        arity: -2,
        keys: Keys::At(1, Access::Update),
        summary: "Gets a value, or the one token with which to fill it",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY, duration("LEASE"), duration("BLOCK")],
        entry: entry::<GetSet>(),
    },
    Spec {
        name: "CACHE.SET",
        flags: "write deny-oom fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Stores a value, unless its token was superseded or its key invalidated",
        complexity: "O(W) with W the number of clients that wait",
        since: "0.1.0",
        args: &[KEY, text("value"), option("TOKEN", integer("token")), duration("TTL"), duration("GRACE")],
        entry: entry::<Set>(),
    },
    Spec {
        name: "CACHE.GET",
        flags: "readonly fast",
        arity: 2,
        keys: Keys::At(1, Access::Read),
        summary: "Gets a fresh value; never hands out a token",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY],
        entry: entry::<Get>(),
    },
    effects::<Entry>("CACHE._APPLY", "O(1)"),
];
