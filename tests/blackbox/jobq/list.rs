//! JOBQ.LIST: pages of a state as of now.

use crate::support::{Reply, Server, Untouched, eventually, list, server};

fn ids(page: &Reply) -> Vec<String> {
    page.at(1).items().iter().map(|row| row.field("id").text()).collect()
}

/// The ids of all pages.
fn all(s: &Server, list: &str) -> Vec<String> {
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let page = s.ok(format!("JOBQ.LIST {list} CURSOR {cursor}"));
        found.extend(ids(&page));
        cursor = page.at(0).text();
        if cursor == "0" {
            return found;
        }
    }
}

#[test]
fn every_state_is_listed_page_by_page() {
    let s = server!();
    for id in 0..25 {
        s.ok(format!("JOBQ.PUSH q p ID r{id:02}"));
        s.ok(format!("JOBQ.PUSH q p ID d{id:02} DELAY {}s", 100 + id));
    }
    let wanted = |letter: &str| (0..25).map(|id| format!("{letter}{id:02}")).collect::<Vec<_>>();
    let page = s.ok("JOBQ.LIST q ready");
    assert_eq!(ids(&page), wanted("r")[..10]);
    assert_ne!(page.at(0).text(), "0");
    for count in [1, 7, 25, 1_000] {
        assert_eq!(all(&s, &format!("q ready COUNT {count}")), wanted("r"));
        assert_eq!(all(&s, &format!("q DELAYED COUNT {count}")), wanted("d"));
    }
    s.ok("JOBQ.LIST q dead").is(list!["0", list![]]);
    s.ok("JOBQ.LIST missing ready").is(list!["0", list![]]);
}

#[test]
fn a_row_is_what_get_shows_without_payload_result_and_log() {
    let s = server!();
    s.ok("JOBQ.PUSH q payload ID a NAME n META m PRIORITY 4");
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.ACK q a {t} RESULT r"));
    let page = s.ok("JOBQ.LIST q done");
    let row = page.at(1).at(0);
    let whole = s.ok("JOBQ.GET q a");
    let of_row = row.fields();
    for (field, value) in whole.fields() {
        let shown = of_row.iter().find(|(name, _)| *name == field);
        if ["payload", "result", "waits_for", "waits_for_count", "log"].contains(&field.text().as_str()) {
            assert!(shown.is_none(), "{field:?} is left to GET");
        } else {
            assert_eq!(shown.expect("the field").1, value, "{field:?}");
        }
    }
}

#[test]
fn a_list_shows_what_time_has_moved_though_nothing_wrote() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID lost");
    s.ok("JOBQ.POP q LEASE 30ms");
    s.ok("JOBQ.PUSH q p ID late DELAY 30ms");
    let untouched = Untouched::on(&s);
    untouched.during("q", || {
        eventually("both are ready", || ids(&s.ok("JOBQ.LIST q ready")) == ["lost", "late"]);
        assert!(ids(&s.ok("JOBQ.LIST q active")).is_empty());
        assert!(ids(&s.ok("JOBQ.LIST q delayed")).is_empty());
    });
    assert_eq!(all(&s, "q ready COUNT 1"), ["lost", "late"]);
}

#[test]
fn pages_go_on_where_they_were_whatever_has_left() {
    let s = server!();
    for id in ["a", "b", "c", "d"] {
        s.ok(format!("JOBQ.PUSH q p ID {id}"));
    }
    let page = s.ok("JOBQ.LIST q ready COUNT 2");
    assert_eq!(ids(&page), ["a", "b"]);
    s.ok("JOBQ.CANCEL q a b c");
    s.ok("JOBQ.PUSH q p ID first LIFO");
    let page = s.ok(format!("JOBQ.LIST q ready COUNT 2 CURSOR {}", page.at(0).text()));
    assert_eq!(ids(&page), ["d"]);
    page.at(0).clone().is("0");
}

#[test]
fn a_page_may_be_of_one_name_or_error() {
    let s = server!();
    for (id, name, error) in [("a", "mail", "429"), ("b", "mail", "500"), ("c", "push", "429")] {
        s.ok(format!("JOBQ.PUSH q p ID {id} NAME {name} RETRIES 0"));
        let t = s.ok("JOBQ.POP q").at(0).at(1).int();
        s.ok(format!("JOBQ.FAIL q {id} {t} ERROR {error}")).is(list!["dead", 0]);
    }
    assert_eq!(all(&s, "q dead NAME mail"), ["a", "b"]);
    assert_eq!(all(&s, "q dead ERROR 4*"), ["a", "c"]);
    assert_eq!(all(&s, "q dead COUNT 1 ERROR 429 NAME push"), ["c"]);
    assert!(all(&s, "q dead NAME other").is_empty());
}

#[test]
fn a_page_may_be_of_one_kind_and_show_payloads_newest_first() {
    let s = server!();
    for (id, kind) in [("a", "rate"), ("b", "http"), ("c", "rate")] {
        s.ok(format!("JOBQ.PUSH q payload-{id} ID {id} RETRIES 0"));
        let t = s.ok("JOBQ.POP q").at(0).at(1).int();
        s.ok(format!("JOBQ.FAIL q {id} {t} KIND {kind} ERROR e"));
    }
    assert_eq!(all(&s, "q dead KIND rate COUNT 1"), ["a", "c"]);
    assert_eq!(all(&s, "q dead NEWEST COUNT 1"), ["c", "b", "a"]);
    let page = s.ok("JOBQ.LIST q dead PAYLOAD 9 NEWEST COUNT 1");
    let row = page.at(1).at(0);
    row.field("payload").clone().is("payload-c");
    row.field("kind").clone().is("rate");
    s.ok("JOBQ.LIST q dead PAYLOAD 3 COUNT 1").at(1).at(0).field("payload").clone().is("pay");
    s.ok("JOBQ.GET q b").field("kind").clone().is("http");
    // A cursor belongs to its order.
    s.refuses(format!("JOBQ.LIST q dead CURSOR {}", page.at(0).text()), "ERR");
}

#[test]
fn a_malformed_list_is_refused() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let untouched = Untouched::on(&s);
    for rest in [
        "gone",
        "ready CURSOR",
        "ready CURSOR x",
        "ready CURSOR f0-1-2",
        "ready CURSOR l0-1",
        "ready CURSOR 1",
        "ready COUNT 0",
        "ready COUNT 1001",
        "ready COUNT 1 COUNT 1",
        "ready NAME",
        "dead KIND",
        "dead PAYLOAD 4097",
        "dead NEWEST NEWEST",
        "ready NONSENSE",
    ] {
        untouched.refuses("q", format!("JOBQ.LIST q {rest}"), "ERR");
    }
}
