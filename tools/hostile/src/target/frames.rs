//! The frame reader of a connection: portions of any size, lengths of any kind.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::mem::replace;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use engine_rt::Buf;
use net_server::{FrameReader, ReadError, Source};
use net_wire::frame::{FRAME_PREFIX_BYTES, REQUEST_BYTES_MIN, frame_len};

use crate::input::Input;

/// `socket.request.max.bytes` here: a fuzzer's inputs are small.
const BYTES_MAX: usize = 80 << 10;

/// A stream that comes in portions.
struct Portions<'a> {
    rest: RefCell<&'a [u8]>,
    sizes: RefCell<std::iter::Cycle<std::slice::Iter<'a, u8>>>,
    turns: Cell<u32>,
}

impl Source for Portions<'_> {
    /// Every other time there is nothing yet: the reader then lets go of its window.
    async fn readable(&self) {
        let turn = self.turns.replace(self.turns.get() + 1);
        if turn.is_multiple_of(2) {
            yield_once().await;
        }
    }

    async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        assert!(!into.is_empty(), "a receive without room never ends");
        let size = self.sizes.borrow_mut().next().copied().unwrap_or(255);
        let mut rest = self.rest.borrow_mut();
        // 1 to 255 bytes; the largest stands for whatever there is.
        let size = if size == 255 {
            usize::MAX
        } else {
            usize::from(size) + 1
        };
        let count = size.min(into.len()).min(rest.len());
        let (now, later) = rest.split_at(count);
        into[..count].copy_from_slice(now);
        *rest = later;
        Ok(count)
    }
}

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.u8();
    let sizes = input.part();
    // Fuzzers do not write kilobytes: a stretch of zeros lets a frame be large.
    let stretch = usize::from(input.u16());
    let mut stream = input.rest().to_vec();
    let at = stream.len().min(24);
    stream.splice(at..at, std::iter::repeat_n(0, stretch));

    let source = Portions {
        rest: RefCell::new(&stream),
        sizes: RefCell::new(sizes.iter().cycle()),
        turns: Cell::new(u32::from(flags)),
    };
    let (found, end) = now(read_all(&source));
    let (expected, end_expected) = cut(&stream);
    let found: Vec<&[u8]> = found.iter().map(|frame| &**frame).collect();
    assert_eq!(found, expected, "the frames of the stream");
    assert_eq!(end, end_expected, "how the stream ends");
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Between,
    Within,
    Refused,
}

async fn read_all(source: &Portions<'_>) -> (Vec<Buf>, End) {
    let (mut reader, mut frames) = (FrameReader::new(), Vec::new());
    let end = loop {
        let frame = match reader.next_len(source, BYTES_MAX).await {
            Ok(Some(len)) => reader.frame(source, len).await,
            Ok(None) => break End::Between,
            Err(error) => Err(error),
        };
        match frame {
            Ok(frame) => frames.push(frame),
            Err(ReadError::Frame(_)) => break End::Refused,
            Err(ReadError::Truncated) => break End::Within,
            Err(ReadError::Io(error)) => panic!("the source does not fail: {error}"),
        }
    };
    (frames, end)
}

/// The same without any cleverness.
fn cut(mut stream: &[u8]) -> (Vec<&[u8]>, End) {
    let mut frames = Vec::new();
    loop {
        let Some((prefix, rest)) = stream.split_first_chunk::<FRAME_PREFIX_BYTES>() else {
            let end = if stream.is_empty() {
                End::Between
            } else {
                End::Within
            };
            return (frames, end);
        };
        let Ok(len) = frame_len(*prefix, REQUEST_BYTES_MIN, BYTES_MAX) else {
            return (frames, End::Refused);
        };
        let Some((frame, rest)) = rest.split_at_checked(len) else {
            return (frames, End::Within);
        };
        frames.push(frame);
        stream = rest;
    }
}

async fn yield_once() {
    let mut waited = false;
    poll_fn(|_| {
        if replace(&mut waited, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Polls to the end: what waits here waits for nothing.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return output;
        }
    }
}
