//! What the dashboard changes, and who is kept from it.

use crate::browser_form::Browser;
use crate::http::ask;
use crate::program::Served;
use crate::support::{Cluster, Server, cmd, figure, server};

fn start(s: &Server) -> Served {
    Served::start(&s.url(), &["--allow-actions"])
}

fn dead(s: &Server, id: &str, kind: &str) {
    s.ok(format!("JOBQ.PUSH q p ID {id} PRIORITY -1"));
    let token = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.FAIL q {id} {token} DEAD ERROR no KIND {kind}"));
}

fn count(s: &Server, state: &str) -> i64 {
    s.ok("JOBQ.STATS q").field(state).int()
}

#[test]
fn a_queue_is_paused_for_a_time_and_resumed() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let served = start(&s);
    let browser = Browser::open(&served);
    let (question, done) = browser.act("/queue/q/pause", "for=10m&pushes=yes");
    assert!(question.body.contains("Pause the queue q for 10m, and refuse pushes."), "{}", question.body);
    assert!(done.body.contains("It is paused."), "{}", done.body);
    s.refuses("JOBQ.PUSH q p", "PAUSED");
    let list = served.get("/").body;
    assert!(list.contains("paused for") && list.contains(" left"), "it is shown at once: {list}");
    browser.act("/queue/q/resume", "");
    s.ok("JOBQ.PUSH q p");
    let log = served.get("/actions").body;
    assert!(log.contains("Resume the queue q") && log.contains("Pause the queue q for 10m"), "{log}");
    assert!(served.log().contains("Pause the queue q for 10m"), "{}", served.log());
}

#[test]
fn a_group_is_paused_and_resumed_and_the_others_go_on() {
    let s = server!();
    for (id, group) in [("a", "tenant-7"), ("b", "tenant-8")] {
        s.ok(format!("JOBQ.PUSH q p ID {id} GROUP {group}"));
    }
    let served = start(&s);
    let browser = Browser::open(&served);
    let found = served.get("/queue/q/find?by=group&what=tenant-7").body;
    assert!(found.contains("The group tenant-7") && found.contains("Pause the group"), "{found}");
    let (question, done) = browser.act("/queue/q/pause", "group=tenant-7");
    assert!(question.body.contains("Pause the group tenant-7 of q."), "{}", question.body);
    assert!(done.body.contains("It is paused."), "{}", done.body);
    let page = served.get("/queue/q").body;
    let groups = page.split_once("Groups with settings of their own").expect("it is shown").1;
    assert!(groups.contains("tenant-7") && groups.contains("paused"), "{groups}");
    assert!(!groups.split("</ul>").next().unwrap().contains("tenant-8"), "{groups}");
    let why = served.get("/queue/q/job/a").body;
    assert!(why.contains("Its group is paused, until somebody resumes it."), "{why}");
    let jobs = s.ok("JOBQ.POP q COUNT 10");
    let ids: Vec<String> = jobs.items().iter().map(|job| job.at(0).text()).collect();
    assert_eq!(ids, ["b"], "only the other group's job is handed out");
    // A pause of the queue is apart from it.
    browser.act("/queue/q/resume", "");
    assert!(s.ok("JOBQ.POP q").items().is_empty());
    let (question, _) = browser.act("/queue/q/resume", "group=tenant-7");
    assert!(question.body.contains("Resume the group tenant-7 of q."), "{}", question.body);
    s.ok("JOBQ.POP q").at(0).at(0).clone().is("a");
}

#[test]
fn a_group_is_closed_to_pushes_for_a_time() {
    let s = server!();
    s.ok("JOBQ.PUSH q p GROUP g");
    let served = start(&s);
    let browser = Browser::open(&served);
    let (question, _) = browser.act("/queue/q/pause", "group=g&for=10m&pushes=yes");
    let says = "Pause the group g of q for 10m, and refuse pushes.";
    assert!(question.body.contains(says), "{}", question.body);
    s.refuses("JOBQ.PUSH q p GROUP g", "PAUSED");
    s.ok("JOBQ.PUSH q p GROUP other");
    let until = s.ok("JOBQ.GROUP GET q g").field("paused_until_ms").int() - s.now();
    assert!((590_000..=600_000).contains(&until), "{until}");
}

#[test]
fn a_question_changes_nothing() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let served = start(&s);
    let browser = Browser::open(&served);
    let here = [("sec-fetch-site", "same-origin")];
    let answer = browser.send("/queue/q/job/a/cancel", &format!("token={}", browser.token), &here);
    assert!(answer.body.contains("Cancel the job a of q."), "{}", answer.body);
    assert_eq!(count(&s, "ready"), 1);
    assert!(served.get("/actions").body.contains("Nothing was changed"));
}

