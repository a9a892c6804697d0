//! The report that a server writes when it crashes: whole, whatever the module was at.

use crate::support::{Server, eventually, figure, server, write_every_state};

fn log(s: &Server) -> String {
    let log = std::fs::read(s.directory().join("server.log")).expect("the log");
    String::from_utf8_lossy(&log).into_owned()
}

/// A crash in the middle of a change finds what the module holds borrowed, and perhaps the
/// allocator as well: the module must not be asked for its section of INFO then.
#[test]
#[cfg_attr(not(feature = "test-commands"), ignore = "needs a module built with --features test-commands")]
fn a_report_of_a_crash_is_whole_and_asks_the_module_for_nothing() {
    let crashes = ["DEBUG SEGFAULT", "JOBQ.PUSH q p", "RATELIMIT.CHECK u 5/1h", "CACHE.POLICY SET p: TTL 1h"];
    for crash in crashes {
        let mut s = server!("crash-memcheck-enabled no");
        write_every_state(&s);
        s.ok("IDEMP.CLAIM mine LEASE 1h");
        let _waiters = [s.waits("JOBQ.POP other BLOCK 1h"), s.waits("IDEMP.CLAIM mine BLOCK 1h")];
        assert!(s.ok("INFO everything").text().contains("workgate_calls:"), "INFO shows the section");
        if crash != "DEBUG SEGFAULT" {
            s.ok("WORKGATE.TEST PANIC APPLY");
        }
        assert!(s.client().try_call(crash).is_err(), "{crash}: the server is gone");
        eventually("the report has its end", || log(&s).contains("BUG REPORT END"));
        let report = log(&s);
        assert!(report.contains("INFO OUTPUT") && report.contains("used_memory:"), "{report}");
        assert!(!report.contains("workgate_calls:"), "{report}");
        s.crashes();
    }
    figure(format!("{} crashes, three of them within a change: each report is whole", crashes.len()));
}
