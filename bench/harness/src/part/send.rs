//! Sending alone: what memory to socket costs a core, where no cache has the memory.

use std::io;

use engine_rt::{Buf, BufMut, Piece, Stream};

use super::receive::fill;

/// Bytes that are sent by turns.
const MEMORY_BYTES: usize = 128 << 20;
/// What the client receives at a time.
const WINDOW_BYTES: usize = 1 << 20;

/// A client announces how many bytes it wants, and gets them.
pub(super) async fn serve(stream: Stream, piece_bytes: usize) -> io::Result<()> {
    let piece = |number: usize| {
        let mut memory = BufMut::with_capacity(piece_bytes);
        memory.fill(number as u8);
        memory.freeze()
    };
    let pieces: Vec<Buf> = (0..MEMORY_BYTES / piece_bytes).map(piece).collect();
    let mut announced = [0; 8];
    while fill(&stream, &mut announced).await? > 0 {
        let mut left = u64::from_le_bytes(announced) as usize;
        let mut memory = pieces.iter().cycle();
        while left > 0 {
            let memory = memory.next().expect("a cycle has no end");
            let piece = memory.slice(..piece_bytes.min(left));
            left -= piece.len();
            stream.send(&[Piece::Mem(piece)]).await?;
        }
    }
    Ok(())
}

/// The client's side: receives `bytes`.
pub(crate) async fn receive(stream: &Stream, bytes: u64) -> io::Result<()> {
    let announced = Buf::copy_from_slice(&bytes.to_le_bytes());
    stream.send(&[Piece::Mem(announced)]).await?;
    let mut window = BufMut::with_capacity(WINDOW_BYTES);
    let mut left = bytes;
    while left > 0 {
        match stream.recv(&mut window).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            received => left -= received as u64,
        }
    }
    Ok(())
}