#[test]
fn dead_jobs_of_a_kind_are_run_again_and_those_of_another_stay() {
    let s = server!();
    for (id, kind) in [("a", "net"), ("b", "net"), ("c", "disk")] {
        dead(&s, id, kind);
    }
    let served = start(&s);
    let browser = Browser::open(&served);
    let (question, done) = browser.act("/queue/q/redrive?kind=net", "");
    assert!(question.body.contains("Run all dead jobs of q of the kind net again."), "{}", question.body);
    assert!(done.body.contains("2 jobs are ready again. 1 others are left in that state."), "{}", done.body);
    assert_eq!((count(&s, "ready"), count(&s, "dead")), (2, 1));
    browser.act("/queue/q/redrive", "");
    assert_eq!((count(&s, "ready"), count(&s, "dead")), (3, 0));
}

#[test]
fn thousands_of_dead_jobs_are_run_again_at_once() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q retries 0");
    for _ in 0..3 {
        let payloads = "p ".repeat(800);
        s.ok(format!("JOBQ.MPUSH q 800 {}", payloads.trim_end()));
        let jobs = s.ok("JOBQ.POP q COUNT 1000");
        for job in jobs.items() {
            s.ok(format!("JOBQ.FAIL q {} {} ERROR no", job.at(0).text(), job.at(1).int()));
        }
    }
    assert_eq!(count(&s, "dead"), 2_400);
    let served = start(&s);
    let (_, done) = Browser::open(&served).act("/queue/q/redrive", "");
    assert!(done.body.contains("2400 jobs are ready again."), "{}", done.body);
}

#[test]
fn a_job_is_promoted_cancelled_and_run_again() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID later DELAY 1h");
    s.ok("JOBQ.PUSH q p ID other DELAY 1h");
    dead(&s, "dead", "net");
    let served = start(&s);
    let browser = Browser::open(&served);
    browser.act("/queue/q/job/later/promote", "");
    s.ok("JOBQ.GET q later").field("state").clone().is("ready");
    let (_, done) = browser.act("/queue/q/job/other/cancel", "");
    assert!(done.body.contains("It is removed."), "{}", done.body);
    s.ok("JOBQ.GET q other").is(crate::support::nil());
    browser.act("/queue/q/job/dead/redrive", "");
    s.ok("JOBQ.GET q dead").field("state").clone().is("ready");
    let (_, failed) = browser.act("/queue/q/job/none/cancel", "");
    assert!(failed.body.contains("it failed.") && failed.body.contains("no such job"), "{}", failed.body);
}

#[test]
fn jobs_of_a_state_are_purged() {
    let s = server!();
    for id in ["a", "b", "c"] {
        dead(&s, id, if id == "a" { "net" } else { "disk" });
    }
    s.ok("JOBQ.PUSH q p");
    let served = start(&s);
    let browser = Browser::open(&served);
    let (question, _) = browser.act("/queue/q/purge?kind=net", "state=dead");
    assert!(question.body.contains("gone for good"), "{}", question.body);
    assert_eq!(count(&s, "dead"), 2);
    browser.act("/queue/q/purge", "state=dead");
    assert_eq!((count(&s, "dead"), count(&s, "ready")), (0, 1));
    let wrong = browser.send(
        "/queue/q/purge",
        &format!("token={}&state=active&confirmed=yes", browser.token),
        &[("sec-fetch-site", "same-origin")],
    );
    assert_eq!(wrong.status, 400);
}

#[test]
fn a_schedule_is_run_now() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "nightly", "0 2 1 1 *", "p"]);
    let served = start(&s);
    let browser = Browser::open(&served);
    let (_, done) = browser.act("/queue/q/schedule/nightly/run", "");
    assert!(done.body.contains("The job nightly@"), "{}", done.body);
    assert_eq!(count(&s, "ready"), 1);
    let (_, again) = browser.act("/queue/q/schedule/nightly/run", "");
    assert!(again.body.contains("no other was made"), "{}", again.body);
}

#[test]
fn policies_are_set_and_a_wrong_one_is_told() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET ai 20/1m");
    let served = start(&s);
    let browser = Browser::open(&served);
    assert!(browser.get("/limits?edit=ai").body.contains("value=\"20/1m\""));
    browser.act("/limits", "name=ai&limits=30%2F1m+1000%2F1d");
    s.ok("RATELIMIT.POLICY GET ai").at(0).clone().is("30/1m");
    browser.act("/caches", "prefix=page%3A&fields=TTL+10m+GRACE+1h");
    assert!(browser.get("/caches?edit=page%3A").body.contains("value=\"TTL 10m GRACE 1h\""));
    let (_, failed) = browser.act("/limits", "name=ai&limits=sometimes");
    assert!(failed.body.contains("it failed."), "{}", failed.body);
    s.ok("RATELIMIT.POLICY GET ai").at(0).clone().is("30/1m");
}

