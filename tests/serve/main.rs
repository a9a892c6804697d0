//! What `workgate serve` and `workgate work --listen` show over HTTP, beside a real server.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod actions;
mod browser;
mod browser_form;
mod chromium;
mod health;
mod http;
mod live;
mod metrics;
mod pages;
mod program;
mod rules;
mod screenshots;
