//! What the longest turn of a reactor costs that does nothing but send: answers from memory, each as
//! much as a turn sends, to a client that asks for one after the other.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use engine_rt::{Buf, BufMut, Piece, Stream, stats};

use super::receive::fill;

/// What a turn of the reactor sends at most.
const ANSWER_BYTES: usize = 128 << 10;
/// As many as there are turns in sending 512 MiB, after some that do not count.
const ANSWERS: usize = 4096;
const WARM_ANSWERS: usize = ANSWERS / 10;
/// Requests are one byte: for an answer, or for the longest turn since that was asked last.
const ANSWER: u8 = 0;
const LONGEST: u8 = 1;

/// Answers until the client closes.
pub(super) async fn serve(stream: Stream) -> io::Result<()> {
    let answer = BufMut::zeroed(ANSWER_BYTES).freeze();
    let mut request = [0];
    while fill(&stream, &mut request).await? > 0 {
        let piece = match request {
            [ANSWER] => answer.clone(),
            _ => Buf::copy_from_slice(&longest_nanos().to_le_bytes()),
        };
        stream.send(&[Piece::Mem(piece)]).await?;
    }
    Ok(())
}

fn longest_nanos() -> u64 {
    let audits = stats().into_iter().filter_map(|executor| executor.audit);
    let longest = audits.map(|audit| audit.cpu_max).max();
    longest.expect("turns are audited").as_nanos() as u64
}

/// The client's side: the most of the CPU that a turn of the part had.
pub(crate) async fn longest(addr: SocketAddr) -> io::Result<Duration> {
    let stream = Stream::connect(addr).await?;
    let (mut answer, mut nanos) = (BufMut::zeroed(ANSWER_BYTES), [0; 8]);
    for answers in [WARM_ANSWERS, ANSWERS] {
        for _ in 0..answers {
            ask(&stream, ANSWER, &mut answer).await?;
        }
        ask(&stream, LONGEST, &mut nanos).await?;
    }
    Ok(Duration::from_nanos(u64::from_le_bytes(nanos)))
}

async fn ask(stream: &Stream, request: u8, answer: &mut [u8]) -> io::Result<()> {
    let request = Buf::copy_from_slice(&[request]);
    stream.send(&[Piece::Mem(request)]).await?;
    match fill(stream, answer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
