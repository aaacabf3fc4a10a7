use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::fs::Durability;
use engine_rt::{BLOCK_BYTES, Buf, Listener, Piece, Stream, now, sleep, spawn, timeout};

use super::{Dir, on_another, pattern};

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Two ends of one connection.
async fn pair() -> (Stream, Stream) {
    let listener = Listener::bind(loopback()).unwrap();
    let addr = listener.local_addr();
    let connecting = spawn(async move { Stream::connect(addr).await.unwrap() });
    let accepted = Stream::attach(listener.accept().await.unwrap()).unwrap();
    (connecting.await, accepted)
}

async fn receive_all(stream: &Stream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        let received = stream.recv(&mut bytes[filled..]).await.unwrap();
        assert_ne!(received, 0, "closed after {filled} of {len} bytes");
        filled += received;
    }
    bytes
}

fn mem(bytes: &[u8]) -> Piece {
    Piece::Mem(Buf::copy_from_slice(bytes))
}

pub(crate) async fn a_line_and_its_echo() {
    let (client, server) = pair().await;
    assert_eq!(client.peer_addr(), server.local_addr());
    assert_eq!(client.local_addr(), server.peer_addr());
    let echo = spawn(async move {
        let mut line = [0; 64];
        loop {
            let len = server.recv(&mut line).await.unwrap();
            if len == 0 {
                return;
            }
            server.send(&[mem(&line[..len])]).await.unwrap();
        }
    });
    for round in 0..1_000_u32 {
        client
            .send(&[mem(&round.to_le_bytes()), mem(b""), mem(b"line")])
            .await
            .unwrap();
        let line = receive_all(&client, 8).await;
        assert_eq!(
            (&line[..4], &line[4..]),
            (&round.to_le_bytes()[..], &b"line"[..])
        );
    }
    drop(client);
    echo.await;
}

pub(crate) async fn large_transfers_both_ways() {
    const LEN: usize = 12 << 20;
    let (left, right) = pair().await;
    let (left, right) = (Rc::new(left), Rc::new(right));
    let send = |stream: &Rc<Stream>, seed| {
        let stream = Rc::clone(stream);
        spawn(async move {
            let bytes = pattern(seed, LEN);
            let middle = LEN / 3 + 17;
            let pieces = [bytes.slice(..middle), bytes.slice(middle..)].map(Piece::Mem);
            stream.send(&pieces).await.unwrap();
        })
    };
    let sends = [send(&left, 1), send(&right, 2)];
    let receive = |stream: &Rc<Stream>| {
        let stream = Rc::clone(stream);
        spawn(async move { receive_all(&stream, LEN).await })
    };
    let receives = [receive(&left), receive(&right)];
    for (receive, seed) in receives.into_iter().zip([2, 1]) {
        assert!(receive.await == *pattern(seed, LEN));
    }
    for send in sends {
        send.await;
    }
}

pub(crate) async fn many_pieces() {
    let (client, server) = pair().await;
    let bytes = pattern(3, 300_000);
    let pieces: Vec<_> = (0..3_000)
        .map(|n| Piece::Mem(bytes.slice(n * 100..n * 100 + 100)))
        .collect();
    let sending = spawn(async move {
        client.send(&pieces).await.unwrap();
        client.send(&[]).await.unwrap();
    });
    assert!(receive_all(&server, 300_000).await == *bytes);
    sending.await;
    assert_eq!(
        server.recv(&mut [0; 1]).await.unwrap(),
        0,
        "nothing but the end follows"
    );
}

