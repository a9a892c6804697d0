//! `workgate health`: asks a worker or a dashboard whether it runs, for the health check of a
//! container.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Failure;
use crate::cli::operate::HealthArgs;

/// A container's health check waits for three seconds.
const WITHIN: Duration = Duration::from_secs(2);

pub async fn main(args: HealthArgs) -> Result<ExitCode, Failure> {
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let answer = match timeout(WITHIN, ask(args.at, path)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::of(format!("http://{}{path}: {error}", args.at))),
        Err(_) => return Err(Failure::of(format!("http://{}{path}: no answer within {WITHIN:?}", args.at))),
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        return Err(Failure::of(format!("http://{}{path}: {}", args.at, body.trim())));
    }
    println!("{}", body.trim());
    Ok(ExitCode::SUCCESS)
}

/// The whole answer.
async fn ask(at: SocketAddr, path: &str) -> std::io::Result<String> {
    /// More than any answer of the two paths.
    const ANSWER_AT_MOST: u64 = 64 * 1024;
    let mut stream = TcpStream::connect(at).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_AT_MOST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
