//! Files of the `OpenMessaging` Benchmark (OMB) as a scenario: a workload, and the driver for Kafka.
//! Each key has a counterpart here, a remark that it is not heeded, or an error.
//!
//! First file to read: this one; `yaml.rs` reads what such files have of YAML.

mod yaml;

use std::time::Duration;

use thiserror::Error;

use crate::content::{Key, Size};
use crate::scenario::{Acks, Scenario, ScenarioError};
use crate::units::{Bytes, Rate, Span};
use yaml::{Field, fields};

/// How many keys OMB's distributors have.
const KEYS: u64 = 10_000;
/// How long Kafka's producers try again (`delivery.timeout.ms`).
const DELIVERY_TIMEOUT: Duration = Duration::from_mins(2);
/// How long OMB warms up where a workload says nothing.
const WARMUP: Duration = Duration::from_mins(1);

/// Why files cannot be a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OmbError {
    /// Not what files of OMB look like.
    #[error("line {line}: {why}")]
    Syntax {
        /// Where.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A key or value that has no counterpart.
    #[error("line {line}: {key}: {why}")]
    Key {
        /// Where.
        line: usize,
        /// The key.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// What it says is no load.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

/// A scenario out of files of OMB.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The scenario.
    pub scenario: Scenario,
    /// What is not as in OMB.
    pub remarks: Vec<String>,
}

/// Reads a workload's text, and a driver's if there is one.
pub fn import(workload: &str, driver: Option<&str>) -> Result<Imported, OmbError> {
    let mut scenario = Scenario::default();
    scenario.load.warmup = Span(WARMUP);
    scenario.load.retry_for = Span(DELIVERY_TIMEOUT);
    let mut made = Imported {
        scenario,
        remarks: Vec::new(),
    };
    made.read_workload(&fields(workload)?)?;
    for field in fields(driver.unwrap_or_default())? {
        made.driver(&field)?;
    }
    made.scenario.check()?;
    Ok(made)
}

impl Imported {
    /// The scenario as a file, its remarks in front.
    pub fn text(&self) -> Result<String, ScenarioError> {
        let text = toml::to_string(&self.scenario);
        let text = text.map_err(|error| ScenarioError::Syntax(error.to_string()))?;
        let remarks = self.remarks.iter().map(|remark| format!("# {remark}\n"));
        Ok(remarks.chain([text]).collect())
    }

    fn remark(&mut self, field: &Field, what: &str) {
        self.remarks.push(format!("{}: {what}", field.key));
    }

    fn read_workload(&mut self, workload: &[Field]) -> Result<(), OmbError> {
        let (mut is_random, mut random_ratio) = (false, 1.0_f64);
        for field in workload {
            match field.key.as_str() {
                "useRandomizedPayloads" => is_random = field.read()?,
                "randomBytesRatio" => random_ratio = field.read()?,
                _ => self.workload(field)?,
            }
        }
        if is_random && random_ratio > 0.0 {
            self.scenario.records.compress_ratio = 1.0 / random_ratio;
        }
        Ok(())
    }

    fn workload(&mut self, field: &Field) -> Result<(), OmbError> {
        let scenario = &mut self.scenario;
        let minutes = |field: &Field| field.read().map(|minutes: u64| minutes * 60);
        match field.key.as_str() {
            "name" => field.value.clone_into(&mut scenario.name),
            "topics" => scenario.topics.count = field.read()?,
            "partitionsPerTopic" => scenario.topics.partitions = field.read()?,
            "keyDistributor" => return self.keys(field),
            "messageSize" => scenario.records.size = Size::Fixed(Bytes(field.read()?)),
            "subscriptionsPerTopic" => scenario.consume.consumers = field.read()?,
            // Each client writes to all topics, so that a topic has as many producers.
            "producersPerTopic" => scenario.produce.clients = field.read()?,
            "producerRate" => scenario.load.rate = rate(field)?,
            "testDurationMinutes" => {
                scenario.load.duration = Span(Duration::from_secs(minutes(field)?));
            },
            "warmupDurationMinutes" => {
                scenario.load.warmup = Span(Duration::from_secs(minutes(field)?));
            },
            "payloadFile" => self.remark(field, "is not read, values are random"),
            "randomizedPayloadPoolSize" => self.remark(field, "every value is another one"),
            "consumerPerSubscription" if field.value != "1" => {
                self.remark(field, "one consumer reads for each subscription");
            },
            "consumerPerSubscription" => {},
            "consumerBacklogSizeGB" if field.value == "0" => {},
            "consumerBacklogSizeGB" => return Err(field.wrong("consumers are not held back")),
            _ => return Err(field.wrong("it has no counterpart in a scenario")),
        }
        Ok(())
    }

    fn keys(&mut self, field: &Field) -> Result<(), OmbError> {
        self.scenario.records.key = match field.value.as_str() {
            "NO_KEY" => Key::None,
            "RANDOM_NANO" => Key::Uniform { n: KEYS },
            "KEY_ROUND_ROBIN" => {
                self.remark(field, "keys are drawn at random, not in turn");
                Key::Uniform { n: KEYS }
            },
            _ => return Err(field.wrong("NO_KEY, KEY_ROUND_ROBIN or RANDOM_NANO is wanted")),
        };
        Ok(())
    }

    fn driver(&mut self, field: &Field) -> Result<(), OmbError> {
        match field.key.as_str() {
            "name" | "reset" => {},
            "driverClass" if field.value.ends_with(".KafkaBenchmarkDriver") => {},
            "driverClass" => return Err(field.wrong("only the driver for Kafka is known")),
            "replicationFactor" => self.scenario.topics.replication_factor = field.read()?,
            "topicConfig" => {
                let configs = field.properties()?.into_iter();
                let configs = configs.map(|config| (config.key, config.value));
                self.scenario.topics.config.extend(configs);
            },
            "commonConfig" => self.each(field, Self::common)?,
            "producerConfig" => self.each(field, Self::producer)?,
            "consumerConfig" => self.each(field, Self::consumer)?,
            _ => return Err(field.wrong("it has no counterpart in a scenario")),
        }
        Ok(())
    }

    fn each(
        &mut self,
        block: &Field,
        take: fn(&mut Self, &Field) -> Result<(), OmbError>,
    ) -> Result<(), OmbError> {
        block
            .properties()?
            .iter()
            .try_for_each(|property| take(self, property))
    }

    fn common(&mut self, field: &Field) -> Result<(), OmbError> {
        match field.key.as_str() {
            "bootstrap.servers" => {
                let what = format!("is on the command line, `-b {}`", field.value);
                self.remark(field, &what);
            },
            "client.id" | "request.timeout.ms" => self.remark(field, "is not heeded"),
            _ => return Err(field.wrong("it has no counterpart in a scenario")),
        }
        Ok(())
    }

    fn producer(&mut self, field: &Field) -> Result<(), OmbError> {
        let (load, produce) = (&mut self.scenario.load, &mut self.scenario.produce);
        match field.key.as_str() {
            "acks" => {
                produce.acks = match field.value.as_str() {
                    "all" | "-1" => Acks::All,
                    "1" => Acks::Leader,
                    "0" => Acks::None,
                    _ => return Err(field.wrong("all, 1 or 0 is wanted")),
                }
            },
            "linger.ms" => produce.linger = Some(millis(field)?),
            "batch.size" => produce.batch = Some(Bytes(field.read()?)),
            "max.request.size" => produce.request = Some(Bytes(field.read()?)),
            "compression.type" => field.value.clone_into(&mut produce.compression),
            "enable.idempotence" => produce.idempotent = Some(field.read()?),
            "max.in.flight.requests.per.connection" => produce.in_flight = Some(field.read()?),
            "delivery.timeout.ms" => load.retry_for = millis(field)?,
            "retries" if field.value == "0" => load.retry_for = Span(Duration::ZERO),
            "retries" => {},
            "buffer.memory" | "client.id" | "request.timeout.ms" | "send.buffer.bytes" => {
                self.remark(field, "is not heeded");
            },
            _ => return Err(field.wrong("it has no counterpart in a scenario")),
        }
        Ok(())
    }

    fn consumer(&mut self, field: &Field) -> Result<(), OmbError> {
        let consume = &mut self.scenario.consume;
        match field.key.as_str() {
            "fetch.min.bytes" => consume.min_bytes = Bytes(field.read()?),
            "fetch.max.bytes" => consume.max_bytes = Bytes(field.read()?),
            "fetch.max.wait.ms" => consume.max_wait = millis(field)?,
            "max.partition.fetch.bytes" => consume.partition_bytes = Bytes(field.read()?),
            "auto.offset.reset" | "enable.auto.commit" | "client.id" | "request.timeout.ms" => {
                self.remark(
                    field,
                    "is not heeded: consumers read from the first record on",
                );
            },
            _ => return Err(field.wrong("it has no counterpart in a scenario")),
        }
        Ok(())
    }
}

fn rate(field: &Field) -> Result<Rate, OmbError> {
    let records: f64 = field.read()?;
    if records == 0.0 {
        let why = "0 asks for the highest rate: give one here, and use `flumen loadgen search`";
        return Err(field.wrong(why));
    }
    Ok(Rate::Records(records))
}

fn millis(field: &Field) -> Result<Span, OmbError> {
    field
        .read()
        .map(|millis| Span(Duration::from_millis(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKLOAD: &str = "\
# Ten topics.
name: 10 topics, half random
topics: 10
partitionsPerTopic: 3
keyDistributor: \"RANDOM_NANO\"
messageSize: 1024
useRandomizedPayloads: true
randomBytesRatio: 0.5
randomizedPayloadPoolSize: 1000
subscriptionsPerTopic: 2
consumerPerSubscription: 4
producersPerTopic: 3
producerRate: 50000
consumerBacklogSizeGB: 0
testDurationMinutes: 15
";

    const DRIVER: &str = "\
name: Kafka
driverClass: io.openmessaging.benchmark.driver.kafka.KafkaBenchmarkDriver
replicationFactor: 3
reset: true
topicConfig: |
  min.insync.replicas=2
  flush.messages=1
commonConfig: |
  bootstrap.servers=broker:9092
producerConfig: |
  acks=all
  linger.ms=1
  batch.size=131072
  compression.type=lz4
consumerConfig: |
  auto.offset.reset=earliest
  max.partition.fetch.bytes=10485760
";

    #[test]
    fn a_workload_and_its_driver_are_a_scenario() {
        let made = import(WORKLOAD, Some(DRIVER)).unwrap();
        let scenario = &made.scenario;
        assert_eq!((scenario.partitions(), scenario.produce.clients), (30, 3));
        assert_eq!(scenario.load.rate, Rate::Records(50_000.0));
        assert_eq!(scenario.load.duration, Span(Duration::from_mins(15)));
        assert_eq!(scenario.load.warmup, Span(WARMUP));
        assert_eq!(scenario.load.retry_for, Span(DELIVERY_TIMEOUT));
        assert_eq!(scenario.records.key, Key::Uniform { n: KEYS });
        assert!((scenario.records.compress_ratio - 2.0).abs() < 1e-9);
        assert_eq!(scenario.topics.config["flush.messages"], "1");
        let batching = scenario.batching();
        assert_eq!(batching.linger, Duration::from_millis(1));
        assert_eq!(batching.batch_bytes, 131_072);
        assert_eq!(scenario.consume.partition_bytes, Bytes(10 << 20));
        assert_eq!(scenario.consume.consumers, 2);
        assert!(
            made.remarks
                .iter()
                .any(|remark| remark.contains("-b broker:9092"))
        );
        assert!(
            made.remarks
                .iter()
                .any(|remark| remark.starts_with("consumerPerSub"))
        );
        let text = made.text().unwrap();
        assert!(text.starts_with("# "), "{text}");
        assert_eq!(Scenario::parse(&text).unwrap(), *scenario);
    }

    #[test]
    fn what_has_no_counterpart_is_an_error_by_its_line() {
        for (old, new, wanted) in [
            (
                "producerRate: 50000",
                "producerRate: 0",
                "line 13: producerRate: 0 asks",
            ),
            (
                "SizeGB: 0",
                "SizeGB: 32",
                "line 14: consumerBacklogSizeGB: ",
            ),
            ("RANDOM_NANO", "LATEST", "line 5: keyDistributor: NO_KEY"),
            ("topics: 10", "topics: many", "line 3: topics: `many` is"),
            ("name:", "colour:", "line 2: colour: it has no"),
            ("messageSize: 1024", "messageSize: 8", "records.size: "),
        ] {
            let workload = WORKLOAD.replacen(old, new, 1);
            let error = import(&workload, None).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
        for (old, new, wanted) in [
            (
                "kafka.KafkaBench",
                "pulsar.PulsarBench",
                "line 2: driverClass: ",
            ),
            (
                "bootstrap.servers",
                "security.protocol",
                "line 9: security.protocol: ",
            ),
            ("acks=all", "acks=some", "line 11: acks: all, 1 or 0"),
            ("linger.ms=1", "linger.ms", "line 12: KEY=VALUE"),
            ("lz4", "rar", "produce.compression: "),
        ] {
            let driver = DRIVER.replacen(old, new, 1);
            let error = import(WORKLOAD, Some(&driver)).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
