//! The server, on a free loopback port.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use redis::{Client, cmd};

use crate::process::Process;
use crate::process::temp_dir::TempDir;

/// How long the server may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// How long it may take to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// Another process may take the free port before the server does.
const TRIES: u32 = 3;

#[derive(Debug)]
pub struct Server {
    pub process: Process,
    pub url: String,
    /// As a reader would type it.
    pub command_line: String,
}

impl Server {
    /// Starts the server and waits until it answers.
    pub async fn start(server: &Path, module: &Path, folder: &TempDir) -> Result<Self, String> {
        let module =
            module.canonicalize().map_err(|error| format!("--module {}: {error}", module.display()))?;
        let mut last = String::new();
        for _ in 0..TRIES {
            let mut started = Self::spawn(server, &module, folder)?;
            match started.answers().await {
                Ok(()) => return Ok(started),
                Err(error) if error.contains("Address already in use") => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn spawn(server: &Path, module: &Path, folder: &TempDir) -> Result<Self, String> {
        let port = free_port().map_err(|error| format!("no free loopback port: {error}"))?;
        let mut command = Command::new(server);
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .arg("--dir")
            .arg(folder.path())
            .args(["--appendonly", "yes", "--loadmodule"])
            .arg(module);
        let command_line = shown(&command);
        let process = Process::start("the server", &mut command, folder.file("server.log"), STOPS_WITHIN)?;
        Ok(Server { process, url: format!("redis://127.0.0.1:{port}"), command_line })
    }

    async fn answers(&mut self) -> Result<(), String> {
        let client = Client::open(self.url.as_str()).map_err(|error| error.to_string())?;
        let begun = Instant::now();
        loop {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                let pong: Result<String, _> = cmd("PING").query_async(&mut connection).await;
                // Also that it is ours, and not one that had taken the port.
                self.process.still_runs()?;
                if pong.is_ok() {
                    return Ok(());
                }
            }
            self.process.still_runs()?;
            if begun.elapsed() > ANSWERS_WITHIN {
                let tail = self.process.log_tail();
                return Err(format!(
                    "the server does not answer after {ANSWERS_WITHIN:?}; its log ends with:\n{tail}"
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A command as one would type it into a shell.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// In single quotes where a shell needs them.
pub fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_reads_them() {
        for word in ["plain/path.so", "", "two words", "it's", "$HOME `x` \\ \"q\"", "*"] {
            let printed = Command::new("/bin/sh")
                .args(["-c", &format!("printf %s {}", quoted(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(printed.stdout).unwrap(), word);
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_start_is_told_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let (server, module) = (folder.path().join("server"), folder.path().join("m.so"));
        std::fs::write(&server, "#!/bin/sh\necho 'Module m.so failed to load'\nexit 1\n").unwrap();
        std::fs::write(&module, "").unwrap();
        std::fs::set_permissions(&server, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let error = Server::start(&server, &module, &TempDir::new().unwrap()).await.unwrap_err();
        assert!(error.contains("failed to load"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_module_is_named() {
        let error =
            Server::start(Path::new("/bin/sh"), Path::new("/no/m.so"), &TempDir::new().unwrap()).await;
        assert!(error.unwrap_err().contains("--module /no/m.so"));
    }
}
