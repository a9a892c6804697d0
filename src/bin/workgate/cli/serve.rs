//! Flags and help of `workgate serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::cli::listen::{self, AccessArgs};
use crate::cli::server::ServerArgs;

const AFTER_HELP: &str = "\
/ is the dashboard, for a browser; /metrics is for Prometheus, /healthz says that this program runs, /readyz that its server answers. Those two need no
password. An address that other machines reach is refused without --basic-auth or --proxy-user-header.";

#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ServeArgs {
    #[command(flatten)]
    pub server: ServerArgs,

    /// Where it listens: an address with a port, or a port of this machine alone
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464", value_parser = listen::address)]
    pub listen: SocketAddr,

    /// The dashboard may also change things: run jobs again, pause queues, set policies …
    #[arg(long)]
    pub allow_actions: bool,

    #[command(flatten)]
    pub access: AccessArgs,

    /// A TOML file with any of these flags; the command line and the environment overrule it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
