//! A primary and its replica, both of whose append-only files are rewritten while work goes on.

use super::{Server, Snapshot, eventually};

/// Whether both then agree, and still hold what they held when they have crashed and read their
/// files.
pub fn nothing_is_lost_across_rewrites(preamble: &str, work: impl Fn(&Server, usize)) {
    let mut s = Server::start(&["appendonly yes", "appendfsync always", preamble]);
    let mut r = s.replica(&["appendonly yes", "appendfsync always", preamble]);
    for round in 0..3 {
        // The first file that is written holds no key of the module.
        for server in [&s, &r] {
            // A replica has one of its own to make after the synchronisation.
            eventually("no file is rewritten", || rewritten(server));
            server.ok("BGREWRITEAOF");
        }
        work(&s, round);
        for server in [&s, &r] {
            eventually("the file is rewritten", || rewritten(server));
        }
    }
    s.in_step_with(&r);
    let before = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), before);
    for server in [&mut s, &mut r] {
        server.crash_and_restart();
        assert_eq!(Snapshot::of(server).keys(), before.keys());
    }
}

fn rewritten(s: &Server) -> bool {
    s.info("aof_rewrite_in_progress") == "0" && s.info("aof_rewrite_scheduled") == "0"
}
