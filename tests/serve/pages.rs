//! Every page of the dashboard.

use crate::http::Answer;
use crate::program::Served;
use crate::support::{Cluster, Server, cmd, eventually, server};

/// What a payload, an id, an error must never become.
const EVIL: &str = "<script>alert(1)</script>";

#[track_caller]
fn shows(answer: &Answer, words: &[&str]) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    for word in words {
        assert!(answer.body.contains(word), "no '{word}' in\n{}", answer.body);
    }
}

/// Jobs of each state in `mails`.
fn fill(s: &Server) {
    s.ok("JOBQ.PUSH mails p ID ready-1 NAME welcome GROUP shop-1 PRIORITY 1");
    s.ok("JOBQ.PUSH mails p ID later-1 DELAY 1h");
    s.ok("JOBQ.PUSH mails p ID child-1 AFTER 1 ready-1");
    s.ok(cmd!["JOBQ.PUSH", "mails", "{\"to\":\"ada\"}", "ID", "busy-1", "META", "trace"]);
    let token = s.ok("JOBQ.POP mails WORKER web-1:7 LEASE 10m").at(0).at(1).int();
    s.ok(format!("JOBQ.EXTEND mails busy-1 {token} LEASE 10m PROGRESS half"));
    s.ok(cmd!["JOBQ.LOG", "mails", "busy-1", format!("{token}"), "a line of the log"]);
    for (id, error) in [("dead-1", "429 slow down"), ("dead-2", "exit 3: no route")] {
        s.ok(format!("JOBQ.PUSH mails p ID {id} PRIORITY -1"));
        let token = s.ok("JOBQ.POP mails").at(0).at(1).int().to_string();
        let mut fail = cmd!["JOBQ.FAIL", "mails", id, token, "DEAD", "ERROR", error];
        if id == "dead-1" {
            fail.extend(cmd!["KIND", "http_429"]);
        }
        s.ok(fail);
    }
    s.ok("JOBQ.PUSH mails p ID done-1 PRIORITY -1");
    let token = s.ok("JOBQ.POP mails").at(0).at(1).int();
    s.ok(format!("JOBQ.ACK mails done-1 {token} RESULT sent"));
}

#[test]
fn queues_are_listed_with_the_one_first_whose_oldest_job_waits_longest() {
    let s = server!();
    s.ok("JOBQ.PUSH older p");
    eventually("time passes", || s.ok("JOBQ.STATS older").field("oldest_ready_ms").int() > 5);
    s.ok("JOBQ.PUSH newer p");
    s.ok("JOBQ.PUSH empty p DELAY 1h");
    s.ok("JOBQ.PAUSE newer FOR 1h PUSHES");
    let served = Served::start(&s.url(), &[]);
    let page = served.get("/");
    shows(&page, &["<h1>Queues</h1>", "paused for", "closed to pushes", "3 queues"]);
    let place = |queue: &str| page.body.find(&format!("href=\"/queue/{queue}\"")).expect("a row");
    assert!(place("older") < place("newer") && place("newer") < place("empty"), "{}", page.body);
    let found = served.get("/?find=ew");
    shows(&found, &["1 of 3 queues", "href=\"/queue/newer\""]);
    assert!(!found.body.contains("href=\"/queue/older\""));
}

#[test]
fn many_queues_are_shown_page_by_page() {
    let s = server!();
    for number in 0..120 {
        s.ok(format!("JOBQ.PUSH queue-{number} p"));
    }
    let served = Served::start(&s.url(), &[]);
    let mut seen = std::collections::BTreeSet::new();
    for page in 1..=3 {
        let body = served.get(&format!("/?page={page}")).body;
        seen.extend(
            body.split("href=\"/queue/queue-")
                .skip(1)
                .map(|rest| rest.split(['"', '/']).next().unwrap().to_owned()),
        );
    }
    assert_eq!(seen.len(), 120);
}

#[test]
fn a_queue_shows_its_counts_charts_events_and_settings() {
    let s = server!();
    fill(&s);
    let served = Served::start(&s.url(), &[]);
    let page = served.get("/queue/mails");
    shows(
        &page,
        &["<h1>mails</h1>", "Depth", "Throughput a minute", "Latency, medians", "<svg", "stall max"],
    );
    shows(
        &page,
        &["<span class=\"event\">popped</span>", "web-1:7", "href=\"/queue/mails/jobs/ready\">1</a>"],
    );
    assert!(!page.body.contains("<form method=\"post\""), "read-only");
}

