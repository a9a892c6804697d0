//! The types of descriptive replies: maps, doubles and booleans on RESP3, their flat forms on
//! RESP2.

use crate::support::{Client, Reply, Server, cmd, server};

/// What the calls below look at.
fn prepare(s: &Server) {
    s.ok("JOBQ.PUSH q p ID a LIFO META m");
    s.ok("JOBQ.PUSH q p ID b");
    s.ok("JOBQ.CONFIG SET q concurrency 5 aging 30s rate 10/1s max_length 100");
    s.ok("JOBQ.CRON SET q s @daily p OVERLAP");
    s.ok("JOBQ.CRON SET q t @daily p");
    s.ok("CACHE.POLICY SET page: TTL 1h JITTER 10 EARLY 1.5 COMPRESS 0 MAXVALUE 4096");
    s.ok("CACHE.SET page:1 v");
    for key in ["page:1", "page:1", "page:2"] {
        s.ok(format!("CACHE.GETSET {key}"));
    }
    s.ok("RATELIMIT.POLICY SET ai 10/1m 100/1d");
    s.ok("BREAKER.REPORT b FAIL 1");
    s.ok("IDEMP.CLAIM i OWNER o PAYLOAD p");
}

/// Calls that answer one map.
const MAPS: [&str; 12] = [
    "JOBQ.GET q a",
    "JOBQ.STATS q",
    "JOBQ.CONFIG GET q",
    "CACHE.STATS",
    "CACHE.STATS page:",
    "CACHE.POLICY GET page:",
    "CACHE.POLICY LIST",
    "RATELIMIT.POLICY LIST",
    "RATELIMIT.STATS",
    "RATELIMIT.STATS ai",
    "BREAKER.CONFIG GET b",
    "IDEMP.GET i",
];

/// Calls that answer maps, and where: the first of a list.
const LISTS: [(&str, &[usize]); 2] = [("JOBQ.LIST q ready", &[1, 0]), ("JOBQ.CRON LIST q", &[0])];

fn map_of(client: &Client, call: &str, path: &[usize]) -> Reply {
    path.iter().fold(client.ok(call), |reply, at| reply.at(*at).clone())
}

fn maps() -> impl Iterator<Item = (&'static str, &'static [usize])> {
    MAPS.into_iter().chain(["BREAKER.GET b"]).map(|call| (call, &[][..])).chain(LISTS)
}

#[test]
fn what_is_named_pairs_is_a_map_on_resp3_and_the_same_pairs_in_a_row_on_resp2() {
    let s = server!();
    prepare(&s);
    let c = s.client3();
    for (call, path) in maps() {
        let (flat, map) = (map_of(&s, call, path), map_of(&c, call, path));
        assert!(matches!(flat, Reply::Array(_)), "{call}: {flat:?}");
        assert!(matches!(map, Reply::Map(_)), "{call}: {map:?}");
        let names = |reply: &Reply| reply.fields().iter().map(|(name, _)| name.text()).collect::<Vec<_>>();
        assert_eq!(names(&flat), names(&map), "{call}");
    }
}

