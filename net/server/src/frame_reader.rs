//! Cuts frames out of a stream of bytes, straight into memory that can travel on to the disk.
//!
//! Small frames share a window: what one receive brought holds many of them, and each becomes a
//! part of the window's block. A large frame gets a block of its own. To copy nothing of it, the
//! reader expects that a large frame follows a large one, and then receives only its length first.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;

use engine_rt::{Buf, BufMut};
use net_wire::WireError;
use net_wire::frame::{FRAME_PREFIX_BYTES, REQUEST_BYTES_MIN, frame_len};
use thiserror::Error;

/// Window of a connection that says little, as most of many connections do.
const WINDOW_BYTES_MIN: usize = 4 << 10;
/// Window of a connection whose receives fill it.
const WINDOW_BYTES_MAX: usize = 32 << 10;

/// Where bytes come from.
pub trait Source {
    /// Waits until a receive is worth a try.
    fn readable(&self) -> impl Future<Output = ()>;

    /// Receives at least one byte, or 0 at the end.
    fn recv(&self, into: &mut [u8]) -> impl Future<Output = io::Result<usize>>;
}

/// Why there is no frame.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The length is not one of a request.
    #[error(transparent)]
    Frame(#[from] WireError),
    /// The stream ended within a frame.
    #[error("connection ended within a request")]
    Truncated,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads frames one after the other.
#[derive(Debug)]
pub struct FrameReader {
    /// Received bytes that no frame took yet, and room behind them. None while the client says
    /// nothing: most of many connections do that most of the time.
    window: Option<BufMut>,
    filled: usize,
    window_bytes: usize,
    /// Whether the last frame was larger than any window.
    last_was_large: bool,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameReader {
    /// Nothing received yet.
    pub fn new() -> Self {
        Self {
            window: None,
            filled: 0,
            window_bytes: WINDOW_BYTES_MIN,
            last_was_large: false,
        }
    }

    /// The length of the next frame, checked against `bytes_max` before anything of it is kept;
    /// `None` when the stream ends between frames.
    pub async fn next_len(
        &mut self,
        source: &impl Source,
        bytes_max: usize,
    ) -> Result<Option<usize>, ReadError> {
        loop {
            if self.filled == 0 {
                self.wait_for_bytes(source).await;
            }
            let filled = self.filled;
            let window = self.make_room(FRAME_PREFIX_BYTES);
            if let Some(prefix) = window[..filled].first_chunk() {
                return Ok(Some(frame_len(*prefix, REQUEST_BYTES_MIN, bytes_max)?));
            }
            let until = if self.last_was_large {
                FRAME_PREFIX_BYTES
            } else {
                usize::MAX
            };
            if self.receive(source, until).await? == 0 {
                return if self.filled == 0 {
                    Ok(None)
                } else {
                    Err(ReadError::Truncated)
                };
            }
        }
    }

    /// The frame of the length that [`Self::next_len`] gave.
    pub async fn frame(&mut self, source: &impl Source, len: usize) -> Result<Buf, ReadError> {
        self.last_was_large = FRAME_PREFIX_BYTES + len > WINDOW_BYTES_MAX;
        if self.last_was_large {
            return self.large_frame(source, len).await;
        }
        self.make_room(FRAME_PREFIX_BYTES + len);
        while self.filled < FRAME_PREFIX_BYTES + len {
            if self.receive(source, usize::MAX).await? == 0 {
                return Err(ReadError::Truncated);
            }
        }
        self.filled -= FRAME_PREFIX_BYTES + len;
        let window = self.make_room(0);
        drop(window.split_to(FRAME_PREFIX_BYTES));
        Ok(window.split_to(len).freeze())
    }

    /// Waits for the next request without a window, unless something is there already.
    async fn wait_for_bytes(&mut self, source: &impl Source) {
        let mut readable = pin!(source.readable());
        poll_fn(|cx| {
            let polled = readable.as_mut().poll(cx);
            if polled.is_pending() {
                self.window = None;
            }
            polled
        })
        .await;
    }

    async fn large_frame(&mut self, source: &impl Source, len: usize) -> Result<Buf, ReadError> {
        let mut frame = BufMut::with_capacity(len);
        let mut filled = (self.filled - FRAME_PREFIX_BYTES).min(len);
        let here = FRAME_PREFIX_BYTES..FRAME_PREFIX_BYTES + filled;
        self.filled -= here.end;
        let window = self.make_room(0);
        frame[..filled].copy_from_slice(&window[here.clone()]);
        drop(window.split_to(here.end));
        while filled < len {
            match source.recv(&mut frame[filled..]).await? {
                0 => return Err(ReadError::Truncated),
                received => filled += received,
            }
        }
        Ok(frame.freeze())
    }

    /// The window, with `needed` bytes at least, those received included.
    fn make_room(&mut self, needed: usize) -> &mut BufMut {
        let bytes = self.window.as_ref().map_or(0, |window| window.len());
        if self.window.is_none() || bytes < needed {
            let bytes = needed.next_power_of_two().max(self.window_bytes);
            let mut larger = BufMut::with_capacity(bytes);
            if let Some(window) = &self.window {
                larger[..self.filled].copy_from_slice(&window[..self.filled]);
            }
            self.window = Some(larger);
        }
        self.window.as_mut().expect("just made sure")
    }

    /// Receives into the window, up to its end and at most up to `until`.
    async fn receive(&mut self, source: &impl Source, until: usize) -> Result<usize, ReadError> {
        let filled = self.filled;
        let window = self.make_room(0);
        let until = until.min(window.len());
        let received = source.recv(&mut window[filled..until]).await?;
        self.filled += received;
        self.adapt(until - filled, received);
        Ok(received)
    }

    /// Windows grow for clients that fill them and shrink for those that do not.
    fn adapt(&mut self, room: usize, received: usize) {
        if received == room && room >= self.window_bytes / 2 {
            self.window_bytes = (self.window_bytes * 2).min(WINDOW_BYTES_MAX);
        } else if received < self.window_bytes / 8 {
            self.window_bytes = (self.window_bytes / 2).max(WINDOW_BYTES_MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::task::{Context, Poll, Waker};

    use net_wire::frame::FRAME_BYTES_MAX_DEFAULT as BYTES_MAX;
    use proptest::prelude::*;

    /// Gives `bytes` in portions of the given sizes, by turns.
    struct Script {
        bytes: RefCell<Vec<u8>>,
        portions: Vec<usize>,
        turn: Cell<usize>,
    }

    impl Script {
        fn new(bytes: Vec<u8>, portions: &[usize]) -> Self {
            Self {
                bytes: RefCell::new(bytes),
                portions: portions.to_vec(),
                turn: Cell::new(0),
            }
        }
    }

    impl Source for Script {
        async fn readable(&self) {}

        async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
            assert!(!into.is_empty(), "a receive without room never ends");
            let mut bytes = self.bytes.borrow_mut();
            let portion = self.portions[self.turn.get() % self.portions.len()];
            self.turn.set(self.turn.get() + 1);
            let count = portion.min(into.len()).min(bytes.len());
            into[..count].copy_from_slice(&bytes[..count]);
            bytes.drain(..count);
            Ok(count)
        }
    }

    fn now<F: Future>(future: F) -> F::Output {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("had to wait"),
        }
    }

    async fn next(reader: &mut FrameReader, source: &Script) -> Result<Option<Buf>, ReadError> {
        match reader.next_len(source, BYTES_MAX).await? {
            None => Ok(None),
            Some(len) => reader.frame(source, len).await.map(Some),
        }
    }

    fn read_all(source: &Script) -> Result<Vec<Buf>, ReadError> {
        let mut reader = FrameReader::new();
        let mut frames = Vec::new();
        while let Some(frame) = now(next(&mut reader, source))? {
            frames.push(frame);
        }
        Ok(frames)
    }

    fn framed(bodies: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for body in bodies {
            bytes.extend((body.len() as u32).to_be_bytes());
            bytes.extend(body);
        }
        bytes
    }

    #[test]
    fn small_frames_share_memory() {
        let bodies: Vec<_> = (0..20_u8).map(|n| vec![n; 100]).collect();
        let frames = read_all(&Script::new(framed(&bodies), &[usize::MAX])).unwrap();
        assert_eq!(frames.len(), 20);
        assert!(frames.iter().all(|frame| frame.same_block(&frames[0])));
    }

    #[test]
    fn large_frames_get_a_block_of_their_own_size() {
        let bodies = [vec![1; 300_000], vec![2; 300_000], vec![3; 10]];
        let source = Script::new(framed(&bodies), &[usize::MAX]);
        let frames = read_all(&source).unwrap();
        assert_eq!(
            frames.iter().map(|frame| frame.len()).collect::<Vec<_>>(),
            [300_000, 300_000, 10]
        );
        let backing = frames[0].backing_bytes();
        assert!((300_000..=512 << 10).contains(&backing), "{backing}");
        // Prefix and body of the first come in two receives, the second's length alone, its body.
        assert!(source.turn.get() <= 8, "{} receives", source.turn.get());
    }

    #[test]
    fn lengths_out_of_bounds_end_the_stream() {
        for prefix in [[0, 0, 0, 9], [0xff; 4], [0x7f, 0xff, 0xff, 0xff], *b"GET "] {
            let mut bytes = prefix.to_vec();
            bytes.extend([0; 100]);
            let error = read_all(&Script::new(bytes, &[usize::MAX])).unwrap_err();
            assert!(
                matches!(error, ReadError::Frame(WireError::FrameLength { .. })),
                "{error}"
            );
        }
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_truncated() {
        let whole = framed(&[vec![7; 50_000]]);
        for cut in [1, 3, 4, 5, 4_096, 49_999, 50_003] {
            let source = Script::new(whole[..cut].to_vec(), &[1_000]);
            assert!(
                matches!(read_all(&source), Err(ReadError::Truncated)),
                "cut at {cut}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_frames_in_any_portions_come_out_as_they_were(
            lens in prop::collection::vec(prop_oneof![10..200_usize, 3_000..5_000_usize, 30_000..70_000_usize], 1..12),
            portions in prop::collection::vec(1..9_000_usize, 1..6),
        ) {
            let bodies: Vec<Vec<u8>> = lens
                .iter()
                .enumerate()
                .map(|(n, len)| (0..*len).map(|at| (at * 7 + n) as u8).collect())
                .collect();
            let frames = read_all(&Script::new(framed(&bodies), &portions)).unwrap();
            prop_assert_eq!(frames.len(), bodies.len());
            for (frame, body) in frames.iter().zip(&bodies) {
                prop_assert_eq!(&frame[..], &body[..]);
            }
        }
    }
}
