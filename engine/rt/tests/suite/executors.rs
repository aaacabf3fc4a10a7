use std::time::Duration;

use engine_rt::{MailClosed, mailbox, oneshot, sleep, spawn, spawn_executor};

use super::{on_another, spec};

pub(crate) async fn mailbox_holds_back_its_senders() {
    const MAILS: u64 = 2_000;
    let (sender, mut receiver) = mailbox(4);
    let other = sender.clone();
    let first = spawn_executor(spec("first"), move || async move {
        for number in 0..MAILS {
            sender.send((0, number)).await.unwrap();
        }
    });
    let second = spawn_executor(spec("second"), move || async move {
        for number in 0..MAILS {
            other.send((1, number)).await.unwrap();
        }
    });
    let mut next = [0; 2];
    while let Some((from, number)) = receiver.receive().await {
        assert_eq!(number, next[from], "in order per sender");
        next[from] += 1;
        if number % 500 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(next, [MAILS; 2], "the end comes after the last mail");
    first.unwrap().join().await;
    second.unwrap().join().await;
}

pub(crate) async fn mailbox_tells_of_its_ends() {
    let (sender, mut receiver) = mailbox(1);
    assert_eq!(sender.try_send("one"), Ok(()));
    assert_eq!(sender.try_send("two"), Err("two"), "full");
    let blocked = spawn({
        let sender = sender.clone();
        async move { sender.send("three").await }
    });
    sleep(Duration::from_millis(1)).await;
    assert_eq!(receiver.receive().await, Some("one"));
    assert_eq!(blocked.await, Ok(()));
    let blocked = spawn(async move { sender.send("four").await });
    sleep(Duration::from_millis(1)).await;
    drop(receiver);
    assert_eq!(blocked.await, Err(MailClosed));
    let (sender, mut receiver) = mailbox::<u8>(1);
    drop(sender);
    assert_eq!(receiver.receive().await, None);
}

pub(crate) async fn oneshot_tells_of_a_dropped_sender() {
    let (sender, receiver) = oneshot::<u8>();
    spawn(async move {
        sleep(Duration::from_millis(1)).await;
        drop(sender);
    })
    .detach();
    assert_eq!(receiver.await, None);
    let (sender, receiver) = oneshot();
    sender.send(5);
    assert_eq!(receiver.await, Some(5), "sent before it was awaited");
}

pub(crate) async fn join_waits_for_the_end() {
    let (started, has_started) = oneshot();
    let (finish, may_finish) = oneshot::<()>();
    let (done, is_done) = oneshot();
    let other = spawn_executor(spec("other"), move || async move {
        started.send(());
        may_finish.await.unwrap();
        done.send(7);
    });
    has_started.await.unwrap();
    assert_eq!(is_done.try_take(), None);
    finish.send(());
    other.unwrap().join().await;
    assert_eq!(is_done.try_take(), Some(7));
}

pub(crate) async fn tasks_die_with_their_executor() {
    let (held, is_held) = oneshot::<()>();
    let other = spawn_executor(spec("other"), move || async move {
        spawn(async move {
            sleep(Duration::from_hours(1)).await;
            held.send(());
        })
        .detach();
        sleep(Duration::from_millis(1)).await;
    });
    other.unwrap().join().await;
    assert_eq!(is_held.await, None);
}

pub(crate) async fn thousands_of_round_trips() {
    let (to, mut at) = mailbox::<u64>(1);
    let (back, mut home) = mailbox(1);
    let sum = spawn(async move {
        let mut sum = 0;
        for number in 0..5_000 {
            to.send(number).await.unwrap();
            sum += home.receive().await.unwrap();
        }
        sum
    });
    let turns = on_another(move || async move {
        let mut turns = 0;
        while let Some(number) = at.receive().await {
            back.send(number + 1).await.unwrap();
            turns += 1;
        }
        turns
    });
    assert_eq!(turns.await, 5_000);
    assert_eq!(sum.await, (1..=5_000).sum());
}
