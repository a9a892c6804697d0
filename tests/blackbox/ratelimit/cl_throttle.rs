//! CL.THROTTLE, a drop-in for redis-cell.

use std::path::Path;
use std::process::Command;

use crate::support::{Server, Untouched, eventually, list, server, text, within};

#[test]
fn it_answers_as_redis_cell_documents() {
    // Its README: a burst of 15, 30 tokens per 60 seconds, one taken.
    let s = server!();
    s.ok("CL.THROTTLE user123 15 30 60 1").is(list![0, 16, 15, -1, 2]);
    s.ok("CL.THROTTLE user123 15 30 60").is(list![0, 16, 14, -1, 4]);
    // Its own test cases: 1 a second, 5 at once.
    s.ok("CL.THROTTLE foo 4 1 1 6").is(list![1, 5, 5, -1, 0]);
    for left in (0..5).rev() {
        s.ok("CL.THROTTLE foo 4 1 1").is(list![0, 5, left, -1, within(4 - left..=5 - left)]);
    }
    s.ok("CL.THROTTLE foo 4 1 1").is(list![1, 5, 0, 1, within(4..=5)]);
    // Nothing asked for, nothing taken.
    s.ok("CL.THROTTLE foo 4 1 1 0").is(list![0, 5, within(0..=1), -1, within(4..=5)]);
    s.ok("CL.THROTTLE fresh 4 1 1 0").is(list![0, 5, 5, -1, 0]);
    s.ok("EXISTS fresh").is(0);
}

#[test]
fn a_changed_rate_goes_on_with_what_was_taken() {
    let s = server!();
    s.ok("CL.THROTTLE u 9 10 3600 10").is(list![0, 10, 0, -1, 3_600]);
    s.ok("CL.THROTTLE u 19 10 3600 10").is(list![0, 20, 0, -1, within(7_199..=7_200)]);
    s.ok("RATELIMIT.PEEK u").at(0).at(0).clone().is(text("cl.throttle"));
}

#[test]
fn malformed_arguments_are_refused() {
    let s = server!();
    s.ok("CL.THROTTLE u 9 10 3600");
    let untouched = Untouched::on(&s);
    for rest in [
        "-1 10 60",
        "9 0 60",
        "9 10 0",
        "9 10 60 -",
        "9 10 60 -x",
        "x 10 60",
        "9 10 60 1 1",
        "9 10 315360001",
        "9 10",
    ] {
        untouched.refuses("u", format!("CL.THROTTLE u {rest}"), "ERR");
    }
}

/// A module of a dozen lines that registers the command before ours does.
const OTHER: &str = r#"
#include <stddef.h>
typedef int (*api_fn)(const char *, void *);
static int (*attribs)(void *, const char *, int, int);
static int (*create)(void *, const char *, void *, const char *, int, int, int);
static int (*reply)(void *, long long);
static int throttle(void *ctx, void **argv, int argc) { (void)argv; (void)argc; return reply(ctx, 42); }
int RedisModule_OnLoad(void *ctx, void **argv, int argc) {
    (void)argv; (void)argc;
    api_fn get = (api_fn)((void **)ctx)[0];
    get("RedisModule_SetModuleAttribs", &attribs);
    get("RedisModule_CreateCommand", &create);
    get("RedisModule_ReplyWithLongLong", &reply);
    attribs(ctx, "cell", 1, 1);
    return create(ctx, "cl.throttle", (void *)throttle, "readonly", 0, 0, 0);
}
"#;

fn built(directory: &Path) -> String {
    let (source, module) = (directory.join("cell.c"), directory.join("cell.so"));
    std::fs::write(&source, OTHER).expect("a source file");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&module).arg(&source).status().expect("cc");
    assert!(compiled.success());
    module.display().to_string()
}

#[test]
fn where_redis_cell_is_loaded_first_its_command_stays() {
    if std::env::var("WORKGATE_SERVER").is_ok_and(|server| server.starts_with("docker:")) {
        eprintln!("skipped: a container does not see the other module");
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let other = Server::plain(&[&format!("loadmodule {}", built(directory.path())), &Server::load_line()]);
    other.client().ok("CL.THROTTLE u 9 10 60").is(42);
    other.client().ok("RATELIMIT.CHECK u 10/1m").at(0).clone().is(1);
    eventually("the log says so", || {
        other.log_tail().contains("another module has CL.THROTTLE; that one is used")
    });
}

#[test]
fn a_negative_quantity_gives_back_as_redis_cell_does() {
    let s = server!();
    s.ok("CL.THROTTLE u 9 10 3600 10").is(list![0, 10, 0, -1, 3_600]);
    s.ok("CL.THROTTLE u 9 10 3600").at(0).clone().is(1);
    s.ok("CL.THROTTLE u 9 10 3600 -4").is(list![0, 10, 4, -1, within(2_150..=2_160)]);
    s.ok("CL.THROTTLE u 9 10 3600 4").at(0).clone().is(0);
    // Never above the burst, and nothing is created.
    s.ok("CL.THROTTLE u 9 10 3600 -99").is(list![0, 10, 10, -1, 0]);
    s.ok("CL.THROTTLE fresh 9 10 3600 -1").is(list![0, 10, 10, -1, 0]);
    s.ok("EXISTS u fresh").is(0);
}
