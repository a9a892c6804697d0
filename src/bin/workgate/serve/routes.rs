//! Which path is answered by what.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::serve::view::SharedView;
use crate::serve::{dashboard, health, metrics};

pub fn router(view: SharedView) -> Router {
    let guarded = Router::new().route("/metrics", get(metrics::answer));
    // A worker shows itself alone; the dashboard is that of the server.
    let guarded = match view.worker {
        Some(_) => guarded.fallback(unknown),
        None => guarded.fallback(dashboard::answer),
    };
    let guarded = guarded.layer(from_fn_with_state(view.clone(), let_in));
    // Probes have no password.
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .merge(guarded)
        .with_state(view)
}

async fn let_in(State(view): State<SharedView>, mut request: Request, next: Next) -> Response {
    match view.access.user(&request) {
        Ok(user) => {
            request.extensions_mut().insert(user);
            next.run(request).await
        }
        Err(refusal) => *refusal,
    }
}

async fn unknown() -> Response {
    (StatusCode::NOT_FOUND, "there is no such page\n").into_response()
}
