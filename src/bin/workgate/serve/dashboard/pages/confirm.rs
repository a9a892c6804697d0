//! The question before an action.

use askama::Template;
use axum::response::Response;

use crate::serve::dashboard::action::Action;
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::request::Fields;

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page {
    frame: Frame,
    words: String,
    warning: &'static str,
    is_destructive: bool,
    fields: Vec<(String, String)>,
    back: String,
}

pub fn page(asked: &Asked, action: &Action, form: &Fields, back: &str) -> Response {
    let kept = form.all().filter(|(name, _)| !["token", "confirmed", "back"].contains(name));
    let page = Page {
        frame: asked.frame("", "Please confirm", ""),
        words: action.words(),
        warning: action.warning(),
        is_destructive: action.is_destructive(),
        fields: kept
            .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .collect(),
        back: back.to_owned(),
    };
    html(&page)
}
