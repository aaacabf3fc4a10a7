//! A connection's shard and the shards that own its partitions: order, answers, and that no record is
//! copied on the way between them.
#![cfg(test)]

mod support;

use std::path::PathBuf;
use std::rc::Rc;

use engine_log::{LogConfig, TopicPartition};
use engine_rt::sim::{Options, World};
use engine_rt::{Buf, MailReceiver, fs, mailbox, spawn};
use engine_shard::{FetchPart, Mail, ProduceBatch, Shard, ShardError, ShardOptions, Shards};

use self::support::{id, spec};

const SHARDS: usize = 2;
/// Beside the journal from here on.
const BYPASS_BYTES: usize = 64 << 10;

/// Partitions alternate between the shards.
fn owner(id: TopicPartition) -> usize {
    id.partition as usize % SHARDS
}

fn options(index: usize) -> ShardOptions {
    ShardOptions {
        index,
        bypass_bytes: BYPASS_BYTES,
        shards: SHARDS,
        ..support::options()
    }
}

fn batch(partition: u32, bytes: usize) -> ProduceBatch {
    support::batch(partition, None, &vec![7; bytes])
}

async fn open(index: usize, inbox: MailReceiver<Mail>) -> Rc<Shard> {
    let shard = Shard::open(options(index), Vec::new()).await.unwrap();
    for partition in (0..4_u32).filter(|partition| owner(id(*partition)) == index) {
        shard.create_partition(spec(partition, LogConfig::default()));
    }
    spawn(Rc::clone(&shard).serve_mail(inbox)).detach();
    shard
}

/// Both shards on one executor, as the first one sees them, and the second.
async fn pair() -> (Shards, Rc<Shard>) {
    fs::create_dir_all(&PathBuf::from("/data")).await.unwrap();
    let (senders, inboxes): (Vec<_>, Vec<_>) = (0..SHARDS).map(|_| mailbox(16)).unzip();
    let mut shards = Vec::new();
    for (index, inbox) in inboxes.into_iter().enumerate() {
        shards.push(open(index, inbox).await);
    }
    let there = shards.remove(1);
    (Shards::new(shards.remove(0), senders), there)
}

async fn fetch(shard: &Rc<Shard>, partition: u32, offset: i64) -> Vec<Buf> {
    let part = FetchPart::new(id(partition), offset, 1 << 20);
    let fetched = shard.fetch(&[part], 1 << 20).await.remove(0);
    fetched.unwrap().records
}

fn on_a_node<F: Future<Output = ()> + 'static>(seed: u64, test: impl FnOnce() -> F + 'static) {
    let world = World::new(seed, Options::default());
    let node = world.node("node");
    world.block_on(node, test);
}

#[test]
fn a_large_batch_for_another_shard_is_read_from_the_memory_it_came_in() {
    on_a_node(5, || async {
        let (shards, there) = pair().await;
        let large = batch(1, 300_000);
        let came_in = large.bytes.clone();
        let ticket = shards.produce(vec![large], owner).await;
        let results = ticket.durable().await;
        assert_eq!(results[0].as_ref().unwrap().base_offset, 0);
        let read = fetch(&there, 1, 0).await;
        assert!(read.iter().any(|part| part.same_block(&came_in)));
        // All but the header, which got its offset and epoch.
        let copied = read.iter().filter(|part| !part.same_block(&came_in));
        assert!(copied.map(|part| part.len()).sum::<usize>() < 100);
    });
}

#[test]
fn requests_that_leave_together_are_answered_each_with_its_own() {
    on_a_node(6, || async {
        let (shards, _there) = pair().await;
        let mut tickets = Vec::new();
        for number in 0..20 {
            // One here, two there, one nowhere.
            let batches = vec![
                batch(1, 100),
                batch(0, 100 + number),
                batch(3, BYPASS_BYTES * 2),
                batch(9, 1),
            ];
            tickets.push(shards.produce(batches, owner).await);
        }
        for (number, ticket) in tickets.into_iter().enumerate() {
            let results = ticket.durable().await;
            let offset = |place: usize| results[place].as_ref().unwrap().base_offset;
            assert_eq!([0, 1, 2].map(offset), [number as i64; 3]);
            let unknown = matches!(results[3], Err(ShardError::UnknownPartition(_)));
            assert!(unknown, "{:?}", results[3]);
        }
    });
}

#[test]
fn a_shard_that_is_gone_refuses() {
    on_a_node(7, || async {
        fs::create_dir_all(&PathBuf::from("/data")).await.unwrap();
        let (senders, mut inboxes): (Vec<_>, Vec<_>) = (0..SHARDS).map(|_| mailbox(16)).unzip();
        drop(inboxes.remove(1));
        let shards = Shards::new(open(0, inboxes.remove(0)).await, senders);
        let ticket = shards
            .produce(vec![batch(1, 10), batch(0, 10)], owner)
            .await;
        let results = ticket.durable().await;
        assert_eq!(results[0], Err(ShardError::Stopping));
        assert!(results[1].is_ok());
    });
}