#[test]
fn the_jobs_of_each_state_are_listed() {
    let s = server!();
    fill(&s);
    let served = Served::start(&s.url(), &[]);
    for (state, ids) in [
        ("ready", &["ready-1"][..]),
        ("delayed", &["later-1"]),
        ("active", &["busy-1"]),
        ("blocked", &["child-1"]),
        ("done", &["done-1"]),
        ("dead", &["dead-1", "dead-2"]),
    ] {
        let page = served.get(&format!("/queue/mails/jobs/{state}"));
        shows(&page, &[&format!("<h1>{state} jobs</h1>")]);
        for id in ["ready-1", "later-1", "busy-1", "child-1", "done-1", "dead-1", "dead-2"] {
            let link = format!("href=\"/queue/mails/job/{id}\"");
            assert_eq!(page.body.contains(&link), ids.contains(&id), "{state}: {id}");
        }
    }
    assert_eq!(served.get("/queue/mails/jobs/odd").status, 404);
    let filtered = served.get("/queue/mails/jobs/dead?kind=http_429");
    assert!(filtered.body.contains("job/dead-1\"") && !filtered.body.contains("job/dead-2\""));
    let filtered = served.get("/queue/mails/jobs/dead?error=*route");
    assert!(!filtered.body.contains("job/dead-1\"") && filtered.body.contains("job/dead-2\""));
}

#[test]
fn pages_of_jobs_show_each_once() {
    let s = server!();
    for number in 0..120 {
        s.ok(format!("JOBQ.PUSH q p ID job-{number}"));
    }
    let served = Served::start(&s.url(), &[]);
    for order in ["", "&newest=yes"] {
        let mut path = format!("/queue/q/jobs/ready?{order}");
        let mut seen = Vec::new();
        loop {
            let body = served.get(&path).body;
            seen.extend(
                body.split("/job/job-").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
            );
            let Some((before, _)) = body.split_once("\" rel=\"next\"") else { break };
            path = before.rsplit_once("href=\"").unwrap().1.replace("&amp;", "&").replace("&#38;", "&");
        }
        assert_eq!(seen.len(), 120, "{order}");
        assert_eq!(seen[0] == "0", order.is_empty());
    }
}

#[test]
fn a_job_is_found_by_its_id_its_name_and_its_group() {
    let s = server!();
    fill(&s);
    let served = Served::start(&s.url(), &[]);
    let by_id = served.get("/queue/mails/find?by=id&what=done-1");
    assert_eq!((by_id.status, by_id.header("location")), (303, Some("/queue/mails/job/done-1")));
    shows(&served.get("/queue/mails/find?by=id&what=nope"), &["No job of this id"]);
    for query in ["by=name&what=welcome", "by=group&what=shop-1"] {
        let page = served.get(&format!("/queue/mails/find?{query}"));
        shows(&page, &["href=\"/queue/mails/job/ready-1\""]);
        assert!(!page.body.contains("/job/later-1"));
    }
    shows(&served.get("/queue/mails/find?by=group&what=none"), &["Nothing found"]);
}

#[test]
fn a_job_shows_all_that_is_known_and_why_it_does_not_run() {
    let s = server!();
    fill(&s);
    let served = Served::start(&s.url(), &[]);
    let job = |id: &str| served.get(&format!("/queue/mails/job/{id}"));
    shows(
        &job("busy-1"),
        &["<b>Running</b> at web-1:7 for", "its lease ends in", "half", "a line of the log", "trace"],
    );
    shows(&job("busy-1"), &["&#34;to&#34;: &#34;ada&#34;", "1 of 4"]);
    shows(&job("done-1"), &["It is done", "<h2>result", "sent"]);
    shows(&job("dead-1"), &["It is dead", "429 slow down", "http_429"]);
    shows(&job("later-1"), &["Why is this not running?", "It is due in "]);
    shows(&job("child-1"), &["It waits for ready-1", "href=\"/queue/mails/job/ready-1\""]);
    s.ok("JOBQ.PAUSE mails FOR 1h");
    shows(&job("ready-1"), &["Its queue is paused; that ends in "]);
    s.ok("JOBQ.PAUSE mails");
    shows(&job("ready-1"), &["until somebody resumes it"]);
    assert_eq!(job("none").status, 404);
}

#[test]
fn dead_jobs_are_grouped_by_kind() {
    let s = server!();
    fill(&s);
    s.ok("JOBQ.PUSH clean p");
    let served = Served::start(&s.url(), &[]);
    for path in ["/dead", "/queue/mails/dead"] {
        let page = served.get(path);
        shows(
            &page,
            &["jobs/dead?kind=http_429\"", "exit 3", "jobs/dead?error=exit%203%2A\"", "429 slow down"],
        );
        assert!(!page.body.contains("clean"), "no dead jobs there");
    }
    let of_kind = served.get("/queue/mails/jobs/dead?error=exit%203%2A");
    assert!(of_kind.body.contains("job/dead-2\"") && !of_kind.body.contains("job/dead-1\""));
    shows(&served.get("/queue/clean/dead"), &["No dead jobs"]);
}

