//! The dashboard in a headless Chromium. Without one these tests say so and pass.

use crate::chromium::Chromium;
use crate::program::Served;
use crate::support::{Reply, Server, cmd, eventually, server};

const EVIL: &str = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

fn start(s: &Server) -> (Served, String) {
    let served = Served::start(&s.url(), &["--allow-actions"]);
    let base = format!("http://127.0.0.1:{}", served.port);
    (served, base)
}

fn fill(s: &Server) {
    for (queue, id) in [("mails", "first"), ("mails", EVIL), ("webhooks", "other")] {
        s.ok(cmd!["JOBQ.PUSH", queue, EVIL, "ID", id, "NAME", EVIL, "GROUP", "shop"]);
    }
    let token = s.ok("JOBQ.POP webhooks WORKER web-1").at(0).at(1).int().to_string();
    s.ok(cmd!["JOBQ.FAIL", "webhooks", "other", token, "DEAD", "ERROR", EVIL, "KIND", "<img src=x>"]);
    s.ok(cmd!["JOBQ.CRON", "SET", "mails", "nightly", "0 2 * * *", "p", "TZ", "Europe/Berlin"]);
    s.ok("RATELIMIT.POLICY SET ai/free requests=20/1m 1000/1d");
    s.ok("CACHE.POLICY SET page: TTL 10m GRACE 1h");
    s.ok("BREAKER.FORCE search open");
}

const PATHS: [&str; 13] = [
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
    "/queue/webhooks/dead",
    "/queue/webhooks/job/other",
    "/queue/mails/find?by=group&what=shop",
];

#[test]
fn no_payload_runs_and_nothing_is_wider_than_a_phone() {
    let Some(mut browser) = Chromium::start() else { return };
    let s = server!();
    fill(&s);
    let (_served, base) = start(&s);
    browser.call("Log.enable", serde_json::json!({}));
    for (width, is_dark) in [(360, false), (1280, true)] {
        browser.size(width, 800, is_dark);
        for path in PATHS {
            browser.open(&format!("{base}{path}"));
            let title = browser.value("document.title");
            let title = title.as_str().expect("a title");
            assert!(title.ends_with(" · Workgate"), "{path}: {title}");
            let scripts =
                browser.value("document.scripts.length + document.querySelectorAll('img[onerror]').length");
            assert_eq!(scripts, 1, "{path}: the one of the dashboard");
            let too_wide =
                browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert_eq!(too_wide, 0, "{path} at {width}");
            let styled = browser.value("getComputedStyle(document.querySelector('.top')).display");
            assert_eq!(styled, "flex", "{path}: the style is allowed by the policy");
        }
    }
}

#[test]
fn a_job_is_cancelled_by_the_keyboard_alone() {
    let Some(mut browser) = Chromium::start() else { return };
    let s = server!();
    s.ok("JOBQ.PUSH mails p ID first");
    let (_served, base) = start(&s);
    browser.size(1280, 800, false);
    browser.open(&base);
    let focus = "document.activeElement.textContent.trim()";
    for expected in ["Skip to the content", "Workgate", "Queues", "Busy"] {
        browser.press("Tab");
        assert_eq!(browser.value(focus), expected, "in the order of the page");
    }
    browser.press("/");
    assert_eq!(browser.value("document.activeElement.name"), "find");
    browser.press("Tab");
    browser.press("j");
    browser.until("document.activeElement.matches('[data-row]') || (document.querySelector('[data-row]').focus(), false)");
    browser.press("Enter");
    browser.until("location.pathname === '/queue/mails' && document.readyState === 'complete'");
    browser.press("/");
    for letter in "first".chars() {
        browser.press(&letter.to_string());
    }
    browser.press("Enter");
    browser.until("location.pathname === '/queue/mails/job/first' && document.readyState === 'complete'");
    let mut steps = 0;
    while browser.value("document.activeElement.textContent") != "Cancel" {
        browser.press("Tab");
        steps += 1;
        assert!(steps < 30, "the button cannot be reached");
    }
    browser.press("Enter");
    browser.until("document.querySelector('.what')?.textContent === 'Cancel the job first of mails.'");
    browser.until("document.activeElement.textContent === 'Do it'");
    browser.press("Enter");
    eventually("it is cancelled", || s.ok("JOBQ.GET mails first") == Reply::Nil);
    browser.until("document.readyState === 'complete' && document.querySelector('.note.good') !== null || location.search.includes('done=')");
    browser.until("document.readyState === 'complete' && window.EventSource !== undefined");
    browser.press("g");
    browser.press("a");
    browser.until("document.body.textContent.includes('Cancel the job first of mails')");
}

#[test]
fn an_open_page_shows_news_without_a_reload() {
    let Some(mut browser) = Chromium::start() else { return };
    let s = server!();
    s.ok("JOBQ.PUSH mails p ID first");
    let (_served, base) = start(&s);
    for (path, sees) in [
        ("/", "document.body.textContent.includes('webhooks')"),
        ("/queue/mails", "document.body.textContent.includes('second')"),
    ] {
        browser.open(&format!("{base}{path}"));
        browser.until("document.getElementById('live').textContent === 'live'");
        browser.value("window.stays = true");
        s.ok("JOBQ.PUSH webhooks p ID other");
        s.ok("JOBQ.PUSH mails p ID second");
        browser.until(sees);
        assert_eq!(browser.value("window.stays"), true, "{path}: the page was not loaded anew");
    }
}