/// Each field of each map has its type, so that a new field must say which it has.
#[test]
fn booleans_and_doubles_have_their_types_on_resp3_and_numbers_are_numbers_on_both() {
    const BOOLEANS: [&str; 4] = ["cancel_requested", "lifo", "running", "overlap"];
    const DOUBLES: [&str; 2] = ["hit_ratio", "EARLY"];
    const TEXTS: [&str; 17] = [
        "id",
        "state",
        "payload",
        "backoff",
        "meta",
        "fingerprint",
        "owner",
        "name",
        "cron",
        "catchup",
        "tz",
        "paused",
        "forced",
        "lease",
        "keep_done",
        "keep_dead",
        "group_concurrency",
    ];
    let s = server!();
    prepare(&s);
    s.ok("JOBQ.CONFIG SET q group_concurrency off");
    let c = s.client3();
    for (call, path) in maps() {
        let (flat, map) = (map_of(&s, call, path), map_of(&c, call, path));
        for ((name, flat), (_, map)) in flat.fields().into_iter().zip(map.fields()) {
            let name = name.text();
            let (flat, map) = (flat.clone(), map.clone());
            let shape = format!("{call}: {name} is {flat:?} and {map:?}");
            if BOOLEANS.contains(&name.as_str()) {
                assert!(matches!(flat, Reply::Int(0 | 1)), "{shape}");
                assert!(matches!(&map, Reply::Other(text) if text == "t" || text == "f"), "{shape}");
            } else if DOUBLES.contains(&name.as_str()) {
                assert!(flat.text().parse::<f64>().is_ok(), "{shape}");
                assert!(matches!(&map, Reply::Other(text) if text.parse::<f64>().is_ok()), "{shape}");
            } else {
                assert!(!matches!(map, Reply::Other(_)), "{shape}");
                if let Reply::Bulk(bytes) = &flat
                    && bytes != b"off"
                {
                    let is_digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
                    assert!(!is_digits, "a number is a number: {shape}");
                    let is_duration = bytes.ends_with(b"s") || bytes.ends_with(b"m") || bytes.ends_with(b"h");
                    assert!(is_duration || TEXTS.contains(&name.as_str()) || name == "rate", "{shape}");
                }
            }
        }
    }
    assert_eq!(s.ok("CACHE.STATS page:").field("hit_ratio").text(), "0.6667");
    assert_eq!(*c.ok("CACHE.POLICY GET page:").field("EARLY"), Reply::Other("1.5".to_owned()));
    assert_eq!(*c.ok("JOBQ.GET q a").field("lifo"), Reply::Other("t".to_owned()));
    assert_eq!(*c.ok("JOBQ.GET q b").field("lifo"), Reply::Other("f".to_owned()));
}

#[test]
fn what_config_get_shows_config_set_takes() {
    let s = server!();
    prepare(&s);
    for (get, set) in [
        ("JOBQ.CONFIG GET q", "JOBQ.CONFIG SET copy"),
        ("BREAKER.CONFIG GET b", "BREAKER.CONFIG SET copy:b"),
        ("CACHE.POLICY GET page:", "CACHE.POLICY SET copy:"),
    ] {
        let shown = s.ok(get);
        let mut words = cmd![];
        words.extend(set.split(' ').map(|word| word.as_bytes().to_vec()));
        for (name, value) in shown.fields() {
            words.push(name.text().into_bytes());
            words.push(match value {
                Reply::Int(number) => number.to_string().into_bytes(),
                text => text.bytes().to_vec(),
            });
        }
        s.ok(words);
        let copy = set.rsplit(' ').next().expect("a key");
        let (command, _) = get.rsplit_once(' ').expect("a key");
        assert_eq!(s.ok(format!("{command} {copy}")), shown);
    }
}

#[test]
fn every_command_with_subcommands_has_help_and_a_summary() {
    let s = server!();
    let names = s.ok("COMMAND LIST FILTERBY MODULE workgate");
    let names: Vec<String> = names.items().iter().map(Reply::text).collect();
    let mut containers = 0;
    for name in &names {
        let docs = s.ok(format!("COMMAND DOCS {name}"));
        let docs = docs.fields()[0].1.clone();
        let summary = docs.field("summary").text();
        assert!(!summary.is_empty(), "{name} has a summary");
        let info = s.ok(format!("COMMAND INFO {name}"));
        let subcommands: Vec<String> =
            info.at(0).at(9).items().iter().map(|each| each.at(0).text()).collect();
        if subcommands.is_empty() {
            continue;
        }
        containers += 1;
        s.refuses(name.as_str(), "ERR");
        let help = s.ok(format!("{name} HELP"));
        let lines: Vec<String> = help.items().iter().map(Reply::text).collect();
        assert!(help.items().iter().all(|line| matches!(line, Reply::Status(_))), "{help:?}");
        for subcommand in &subcommands {
            let own_name = subcommand.split('|').nth(1).expect("a subcommand").to_uppercase();
            let is_named = |line: &&String| line.split(' ').next() == Some(&own_name);
            assert!(
                lines.iter().skip(1).any(|line| is_named(&line)),
                "{name} HELP shows {own_name}: {lines:?}"
            );
        }
        assert_eq!(lines.len(), 1 + 2 * subcommands.len(), "{lines:?}");
    }
    assert!(containers >= 6, "{containers} of {names:?}");
    assert_eq!(s.ok("jobq.config help").at(1).text(), "SET key field value [field value [field value ...]]");
    s.refuses("JOBQ.CONFIG HELP me", "ERR");
}
