//! The module where users run it: in containers, and beside a server that is too old.
//!
//! These tests need images or servers that only some machines can get, so that `cargo test` passes
//! them over. `make test-docker` and `make test-matrix` bring what they need and run them.
//!
//! | environment | meaning |
//! | --- | --- |
//! | `WORKGATE_TEST_TAG` | the tag of the images `workgate/server`, `workgate/worker` and `workgate/module` |
//! | `WORKGATE_OLD_SERVER` | the path of a Redis 6.2 |

#[path = "../support/mod.rs"]
mod support;

mod compose;
mod docker;
mod kubernetes;
mod module_image;
mod old_server;
mod server_image;
mod worker_image;

/// A variable that the make target sets.
fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: make test-docker or make test-matrix sets it"))
}
