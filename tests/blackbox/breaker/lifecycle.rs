//! BREAKER: one breaker for all instances.

use crate::support::{Reply, any, list, server, status, token, within};

#[test]
fn it_opens_at_the_threshold_probes_and_closes_for_all_instances() {
    let s = server!();
    let (a, b) = (s.client(), s.client());
    a.ok("BREAKER.CONFIG SET api open 30ms").is(status("OK"));
    a.ok("BREAKER.ALLOW api").is(list![1, "closed", 0, 0]);
    a.ok("BREAKER.REPORT api OK 5 PERMIT 0").is(list!["closed", 0, 0, 5]);
    b.ok("BREAKER.REPORT api FAIL 4 PERMIT 0").is(list!["closed", 0, 44, 9]);
    b.ok("BREAKER.REPORT api FAIL 1 PERMIT 0").is(list!["open", 1, 50, 10]);
    a.ok("BREAKER.ALLOW api").at(0).clone().is(0);
    s.goes_on(40);
    let permit = a.ok("BREAKER.ALLOW api").is(list![1, "half_open", token(), 0]).at(2).int();
    b.ok("BREAKER.ALLOW api").is(list![0, "half_open", 0, within(1..=10_000)]);
    // A call that was made before it opened says nothing about now.
    b.ok("BREAKER.REPORT api FAIL 1 PERMIT 0").is(list!["half_open", 0, any(), any()]);
    b.ok("BREAKER.REPORT api OK 1").is(list!["half_open", 0, any(), any()]);
    a.ok(format!("BREAKER.REPORT api OK 1 PERMIT {permit}")).is(list!["closed", 1, 0, 0]);
    let generation = b.ok("BREAKER.ALLOW api").is(list![1, "closed", token(), 0]).at(2).int();
    assert!(generation > permit);
    // Nor do a re-sent report of the probe, or one from before, count against it.
    a.ok(format!("BREAKER.REPORT api FAIL 1 PERMIT {permit}")).is(list!["closed", 0, 0, 0]);
    a.ok("BREAKER.REPORT api FAIL 1 PERMIT 0").is(list!["closed", 0, 0, 0]);
    a.ok(format!("BREAKER.REPORT api OK 1 PERMIT {generation}")).is(list!["closed", 0, 0, 1]);
}

#[test]
fn a_closed_allow_changes_and_replicates_nothing() {
    let s = server!();
    let stream = s.stream();
    s.ok("BREAKER.ALLOW new").is(list![1, "closed", 0, 0]);
    s.ok("EXISTS new").is(0);
    s.ok("BREAKER.REPORT api OK 1");
    assert_eq!(stream.taken(&s).len(), 1);
    let digest = s.ok("WORKGATE.DIGEST");
    for _ in 0..10 {
        s.ok("BREAKER.ALLOW api").at(0).clone().is(1);
    }
    s.ok("BREAKER.GET api").field("calls").clone().is(1);
    s.ok("WORKGATE.DIGEST").is(&digest);
    assert_eq!(stream.taken(&s), Vec::<String>::new());
}

#[test]
fn a_crashed_probe_makes_room_and_its_late_report_is_ignored() {
    let s = server!();
    s.ok("BREAKER.CONFIG SET api open 1ms probe_lease 30ms min_calls 1");
    s.ok("BREAKER.REPORT api FAIL 1").is(list!["open", 1, 100, 1]);
    s.goes_on(2);
    let crashed = s.ok("BREAKER.ALLOW api").at(2).int();
    s.goes_on(40);
    let next = s.ok("BREAKER.ALLOW api").is(list![1, "half_open", token(), 0]).at(2).int();
    assert!(next > crashed);
    s.ok(format!("BREAKER.REPORT api FAIL 1 PERMIT {crashed}")).at(0).clone().is("half_open");
    s.ok(format!("BREAKER.REPORT api OK 1 PERMIT {next}")).at(0).clone().is("closed");
}

#[test]
fn a_failed_probe_opens_again_for_longer() {
    let s = server!();
    s.ok("BREAKER.CONFIG SET api open 20ms factor 100 max 1h min_calls 1");
    s.ok("BREAKER.REPORT api FAIL 1");
    s.goes_on(30);
    let permit = s.ok("BREAKER.ALLOW api").at(2).int();
    let failed = format!("BREAKER.REPORT api FAIL 1 PERMIT {permit}");
    s.ok(&failed).is(list!["open", 1, any(), any()]);
    s.ok(&failed).is(list!["open", 0, any(), any()]);
    s.ok("BREAKER.ALLOW api").is(list![0, "open", 0, within(500..=2_000)]);
    s.ok("BREAKER.GET api").field("failed_rounds").clone().is(1);
}

#[test]
fn slow_calls_open_it_too() {
    let s = server!();
    s.ok("BREAKER.CONFIG SET api slow_pct 30 min_calls 10");
    s.ok("BREAKER.REPORT api OK 10 SLOW 2").is(list!["closed", 0, 0, 10]);
    s.ok("BREAKER.REPORT api FAIL 1 OK 1 SLOW 2").is(list!["open", 1, 8, 12]);
}

