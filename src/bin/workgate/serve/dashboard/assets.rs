//! Style, script and icon, which are part of the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("../assets/style.css");
const SCRIPT: &str = include_str!("../assets/live.js");
const ICON: &str = include_str!("../assets/icon.svg");

pub fn answer(name: &[u8]) -> Response {
    let (kind, text) = match name {
        b"style.css" => ("text/css; charset=utf-8", STYLE),
        b"live.js" => ("text/javascript; charset=utf-8", SCRIPT),
        b"icon.svg" => ("image/svg+xml", ICON),
        _ => return (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        // Pages name the version behind `?`.
        (CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400")),
    ];
    (headers, text).into_response()
}

/// Changes when one of the files does.
pub fn version() -> String {
    let bytes = [STYLE, SCRIPT, ICON].concat();
    // FNV-1a, 64 bits.
    let hash = bytes.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}