#[test]
fn a_policy_reaches_every_primary() {
    let cluster = Cluster::start();
    let served = Served::start(&cluster.nodes[0].url(), &["--allow-actions"]);
    Browser::open(&served).act("/limits", "name=ai&limits=30%2F1m");
    for node in &cluster.nodes {
        node.ok("RATELIMIT.POLICY GET ai").at(0).clone().is("30/1m");
    }
}

#[test]
fn without_allow_actions_nothing_can_be_changed() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let served = Served::start(&s.url(), &[]);
    let browser = Browser::open(&served);
    assert_eq!(browser.token, "", "no form is shown");
    let answer = browser.send("/queue/q/job/a/cancel", "confirmed=yes", &[("sec-fetch-site", "same-origin")]);
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("--allow-actions"), "{}", answer.body);
    assert_eq!(count(&s, "ready"), 1);
}

#[test]
fn a_form_of_another_site_or_without_a_token_is_refused() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let served = start(&s);
    let browser = Browser::open(&served);
    let whole = format!("token={}&confirmed=yes", browser.token);
    let here = format!("http://127.0.0.1:{}", served.port);
    let other = Browser::open(&served).token;
    for (body, headers) in [
        (whole.as_str(), vec![("sec-fetch-site", "cross-site")]),
        (&whole, vec![("sec-fetch-site", "same-site")]),
        (&whole, vec![("origin", "https://evil.example")]),
        (&whole, vec![("origin", "null")]),
        (&whole, vec![]),
        ("confirmed=yes", vec![("sec-fetch-site", "same-origin")]),
        ("confirmed=yes&token=0", vec![("origin", here.as_str())]),
        (&format!("token={other}&confirmed=yes"), vec![("sec-fetch-site", "same-origin")]),
    ] {
        let answer = browser.send("/queue/q/job/a/cancel", body, &headers);
        assert_eq!(answer.status, 403, "{body} {headers:?}");
    }
    // Without the cookie, and as something that a page of another site may send without asking.
    let origin = ("origin", here.as_str());
    let form = ("content-type", "application/x-www-form-urlencoded");
    assert_eq!(ask(served.port, "POST", "/queue/q/job/a/cancel", &[origin, form], &whole).status, 403);
    let plain = ("content-type", "text/plain");
    assert_eq!(ask(served.port, "POST", "/queue/q/job/a/cancel", &[origin, plain], &whole).status, 415);
    assert_eq!(count(&s, "ready"), 1);
    let answer = browser.send("/queue/q/job/a/cancel", &whole, &[origin]);
    assert_eq!(answer.status, 303);
    assert_eq!(count(&s, "ready"), 0);
    figure(
        "10 forms of other sites, without a token or a cookie: refused, nothing changed; the true one taken",
    );
}

#[test]
fn a_form_leads_back_to_pages_of_the_dashboard_alone() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let served = start(&s);
    let browser = Browser::open(&served);
    for back in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%2Fa%0D%0Ax%3A1"]
    {
        let body = format!("token={}&confirmed=yes&back={back}", browser.token);
        let answer = browser.send("/queue/q/resume", &body, &[("sec-fetch-site", "same-origin")]);
        let there = answer.header("location").unwrap_or_default().to_owned();
        assert!(there.starts_with("/?done="), "{there}");
    }
}

#[test]
fn the_action_log_names_the_user_and_kinds_of_any_bytes_are_chosen() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let token = s.ok("JOBQ.POP q").at(0).at(1).int().to_string();
    s.ok(cmd!["JOBQ.FAIL", "q", "a", token, "DEAD", "KIND", b"\xff<"]);
    let flags = ["--allow-actions", "--proxy-user-header", "x-user"];
    let served = Served::start(&s.url(), &flags);
    let ada = ("x-user", "ada<");
    let page = ask(served.port, "GET", "/queue/q/dead", &[ada], "");
    assert!(page.body.contains("action=\"/queue/q/redrive?kind=%FF%3C\""), "{}", page.body);
    let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let token = crate::browser_form::value_of(&page.body, "token").unwrap();
    let headers = [
        ada,
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let body = format!("token={token}&confirmed=yes");
    assert_eq!(ask(served.port, "POST", "/queue/q/redrive?kind=%FF%3C", &headers, &body).status, 303);
    assert_eq!(count(&s, "ready"), 1);
    assert!(ask(served.port, "GET", "/actions", &[ada], "").body.contains("ada&#60;"));
}
