//! CACHE.

use super::effects;
use super::grammar::{KEY, duration, integer, multiple, option, text};
use crate::commands::cache::{Absent, Expire, Get, GetSet, Release, Set, invalidate};
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
        args: &[KEY, duration("LEASE"), duration("BLOCK"), duration("TOUCH")],
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
        name: "CACHE.ABSENT",
        flags: "write deny-oom fast",
        arity: -2,
        keys: Keys::At(1, Access::Update),
        summary: "Stores that there is no value",
        complexity: "O(W) with W the number of clients that wait",
        since: "0.1.0",
        args: &[KEY, option("TOKEN", integer("token")), duration("TTL")],
        entry: entry::<Absent>(),
    },
    Spec {
        name: "CACHE.RELEASE",
        flags: "write fast",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Gives a token back when the load failed",
        complexity: "O(1)",
        since: "0.1.0",
        args: &[KEY, integer("token"), duration("DELAY")],
        entry: entry::<Release>(),
    },
    Spec {
        name: "CACHE.EXPIRE",
        flags: "write",
        arity: -2,
        keys: Keys::From(1, Access::Update),
        summary: "Makes values stale at once, and the fills in flight worthless",
        complexity: "O(N) with N the number of keys",
        since: "0.1.0",
        args: &[multiple(KEY)],
        entry: entry::<Expire>(),
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
    Spec {
        name: "CACHE.INVALIDATE|PREFIX",
        flags: "write",
        arity: -3,
        keys: Keys::EveryShard,
        summary: "Makes all values stale whose keys begin with a prefix, and the fills in flight worthless",
        complexity: "O(N) with N the number of prefixes",
        since: "0.1.0",
        args: &[multiple(text("prefix"))],
        entry: entry::<invalidate::Prefix>(),
    },
    effects::<Entry>("CACHE._APPLY", "O(1)"),
];
