//! Proof that a call changed nothing.

use super::command::Arg;
use super::replication_stream::Stream;
use super::reply::Reply;
use super::test_server::Server;

/// Watches a server for changes of every kind: value, expiry, replication, WATCH, digest.
pub struct Untouched<'a> {
    server: &'a Server,
    stream: Stream,
}

#[derive(Debug, PartialEq)]
struct Seen {
    dump: Reply,
    expiry: Reply,
    changes: String,
    size: Reply,
}

impl<'a> Untouched<'a> {
    pub fn on(server: &'a Server) -> Self {
        Untouched { server, stream: server.stream() }
    }

    /// Runs `act`, during which nothing may change: not the key's bytes, not its expiry, nothing
    /// replicated, no WATCH broken, no key made.
    #[track_caller]
    pub fn during<T>(&self, key: impl Arg, act: impl FnOnce() -> T) -> T {
        let key = key.bytes();
        let watcher = self.server.client();
        watcher.ok(vec![b"WATCH".to_vec(), key.clone()]);
        self.stream.taken(self.server);
        let before = self.seen(&key);
        let result = act();
        let after = self.seen(&key);
        assert_eq!(before, after, "the key '{}' was changed", key.escape_ascii());
        let replicated = self.stream.taken(self.server);
        assert!(replicated.is_empty(), "it was replicated: {replicated:?}");
        watcher.ok("MULTI");
        watcher.ok("PING");
        assert_ne!(watcher.ok("EXEC"), Reply::Nil, "the WATCH on '{}' was broken", key.escape_ascii());
        result
    }

    /// A command that must be refused with an error that begins with `beginning`, and change
    /// nothing.
    #[track_caller]
    pub fn refuses(&self, key: impl Arg, command: impl super::Command, beginning: &str) -> String {
        self.during(key, || self.server.refuses(command, beginning))
    }

    fn seen(&self, key: &[u8]) -> Seen {
        let ask = |command: &str| self.server.ok(vec![command.as_bytes().to_vec(), key.to_vec()]);
        Seen {
            dump: ask("DUMP"),
            expiry: ask("PEXPIRETIME"),
            changes: self.server.info("rdb_changes_since_last_save"),
            size: self.server.ok("DBSIZE"),
        }
    }
}
