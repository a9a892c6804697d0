//! RATELIMIT.CHECK with a token bucket (GCRA).

use crate::support::{eventually, list, server, within};

#[test]
fn a_bucket_gives_its_burst_at_once() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 1/1h:burst=3").is(list![1, 3, 2, 0, 3_600_000]);
    s.ok("RATELIMIT.CHECK u 1/1h:burst=3 COST 2").is(list![2, 3, 0, 0, within(10_790_000..=10_800_000)]);
    let denied = list![0, 3, 0, within(3_590_000..=3_600_000), within(10_790_000..=10_800_000)];
    s.ok("RATELIMIT.CHECK u 1/1h:burst=3").is(denied);
}

#[test]
fn a_plain_bucket_holds_its_count() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 4/1h:bucket").is(list![1, 4, 3, 0, 900_000]);
    s.ok("RATELIMIT.CHECK u 4/1h:bucket COST 4").is(list![
        0,
        4,
        3,
        within(890_000..=900_000),
        within(890_000..=900_000)
    ]);
}

#[test]
fn a_bucket_refills_at_its_rate() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 1/50ms:burst=2 COST 2").is(list![2, 2, 0, 0, 100]);
    eventually("one is back", || s.ok("RATELIMIT.CHECK u 1/50ms:burst=2").at(0).int() == 1);
    eventually("the bucket is full and the key gone", || s.ok("EXISTS u").int() == 0);
}

#[test]
fn a_cost_above_the_burst_can_never_pass() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 100/1h:burst=5 COST 6").is(list![0, 5, 5, -1, 0]);
    s.ok("EXISTS u").is(0);
}

#[test]
fn a_bucket_never_admits_more_than_its_bound() {
    let s = server!();
    let begun = std::time::Instant::now();
    let mut taken = 0;
    for _ in 0..20 {
        let replies = s.pipeline(vec!["RATELIMIT.CHECK u 100/1s:burst=10"; 50]);
        taken += replies.iter().map(|reply| reply.at(0).int()).sum::<i64>();
    }
    // Counted after the last reply, and a millisecond more: the interval is at least as long as the
    // server's.
    let bound = 10 + (begun.elapsed().as_millis() as i64 + 1) * 100 / 1_000;
    assert!((10..=bound).contains(&taken), "{taken} taken, bound {bound}");
}

#[test]
fn fractions_of_a_millisecond_are_not_lost() {
    // 3 a second is one each 333 1/3 ms: three of them last a second, not 999 ms.
    let s = server!();
    s.ok("RATELIMIT.CHECK u 3/1s:burst=3 COST 3").is(list![3, 3, 0, 0, 1_000]);
    s.ok("RATELIMIT.CHECK v 3/1s:burst=3").is(list![1, 3, 2, 0, 334]);
}

#[test]
fn peek_predicts_check_on_a_bucket_too() {
    let s = server!();
    s.ok("RATELIMIT.PEEK u 1/1h:burst=2 COST 2").is(list![1, 2, 2, 0, 0]);
    s.ok("EXISTS u").is(0);
    s.ok("RATELIMIT.CHECK u 1/1h:burst=2 COST 2").is(list![2, 2, 0, 0, 7_200_000]);
    s.ok("RATELIMIT.PEEK u 1/1h:burst=2").at(0).clone().is(0);
}
