//! Which server and which module the tests run.

use std::env;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// How a server is started and killed.
pub enum Program {
    Path(PathBuf),
    /// A container of this image, with the host's network and the host's folder of temporary files,
    /// where the tests put the servers' directories and the files that servers read.
    Image(String),
}

/// A started server.
pub struct Process {
    child: Child,
    container: Option<String>,
}

impl Program {
    pub fn found() -> Program {
        match env::var("WORKGATE_SERVER") {
            Ok(server) => match server.strip_prefix("docker:") {
                Some(image) => Program::Image(image.to_owned()),
                None => Program::Path(PathBuf::from(server)),
            },
            Err(_) => {
                ["redis-server", "valkey-server"].into_iter().find_map(on_path).map(Program::Path).expect(
                    "no server: install redis-server or valkey-server, or set WORKGATE_SERVER to its path",
                )
            }
        }
    }

    /// Starts the server with `arguments` and with `environment`, in `directory`, its output in
    /// `log`.
    pub fn start(
        &self,
        arguments: &[String],
        environment: &[(String, String)],
        directory: &Path,
        log: &Path,
    ) -> Process {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let log = File::options().create(true).append(true).open(log).expect("the log file opens");
        let errors = log.try_clone().expect("the log file opens twice");
        let (mut command, container) = match self {
            Program::Path(path) => (Command::new(path), None),
            Program::Image(image) => {
                let number = STARTED.fetch_add(1, Ordering::Relaxed);
                let name = format!("workgate-test-{}-{number}", std::process::id());
                let module = module();
                let mut command = Command::new("docker");
                command.args(["run", "--rm", "--network", "host", "--name", &name]);
                // As the owner of the directory, so that what the server leaves there can be
                // removed.
                let owner = directory.metadata().expect("the directory exists");
                command.arg("--user").arg(format!("{}:{}", owner.uid(), owner.gid()));
                command.arg("--volume").arg(format!("{0}:{0}", env::temp_dir().display()));
                command.arg("--workdir").arg(directory);
                command.arg("--volume").arg(format!("{0}:{0}:ro", module.display()));
                command.args(["--entrypoint", "sh", image, "-c"]);
                command.arg(r#"exec "$(command -v valkey-server || command -v redis-server)" "$@""#);
                command.arg("server");
                (command, Some(name))
            }
        };
        let child = command
            .args(arguments)
            .envs(environment.iter().cloned())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|e| panic!("starting {command:?}: {e}"));
        Process { child, container }
    }
}

impl Process {
    /// How the server ended, if it did.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().expect("the child can be waited for").map(|status| status.to_string())
    }

    /// `kill -9`, and waits for the end.
    pub fn kill(&mut self) {
        if let Some(name) = &self.container {
            let _ = Command::new("docker").args(["kill", "--signal", "KILL", name]).output();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    /// Also where a test fails before the server has answered.
    fn drop(&mut self) {
        self.kill();
    }
}

/// The module under test: `WORKGATE_MODULE`, else the newest `libworkgate.so` of the build that
/// this test is of.
pub fn module() -> PathBuf {
    if let Ok(path) = env::var("WORKGATE_MODULE") {
        assert!(Path::new(&path).is_absolute(), "WORKGATE_MODULE must be an absolute path: {path}");
        assert!(Path::new(&path).is_file(), "WORKGATE_MODULE is not a file: {path}");
        return PathBuf::from(path);
    }
    // target/debug/deps/blackbox-…: `cargo build` leaves the module in target/debug, `cargo test`
    // in deps.
    let test = env::current_exe().expect("the test knows its own path");
    let deps = test.parent().expect("the test lies in a folder");
    let profile = deps.parent().expect("deps lies in the profile's folder");
    [profile, deps]
        .iter()
        .map(|folder| folder.join("libworkgate.so"))
        .filter_map(|path| Some((changed(&path)?, path)))
        .max()
        .map(|(_, path)| path)
        .unwrap_or_else(|| {
            panic!(
                "no module in {}: build it with `cargo build --features test-commands`, or set WORKGATE_MODULE",
                profile.display()
            )
        })
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}
