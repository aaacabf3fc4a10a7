//! What Produce and Fetch say of a leader that moved (KIP-951).

use crate::schema::schema;

schema! {
    /// The leader of a partition.
    pub struct LeaderIdAndEpoch {
        /// The broker that leads, or -1.
        leader_id: i32 [0..] = -1,
        /// Its leader epoch, or -1.
        leader_epoch: i32 [0..] = -1,
    }

    /// A broker, by the listener that the request came in by.
    pub struct NodeEndpoint<'a> {
        /// Its id.
        node_id: i32 [0..],
        /// Its host name or address.
        host: &'a str [0..],
        /// Its port.
        port: i32 [0..],
        /// Its rack, or null.
        rack: Option<&'a str> [0.., null 0..],
    }
}
