//! A panic inside a command is an error for its caller and nothing for everybody else.

use crate::support::{Reply, server, status};

#[test]
#[cfg_attr(not(feature = "test-commands"), ignore = "needs a module built with --features test-commands")]
fn a_command_that_panics_answers_an_error_and_the_server_lives() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    for _ in 0..3 {
        let reply = s.call("WORKGATE.TEST PANIC");
        let Reply::Error(text) = &reply else { panic!("{reply:?}") };
        assert!(text.starts_with("ERR") && !text.contains("unknown command"), "{text}");
    }
    s.lives();
    let replies = s.transaction(["JOBQ.POP q", "WORKGATE.TEST PANIC", "JOBQ.STATS q"]);
    assert_eq!(replies[0].items().len(), 1);
    assert!(replies[1].is_error());
    replies[2].field("active").clone().is(1);
    s.client3().refuses("WORKGATE.TEST PANIC", "ERR");
    s.ok("PING").is(status("PONG"));
}

#[test]
#[cfg_attr(feature = "test-commands", ignore = "this build has the commands for tests")]
fn a_build_for_use_has_no_commands_for_tests() {
    let s = server!();
    s.refuses("WORKGATE.TEST PANIC", "ERR unknown command");
}

#[test]
#[cfg_attr(not(feature = "test-commands"), ignore = "needs a module built with --features test-commands")]
fn a_panic_halfway_through_a_reply_ends_the_connection_and_nothing_else() {
    let s = server!();
    let client = s.client();
    assert!(client.try_call("WORKGATE.TEST HALFWAY").is_err(), "half a reply is never finished");
    s.lives();
    s.client().ok("PING").is(status("PONG"));
}
