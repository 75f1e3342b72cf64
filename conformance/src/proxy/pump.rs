//! One direction of one connection.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::Mode;

/// Chunks of up to 16 KiB that may be on their way; then the reader waits.
const ON_THE_WAY: usize = 256;
const CHUNK: usize = 16 * 1024;

/// How long the pieces of a trickle are apart.
const APART: Duration = Duration::from_millis(10);

/// Bytes, and how they go on.
type Chunk = (Pace, Vec<u8>);

/// At once is apart from due now: even an elapsed timer may cost a millisecond.
enum Pace {
    AtOnce,
    At(Instant),
    InPieces(NonZeroUsize),
}

/// Carries bytes until the end of the stream, which it passes on; a broken one is an error. Each piece that comes is told to
/// `count`, also in a black hole.
pub(super) async fn pump(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    modes: watch::Receiver<Mode>,
    count: impl Fn(),
) -> io::Result<()> {
    let (chunks, arriving) = mpsc::channel(ON_THE_WAY);
    tokio::try_join!(take(from, chunks, modes, count), deliver(to, arriving)).map(|_| ())
}

async fn take(
    mut from: ReadHalf<'_>,
    chunks: mpsc::Sender<Chunk>,
    mut modes: watch::Receiver<Mode>,
    count: impl Fn(),
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = from.read(&mut buffer).await;
        let mode = *modes.borrow_and_update();
        let length = match read {
            Ok(length @ 1..) => {
                count();
                length
            }
            ended => {
                // In a black hole the end of a stream is lost like everything else.
                modes.wait_for(|mode| *mode != Mode::Blackhole).await.ok();
                return ended.map(|_| ());
            }
        };
        let pace = match mode {
            Mode::Blackhole => continue,
            Mode::Pass => Pace::AtOnce,
            Mode::Delay(time) => Pace::At(Instant::now() + time),
            Mode::Trickle(bytes) => Pace::InPieces(bytes),
        };
        if chunks.send((pace, buffer[..length].to_vec())).await.is_err() {
            return Ok(());
        }
    }
}

async fn deliver(mut to: WriteHalf<'_>, mut arriving: mpsc::Receiver<Chunk>) -> io::Result<()> {
    while let Some((pace, bytes)) = arriving.recv().await {
        match pace {
            Pace::AtOnce => to.write_all(&bytes).await?,
            Pace::At(due) => {
                sleep_until(due).await;
                to.write_all(&bytes).await?;
            }
            Pace::InPieces(size) => {
                for piece in bytes.chunks(size.get()) {
                    to.write_all(piece).await?;
                    sleep(APART).await;
                }
            }
        }
    }
    to.shutdown().await
}
