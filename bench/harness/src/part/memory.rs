//! The raw loop of large answers: each request is answered with so many bytes from memory.

use std::io;

use engine_rt::{BufMut, Piece, Stream};
use net_wire::frame::FRAME_PREFIX_BYTES;

/// Requests are smaller, and come one after the other.
const REQUEST_BYTES_MAX: usize = 4 << 10;

/// Answers each request with a frame of `bytes` bytes.
pub(super) async fn serve(stream: Stream, bytes: usize) -> io::Result<()> {
    let mut answer = BufMut::zeroed(FRAME_PREFIX_BYTES + bytes);
    let prefix = u32::try_from(bytes).map_err(io::Error::other)?;
    answer[..FRAME_PREFIX_BYTES].copy_from_slice(&prefix.to_be_bytes());
    let answer = answer.freeze();
    let mut window = BufMut::with_capacity(REQUEST_BYTES_MAX);
    while stream.recv(&mut window).await? > 0 {
        stream.send(&[Piece::Mem(answer.clone())]).await?;
    }
    Ok(())
}
