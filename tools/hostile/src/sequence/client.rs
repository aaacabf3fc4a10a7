//! A hostile client: connection after connection, each with a manner of its own.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Buf, Piece, Stream, now, sleep, spawn, timeout, yield_now};
use net_wire::{ApiKey, ErrorCode, ResponseHeader, recode_response};

use super::requests::{Sent, next, patient_fetch};
use super::rng::Rng;
use super::{Game, Played};

const CONNECTIONS: u64 = 4;
/// Until the broker has answered what it will answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a connection behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Sends whole requests and reads the answers.
    Ordinary,
    /// Sends a few bytes at a time.
    Drip,
    /// Sends and goes, reading nothing.
    Vanishing,
    /// Sends and reads nothing as long as it lives.
    Deaf,
    /// Ends within a request.
    CutOff,
    /// Sends what is no request.
    Noise,
    /// Waits for what never comes.
    Patient,
}

const MANNERS: [Manner; 8] = [
    Manner::Ordinary,
    Manner::Ordinary,
    Manner::Drip,
    Manner::Vanishing,
    Manner::Deaf,
    Manner::CutOff,
    Manner::Noise,
    Manner::Patient,
];

pub(super) async fn run(game: Rc<Game>, mut rng: Rng) {
    for _ in 0..CONNECTIONS {
        let manner = MANNERS[rng.below(8) as usize];
        connection(&game, manner, &mut rng).await;
    }
    game.attackers.set(game.attackers.get() - 1);
}

async fn connection(game: &Rc<Game>, manner: Manner, rng: &mut Rng) {
    let stream = Stream::connect(game.addr)
        .await
        .expect("the broker accepts");
    let stream = Rc::new(stream);
    game.count(Played {
        connections: 1,
        ..Played::default()
    });
    let waiting = Rc::new(RefCell::new(VecDeque::new()));
    let reads = !matches!(manner, Manner::Deaf | Manner::Vanishing);
    let ended = Rc::new(Cell::new(false));
    let reading = {
        let (game, stream) = (Rc::clone(game), Rc::clone(&stream));
        let (waiting, ended) = (Rc::clone(&waiting), Rc::clone(&ended));
        spawn(async move {
            if reads {
                // To noise, nobody knows which answer is whose.
                let judged = (manner != Manner::Noise).then_some(&*waiting);
                read_answers(&game, &stream, judged).await;
            }
            ended.set(true);
        })
    };
    send_all(game, &stream, manner, &waiting, rng).await;
    match manner {
        Manner::Vanishing => reading.cancel(),
        Manner::Deaf | Manner::Patient => {
            sleep(Duration::from_millis(rng.below(2_000))).await;
            reading.cancel();
        },
        _ => {
            let _in_time = timeout(now() + PATIENCE, all_answered(&waiting, &ended)).await;
            stream.shutdown();
            let ended = timeout(now() + PATIENCE, reading).await;
            assert!(
                ended.is_ok(),
                "{manner:?}: no end; {:#?}",
                game.log.borrow()
            );
        },
    }
}

/// Until every request has its answer or the broker has closed. A fetch may wait as long as it says.
async fn all_answered(waiting: &RefCell<VecDeque<Sent>>, ended: &Cell<bool>) {
    while !ended.get() && waiting.borrow().iter().any(|sent| sent.is_answered) {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Sends until the manner's end or the broker's.
async fn send_all(
    game: &Game,
    stream: &Stream,
    manner: Manner,
    waiting: &RefCell<VecDeque<Sent>>,
    rng: &mut Rng,
) {
    for number in 0..=rng.below(12) as i32 {
        let mut request = if manner == Manner::Patient && number == 0 {
            patient_fetch(number, rng)
        } else {
            next(rng, number)
        };
        let is_cut = manner == Manner::CutOff && rng.one_in(3);
        if is_cut {
            let cut = rng.below(request.bytes.len() as u64) as usize;
            request.bytes.truncate(cut);
            request.is_answered = false;
        } else if manner == Manner::Noise {
            let at = rng.below(4) as usize;
            request.bytes[at] ^= 1 << rng.below(8);
        }
        let bytes = request.bytes.clone();
        game.note(|| format!("{manner:?} {:?} {} bytes", request.read_as, bytes.len()));
        game.count(Played {
            requests: 1,
            ..Played::default()
        });
        waiting.borrow_mut().push_back(request);
        let step = if manner == Manner::Drip {
            1 + rng.below(9) as usize
        } else {
            bytes.len().max(1)
        };
        for part in bytes.chunks(step) {
            if stream
                .send(&[Piece::Mem(Buf::copy_from_slice(part))])
                .await
                .is_err()
            {
                return;
            }
            if rng.one_in(8) {
                yield_now().await;
            }
        }
        if is_cut {
            return;
        }
    }
}

/// Reads until the broker closes; every answer must be one to a request that waits, in their order.
async fn read_answers(game: &Game, stream: &Stream, waiting: Option<&RefCell<VecDeque<Sent>>>) {
    let (mut got, mut into) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match stream.recv(&mut into).await {
            Ok(0) | Err(_) => break,
            Ok(received) => got.extend_from_slice(&into[..received]),
        }
        while let Some(frame) = take_frame(&mut got) {
            if let Some(waiting) = waiting {
                answer(game, &frame, waiting);
            }
            game.count(Played {
                answers: 1,
                ..Played::default()
            });
        }
    }
    game.count(Played {
        closed: 1,
        ..Played::default()
    });
}

fn take_frame(got: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(*got.first_chunk::<4>()?) as usize;
    assert!(length < 64 << 20, "an answer of {length} bytes");
    let frame = got.get(4..4 + length)?.to_vec();
    got.drain(..4 + length);
    Some(frame)
}

/// The answer to the oldest request that may have one.
fn answer(game: &Game, frame: &[u8], waiting: &RefCell<VecDeque<Sent>>) {
    let mut waiting = waiting.borrow_mut();
    while waiting.front().is_some_and(|sent| !sent.is_answered) {
        waiting.pop_front();
    }
    let sent = waiting.pop_front();
    let told = || format!("{:#?}", game.log.borrow());
    let sent = sent.unwrap_or_else(|| panic!("an answer to nothing; {}", told()));
    let (api, version) = sent.read_as.expect("what is answered has a header");
    let read = if api.serves(version) { version } else { 0 };
    let (header, body) = ResponseHeader::decode(frame, api, read).expect("a header");
    assert_eq!(
        header.correlation_id,
        sent.correlation_id,
        "{api:?} {version}; {}",
        told()
    );
    let again = recode_response(api, read, body);
    assert!(again.is_ok(), "{api:?} {version}: {again:?}; {}", told());
    if !api.serves(version) {
        assert_eq!(
            api,
            ApiKey::ApiVersions,
            "only these are answered in any version"
        );
        let code = ErrorCode::UNSUPPORTED_VERSION.code().to_be_bytes();
        assert!(
            body.starts_with(&code),
            "an answer in version 0 that says so"
        );
    }
}
