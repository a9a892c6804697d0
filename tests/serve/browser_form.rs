//! Forms as a browser sends them: with the cookie and the token of the page that holds them.

use crate::http::{Answer, ask};
use crate::program::Served;

/// A browser at one dashboard.
pub struct Browser<'a> {
    served: &'a Served,
    cookie: String,
    pub token: String,
}

impl<'a> Browser<'a> {
    pub fn open(served: &'a Served) -> Browser<'a> {
        let page = served.get("/limits");
        let cookie =
            page.header("set-cookie").expect("a cookie").split(';').next().expect("its pair").to_owned();
        let mut browser = Browser { served, cookie, token: String::new() };
        let page = browser.get("/limits");
        assert_eq!(page.header("set-cookie"), None, "it has one");
        browser.token = value_of(&page.body, "token").unwrap_or_default();
        browser
    }

    pub fn get(&self, path: &str) -> Answer {
        ask(self.served.port, "GET", path, &[("cookie", &self.cookie)], "")
    }

    /// One form, with these headers besides those of every browser.
    pub fn send(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let base = [("cookie", self.cookie.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        ask(self.served.port, "POST", path, &[&base, headers].concat(), body)
    }

    /// Presses a button: the first answer is the question, the second what came of it.
    #[track_caller]
    pub fn act(&self, path: &str, fields: &str) -> (Answer, Answer) {
        let here = [("sec-fetch-site", "same-origin")];
        let body = format!("token={}&back=%2Factions&{fields}", self.token);
        let question = self.send(path, &body, &here);
        assert_eq!(question.status, 200, "{}", question.body);
        assert_eq!(value_of(&question.body, "confirmed").as_deref(), Some("yes"), "{}", question.body);
        let done = self.send(path, &format!("{body}&confirmed=yes"), &here);
        assert_eq!(done.status, 303, "{}", done.body);
        let there = done.header("location").expect("where to").to_owned();
        (question, self.get(&there))
    }
}

/// The value of the first hidden field of a name.
pub fn value_of(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}
