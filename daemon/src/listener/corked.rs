//! Gathers what is written within one turn of the scheduler into one write.
//!
//! A server that answers many calls of one connection at the same time is asked to flush after each answer: the task that
//! answers wakes the task of the connection, which runs at once. Each flush would be a TLS record and a system call of its
//! own. So a flush lets everything else that is ready run first, once; whatever is written meanwhile goes out with it. On a
//! connection with one call at a time nothing else is ready, and nothing is waited for.
//!
//! tokio's `BufWriter` gathers, too, but a flush of it does not wait, and every idle connection would hold its buffer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is gathered at most: one full TLS record.
const FULL: usize = 16 * 1024;

/// A stream that gathers writes until it is flushed.
#[derive(Debug)]
pub(super) struct Corked<S> {
    stream: S,
    /// Written to us and not to the stream yet; holds no memory while it is empty.
    gathered: Vec<u8>,
    /// How much of it the stream has taken.
    taken: usize,
    /// The flush under way has let the others run.
    yielded: bool,
}

impl<S> Corked<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, gathered: Vec::new(), taken: 0, yielded: false }
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
}

impl<S: AsyncRead + Unpin> AsyncRead for Corked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
        if !self.yielded && !self.gathered.is_empty() {
            self.yielded = true;
            // A task that wakes itself while it runs goes behind all that are ready.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_pass_on(context))?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.yielded = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pass_on(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
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

    #[tokio::test]
    async fn what_others_write_before_a_flush_has_its_turn_goes_out_with_it() {
        let stream = Counting { most: usize::MAX, ..Counting::default() };
        let corked = std::sync::Arc::new(tokio::sync::Mutex::new(Corked::new(stream)));
        let mut writers = JoinMap::new();
        for letter in [b"a", b"b", b"c"] {
            let corked = corked.clone();
            writers.spawn(letter, async move { corked.lock().await.write_all(letter).await });
        }
        // The first poll of the flush lets the writers run, who are ready.
        let mut flush = Box::pin(async {
            corked.lock().await.write_all(b"first ").await.unwrap();
            std::future::poll_fn(|context| {
                let Ok(mut corked) = corked.try_lock() else { return Poll::Pending };
                Pin::new(&mut *corked).poll_flush(context)
            })
            .await
        });
        flush.as_mut().await.unwrap();
        while let Some((_, written)) = writers.join_next().await {
            written.unwrap().unwrap();
        }
        let corked = corked.lock().await;
        assert_eq!(corked.stream.bytes, b"first abc");
        assert_eq!(corked.stream.writes, 1);
    }

    #[tokio::test]
    async fn every_byte_arrives_in_order_however_little_the_stream_takes_at_once() {
        for most in [1, 7, FULL - 1, FULL, usize::MAX] {
            let mut corked = Corked::new(Counting { most, ..Counting::default() });
            let sizes = [1, 100, FULL - 1, FULL, FULL + 1, 3 * FULL, 5];
            let all: Vec<u8> =
                (0..sizes.iter().sum()).map(|n: usize| u8::try_from(n % 251).unwrap()).collect();
            let mut rest = &all[..];
            for size in sizes {
                let (now, later) = rest.split_at(size);
                corked.write_all(now).await.unwrap();
                rest = later;
            }
            corked.flush().await.unwrap();
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
