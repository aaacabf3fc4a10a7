//! Receiving alone: what the socket costs a core, into memory that a disk could take.

use std::io;

use engine_rt::{Buf, BufMut, Piece, Stream};

/// Bytes of a frame.
pub(crate) const FRAME_BYTES: usize = 1 << 20;

/// A client announces how many bytes it will send, sends them, and hears when they have come.
pub(super) async fn serve(stream: Stream, buffers: usize) -> io::Result<()> {
    let frame = |_| {
        let mut frame = BufMut::with_capacity(FRAME_BYTES);
        // Its pages are there before the clock starts.
        frame.fill(0);
        frame
    };
    let mut frames: Vec<BufMut> = (0..buffers).map(frame).collect();
    let mut announced = [0; 8];
    loop {
        if fill(&stream, &mut announced).await? == 0 {
            return Ok(());
        }
        let mut left = u64::from_le_bytes(announced) as usize;
        let mut at = 0;
        while left > 0 {
            let len = left.min(FRAME_BYTES);
            left -= fill(&stream, &mut frames[at][..len]).await?;
            at = (at + 1) % buffers;
        }
        let heard = Buf::copy_from_slice(&announced);
        stream.send(&[Piece::Mem(heard)]).await?;
    }
}

/// Fills `into`; 0 if the stream ends before its first byte.
pub(super) async fn fill(stream: &Stream, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match stream.recv(&mut into[filled..]).await? {
            0 if filled == 0 => return Ok(0),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            received => filled += received,
        }
    }
    Ok(filled)
}

/// The client's side: sends `bytes` and waits until they have come.
pub(crate) async fn send(stream: &Stream, bytes: u64) -> io::Result<()> {
    let frame = Buf::copy_from_slice(&vec![0x5a; FRAME_BYTES]);
    let announced = Buf::copy_from_slice(&bytes.to_le_bytes());
    stream.send(&[Piece::Mem(announced)]).await?;
    let mut left = bytes as usize;
    while left > 0 {
        let piece = frame.slice(..left.min(FRAME_BYTES));
        left -= piece.len();
        stream.send(&[Piece::Mem(piece)]).await?;
    }
    let mut heard = [0; 8];
    fill(stream, &mut heard).await?;
    if u64::from_le_bytes(heard) == bytes {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}
