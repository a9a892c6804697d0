//! A link between two servers that a test cuts and heals.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A port that leads to another one.
pub struct Link {
    port: u16,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Link {
    pub fn to(target: u16) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let (is_cut, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let link = Link { port, is_cut: Arc::clone(&is_cut), open: Arc::clone(&open) };
        // It ends with the process of the test.
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if is_cut.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                let mut all = open.lock().expect("no thread has panicked");
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let [from, to] = [from, to].map(|side| side.try_clone().expect("a second handle"));
                    all.push(from.try_clone().expect("a second handle"));
                    let is_cut = Arc::clone(&is_cut);
                    thread::spawn(move || carry(from, to, &is_cut));
                }
            }
        });
        link
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Nothing goes through any more, and neither side hears of it.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// What is connected anew gets through; the connections of before are gone.
    pub fn heal(&self) {
        for side in self.open.lock().expect("no thread has panicked").drain(..) {
            let _ = side.shutdown(Shutdown::Both);
        }
        self.is_cut.store(false, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut chunk = [0; 64 * 1024];
    while let Ok(size @ 1..) = from.read(&mut chunk) {
        while is_cut.load(Ordering::Relaxed) {
            if from.take_error().is_err() || from.peer_addr().is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        if to.write_all(&chunk[..size]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
