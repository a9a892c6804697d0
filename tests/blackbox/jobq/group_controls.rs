//! `group_rate`, PAUSE and RESUME of a group, and GROUP SET, GET and LIST.

use crate::support::{Client, Reply, eventually, list, server};

fn ids(jobs: &Reply) -> Vec<String> {
    jobs.items().iter().map(|job| job.at(0).text()).collect()
}

fn pop(s: &Client) -> Vec<String> {
    ids(&s.ok("JOBQ.POP q COUNT 100 LEASE 1h"))
}

fn push(s: &Client, ids: &[&str], options: &str) {
    for id in ids {
        s.ok(format!("JOBQ.PUSH q p ID {id} {options}"));
    }
}

fn blocked_by(s: &Client, id: &str) -> String {
    s.ok(format!("JOBQ.GET q {id}")).field("blocked_by").text()
}

#[test]
fn one_group_has_a_width_of_its_own() {
    let s = server!();
    s.ok("JOBQ.GROUP SET q wide CONCURRENCY 3");
    push(&s, &["a1", "a2", "a3", "a4"], "GROUP wide");
    push(&s, &["b1", "b2"], "GROUP other");
    assert_eq!(pop(&s), ["a1", "b1", "a2", "a3"]);
    assert_eq!(blocked_by(&s, "a4"), "group held by a1");
    s.ok("JOBQ.GROUP SET q wide CONCURRENCY 4");
    assert_eq!(pop(&s), ["a4"]);
    s.ok("JOBQ.CONFIG SET q group_concurrency 2");
    assert_eq!(pop(&s), ["b2"]);
    // Its own width may be the smaller one.
    s.ok("JOBQ.GROUP SET q narrow CONCURRENCY 1");
    push(&s, &["c1", "c2"], "GROUP narrow");
    assert_eq!(pop(&s), ["c1"]);
    s.ok("JOBQ.GROUP SET q narrow CONCURRENCY default");
    assert_eq!(pop(&s), ["c2"]);
}

#[test]
fn a_waiter_is_served_when_a_group_becomes_wider() {
    let s = server!();
    push(&s, &["a1", "a2"], "GROUP a");
    assert_eq!(pop(&s), ["a1"]);
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("JOBQ.GROUP SET q a CONCURRENCY 2");
    assert_eq!(ids(&w.reply()), ["a2"]);
}

#[test]
fn a_group_is_paused_beside_the_others_and_resumed() {
    let s = server!();
    push(&s, &["a1"], "GROUP a");
    push(&s, &["b1"], "GROUP b");
    s.ok("JOBQ.PAUSE q GROUP a");
    assert_eq!(pop(&s), ["b1"]);
    assert_eq!(blocked_by(&s, "a1"), "group paused");
    push(&s, &["a2"], "GROUP a");
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    // The queue's own pause is another one.
    s.ok("JOBQ.PAUSE q");
    s.ok("JOBQ.RESUME q");
    w.still_waits(&s);
    s.ok("JOBQ.RESUME q GROUP a");
    assert_eq!(ids(&w.reply()), ["a1"]);
}

#[test]
fn a_pause_of_a_group_ends_by_itself_and_wakes_who_waits() {
    let s = server!();
    let begun = s.now();
    push(&s, &["a1"], "GROUP a");
    s.ok("JOBQ.PAUSE q GROUP a FOR 300ms");
    assert!(blocked_by(&s, "a1").starts_with("group paused until "));
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    assert_eq!(ids(&w.reply()), ["a1"]);
    assert!(s.now() >= begun + 300, "never early");
    s.ok("JOBQ.GROUP GET q a").field("paused").clone().is("no");
}

#[test]
fn a_group_that_is_closed_to_pushes_takes_neither_jobs_nor_runs() {
    let s = server!();
    push(&s, &["a1"], "GROUP a");
    s.ok("JOBQ.CRON SET q tick @yearly p GROUP a");
    s.ok("JOBQ.PAUSE q GROUP a FOR 1h PUSHES");
    s.refuses("JOBQ.PUSH q p GROUP a", "PAUSED the group takes no jobs until");
    s.refuses("JOBQ.MPUSH q 2 p p GROUP a", "PAUSED");
    s.refuses("JOBQ.CRON RUN q tick", "PAUSED");
    s.ok("JOBQ.PUSH q p ID a1 GROUP a").is(list!["a1", "DUP"]);
    s.ok("JOBQ.PUSH q p ID b1 GROUP b").is(list!["b1", "NEW"]);
    assert_eq!(pop(&s), ["b1"]);
    s.ok("JOBQ.RESUME q GROUP a");
    s.ok("JOBQ.PUSH q p ID a2 GROUP a").is(list!["a2", "NEW"]);
}

#[test]
fn a_group_starts_no_more_jobs_than_its_rate_and_who_waits_is_woken_when_it_frees() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q group_rate 2/400ms group_concurrency off");
    push(&s, &["a1", "a2", "a3"], "GROUP a");
    push(&s, &["b1"], "GROUP b");
    push(&s, &["x1", "x2", "x3"], "");
    let begun = s.now();
    let first = s.ok("JOBQ.POP q COUNT 100 LEASE 1h");
    assert_eq!(first.items().len(), 6, "those without a group have no rate of a group: {first:?}");
    assert!(blocked_by(&s, "a3").starts_with("group rate until "), "{}", blocked_by(&s, "a3"));
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    assert_eq!(ids(&w.reply()), ["a3"]);
    assert!(s.now() >= begun + 400, "never early");
}