#[test]
fn an_operator_holds_it_and_lets_it_go() {
    let s = server!();
    s.ok("BREAKER.FORCE api open").is(status("OK"));
    s.ok("BREAKER.ALLOW api").is(list![0, "open", 0, -1]);
    s.ok("BREAKER.GET api").field("forced").clone().is("open");
    s.ok("BREAKER.FORCE api open FOR 1h");
    s.ok("BREAKER.ALLOW api").is(list![0, "open", 0, within(3_590_000..=3_600_000)]);
    s.ok("BREAKER.FORCE api auto");
    // Whether the other side works is not known: probes come first.
    let permit = s.ok("BREAKER.ALLOW api").is(list![1, "half_open", token(), 0]).at(2).int();
    s.ok(format!("BREAKER.REPORT api OK 1 PERMIT {permit}")).at(0).clone().is("closed");
    s.ok("BREAKER.FORCE api closed");
    s.ok("BREAKER.REPORT api FAIL 100").is(list!["closed", 0, 100, 100]);
    s.ok("BREAKER.FORCE api disabled");
    s.ok("BREAKER.ALLOW api").is(list![1, "disabled", token(), 0]);
    s.ok("BREAKER.REPORT api FAIL 100").is(list!["disabled", 0, 0, 0]);
    s.ok("BREAKER.FORCE api open FOR 20ms");
    s.goes_on(30);
    s.ok("BREAKER.ALLOW api").at(1).clone().is("half_open");
}

#[test]
fn a_configuration_is_kept_and_shown() {
    let s = server!();
    s.ok("BREAKER.CONFIG GET api").field("window").clone().is("1m");
    s.ok("breaker.config set api Window 90s PROBES 3");
    let config = s.ok("BREAKER.CONFIG GET api");
    config.field("window").clone().is("90s");
    config.field("probes").clone().is(3);
    config.field("fail_pct").clone().is(50);
    s.ok("BREAKER.RESET api").is(status("OK"));
    s.ok("BREAKER.CONFIG GET api").is(&config);
    s.ok("PTTL api").is(-1);
    // Back to what it is without one: nothing is left to remember but the generation of the reset.
    s.ok("BREAKER.CONFIG SET api window 60s probes 1");
    assert!(s.ok("PTTL api").int() > 0);
}

#[test]
fn a_key_with_nothing_to_remember_is_gone() {
    let s = server!();
    s.ok("BREAKER.REPORT api OK 1");
    s.ok("PTTL api").is(within(50_000..=60_000));
    s.ok("BREAKER.CONFIG SET short window 1s");
    s.ok("BREAKER.REPORT short OK 1");
    s.ok("BREAKER.CONFIG SET short window 60s");
    s.ok("EXISTS short").is(0);
    s.ok("BREAKER.RESET missing").is(status("OK"));
    s.ok("BREAKER.FORCE missing auto").is(status("OK"));
    s.ok("EXISTS missing").is(0);
}

#[test]
fn calls_leave_the_window() {
    let s = server!();
    s.ok("BREAKER.CONFIG SET api window 1s");
    s.ok("BREAKER.REPORT api FAIL 9").is(list!["closed", 0, 100, 9]);
    s.goes_on(1_000);
    s.ok("BREAKER.REPORT api FAIL 1").is(list!["closed", 0, 100, 1]);
}

#[test]
fn the_subcommands_are_commands_of_their_own() {
    let s = server!();
    for (name, flag, call) in [
        ("breaker.config|set", "write", "BREAKER.CONFIG SET k open 1s"),
        ("breaker.config|get", "readonly", "BREAKER.CONFIG GET k"),
    ] {
        let info = s.ok(format!("COMMAND INFO {name}")).at(0).clone();
        assert_ne!(info, Reply::Nil, "{name}");
        assert!(info.at(2).items().iter().any(|word| word.text() == flag), "{info:?}");
        assert_eq!(info.at(8).items().len(), 1, "{name} has one key spec");
        s.ok(format!("COMMAND GETKEYS {call}")).is(list!["k"]);
        let docs = s.ok(format!("COMMAND DOCS {name}"));
        assert!(!docs.fields()[0].1.field("summary").text().is_empty());
    }
    s.ok("ACL SETUSER limited on >secret ~mine:* +@all");
    let c = s.client();
    c.ok("AUTH limited secret");
    c.refuses("BREAKER.CONFIG SET other open 1s", "NOPERM");
    c.refuses("BREAKER.CONFIG GET other", "NOPERM");
    c.ok("BREAKER.CONFIG SET mine:a open 1s").is(status("OK"));
}

#[test]
fn a_copy_sends_probes_of_its_own() {
    let s = server!();
    s.ok("BREAKER.CONFIG SET api open 1ms min_calls 1");
    s.ok("BREAKER.REPORT api FAIL 1");
    s.goes_on(2);
    let permit = s.ok("BREAKER.ALLOW api").at(2).int();
    s.ok("COPY api copy").is(1);
    s.ok(format!("BREAKER.REPORT copy OK 1 PERMIT {permit}")).at(1).clone().is(0);
    s.ok("BREAKER.ALLOW copy").at(0).clone().is(1);
    s.ok(format!("BREAKER.REPORT api OK 1 PERMIT {permit}")).at(0).clone().is("closed");
}
