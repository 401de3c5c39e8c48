//! Gathers what is written while others are at work into one write.
//!
//! A server that answers many calls of one connection at the same time is asked to flush after each answer: the task that
//! answers wakes the task of the connection, which runs at once. Each flush would be a TLS record and a system call of its
//! own. So what is flushed is kept until everything has run that is ready, and whatever is written meanwhile goes out with
//! it. On a connection with one call at a time nothing else is ready, and nothing is waited for.
//!
//! A flush is done when the bytes are kept here: HTTP/2 writes nothing more before a flush is done, so that a flush that
//! waits for the others would wait for what they cannot write. What is kept goes out when the connection's task, which is
//! woken for that, next reads, writes, flushes or shuts down; a task that serves a connection always does one of them. A
//! failure is told then.
//!
//! tokio's `BufWriter` gathers, too, but a flush of it does not wait, and every idle connection would hold its buffer.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is gathered at most: one full TLS record.
const FULL: usize = 16 * 1024;

/// A stream that gathers writes until all tasks that are ready have run.
#[derive(Debug)]
pub struct Corked<S> {
    stream: S,
    /// Written to us and not to the stream yet; holds no memory while it is empty.
    gathered: Vec<u8>,
    /// How much of it the stream has taken.
    taken: usize,
    /// Of a flush that was asked for and is not passed on yet.
    pause: Option<Arc<Pause>>,
}

/// The wait until all that is ready has run.
#[derive(Debug)]
struct Pause {
    over: AtomicBool,
    task: AtomicWaker,
}

impl Pause {
    /// Begins in the turn of a task, which is woken at the end.
    fn begin(context: &Context<'_>) -> Arc<Self> {
        let pause = Arc::new(Self { over: AtomicBool::new(false), task: AtomicWaker::new() });
        pause.task.register(context.waker());
        // The scheduler keeps the waker until it has run all tasks that are ready; the future is not needed for that.
        let waker = Waker::from(pause.clone());
        let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
        pause
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

impl Wake for Pause {
    fn wake(self: Arc<Self>) {
        self.over.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<S> Corked<S> {
    /// Before `stream`, which gets fewer and larger writes.
    pub fn new(stream: S) -> Self {
        Self { stream, gathered: Vec::new(), taken: 0, pause: None }
    }
}

impl<S: AsyncWrite + Unpin> Corked<S> {
    /// Gives the stream all that was gathered.
    fn poll_pass_on(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.gathered.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.taken += count,
            }
        }
        self.gathered = Vec::new();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }

    /// Gives the stream what was flushed, when the others have run.
    fn poll_uncork(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.pause {
            None => return Poll::Ready(Ok(())),
            Some(pause) => {
                pause.task.register(context.waker());
                if !pause.is_over() {
                    return Poll::Pending;
                }
            }
        }
        ready!(self.poll_pass_on(context))?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.pause = None;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Corked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Whether it is out or not, it is no reason not to read.
        if let Poll::Ready(Err(error)) = self.poll_uncork(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Corked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.gathered.len() + bytes.len() > FULL {
            ready!(self.poll_pass_on(context))?;
            if bytes.len() >= FULL {
                return Pin::new(&mut self.stream).poll_write(context, bytes);
            }
        }
        self.gathered.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.is_empty() && self.pause.is_none() {
            return Pin::new(&mut self.stream).poll_flush(context);
        }
        self.pause.get_or_insert_with(|| Pause::begin(context));
        match self.poll_uncork(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pass_on(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use parking_lot::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::task::JoinMap;

    use super::*;

    /// Counts what reaches the stream.
    #[derive(Debug, Default)]
    struct Counting {
        writes: usize,
        bytes: Vec<u8>,
        /// Takes no more than so much at once.
        most: usize,
    }

    impl AsyncWrite for Counting {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.most);
            self.bytes.extend_from_slice(&bytes[..count]);
            self.writes += 1;
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A stream that has nothing to read, ever.
    impl AsyncRead for Counting {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    /// Reads, as a task that serves a connection does, until nothing is kept back.
    async fn until_passed_on(corked: &Mutex<Corked<Counting>>) {
        std::future::poll_fn(|context| {
            let mut corked = corked.lock();
            let mut space = [0; 1];
            let read = Pin::new(&mut *corked).poll_read(context, &mut ReadBuf::new(&mut space));
            assert!(read.is_pending());
            if corked.pause.is_none() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn write(corked: &Mutex<Corked<Counting>>, bytes: &[u8]) {
        let mut corked = corked.lock();
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut *corked).poll_write(&mut context, bytes).is_ready());
    }

    #[tokio::test]
    async fn what_others_write_before_a_flush_has_its_turn_goes_out_with_it() {
        let corked = Arc::new(Mutex::new(Corked::new(Counting { most: usize::MAX, ..Counting::default() })));
        let mut writers = JoinMap::new();
        for letter in [b"a", b"b", b"c"] {
            let corked = corked.clone();
            writers.spawn(letter, async move { write(&corked, letter) });
        }
        write(&corked, b"first ");
        // As often as HTTP/2 asks for it in one turn; it is done at once, and nothing is out.
        for _ in 0..3 {
            let flushed = std::future::poll_fn(|context| {
                Poll::Ready(Pin::new(&mut *corked.lock()).poll_flush(context))
            });
            assert!(flushed.await.is_ready());
            assert_eq!(corked.lock().stream.writes, 0);
        }
        until_passed_on(&corked).await;
        let corked = corked.lock();
        assert_eq!(corked.stream.bytes, b"first abc");
        assert_eq!(corked.stream.writes, 1);
    }

    #[tokio::test]
    async fn every_byte_arrives_in_order_however_little_the_stream_takes_at_once() {
        for most in [1, 7, FULL - 1, FULL, usize::MAX] {
            let corked = Mutex::new(Corked::new(Counting { most, ..Counting::default() }));
            let sizes = [1, 100, FULL - 1, FULL, FULL + 1, 3 * FULL, 5];
            let all: Vec<u8> =
                (0..sizes.iter().sum()).map(|n: usize| u8::try_from(n % 251).unwrap()).collect();
            let mut rest = &all[..];
            for size in sizes {
                let (now, later) = rest.split_at(size);
                let mut corked = corked.lock();
                corked.write_all(now).now_or_never().unwrap().unwrap();
                rest = later;
            }
            let flushed = corked.lock().flush().now_or_never();
            flushed.unwrap().unwrap();
            until_passed_on(&corked).await;
            let corked = corked.lock();
            assert!(corked.stream.bytes == all, "most {most}");
            assert_eq!(corked.gathered.capacity(), 0);
        }
    }

    #[tokio::test]
    async fn what_was_not_flushed_goes_out_before_the_end() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut corked = Corked::new(near);
        corked.write_all(b"last words").await.unwrap();
        corked.shutdown().await.unwrap();
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "last words");
    }
}