pub(crate) async fn file_pieces() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    let len = 300 * BLOCK_BYTES;
    let bytes = pattern(4, len);
    file.write_at(0, bytes.clone(), Durability::Durable)
        .await
        .unwrap();
    // The middle of what is sent was never brought into the page cache.
    let (third, from) = (100 * BLOCK_BYTES, 200 * BLOCK_BYTES);
    file.make_resident(0, bytes.slice(..third)).await.unwrap();
    file.make_resident(from as u64, bytes.slice(from..))
        .await
        .unwrap();
    let (client, server) = pair().await;
    let (pos, range) = (BLOCK_BYTES as u64 + 1, len - 2 * BLOCK_BYTES);
    let pieces = [
        mem(b"head"),
        Piece::File {
            file,
            pos,
            len: range,
        },
        mem(b"tail"),
    ];
    let sending = spawn(async move { client.send(&pieces).await.unwrap() });
    let got = receive_all(&server, range + 8).await;
    sending.await;
    assert_eq!((&got[..4], &got[range + 4..]), (&b"head"[..], &b"tail"[..]));
    let from = pos as usize;
    assert!(got[4..range + 4] == bytes[from..from + range]);
}

/// A range of a file that has become shorter: an error, and no byte that was not there.
pub(crate) async fn file_pieces_cut_short() {
    let dir = Dir::new().await;
    let file = dir.file("data").await;
    let bytes = pattern(5, 8 * BLOCK_BYTES);
    file.write_at(0, bytes.clone(), Durability::Durable)
        .await
        .unwrap();
    file.make_resident(0, bytes.clone()).await.unwrap();
    file.set_len(4 * BLOCK_BYTES as u64).await.unwrap();
    let (client, server) = pair().await;
    let piece = Piece::File {
        file,
        pos: 0,
        len: 8 * BLOCK_BYTES,
    };
    let sent = client.send(&[mem(b"head"), piece]).await;
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    drop(client);
    let mut got = vec![0; 9 * BLOCK_BYTES];
    let mut filled = 0;
    while let Ok(received @ 1..) = server.recv(&mut got[filled..]).await {
        filled += received;
    }
    assert!(filled <= 4 + 4 * BLOCK_BYTES);
    assert!(got[4..filled] == bytes[..filled - 4]);
}

pub(crate) async fn ends_and_refusals() {
    let (client, server) = pair().await;
    client.send(&[mem(b"last words")]).await.unwrap();
    drop(client);
    assert_eq!(receive_all(&server, 10).await, b"last words");
    assert_eq!(server.recv(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(server.recv(&mut [0; 8]).await.unwrap(), 0, "and again");
    // The first send may still find room; the peer answers that nobody is there.
    let mut broken = false;
    for _ in 0..100 {
        broken |= server.send(&[mem(b"anyone?")]).await.is_err();
        sleep(Duration::from_millis(1)).await;
    }
    assert!(broken);
    let listener = Listener::bind(loopback()).unwrap();
    let addr = listener.local_addr();
    drop(listener);
    // The port is free again when the executor has let go of its poll.
    sleep(Duration::from_millis(5)).await;
    let refused = Stream::connect(addr).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn an_accepted_socket_moves() {
    let listener = Listener::bind(loopback()).unwrap();
    let addr = listener.local_addr();
    let connecting = spawn(async move { Stream::connect(addr).await.unwrap() });
    let socket = listener.accept().await.unwrap();
    let client = connecting.await;
    let talk = spawn(async move {
        client.send(&[mem(b"ping")]).await.unwrap();
        receive_all(&client, 4).await
    });
    on_another(move || async move {
        let server = Stream::attach(socket).unwrap();
        assert_eq!(receive_all(&server, 4).await, b"ping");
        server.send(&[mem(b"pong")]).await.unwrap();
    })
    .await;
    assert_eq!(talk.await, b"pong");
}

pub(crate) async fn shutdown_wakes_the_reader() {
    let (client, server) = pair().await;
    let server = Rc::new(server);
    let reader = spawn({
        let server = Rc::clone(&server);
        async move { server.recv(&mut [0; 8]).await }
    });
    sleep(Duration::from_millis(1)).await;
    server.shutdown();
    let ended = timeout(now() + Duration::from_secs(10), reader)
        .await
        .unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert!(matches!(client.recv(&mut [0; 8]).await, Ok(0) | Err(_)));
}
