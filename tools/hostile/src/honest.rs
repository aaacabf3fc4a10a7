//! The honest client: it writes one record after the other and waits for each; nothing may fail.

use std::cell::Cell;
use std::net::SocketAddr;

use engine_rt::Buf;
use flumen::client::{Connection, NewTopic, Producer, ToProduce};
use net_wire::batch::BatchBuilder;
use net_wire::codec::Codecs;

/// The topic of its own, with one partition.
pub const TOPIC: &str = "honest";

/// A connection, the only producer of [`TOPIC`].
#[derive(Debug)]
pub struct Honest {
    /// Its connection.
    pub connection: Connection,
    producer: Producer,
    sent: Cell<i64>,
}

impl Honest {
    /// Connects and makes the topic.
    pub async fn begin(addr: SocketAddr) -> Self {
        let connection = Connection::connect(addr, "honest")
            .await
            .expect("a connection");
        let topic = NewTopic {
            name: TOPIC,
            partitions: 1,
            replication_factor: 1,
            configs: &[],
        };
        connection.create_topic(&topic).await.expect("a topic");
        let producer = Producer::new(&connection).await.expect("an id");
        Self {
            connection,
            producer,
            sent: Cell::new(0),
        }
    }

    /// Writes a record, which must get the next offset.
    pub async fn produce(&self, key: Option<&[u8]>, value: &[u8]) {
        let offset = self.sent.get();
        let mut batch = self.producer.stamp(BatchBuilder::new(), TOPIC, 0, 1);
        batch.append(1_700_000_000_000 + offset, key, Some(value), &[]);
        let batch = batch.build(&mut Codecs::new()).expect("a small batch");
        let records = Buf::copy_from_slice(&batch);
        let sent = self.connection.produce(
            -1,
            &[ToProduce {
                topic: TOPIC,
                partition: 0,
                records,
            }],
        );
        let placed = sent.expect("a request").await.expect("an answer").remove(0);
        assert!(placed.error.is_none(), "{placed:?}");
        assert_eq!(placed.base_offset, offset, "nobody else writes there");
        self.sent.set(offset + 1);
    }
}