#[test]
fn a_change_of_group_rate_counts_at_once() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q group_rate 1/1h group_concurrency off");
    push(&s, &["a1", "a2", "a3", "a4"], "GROUP a");
    assert_eq!(pop(&s), ["a1"]);
    s.ok("JOBQ.CONFIG SET q group_rate 2/1h");
    assert_eq!(pop(&s), ["a2"]);
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("JOBQ.CONFIG SET q group_rate 3/1h");
    assert_eq!(ids(&w.reply()), ["a3"]);
    s.ok("JOBQ.CONFIG SET q group_rate off");
    assert_eq!(pop(&s), ["a4"]);
    assert_eq!(s.ok("JOBQ.CONFIG GET q").field("group_rate").text(), "off");
}

#[test]
fn get_and_list_show_what_groups_have_of_their_own() {
    let s = server!();
    s.ok("JOBQ.GROUP SET q b CONCURRENCY 5");
    s.ok("JOBQ.PAUSE q GROUP a PUSHES");
    s.ok("JOBQ.PAUSE q GROUP c FOR 1h");
    push(&s, &["d1", "d2"], "GROUP d");
    assert_eq!(pop(&s), ["d1"]);
    let d = s.ok("JOBQ.GROUP GET q d");
    assert_eq!((d.field("ready").int(), d.field("under_way").int()), (1, 1));
    assert_eq!(*d.field("concurrency"), Reply::Nil);
    let rows = s.ok("JOBQ.GROUP LIST q");
    rows.at(0).clone().is("0");
    let row = |at: usize| rows.at(1).at(at).clone();
    let names: Vec<_> = rows.at(1).items().iter().map(|row| row.field("group").text()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(row(0).field("paused").text(), "pops and pushes");
    assert_eq!(row(1).field("concurrency").int(), 5);
    assert!(row(2).field("paused_until_ms").int() > s.now());
    let page = s.ok("JOBQ.GROUP LIST q COUNT 2");
    let rest = s.ok(format!("JOBQ.GROUP LIST q CURSOR {}", page.at(0).text()));
    assert_eq!(rest.at(1).at(0).field("group").text(), "c");
    s.ok("JOBQ.GROUP LIST missing").is(list!["0", list![]]);
}

#[test]
fn a_re_send_changes_nothing_and_wrong_words_are_refused() {
    let s = server!();
    s.ok("JOBQ.GROUP SET q a CONCURRENCY 2");
    s.ok("JOBQ.PAUSE q GROUP a PUSHES");
    let before = s.ok("WORKGATE.DIGEST q");
    s.ok("JOBQ.GROUP SET q a CONCURRENCY 2");
    s.ok("JOBQ.PAUSE q GROUP a PUSHES");
    s.ok("JOBQ.RESUME q GROUP other");
    s.ok("WORKGATE.DIGEST q").is(before);
    s.refuses(
        "JOBQ.GROUP SET q a CONCURRENCY 0",
        "ERR CONCURRENCY '0': must be a whole number between 1 and 1000000, or default",
    );
    s.refuses("JOBQ.GROUP SET q a WIDTH 2", "ERR unknown option 'WIDTH'");
    s.refuses("JOBQ.CONFIG SET q group_rate many", "ERR invalid limit 'many'");
    s.refuses("JOBQ.GROUP LIST q CURSOR 5", "ERR CURSOR '5'");
}

#[test]
fn what_groups_have_of_their_own_survives_a_reload_and_a_copy() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q group_rate 1/1h group_concurrency off");
    push(&s, &["a1", "a2"], "GROUP a");
    push(&s, &["b1", "b2"], "GROUP b");
    s.ok("JOBQ.PAUSE q GROUP b FOR 1h");
    s.ok("JOBQ.GROUP SET q c CONCURRENCY 7");
    assert_eq!(pop(&s), ["a1"]);
    let before = s.ok("WORKGATE.DIGEST q");
    s.ok("DEBUG RELOAD");
    s.ok("WORKGATE.DIGEST q").is(before);
    assert!(pop(&s).is_empty());
    s.ok("COPY q p");
    s.ok("JOBQ.POP p").is(list![]);
    s.ok("JOBQ.RESUME p GROUP b");
    assert_eq!(ids(&s.ok("JOBQ.POP p")), ["b1"]);
    assert_eq!(s.ok("JOBQ.GROUP GET p c").field("concurrency").int(), 7);
}

#[test]
fn groups_that_open_by_themselves_are_saved_as_they_are() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q group_rate 1/50ms group_concurrency off");
    for n in 0..20 {
        s.ok(format!("JOBQ.PUSH q p ID {n} GROUP g{}", n % 2));
    }
    let mut popped = 0;
    eventually("all are popped", || {
        popped += s.ok("JOBQ.POP q COUNT 5 BLOCK 20ms").items().len();
        popped == 20
    });
    let before = s.ok("WORKGATE.DIGEST q");
    s.ok("DEBUG RELOAD");
    s.ok("WORKGATE.DIGEST q").is(before);
}
