//! What stands around every page, and the headers of its answer.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use redis::{Cmd, Value, cmd};

use super::action_log::Entry;
use super::assets;
use super::request::Fields;
use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::view::View;
use crate::worker::explained;

/// Scripts, styles and pictures of this server alone, forms to it alone, shown in no other site's
/// frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// One request for a page.
pub struct Asked {
    pub view: Arc<View>,
    pub user: String,
    pub query: Fields,
    /// With the query.
    pub path: String,
    /// What forms of this page hold.
    pub token: String,
    /// By the server's clock.
    pub now_ms: u64,
}

impl Asked {
    pub async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        self.view.nodes.call(command).await
    }

    /// `live` is the query of the events that the page listens to.
    pub fn frame(&self, section: &'static str, title: impl Into<String>, live: impl Into<String>) -> Frame {
        let note = self.query.number("done").and_then(|number| self.view.action_log.entry(number));
        Frame {
            title: title.into(),
            section,
            user: self.user.clone(),
            acts: self.view.allows_actions,
            token: self.token.clone(),
            back: self.path.clone(),
            live: live.into(),
            note,
            version: assets::version(),
            server: self.view.nodes.shown(),
        }
    }
}

/// The server's time, else this machine's.
pub async fn now_ms(view: &View) -> u64 {
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let here = u64::try_from(here.as_millis()).unwrap_or(u64::MAX);
    let Ok(time) = view.nodes.call(&cmd("TIME")).await else { return here };
    let part = |place: usize| reply::number(reply::array(&time)?.get(place)?);
    part(0).zip(part(1)).map_or(here, |(seconds, micros)| (seconds * 1_000.0 + micros / 1_000.0) as u64)
}

pub struct Frame {
    pub title: String,
    pub section: &'static str,
    pub user: String,
    /// Whether anything can be changed.
    pub acts: bool,
    pub token: String,
    pub back: String,
    pub live: String,
    /// What came of the action that led here.
    pub note: Option<Entry>,
    pub version: String,
    pub server: String,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    frame: Frame,
    text: String,
    hint: &'static str,
}

/// A page, whole.
pub fn html(page: &impl Template) -> Response {
    html_with(StatusCode::OK, page)
}

fn html_with(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!("a page could not be written: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written\n").into_response()
        }
    }
}

pub fn message(asked: &Asked, status: StatusCode, title: &str, text: impl Into<String>) -> Response {
    let frame = asked.frame("", title, "");
    html_with(status, &Message { frame, text: text.into(), hint: "" })
}

pub fn not_found(asked: &Asked, text: impl Into<String>) -> Response {
    message(asked, StatusCode::NOT_FOUND, "Not found", text)
}

/// The server does not answer, or refuses.
pub fn fault(asked: &Asked, fault: &Fault) -> Response {
    let (title, live, hint) = match fault {
        Fault::Unreachable(_) => {
            ("The server does not answer", "of=clock", "This page looks again every few seconds.")
        }
        Fault::Refused { .. } => ("The server refuses", "", ""),
    };
    let frame = asked.frame("", title, live);
    html_with(StatusCode::BAD_GATEWAY, &Message { frame, text: explained(fault), hint })
}

/// For every answer of the dashboard.
pub fn guard(headers: &mut HeaderMap) {
    let all: [(HeaderName, &'static str); 6] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
