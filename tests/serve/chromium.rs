//! A headless Chromium, driven by its own protocol over a small WebSocket.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::ask;
use crate::support::{DEADLINE, eventually};

/// One page of a browser of its own.
pub struct Chromium {
    child: Child,
    socket: TcpStream,
    last: u64,
    _profile: TempDir,
}

impl Chromium {
    /// None, with a word about it, where there is no Chromium.
    pub fn start() -> Option<Chromium> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let runs = |name: &&str| Command::new(name).arg("--version").stderr(Stdio::null()).output().is_ok();
        let Some(name) = names.into_iter().find(runs) else {
            println!("SKIPPED: no Chromium here (Debian's package chromium)");
            return None;
        };
        let profile = TempDir::new().expect("a temporary directory");
        let log = profile.path().join("log");
        let mut child = Command::new(name)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("it starts");
        let mut port = 0;
        eventually("the browser listens", || {
            assert!(child.try_wait().expect("a child").is_none(), "{}", fs::read_to_string(&log).unwrap());
            let log = fs::read_to_string(&log).unwrap_or_default();
            let found =
                log.split_once("DevTools listening on ws://127.0.0.1:").map(|(_, rest)| rest.to_owned());
            port = found.and_then(|rest| rest.split('/').next()?.parse().ok()).unwrap_or(0);
            port != 0
        });
        let target = ask(port, "PUT", "/json/new?about:blank", &[], "");
        let target: Value = serde_json::from_str(&target.body).expect("a page");
        let path = target["webSocketDebuggerUrl"].as_str().expect("its address").splitn(4, '/').nth(3);
        let socket = connect(port, path.expect("a path"));
        let mut page = Chromium { child, socket, last: 0, _profile: profile };
        page.call("Page.enable", json!({}));
        Some(page)
    }

    /// The answer to one command; events in between are left out.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let text = json!({"id": self.last, "method": method, "params": params}).to_string();
        send(&mut self.socket, text.as_bytes());
        loop {
            let message: Value = serde_json::from_slice(&receive(&mut self.socket)).expect("JSON");
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// The value of an expression.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        // A page that is being left has no body for a moment.
        let guarded = format!("(() => {{ try {{ return {expression} }} catch {{ return false }} }})()");
        eventually(expression, || self.value(&guarded) == true);
    }

    /// Opens a page and waits until all of it is there.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        self.value("window.wasLeft = true");
        self.call("Page.navigate", json!({"url": url}));
        self.until("document.readyState === 'complete' && !window.wasLeft");
    }

    pub fn size(&mut self, width: u32, height: u32, is_dark: bool) {
        let params = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", params);
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Presses a key: one letter, `Tab` or `Enter`.
    pub fn press(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            "Tab" => "",
            letter => letter,
        };
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            letter => i64::from(letter.to_uppercase().as_bytes()[0]),
        };
        let kind = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        let params = json!({"type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", params);
        self.call(
            "Input.dispatchKeyEvent",
            json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}),
        );
    }

    /// What is shown, as a PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png"}));
        STANDARD.decode(answer["data"].as_str().expect("a picture")).expect("base64")
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(port: u16, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("a time-out");
    let head = format!(
        "GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: d29ya2dhdGUgdGVzdHMgIQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("an answer");
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    socket
}

/// One text frame, masked by zeros as a client must.
fn send(socket: &mut TcpStream, text: &[u8]) {
    let mut frame = vec![0x81, 0x80 | 127];
    frame.extend((text.len() as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text);
    socket.write_all(&frame).expect("it reads");
}

/// One message, which may come in several frames.
fn receive(socket: &mut TcpStream) -> Vec<u8> {
    let mut message = Vec::new();
    loop {
        let mut head = [0; 2];
        socket.read_exact(&mut head).expect("a frame in time");
        let length = match head[1] & 0x7f {
            126 => {
                let mut bytes = [0; 2];
                socket.read_exact(&mut bytes).expect("a length");
                u64::from(u16::from_be_bytes(bytes))
            }
            127 => {
                let mut bytes = [0; 8];
                socket.read_exact(&mut bytes).expect("a length");
                u64::from_be_bytes(bytes)
            }
            short => u64::from(short),
        };
        let mut part = vec![0; length as usize];
        socket.read_exact(&mut part).expect("a frame");
        message.extend(part);
        if head[0] & 0x80 != 0 {
            return message;
        }
    }
}
