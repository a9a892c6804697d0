//! RATELIMIT.CHECK and PEEK with one sliding window.

use crate::support::{eventually, list, server, within};

#[test]
fn each_check_takes_one_until_the_limit_is_reached() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 3/1h").is(list![1, 3, 2, 0, 3_600_000]);
    s.ok("RATELIMIT.CHECK u 3/1h").is(list![1, 3, 1, 0, within(3_590_000..=3_600_000)]);
    s.ok("RATELIMIT.CHECK u 3/1h").is(list![1, 3, 0, 0, within(3_590_000..=3_600_000)]);
    let denied = list![0, 3, 0, within(3_580_000..=3_600_000), within(3_580_000..=3_600_000)];
    s.ok("RATELIMIT.CHECK u 3/1h").is(denied);
}

#[test]
fn subjects_do_not_share_a_limit() {
    let s = server!();
    s.ok("RATELIMIT.CHECK a 1/1h").is(list![1, 1, 0, 0, 3_600_000]);
    s.ok("RATELIMIT.CHECK b 1/1h").is(list![1, 1, 0, 0, 3_600_000]);
}

#[test]
fn cost_takes_several_at_once_or_nothing() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1h COST 7").is(list![7, 10, 3, 0, 3_600_000]);
    s.ok("RATELIMIT.CHECK u 10/1h COST 4").at(0).clone().is(0);
    s.ok("RATELIMIT.CHECK u 10/1h cost 3").is(list![3, 10, 0, 0, within(3_590_000..=3_600_000)]);
}

#[test]
fn a_cost_above_the_capacity_can_never_pass() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1h COST 11").is(list![0, 10, 10, -1, 0]);
    s.ok("RATELIMIT.CHECK u 10/1h COST 11 BRIEF").is(-99_999_999_999_999i64);
    s.ok("EXISTS u").is(0);
}

#[test]
fn brief_is_the_remainder_or_minus_the_retry() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 2/1h BRIEF").is(1);
    s.ok("RATELIMIT.CHECK u 2/1h brief").is(0);
    s.ok("RATELIMIT.CHECK u 2/1h BRIEF").is(within(-3_600_000..=-3_590_000));
}

#[test]
fn what_was_taken_comes_back_when_its_period_ends() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 1/100ms").at(0).clone().is(1);
    eventually("the window slides", || s.ok("RATELIMIT.CHECK u 1/100ms").at(0).int() == 1);
}

#[test]
fn waiting_the_retry_time_succeeds() {
    let s = server!();
    for _ in 0..5 {
        s.ok("RATELIMIT.CHECK u 2/60ms COST 2");
        let denied = s.ok("RATELIMIT.CHECK u 2/60ms");
        if denied.at(0).int() == 1 {
            continue; // The machine paused for longer than the period.
        }
        let retry = denied.at(3).clone().is(within(1..=60)).int();
        s.goes_on(retry);
        s.ok("RATELIMIT.CHECK u 2/60ms").at(0).clone().is(1);
        s.ok("DEL u");
    }
}

#[test]
fn the_key_disappears_when_the_subject_is_as_new() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 5/80ms");
    s.ok("PTTL u").is(within(0..=80));
    eventually("the key is gone", || s.ok("EXISTS u").int() == 0);
}

#[test]
fn a_denial_consumes_nothing() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 3/1h COST 2");
    let before = s.ok("DUMP u");
    for _ in 0..10 {
        s.ok("RATELIMIT.CHECK u 3/1h COST 2").at(0).clone().is(0);
    }
    s.ok("DUMP u").is(&before);
    s.ok("RATELIMIT.CHECK u 3/1h").at(0).clone().is(1);
}

#[test]
fn peek_predicts_check() {
    let s = server!();
    s.ok("RATELIMIT.PEEK u 2/1h").is(list![1, 2, 2, 0, 0]);
    s.ok("EXISTS u").is(0);
    s.ok("RATELIMIT.CHECK u 2/1h").is(list![1, 2, 1, 0, 3_600_000]);
    s.ok("RATELIMIT.PEEK u 2/1h COST 2").is(list![0, 2, 1, within(1..=3_600_000), within(1..=3_600_000)]);
    s.ok("RATELIMIT.CHECK u 2/1h COST 2").is(list![0, 2, 1, within(1..=3_600_000), within(1..=3_600_000)]);
    s.ok("RATELIMIT.PEEK u 2/1h COST 3").at(3).clone().is(-1);
}

#[test]
fn a_window_of_a_thousand_entries_is_exact() {
    let s = server!();
    let replies = s.pipeline(vec!["RATELIMIT.CHECK u 1000/1h"; 1_001]);
    assert!(replies[..1_000].iter().all(|reply| reply.at(0).int() == 1));
    replies[1_000].at(0).clone().is(0);
}

#[test]
fn a_large_window_is_never_over_and_at_most_one_percent_under() {
    let s = server!();
    let replies = s.pipeline(vec!["RATELIMIT.CHECK u 20000/1h"; 20_200]);
    let taken: i64 = replies.iter().map(|reply| reply.at(0).int()).sum();
    assert!((19_800..=20_000).contains(&taken), "{taken}");
    let bytes = s.ok("MEMORY USAGE u").int();
    assert!(bytes <= 9 * 1024, "{bytes} bytes for one limit");
}

#[test]
fn counts_and_costs_reach_to_ten_to_the_twelfth() {
    let s = server!();
    let million_million = 1_000_000_000_000i64;
    s.ok(format!("RATELIMIT.CHECK u {million_million}/3650d COST {million_million}")).is(list![
        million_million,
        million_million,
        0,
        0,
        3_650 * 86_400_000i64
    ]);
    s.ok(format!("RATELIMIT.CHECK u {million_million}/3650d")).at(0).clone().is(0);
}

#[test]
fn resp3_answers_the_same_array() {
    let s = server!();
    s.client3().ok("RATELIMIT.CHECK u 10/1m").is(list![1, 10, 9, 0, 60_000]);
}