#[test]
fn busy_shows_who_works_on_what_for_how_long() {
    let s = server!();
    let served = Served::start(&s.url(), &[]);
    shows(&served.get("/busy"), &["Nothing is being worked on"]);
    fill(&s);
    eventually("it is seen", || served.get("/busy").body.contains("busy-1"));
    shows(&served.get("/busy"), &["web-1:7", "data-label=\"Elapsed\"", "href=\"/queue/mails/job/busy-1\""]);
}

#[test]
fn schedules_limits_caches_and_breakers_have_their_pages() {
    let s = server!();
    let served = Served::start(&s.url(), &[]);
    shows(&served.get("/schedules"), &["No schedules"]);
    shows(&served.get("/limits"), &["No policies"]);
    shows(&served.get("/breakers"), &["No breakers found"]);
    shows(&served.get("/actions"), &["This dashboard only shows"]);
    s.ok(cmd![
        "JOBQ.CRON",
        "SET",
        "reports",
        "nightly",
        "0 2 * * *",
        "p",
        "TZ",
        "Europe/Berlin",
        "CATCHUP",
        "one"
    ]);
    s.ok("RATELIMIT.POLICY SET ai/free requests=20/1m 1000/1d");
    s.ok("RATELIMIT.CHECK user:7 @ai/free COST 20");
    s.ok("RATELIMIT.CHECK user:7 @ai/free");
    s.ok("CACHE.POLICY SET page: TTL 10m GRACE 1h");
    let token = s.ok("CACHE.GETSET page:1").at(2).int();
    s.ok(format!("CACHE.SET page:1 v TOKEN {token}"));
    for _ in 0..3 {
        s.ok("CACHE.GETSET page:1");
    }
    s.ok("BREAKER.REPORT mailer OK 3 FAIL 1");
    s.ok("BREAKER.FORCE search open");
    eventually("the schedule is seen", || served.get("/schedules").body.contains("Europe/Berlin"));
    shows(&served.get("/schedules"), &["0 2 * * *", "Europe/Berlin", "catch up one", "not yet"]);
    shows(&served.get("/limits"), &["@ai/free", "requests=20/1m 1000/1d", "all checks", "user:7 <b>1</b>"]);
    shows(&served.get("/caches"), &["page:", "75.0 %", "TTL 10m GRACE 1h", "without a policy"]);
    eventually("the breakers are found", || served.get("/breakers").body.contains("mailer"));
    let page = served.get("/breakers");
    shows(&page, &["25 %", "forced open"]);
    assert!(page.body.find("search") < page.body.find("mailer"), "what denies comes first");
}

#[test]
fn what_is_not_there_is_404_and_a_server_that_is_away_is_told() {
    let mut s = server!();
    let served = Served::start(&s.url(), &[]);
    for path in ["/nowhere", "/queue", "/queue/a/b/c/d", "/assets/../Cargo.toml", "/assets/none"] {
        assert_eq!(served.get(path).status, 404, "{path}");
    }
    s.ok("SET text x");
    let wrong = served.get("/queue/text");
    assert_eq!(wrong.status, 502);
    assert!(wrong.body.contains("WRONGTYPE"), "{}", wrong.body);
    s.kill();
    eventually("it is away", || served.get("/queue/q").status == 502);
    assert!(served.get("/queue/q").body.contains("The server does not answer"));
}

