//! Durations: what an error tells to write is taken.

use std::collections::BTreeSet;

use crate::support::{Reply, Server, server};

/// A call for every duration of every command, `D` standing for it.
const CALLS: &[&str] = &[
    "RATELIMIT.CHECK k 10/1m LOCKOUT D",
    "RATELIMIT.CHECK k 10/1m LOCKOUT 1ms FACTOR 2 MAX D",
    "RATELIMIT.CHECK k 10/1m HOLD h D",
    "RATELIMIT.CHECK k 10/1m BLOCK D",
    "RATELIMIT.CHECK k 10/D",
    "RATELIMIT.ACQUIRE k h MAX 1 LEASE D",
    "RATELIMIT.ACQUIRE k h MAX 1 BLOCK D",
    "RATELIMIT.LOCK k D",
    "RATELIMIT.POLICY SET p 10/D",
    "IDEMP.CLAIM k LEASE D TTL 3650d",
    "IDEMP.CLAIM k LEASE 1ms TTL D",
    "IDEMP.CLAIM k BLOCK D",
    "IDEMP.COMPLETE k 5 result TTL D",
    "IDEMP.RELEASE k 5 DELAY D",
    "IDEMP.EXTEND k 5 LEASE D",
    "IDEMP.SEEN k D id",
    "JOBQ.PUSH k p DELAY D",
    "JOBQ.PUSH k p LEASE D",
    "JOBQ.PUSH k p EXPIRE D",
    "JOBQ.PUSH k p KEEP D",
    "JOBQ.PUSH k p UNIQUE u FOR D",
    "JOBQ.PUSH k p UNIQUE u ONDUP replace MAXWAIT D",
    "JOBQ.PUSH k p BACKOFF fixed:D",
    "JOBQ.PUSH k p BACKOFF exp:D",
    "JOBQ.PUSH k p BACKOFF exp:1ms:max=D",
    "JOBQ.PUSH k p BACKOFF list:1s,D",
    "JOBQ.MPUSH k 1 p DELAY D",
    "JOBQ.MPUSH k 1 p LEASE D",
    "JOBQ.MPUSH k 1 p EXPIRE D",
    "JOBQ.MPUSH k 1 p KEEP D",
    "JOBQ.MPUSH k 1 p UNIQUE u FOR D",
    "JOBQ.MPUSH k 1 p UNIQUE u ONDUP replace MAXWAIT D",
    "JOBQ.POP k LEASE D",
    "JOBQ.POP k BLOCK D",
    "JOBQ.POP k LINGER D BLOCK 1ms",
    "JOBQ.FAIL k id 5 DELAY D",
    "JOBQ.RELEASE k id 5 DELAY D",
    "JOBQ.EXTEND k id 5 LEASE D",
    "JOBQ.MEXTEND k 1 id 5 LEASE D",
    "JOBQ.RESULT k id BLOCK D",
    "JOBQ.EVENTS k 0 BLOCK D",
    "JOBQ.UPDATE k id DELAY D",
    "JOBQ.REDRIVE k OLDER D",
    "JOBQ.PURGE k done OLDER D",
    "JOBQ.PAUSE k FOR D",
    "JOBQ.CONFIG SET k lease D",
    "JOBQ.CONFIG SET k aging D",
    "JOBQ.CONFIG SET k keep_done D/5",
    "JOBQ.CRON SET k s @hourly p LEASE D",
    "JOBQ.CRON SET k s @hourly p EXPIRE D",
    "JOBQ.CRON SET k s @hourly p KEEP D",
    "CACHE.GETSET k LEASE D",
    "CACHE.GETSET k BLOCK D",
    "CACHE.GETSET k TOUCH D",
    "CACHE.GETSET k VALUE v TTL D",
    "CACHE.GETSET k VALUE v GRACE D",
    "CACHE.SET k v TTL D",
    "CACHE.SET k v GRACE D",
    "CACHE.ABSENT k TTL D",
    "CACHE.RELEASE k 5 DELAY D",
    "CACHE.POLICY SET k TTL D",
    "CACHE.POLICY SET k GRACE D",
    "CACHE.POLICY SET k ABSENTTL D",
    "CACHE.POLICY SET k LEASE D",
    "BREAKER.CONFIG SET k window D",
    "BREAKER.CONFIG SET k open D",
    "BREAKER.CONFIG SET k max D",
    "BREAKER.CONFIG SET k probe_lease D",
    "BREAKER.FORCE k open FOR D",
];

const NUMBERS: [&str; 6] = ["0", "1", "60", "3600000", "400000000", "99999999999999999999"];

/// Puts a duration in the place of the word `D`, alone or at the end or beginning of a word.
fn with(call: &str, value: &str) -> String {
    let words = call.split(' ').map(|word| match word {
        "D" => value.to_owned(),
        _ => ["/D", ":D", "=D", ",D", "D/"].iter().fold(word.to_owned(), |word, mark| {
            if word.ends_with(mark) || word.starts_with(mark) {
                word.replace(mark, &mark.replace('D', value))
            } else {
                word
            }
        }),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn no_bare_number_is_taken_and_what_is_told_to_write_instead_is() {
    let s = server!();
    for call in CALLS {
        for number in NUMBERS {
            s.ok("FLUSHALL");
            let refused = s.refuses(with(call, number), "ERR");
            let Some((_, advice)) = refused.split_once("write ") else {
                assert!(refused.contains("must be between"), "{}: {refused}", with(call, number));
                continue;
            };
            let advice = advice.split(", or off").next().unwrap_or_default();
            for told in advice.split(" or ") {
                s.ok("FLUSHALL");
                // Nothing waits in a transaction.
                let reply = s.transaction([with(call, told)])[0].clone();
                if let Reply::Error(text) = reply {
                    let is_about_it = text.contains(told) && text.starts_with("ERR");
                    assert!(
                        !is_about_it,
                        "'{}' was told by '{refused}', and is refused: {text}",
                        with(call, told)
                    );
                }
            }
        }
    }
}

/// The words before the durations of a command, as COMMAND DOCS names them.
fn documented(s: &Server) -> BTreeSet<(String, String)> {
    fn collect(command: &str, arguments: &Reply, found: &mut BTreeSet<(String, String)>) {
        for argument in arguments.items() {
            let fields = argument.fields();
            let get =
                |name: &str| fields.iter().find(|(field, _)| field.text() == name).map(|(_, value)| *value);
            if get("name").is_some_and(|name| name.text() == "duration")
                && let Some(token) = get("token")
            {
                found.insert((command.to_owned(), token.text()));
            }
            if let Some(parts) = get("arguments") {
                collect(command, parts, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    for name in s.ok("COMMAND LIST FILTERBY MODULE workgate").items() {
        let name = name.text();
        let docs = s.ok(format!("COMMAND DOCS {name}"));
        let fields = docs.fields()[0].1.fields();
        if let Some((_, arguments)) = fields.iter().find(|(field, _)| field.text() == "arguments") {
            collect(&name, arguments, &mut found);
        }
    }
    found
}

#[test]
fn every_documented_duration_is_among_them() {
    let s = server!();
    let documented = documented(&s);
    assert!(documented.len() > 40, "{documented:?}");
    for (command, token) in documented {
        let name = command.replace('|', " ").to_uppercase();
        let is_tried = CALLS
            .iter()
            .any(|call| call.starts_with(&format!("{name} ")) && call.contains(&format!(" {token} D")));
        assert!(is_tried, "{name} … {token}");
    }
}
