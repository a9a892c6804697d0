//! `workgate serve`, and what `workgate work --listen` serves beside its jobs.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::Failure;
use crate::cli::listen::AccessArgs;
use crate::cli::serve::ServeArgs;
use crate::redis::connection::Server;
use crate::serve::access::Access;
use crate::serve::breaker_search::BreakerSearch;
use crate::serve::dashboard::action_log::ActionLog;
use crate::serve::dashboard::cross_site::CrossSite;
use crate::serve::dashboard::followers::Followers;
use crate::serve::nodes::Nodes;
use crate::serve::queue_stats::QueueBoard;
use crate::serve::routes;
use crate::serve::view::View;
use crate::serve::worker_view::WorkerView;
use crate::shutdown::signals;

/// Serves until it is told to stop.
pub async fn main(args: ServeArgs) -> Result<ExitCode, Failure> {
    let mut signals =
        signals().map_err(|error| Failure::of(format!("cannot listen for signals: {error}")))?;
    let server = args.server.open().map_err(Failure::usage)?;
    let (listener, view) = open(args.listen, &args.access, server, args.allow_actions, None).await?;
    tokio::select! {
        ended = serve(listener, view) => ended?,
        name = signals.recv() => tracing::info!("{}: stopped", name.unwrap_or("stopping")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Begins to serve and returns; it ends with the program.
pub async fn beside_a_worker(
    address: SocketAddr,
    access: &AccessArgs,
    server: Server,
    worker: WorkerView,
) -> Result<(), Failure> {
    let (listener, view) = open(address, access, server, false, Some(worker)).await?;
    tokio::spawn(async move {
        if let Err(failure) = serve(listener, view).await {
            tracing::error!("{}", failure.text);
        }
    });
    Ok(())
}

async fn open(
    address: SocketAddr,
    access: &AccessArgs,
    server: Server,
    allows_actions: bool,
    worker: Option<WorkerView>,
) -> Result<(TcpListener, View), Failure> {
    let access = Access::read(access).map_err(Failure::usage)?;
    if !address.ip().is_loopback() && access.is_open() {
        return Err(Failure::usage(format!(
            "--listen {address} can be reached from other machines: give --basic-auth, --basic-auth-file or \
             --proxy-user-header, or listen on 127.0.0.1"
        )));
    }
    let fault = |error| Failure::of(format!("--listen {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
    tracing::info!("listening on http://{bound}/");
    let nodes = Arc::new(Nodes::of(server.with_maps()));
    let view = View {
        nodes,
        access,
        queues: QueueBoard::default(),
        breakers: BreakerSearch::default(),
        allows_actions,
        action_log: ActionLog::default(),
        cross_site: CrossSite::new().map_err(|error| Failure::of(format!("/dev/urandom: {error}")))?,
        followers: Followers::default(),
        worker,
    };
    Ok((listener, view))
}

async fn serve(listener: TcpListener, view: View) -> Result<(), Failure> {
    let router = routes::router(Arc::new(view)).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, router).await.map_err(|error| Failure::of(format!("cannot serve: {error}")))
}