#[test]
fn whatever_it_holds_nothing_becomes_markup() {
    let s = server!();
    let q = format!("q{EVIL}");
    s.ok(cmd!["JOBQ.PUSH", q, EVIL, "ID", EVIL, "NAME", EVIL, "GROUP", EVIL, "META", EVIL, "RETRIES", "0"]);
    let token = s.ok(cmd!["JOBQ.POP", q, "WORKER", EVIL]).at(0).at(1).int().to_string();
    s.ok(cmd!["JOBQ.LOG", q, EVIL, token, EVIL]);
    s.ok(cmd!["JOBQ.EXTEND", q, EVIL, token, "PROGRESS", EVIL]);
    s.ok(cmd!["CACHE.POLICY", "SET", EVIL, "TTL", "1m"]);
    s.ok(cmd!["BREAKER.REPORT", EVIL, "FAIL", "1"]);
    s.ok(cmd!["JOBQ.CRON", "SET", q, EVIL, "0 2 * * *", EVIL]);
    let served = Served::start(&s.url(), &["--allow-actions"]);
    let key = "q%3Cscript%3Ealert%281%29%3C%2Fscript%3E";
    let id = "%3Cscript%3Ealert%281%29%3C%2Fscript%3E";
    let paths = || {
        let mut paths: Vec<String> =
            ["/", "/busy", "/dead", "/schedules", "/limits", "/caches", "/breakers", "/actions"]
                .map(str::to_owned)
                .to_vec();
        paths.extend(["active", "dead", "done"].map(|state| format!("/queue/{key}/jobs/{state}")));
        paths.push(format!("/queue/{key}"));
        paths.push(format!("/queue/{key}/job/{id}"));
        paths.push(format!("/queue/{key}/dead"));
        paths.push(format!("/queue/{key}/find?by=group&what={id}"));
        paths.push(format!("/?find={id}"));
        paths.push(format!("/caches?edit={id}"));
        paths.push(format!("/nowhere/{id}"));
        paths
    };
    let mut escaped = 0;
    for is_dead in [false, true] {
        if is_dead {
            s.ok(cmd!["JOBQ.FAIL", q, EVIL, token, "ERROR", EVIL, "KIND", EVIL]);
        }
        for path in paths() {
            let page = served.get(&path);
            assert!(!page.body.contains("<script>alert"), "{path}:\n{}", page.body);
            escaped += page.body.matches("&#60;script&#62;").count();
            let policy = page.header("content-security-policy").unwrap_or_default();
            assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        }
    }
    assert!(escaped > 30, "it was shown {escaped} times");
}

#[test]
fn names_of_any_bytes_have_their_pages() {
    let s = server!();
    s.ok(cmd!["JOBQ.PUSH", b"q\xff/\n", b"\x00\x01", "ID", b"a/\xfe"]);
    let served = Served::start(&s.url(), &[]);
    shows(&served.get("/"), &["href=\"/queue/q%FF%2F%0A\"", "q\\xff/\\n"]);
    shows(&served.get("/queue/q%FF%2F%0A/jobs/ready"), &["href=\"/queue/q%FF%2F%0A/job/a%2F%FE\""]);
    shows(&served.get("/queue/q%FF%2F%0A/job/a%2F%FE"), &["\\x00\\x01", "2 B"]);
}

#[test]
fn no_page_asks_another_host() {
    let s = server!();
    fill(&s);
    let served = Served::start(&s.url(), &[]);
    for path in ["/", "/queue/mails", "/queue/mails/job/busy-1", "/assets/style.css", "/assets/live.js"] {
        let page = served.get(path);
        assert_eq!(page.status, 200, "{path}");
        for word in ["http://", "https://", "src=\"//", "@import", "url("] {
            let found = page
                .body
                .match_indices(word)
                .next()
                .map(|(at, _)| page.body[at..].chars().take(60).collect::<String>());
            assert_eq!(found, None, "{path}");
        }
    }
}

#[test]
fn a_dashboard_of_a_cluster_shows_the_queues_of_all_primaries() {
    let cluster = Cluster::start();
    for key in cluster.keys("q") {
        cluster.owner(&key).ok(format!("JOBQ.PUSH {key} p ID job"));
    }
    let served = Served::start(&cluster.nodes[0].url(), &[]);
    for key in cluster.keys("q") {
        shows(&served.get("/"), &[&format!("href=\"/queue/{key}\"")]);
        shows(&served.get(&format!("/queue/{key}/job/job")), &["Is a worker running?"]);
    }
}

#[test]
fn the_user_of_the_guide_may_see_every_page() {
    let s = server!();
    fill(&s);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/dashboard.md");
    let guide = std::fs::read_to_string(path).expect("the guide");
    let line = guide.lines().find(|line| line.starts_with("> ACL SETUSER dashboard ")).expect("the line");
    s.ok(line.trim_start_matches("> "));
    let served = Served::start(&format!("redis://dashboard:change-me@127.0.0.1:{}/", s.port()), &[]);
    for path in [
        "/",
        "/busy",
        "/dead",
        "/schedules",
        "/limits",
        "/caches",
        "/breakers",
        "/actions",
        "/queue/mails",
        "/queue/mails/jobs/ready",
        "/queue/mails/find?by=id&what=none",
        "/queue/mails/job/busy-1",
        "/metrics",
        "/readyz",
    ] {
        let page = served.get(path);
        assert_eq!(page.status, 200, "{path}:\n{}", page.body);
    }
}
