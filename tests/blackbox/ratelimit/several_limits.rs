//! Several limits of one subject: all or nothing, the limit that binds, DETAIL, names.

use crate::support::{any, list, server, within};

#[test]
fn the_limit_with_the_smallest_share_left_binds() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1m 20/1h").is(list![1, 10, 9, 0, 60_000, "10/1m"]);
    s.ok("RATELIMIT.CHECK v 20/1m 10/1h").is(list![1, 10, 9, 0, 3_600_000, "10/1h"]);
}

#[test]
fn the_longest_retry_binds_a_denial() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 1/1h 1/1d");
    let day = within(86_390_000..=86_400_000);
    s.ok("RATELIMIT.CHECK u 1/1h 1/1d").is(list![0, 1, 0, day, any(), "1/1d"]);
}

#[test]
fn what_can_never_pass_binds_before_any_retry() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 5/1d COST 5");
    s.ok("RATELIMIT.CHECK u 5/1d 2/1h COST 3").is(list![0, 2, 2, -1, 0, "2/1h"]);
}

#[test]
fn all_limits_are_charged_or_none() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 2/1h:bucket 1/1d");
    s.ok("RATELIMIT.CHECK u 2/1h:bucket 1/1d").at(0).clone().is(0);
    s.ok("RATELIMIT.PEEK u 2/1h:bucket").is(list![1, 2, 1, 0, any()]);
}

#[test]
fn detail_appends_a_row_for_each_limit() {
    let s = server!();
    let one = list!["10/1m", 1, 10, 7, 0, 60_000, 3, 60_000, "10/1m"];
    s.ok("RATELIMIT.CHECK u 10/60s COST 3 DETAIL").is(list![3, 10, 7, 0, 60_000, "10/1m", list![one]]);

    let rows = list![
        list!["ai", 1, 5, 4, 0, 3_600_000, 1, 3_600_000, any()],
        list!["10/1d", 1, 10, 9, 0, 86_400_000, 1, 86_400_000, "10/1d"]
    ];
    s.ok("RATELIMIT.CHECK v ai=5/1h 10/24h DETAIL").is(list![1, 5, 4, 0, 3_600_000, "ai", rows]);
}

#[test]
fn a_row_tells_which_limit_denied() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 1/1h");
    let reply = s.ok("RATELIMIT.CHECK u 1/1h 5/1d DETAIL");
    let rows = reply.at(6);
    rows.at(0).at(1).clone().is(0);
    rows.at(0).at(4).clone().is(within(3_590_000..=3_600_000));
    rows.at(1).at(1).clone().is(1);
    rows.at(1).at(4).clone().is(0);
}

#[test]
fn cost_by_name_charges_each_limit_its_own() {
    let s = server!();
    let reply = s.ok("RATELIMIT.CHECK u tokens=1000/1h calls=10/1h COST tokens=400 DETAIL");
    reply.at(6).is_rows(&[("tokens", 600), ("calls", 9)]);
    let reply = s.ok("RATELIMIT.CHECK u tokens=1000/1h calls=10/1h COST calls=2,tokens=100 DETAIL");
    reply.at(6).is_rows(&[("tokens", 500), ("calls", 7)]);
    s.refuses("RATELIMIT.CHECK u tokens=1000/1h COST other=1", "ERR");
}

#[test]
fn limits_of_one_name_share_the_use() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u ai=5/1h COST 4").at(2).clone().is(1);
    s.ok("RATELIMIT.CHECK u ai=10/1h").is(list![1, 10, 5, 0, any()]);
    s.ok("RATELIMIT.CHECK u ai=5/1h").at(0).clone().is(0);
}

#[test]
fn an_unnamed_limit_is_named_by_its_canonical_spec() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/60s").at(2).clone().is(9);
    s.ok("RATELIMIT.CHECK u 10/1m").at(2).clone().is(8);
    s.ok("RATELIMIT.CHECK u 10/60000ms").at(2).clone().is(7);
}

#[test]
fn changing_the_kind_carries_the_use() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u ai=10/1h COST 6");
    s.ok("RATELIMIT.CHECK u ai=10/1h:bucket").at(2).clone().is(3);
    s.ok("RATELIMIT.CHECK u ai=10/1h").at(2).clone().is(2);
}

#[test]
fn a_shorter_period_forgets_what_is_older() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u ai=10/1h COST 6");
    crate::support::eventually("the entries are older than the new period", || {
        s.ok("RATELIMIT.PEEK u ai=10/20ms").at(2).int() == 10
    });
    // The entries keep their times: the longer period still sees them.
    s.ok("RATELIMIT.PEEK u ai=10/1h").at(2).clone().is(4);
}

#[test]
fn peek_without_limits_shows_all_that_the_subject_holds() {
    let s = server!();
    s.ok("RATELIMIT.PEEK u").is(list![]);
    s.ok("RATELIMIT.CHECK u ai=5/1h 7/1d:bucket COST 2");
    let rows = s.ok("RATELIMIT.PEEK u");
    rows.is_rows(&[("ai", 3), ("7/1d:bucket", 5)]);
}

#[test]
fn sixteen_limits_fit_a_subject_and_no_more() {
    let s = server!();
    let limits = |n: usize| (1..=n).map(|i| format!("l{i}=10/1h")).collect::<Vec<_>>().join(" ");
    s.ok(format!("RATELIMIT.CHECK u {}", limits(16))).at(0).clone().is(1);
    s.refuses(format!("RATELIMIT.CHECK v {}", limits(17)), "ERR");
    s.refuses("RATELIMIT.CHECK u another=1/1h", "ERR");
    s.ok("EXISTS v").is(0);
}

trait Rows {
    /// Checks the names and what remains of them, in any order.
    fn is_rows(&self, want: &[(&str, i64)]);
}

impl Rows for crate::support::Reply {
    #[track_caller]
    fn is_rows(&self, want: &[(&str, i64)]) {
        let mut got: Vec<(String, i64)> =
            self.items().iter().map(|row| (row.at(0).text(), row.at(3).int())).collect();
        let mut want: Vec<(String, i64)> =
            want.iter().map(|(name, left)| ((*name).to_owned(), *left)).collect();
        got.sort();
        want.sort();
        assert_eq!(got, want);
    }
}
