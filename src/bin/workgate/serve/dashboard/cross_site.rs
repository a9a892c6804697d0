//! The token by which a form of ours is told from one of another site.
//!
//! A browser that opens a page gets a cookie of chance, and each form of the page holds a token
//! that only this process can make of it. Another site may send a form here, but can read neither.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use sha2::{Digest, Sha256};

const COOKIE_NAME: &str = "workgate";

#[derive(Debug)]
pub struct CrossSite {
    secret: [u8; 32],
}

impl CrossSite {
    pub fn new() -> io::Result<Self> {
        Ok(CrossSite { secret: random()? })
    }

    /// The cookie of a request, or another one and the header that sets it.
    pub fn cookie(&self, headers: &HeaderMap) -> io::Result<(String, Option<String>)> {
        if let Some(cookie) = given_cookie(headers) {
            return Ok((cookie.to_owned(), None));
        }
        let cookie = hex(&random::<16>()?);
        let header = format!("{COOKIE_NAME}={cookie}; Path=/; HttpOnly; SameSite=Strict");
        Ok((cookie, Some(header)))
    }

    /// What forms hold that belong to this cookie.
    pub fn token(&self, cookie: &str) -> String {
        hex(&Sha256::new().chain_update(self.secret).chain_update(cookie).finalize())
    }

    /// Why a form is refused; `token` is what it holds.
    pub fn check(&self, headers: &HeaderMap, token: &str) -> Result<(), &'static str> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
        match (header("sec-fetch-site"), origin) {
            (Some("same-origin"), _) => {}
            (Some(_), _) => return Err("another site has sent this form"),
            (None, Some(origin)) => {
                let from = origin.split_once("://").map(|(_, host)| host);
                if from.is_none() || from != headers.get(HOST).and_then(|host| host.to_str().ok()) {
                    return Err("another site has sent this form");
                }
            }
            (None, None) => return Err("neither Origin nor Sec-Fetch-Site says who has sent this form"),
        }
        let expected = given_cookie(headers).map(|cookie| self.token(cookie));
        match expected {
            Some(expected) if crate::serve::access::is_same(expected.as_bytes(), token.as_bytes()) => Ok(()),
            _ => Err("the form is too old: open the page again"),
        }
    }
}

fn given_cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, cookie) = pairs.find(|(name, _)| *name == COOKIE_NAME)?;
    let fits = cookie.len() == 32 && cookie.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then_some(cookie)
}

fn random<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_a_form_of_this_process_for_this_browser_is_taken() {
        let guard = CrossSite::new().unwrap();
        let (cookie, set) = guard.cookie(&HeaderMap::new()).unwrap();
        assert!(set.unwrap().contains("SameSite=Strict"));
        let sent = format!("other=1; workgate={cookie}");
        let here = [("cookie", sent.as_str()), ("origin", "http://h:1"), ("host", "h:1")];
        assert_eq!(guard.cookie(&headers(&here)).unwrap(), (cookie.clone(), None));
        let token = guard.token(&cookie);
        assert_eq!(guard.check(&headers(&here), &token), Ok(()));
        let other = CrossSite::new().unwrap().token(&cookie);
        for wrong in ["", "0", &token[1..], &other] {
            assert!(guard.check(&headers(&here), wrong).unwrap_err().contains("too old"), "{wrong}");
        }
        assert!(guard.check(&headers(&here[1..]), &token).is_err(), "no cookie");
    }

    #[test]
    fn a_form_of_another_origin_is_refused_whatever_it_holds() {
        let guard = CrossSite::new().unwrap();
        let (cookie, _) = guard.cookie(&HeaderMap::new()).unwrap();
        let token = guard.token(&cookie);
        let sent = format!("workgate={cookie}");
        for (name, value) in [
            ("origin", "http://evil:1"),
            ("origin", "null"),
            ("origin", "http://h:2"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "none"),
            ("x-other", "y"),
        ] {
            let all = headers(&[("cookie", &sent), ("host", "h:1"), (name, value)]);
            assert!(guard.check(&all, &token).is_err(), "{name}: {value}");
        }
        let all = headers(&[("cookie", &sent), ("host", "inner:1"), ("sec-fetch-site", "same-origin")]);
        assert_eq!(guard.check(&all, &token), Ok(()), "behind a proxy the host may have another name");
    }
}
