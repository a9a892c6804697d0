//! Which page a path is, and what a form does.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::action::Action;
use super::frame::{self, Asked, fault, message, not_found};
use super::pages::{
    actions, breakers, busy, caches, confirm, dead, find, job, jobs, limits, queue, queues, schedules,
};
use super::perform::perform;
use super::request::{Fields, segments};
use super::{assets, live};
use crate::redis::connection::Fault;
use crate::serve::access::User;
use crate::serve::view::SharedView;

/// No form of ours is longer.
const MOST_FORM_BYTES: usize = 64 * 1024;

pub async fn answer(State(view): State<SharedView>, request: Request) -> Response {
    let mut response = respond(view, request).await;
    frame::guard(response.headers_mut());
    response
}

async fn respond(view: SharedView, request: Request) -> Response {
    let path = segments(request.uri().path());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let parts: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
    match (request.method(), &parts[..]) {
        (&Method::GET | &Method::HEAD, [b"assets", name]) => return assets::answer(name),
        (&Method::GET, [b"live"]) => return live::answer(&view, &Fields::read(&query)),
        (&Method::GET | &Method::HEAD | &Method::POST, _) => {}
        _ => return (StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD and POST\n").into_response(),
    }
    let Ok((cookie, set_cookie)) = view.cross_site.cookie(request.headers()) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "this machine has no random numbers\n").into_response();
    };
    let user = request.extensions().get::<User>().map(|user| user.0.clone());
    let asked = Asked {
        user: user.unwrap_or_default(),
        token: view.cross_site.token(&cookie),
        path: request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        query: Fields::read(&query),
        now_ms: frame::now_ms(&view).await,
        view,
    };
    let mut response = if request.method() == Method::POST {
        post(&asked, &path, request).await
    } else {
        page(&asked, &parts).await.unwrap_or_else(|error| fault(&asked, &error))
    };
    if let Some(value) = set_cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

async fn page(asked: &Asked, path: &[&[u8]]) -> Result<Response, Fault> {
    match path {
        [] => queues::page(asked).await,
        [b"busy"] => busy::page(asked).await,
        [b"dead"] => dead::page(asked, None).await,
        [b"schedules"] => schedules::page(asked).await,
        [b"limits"] => limits::page(asked).await,
        [b"caches"] => caches::page(asked).await,
        [b"breakers"] => breakers::page(asked).await,
        [b"actions"] => Ok(actions::page(asked)),
        [b"queue", key] => queue::page(asked, key).await,
        [b"queue", key, b"jobs", state] => jobs::page(asked, key, state).await,
        [b"queue", key, b"dead"] => dead::page(asked, Some(key)).await,
        [b"queue", key, b"find"] => find::page(asked, key).await,
        [b"queue", key, b"job", id] => job::page(asked, key, id).await,
        _ => Ok(not_found(asked, "There is no such page.")),
    }
}

async fn post(asked: &Asked, path: &[Vec<u8>], request: Request<Body>) -> Response {
    let refuse = |status, text: &str| message(asked, status, "Nothing was changed", text);
    if !asked.view.allows_actions {
        return refuse(
            StatusCode::FORBIDDEN,
            "This dashboard only shows: it was started without --allow-actions.",
        );
    }
    let headers = request.headers().clone();
    let is_form = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This is no form.");
    }
    let Ok(body) = to_bytes(request.into_body(), MOST_FORM_BYTES).await else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "The form is too long.");
    };
    let form = String::from_utf8_lossy(&body).into_owned();
    // What is no text, as a kind may be, stands in the query.
    let query = asked.path.split_once('?').map_or("", |(_, query)| query);
    let fields = Fields::read(&format!("{query}&{form}"));
    let form = Fields::read(&form);
    if let Err(why) = asked.view.cross_site.check(&headers, form.text("token").unwrap_or_default()) {
        return refuse(StatusCode::FORBIDDEN, &format!("{why}."));
    }
    let action = match Action::read(path, &fields) {
        Some(Ok(action)) => action,
        Some(Err(why)) => return refuse(StatusCode::BAD_REQUEST, &format!("{why}.")),
        None => return not_found(asked, "There is no such action."),
    };
    let back = form.text("back").filter(|back| is_own_path(back)).unwrap_or("/");
    if form.text("confirmed") != Some("yes") {
        return confirm::page(asked, &action, &form, back);
    }
    let outcome = perform(&asked.view.nodes, &action).await.map_err(|fault| fault.to_string());
    asked.view.queues.forget().await;
    let number = asked.view.action_log.add(&asked.user, action.words(), outcome);
    let (path, query) = back.split_once('?').unwrap_or((back, ""));
    let query = Fields::read(query).without(&["done", "edit"]);
    let there = format!("{path}?{query}{}done={number}", if query.is_empty() { "" } else { "&" });
    let there = HeaderValue::from_str(&there).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, there)]).into_response()
}

/// A path of this dashboard, and no address of another.
fn is_own_path(back: &str) -> bool {
    back.starts_with('/') && !back.starts_with("//") && !back.contains(['\\', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_a_page_of_ours_alone() {
        assert!(is_own_path("/queue/a?done=1"));
        for other in ["//evil.example", "https://evil.example", "/\\evil.example", "", "queue"] {
            assert!(!is_own_path(other), "{other}");
        }
    }
}
