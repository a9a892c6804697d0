//! The connection that takes jobs: one write of commands is on its way at a time, and their replies
//! are read by [`ReplyReader`].

use std::net::Shutdown;

use redis::{Cmd, RedisConnectionInfo, Value, cmd};
use socket2::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;

use crate::redis::connection::{Fault, Stream};
use crate::redis::reply_reader::ReplyReader;

/// How much is read at once: some hundred jobs of a usual size.
const READ_BYTES: usize = 128 * 1024;

/// Once a call was [`Fault::Unreachable`], or was dropped before its end, it is of no more use.
pub struct FetchConnection {
    half: Socket,
    live: Mutex<Live>,
}

struct Live {
    stream: Box<dyn Stream>,
    replies: ReplyReader,
}

impl FetchConnection {
    /// Says who we are, and chooses the database.
    pub async fn open(
        stream: Box<dyn Stream>,
        half: Socket,
        settings: &RedisConnectionInfo,
    ) -> Result<Self, Fault> {
        let live = Live { stream, replies: ReplyReader::default() };
        let connection = FetchConnection { half, live: Mutex::new(live) };
        let mut greeting = Vec::new();
        if let Some(password) = settings.password() {
            let mut auth = cmd("AUTH");
            if let Some(user) = settings.username() {
                auth.arg(user);
            }
            auth.arg(password);
            greeting.push(auth);
        }
        if settings.db() != 0 {
            let mut select = cmd("SELECT");
            select.arg(settings.db());
            greeting.push(select);
        }
        for reply in connection.call_all(&greeting).await? {
            reply?;
        }
        Ok(connection)
    }

    /// Several commands in one write; one reply for each.
    pub async fn call_all(&self, commands: &[Cmd]) -> Result<Vec<Result<Value, Fault>>, Fault> {
        let mut wire = Vec::new();
        commands.iter().for_each(|command| command.write_packed_command(&mut wire));
        let mut live = self.live.lock().await;
        let Live { stream, replies } = &mut *live;
        let lost = |error: std::io::Error| Fault::Unreachable(error.to_string());
        stream.write_all(&wire).await.map_err(lost)?;
        stream.flush().await.map_err(lost)?;
        let mut answers = Vec::with_capacity(commands.len());
        while answers.len() < commands.len() {
            match replies.next().map_err(|broken| Fault::Unreachable(broken.to_string()))? {
                // No reply to a worker holds an error within an array: none is looked through.
                Some(error @ Value::ServerError(_)) => {
                    answers.push(error.extract_error().map_err(Fault::from));
                }
                Some(reply) => answers.push(Ok(reply)),
                None => {
                    replies.bytes.reserve(READ_BYTES);
                    if stream.read_buf(&mut replies.bytes).await.map_err(lost)? == 0 {
                        return Err(Fault::Unreachable("the server closed the connection".into()));
                    }
                }
            }
        }
        Ok(answers)
    }

    pub async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        let replies = self.call_all(std::slice::from_ref(command)).await?;
        replies.into_iter().next().unwrap_or_else(|| Err(Fault::Unreachable("no answer".into())))
    }

    /// Closes our half: the server ends what this client waits for, and what it has sent is still
    /// read.
    pub fn send_no_more(&self) {
        // One that is closed already is as good.
        let _ = self.half.shutdown(Shutdown::Write);
    }
}

impl std::fmt::Debug for FetchConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FetchConnection")
    }
}
