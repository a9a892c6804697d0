//! RATELIMIT.CHECK with fixed periods, calendar quotas and `inf`.

use crate::support::{eventually, list, server, within};

const UNLIMITED: i64 = 99_999_999_999_999;

#[test]
fn a_fixed_period_gives_its_count_and_ends_all_at_once() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 2/80ms:fixed COST 2").is(list![2, 2, 0, 0, 80]);
    eventually("the period is over and the key gone", || s.ok("EXISTS u").int() == 0);
    s.ok("RATELIMIT.CHECK u 2/1h:fixed COST 2").is(list![2, 2, 0, 0, 3_600_000]);
    let left = || within(3_590_000..=3_600_000);
    s.ok("RATELIMIT.CHECK u 2/1h:fixed").is(list![0, 2, 0, left(), left()]);
    s.ok("RATELIMIT.PEEK u 2/1h:fixed").is(list![0, 2, 0, left(), left()]);
}

#[test]
fn a_calendar_quota_lasts_until_the_next_boundary() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u month=30/month@Europe/Berlin:anchor=31 COST 29");
    let rest = || within(0..=32 * 86_400_000);
    s.ok("RATELIMIT.CHECK u month=30/month@Europe/Berlin:anchor=31").is(list![1, 30, 0, 0, rest()]);
    s.ok("RATELIMIT.CHECK u month=30/month@Europe/Berlin:anchor=31").is(list![0, 30, 0, rest(), rest()]);
    let row = s.ok("RATELIMIT.PEEK u").at(0).clone();
    row.at(8).clone().is("30/month@Europe/Berlin:anchor=31");
    assert!((28 * 86_400_000 - 3_600_000..=31 * 86_400_000 + 3_600_000).contains(&row.at(7).int()));
    // The key goes with the period.
    let (expiry, reset) = (s.ok("PTTL u").int(), row.at(5).int());
    assert!((reset - 1_000..=reset).contains(&expiry), "{expiry} of {reset}");
}

#[test]
fn inf_counts_and_never_denies() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u ai=inf/day@UTC COST 1000000000000").is(list![
        1_000_000_000_000i64,
        UNLIMITED,
        UNLIMITED,
        0,
        within(0..=86_400_000)
    ]);
    s.ok("RATELIMIT.CHECK u ai=inf/day@UTC BRIEF").is(UNLIMITED);
    s.ok("RATELIMIT.PEEK u").at(0).at(6).clone().is(1_000_000_000_001i64);
    // A tier that ends shares the counter.
    s.ok("RATELIMIT.CHECK u ai=30/day@UTC").at(0).clone().is(0);
}
