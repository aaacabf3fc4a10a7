//! How the clients of the field batch: with a hundred partitions they differ by ten times in
//! requests a second, at the same load.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Acks, Produce};

/// Whose habits a producer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// Kafka's own client: all partitions of a broker that are ready go into one request.
    #[default]
    Java,
    /// librdkafka: one partition a request.
    Librdkafka,
    /// What a client could do: nothing waits, records without a key go round, and what has come
    /// together is sent together.
    Ideal,
}

/// What happens to records without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// One partition until so many bytes have gone to it (KIP-794).
    Bytes(usize),
    /// One partition for so long.
    Time(Duration),
    /// The next partition for each record.
    Round,
}

/// How batches and requests are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// How long a batch waits for more.
    pub linger: Duration,
    /// Bytes at which a batch is full, before compression.
    pub batch_bytes: usize,
    /// Requests without answer per connection.
    pub in_flight: usize,
    /// Bytes at which a request is full.
    pub request_bytes: usize,
    /// Whether a request has batches of several partitions.
    pub shares_requests: bool,
    /// Where records without a key go.
    pub sticky: Sticky,
    /// Whether producers number their batches.
    pub idempotent: bool,
}

/// What an idempotent producer may have in flight.
const IDEMPOTENT_IN_FLIGHT: usize = net_client::IN_FLIGHT_MAX;

impl Model {
    /// The client's own defaults: Kafka 4.1, librdkafka 2.
    const fn defaults(self) -> Batching {
        match self {
            Self::Java => Batching {
                linger: Duration::from_millis(5),
                batch_bytes: 16 << 10,
                in_flight: 5,
                request_bytes: 1 << 20,
                shares_requests: true,
                sticky: Sticky::Bytes(16 << 10),
                idempotent: true,
            },
            Self::Librdkafka => Batching {
                linger: Duration::from_millis(5),
                batch_bytes: 1_000_000,
                in_flight: 1_000_000,
                request_bytes: 1_000_000,
                shares_requests: false,
                sticky: Sticky::Time(Duration::from_millis(10)),
                idempotent: false,
            },
            Self::Ideal => Batching {
                linger: Duration::ZERO,
                batch_bytes: 256 << 10,
                in_flight: 5,
                request_bytes: 1 << 20,
                shares_requests: true,
                sticky: Sticky::Round,
                idempotent: true,
            },
        }
    }

    /// The defaults, with what was said instead.
    pub(super) fn batching(self, said: &Produce) -> Batching {
        let own = self.defaults();
        let idempotent = said.idempotent.unwrap_or(own.idempotent) && said.acks == Acks::All;
        let in_flight = said.in_flight.unwrap_or(own.in_flight);
        let batch_bytes = said.batch.map_or(own.batch_bytes, |batch| batch.0 as usize);
        Batching {
            linger: said.linger.map_or(own.linger, |linger| linger.0),
            batch_bytes,
            in_flight: if idempotent {
                in_flight.min(IDEMPOTENT_IN_FLIGHT)
            } else {
                in_flight
            },
            request_bytes: said
                .request
                .map_or(own.request_bytes, |bytes| bytes.0 as usize),
            shares_requests: own.shares_requests,
            sticky: match own.sticky {
                Sticky::Bytes(_) => Sticky::Bytes(batch_bytes),
                other => other,
            },
            idempotent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Bytes;

    #[test]
    fn what_is_said_wins_over_the_models_defaults() {
        let said = Produce {
            batch: Some(Bytes(100_000)),
            in_flight: Some(100),
            ..Produce::default()
        };
        let java = Model::Java.batching(&said);
        assert_eq!(java.sticky, Sticky::Bytes(100_000));
        // Brokers remember five batches of an idempotent producer.
        assert_eq!((java.in_flight, java.idempotent), (5, true));
        let leader = Produce {
            acks: Acks::Leader,
            ..said
        };
        let java = Model::Java.batching(&leader);
        assert_eq!((java.in_flight, java.idempotent), (100, false));
        let rdkafka = Model::Librdkafka.batching(&Produce::default());
        assert!(!rdkafka.shares_requests && rdkafka.batch_bytes == 1_000_000);
    }
}
