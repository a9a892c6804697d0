//! `/actions`: what has been changed by way of the dashboard.

use askama::Template;
use axum::response::Response;

use crate::serve::dashboard::action_log::Entry;
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::shown::Moment;

#[derive(Template)]
#[template(path = "actions.html")]
struct Page {
    frame: Frame,
    rows: Vec<(Moment, Entry)>,
}

pub fn page(asked: &Asked) -> Response {
    let entries = asked.view.action_log.entries();
    let rows = entries.into_iter().map(|entry| (Moment::of(entry.at_ms, asked.now_ms), entry)).collect();
    html(&Page { frame: asked.frame("actions", "Action log", "of=clock"), rows })
}
