//! What a run does: a file in TOML, a preset, or both with flags above them.
//!
//! Every key has a default, unknown keys are errors. `shape.rs` turns rates and phases into a plan
//! of arrivals, `model.rs` knows how clients batch.

mod model;
mod shape;

use std::collections::BTreeMap;
use std::time::Duration;

use net_wire::codec::Codec;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

pub use model::{Batching, Model, Sticky};
pub use shape::{Bursts, Load, Phase, Sine};

use crate::content::{Key, Size};
use crate::units::{Bytes, Span};

/// A scenario that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScenarioError {
    /// Not TOML, or a key or value that is not known.
    #[error("{0}")]
    Syntax(String),
    /// A value that makes no sense.
    #[error("{key}: {why}")]
    Value {
        /// Where it stands.
        key: &'static str,
        /// What is wrong.
        why: String,
    },
    /// No preset has this name.
    #[error("there is no preset {0}; there are {names}", names = preset_names())]
    Preset(String),
}

/// Everything about a run but the brokers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// What it is called in results.
    pub name: String,
    /// The seed of all chance. A run with the same seed plans the same records.
    pub seed: u64,
    /// How many records come when.
    pub load: Load,
    /// Where they go.
    pub topics: Topics,
    /// What they are.
    pub records: Records,
    /// How they are sent.
    pub produce: Produce,
    /// How they are read.
    pub consume: Consume,
    /// What is promised of latencies.
    pub slo: Slo,
}

/// The topics of a run. They are made for it and deleted after it; a topic that exists already is
/// refused.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Topics {
    /// How many.
    pub count: u16,
    /// Partitions of each.
    pub partitions: i32,
    /// Replicas of each partition; -1 for the broker's default.
    pub replication_factor: i16,
    /// Names are this with a number behind it.
    pub prefix: String,
    /// Configurations of the topics.
    pub config: BTreeMap<String, String>,
    /// Leave them when the run is over.
    pub keep: bool,
}

/// The records of a run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Records {
    /// Sizes of values.
    pub size: Size,
    /// Keys.
    pub key: Key,
    /// How many times smaller a codec makes them; 1 is not at all.
    pub compress_ratio: f64,
}

/// When a broker answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Acks {
    /// When all replicas in sync have it.
    #[default]
    #[serde(rename = "all")]
    All,
    /// When the leader has it.
    #[serde(rename = "1")]
    Leader,
    /// Never.
    #[serde(rename = "0")]
    None,
}

/// The producers of a run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Produce {
    /// Whose habits they have.
    pub model: Model,
    /// Executors, each with clients of its own; a core should be free for each.
    pub cores: usize,
    /// Clients of each core: each has a connection to every broker.
    pub clients: usize,
    /// When a broker answers.
    pub acks: Acks,
    /// Whether producers number their batches. The model's default, if it is not said; never
    /// without all acks.
    pub idempotent: Option<bool>,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// How long a batch waits for more. The model's default, if it is not said; so for all below.
    pub linger: Option<Span>,
    /// Bytes at which a batch is full.
    pub batch: Option<Bytes>,
    /// Requests without answer per connection.
    pub in_flight: Option<usize>,
    /// Bytes at which a request is full.
    pub request: Option<Bytes>,
}

/// The consumers of a run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Consume {
    /// How many read every topic, each all of it: the fan-out. 0 reads and verifies nothing.
    pub consumers: usize,
    /// How long a fetch waits for `min_bytes`.
    pub max_wait: Span,
    /// Bytes that a fetch waits for.
    pub min_bytes: Bytes,
    /// Most bytes of an answer.
    pub max_bytes: Bytes,
    /// Most bytes of a partition in an answer.
    pub partition_bytes: Bytes,
    /// How long consumers may take for the rest when producers are done.
    pub drain: Span,
}

/// What is promised, by percentile of `total` and `end_to_end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slo {
    /// Half of all are acknowledged within this.
    pub total_p50: Option<Span>,
    /// 99 of 100.
    pub total_p99: Option<Span>,
    /// 999 of 1,000.
    pub total_p999: Option<Span>,
    /// 99 of 100 are read within this.
    pub e2e_p99: Option<Span>,
}

impl std::str::FromStr for Slo {
    type Err = String;

    /// Reads `p99<10ms,p99.9<50ms,e2e_p99<20ms`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut slo = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let pair = part.split_once('<');
            let (name, span) =
                pair.ok_or_else(|| format!("`{part}`: such as p99<10ms is wanted"))?;
            let place = match name.trim() {
                "p50" => &mut slo.total_p50,
                "p99" => &mut slo.total_p99,
                "p99.9" => &mut slo.total_p999,
                "e2e_p99" => &mut slo.e2e_p99,
                other => return Err(format!("`{other}`: p50, p99, p99.9 or e2e_p99 is wanted")),
            };
            *place = Some(span.parse()?);
        }
        Ok(slo)
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "loadgen".to_owned(),
            seed: 1,
            load: Load::default(),
            topics: Topics::default(),
            records: Records::default(),
            produce: Produce::default(),
            consume: Consume::default(),
            slo: Slo::default(),
        }
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            count: 1,
            partitions: 16,
            replication_factor: -1,
            prefix: "loadgen".to_owned(),
            config: BTreeMap::new(),
            keep: false,
        }
    }
}

impl Default for Records {
    fn default() -> Self {
        Self {
            size: Size::default(),
            key: Key::None,
            compress_ratio: 1.0,
        }
    }
}

impl Default for Produce {
    fn default() -> Self {
        Self {
            model: Model::Java,
            cores: 1,
            clients: 1,
            acks: Acks::All,
            idempotent: None,
            compression: "none".to_owned(),
            linger: None,
            batch: None,
            in_flight: None,
            request: None,
        }
    }
}

impl Default for Consume {
    fn default() -> Self {
        Self {
            consumers: 1,
            max_wait: Span(Duration::from_millis(500)),
            min_bytes: Bytes(1),
            max_bytes: Bytes(50 << 20),
            partition_bytes: Bytes(1 << 20),
            drain: Span(Duration::from_secs(30)),
        }
    }
}

/// The presets, by name.
const PRESETS: [(&str, &str); 5] = [
    ("canonical", include_str!("presets/canonical.toml")),
    ("logs", include_str!("presets/logs.toml")),
    ("events", include_str!("presets/events.toml")),
    ("iot", include_str!("presets/iot.toml")),
    ("small-batch", include_str!("presets/small-batch.toml")),
];

fn preset_names() -> String {
    PRESETS.map(|(name, _)| name).join(", ")
}

impl Scenario {
    /// Reads a file's text.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            toml::from_str(text).map_err(|error| ScenarioError::Syntax(error.to_string()))?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Reads a file's text with single keys above it, such as `load.rate` and `5000/s`.
    pub fn parse_with(text: &str, keys: &[(&str, &str)]) -> Result<Self, ScenarioError> {
        Self::parse(&with_keys(text, keys)?)
    }

    /// The text of a preset.
    pub fn preset(name: &str) -> Result<&'static str, ScenarioError> {
        let found = PRESETS.iter().find(|(known, _)| *known == name);
        let text = found.map(|(_, text)| *text);
        text.ok_or_else(|| ScenarioError::Preset(name.to_owned()))
    }

    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let wrong = |key, why: &str| {
            let why = why.to_owned();
            Err(ScenarioError::Value { key, why })
        };
        if let Some(why) = self.load.fault(self.records.size.mean()) {
            return wrong("load", &why);
        }
        if let Some(why) = self.records.size.fault() {
            return wrong("records.size", &why);
        }
        if let Some(why) = self.records.key.fault() {
            return wrong("records.key", why);
        }
        if self.topics.count == 0 || self.topics.partitions < 1 {
            return wrong("topics", "one topic of one partition is the least");
        }
        if self.produce.cores == 0 || self.produce.clients == 0 {
            return wrong("produce", "one client on one core is the least");
        }
        if Codec::from_name(&self.produce.compression).is_none() {
            return wrong("produce.compression", "none, gzip, snappy, lz4 or zstd");
        }
        if self.produce.in_flight == Some(0) {
            return wrong("produce.in-flight", "1 at least");
        }
        if self.produce.idempotent == Some(true) && self.produce.acks != Acks::All {
            return wrong("produce.idempotent", "wants acks = \"all\"");
        }
        Ok(())
    }

    /// How clients batch.
    pub fn batching(&self) -> Batching {
        self.produce.model.batching(&self.produce)
    }

    /// The codec of batches.
    pub fn codec(&self) -> Codec {
        Codec::from_name(&self.produce.compression).unwrap_or_default()
    }

    /// Partitions of all topics.
    pub fn partitions(&self) -> usize {
        usize::from(self.topics.count) * self.topics.partitions.max(0) as usize
    }

    /// The names of the topics of one run.
    pub fn topic_names(&self, run: u64) -> Vec<String> {
        let prefix = &self.topics.prefix;
        let name = |number| format!("{prefix}-{run:016x}-{number}");
        (0..self.topics.count).map(name).collect()
    }
}

/// A text in TOML with single keys set.
pub(crate) fn with_keys(text: &str, keys: &[(&str, &str)]) -> Result<String, ScenarioError> {
    let syntax = |error: &dyn std::fmt::Display| ScenarioError::Syntax(error.to_string());
    let mut table: Table = toml::from_str(text).map_err(|error| syntax(&error))?;
    for (key, value) in keys {
        set(&mut table, key, value)?;
    }
    toml::to_string(&table).map_err(|error| syntax(&error))
}

/// Sets the key at the end of a path. What is not a value of TOML is taken as text.
fn set(table: &mut Table, path: &str, value: &str) -> Result<(), ScenarioError> {
    let literal: Option<Table> = toml::from_str(&format!("value = {value}")).ok();
    let literal = literal.and_then(|mut table| table.remove("value"));
    let value = literal.unwrap_or_else(|| Value::String(value.to_owned()));
    let (tables, key) = path.rsplit_once('.').unwrap_or(("", path));
    let mut inner = table;
    for part in tables.split('.').filter(|part| !part.is_empty()) {
        let next = inner
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()));
        let why = || ScenarioError::Syntax(format!("{path}: {part} is no table"));
        inner = next.as_table_mut().ok_or_else(why)?;
    }
    inner.insert(key.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    #[test]
    fn a_file_is_read_and_written_again() {
        let text = r#"
            name = "orders"
            seed = 7
            [load]
            arrival = "poisson"
            rate = "200MB/s"
            warmup = "30s"
            phases = [{ ramp-to = "400MB/s", over = "5m" }, { hold = "10m" }]
            sine = { period = "60s", depth = 0.3 }
            [topics]
            count = 10
            partitions = 12
            replication-factor = 3
            config = { "min.insync.replicas" = "2" }
            [records]
            size = { lognormal = { median = "900B", p99 = "8000B" } }
            compress-ratio = 4.0
            key = { zipf = { n = 1_000_000, s = 0.99 } }
            [produce]
            model = "librdkafka"
            clients = 64
            compression = "lz4"
            linger = "5ms"
            batch = "64KiB"
            [consume]
            consumers = 2
            [slo]
            total_p99 = "10ms"
        "#;
        let scenario = Scenario::parse(text).unwrap();
        assert_eq!(scenario.load.rate, Rate::Bytes(2e8));
        assert_eq!(scenario.partitions(), 120);
        assert_eq!(scenario.batching().batch_bytes, 65_536);
        let again = toml::to_string(&scenario).unwrap();
        assert_eq!(Scenario::parse(&again).unwrap(), scenario);
    }

    #[test]
    fn the_empty_file_is_the_default_and_presets_are_sound() {
        assert_eq!(Scenario::parse("").unwrap(), Scenario::default());
        for (name, _) in PRESETS {
            let preset = Scenario::parse(Scenario::preset(name).unwrap());
            assert_eq!(preset.unwrap().name, name);
        }
        let unknown = Scenario::preset("xyz").unwrap_err().to_string();
        assert!(unknown.contains("canonical"), "{unknown}");
    }

    #[test]
    fn promises_are_read_from_a_line() {
        let slo: Slo = "p99<10ms, p99.9 < 50ms".parse().unwrap();
        let span = |ms| Some(Span(Duration::from_millis(ms)));
        assert_eq!(
            (slo.total_p99, slo.total_p999, slo.e2e_p99),
            (span(10), span(50), None)
        );
        for wrong in ["p99", "p98<1ms", "p99<fast"] {
            assert!(wrong.parse::<Slo>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn single_keys_stand_above_a_file() {
        let text = Scenario::preset("canonical").unwrap();
        let keys = [
            ("load.rate", "20k/s"),
            ("topics.partitions", "3"),
            ("records.key", "{ zipf = { n = 10, s = 1.1 } }"),
            ("produce.compression", "zstd"),
            ("seed", "5"),
        ];
        let scenario = Scenario::parse_with(text, &keys).unwrap();
        assert_eq!(scenario.load.rate, Rate::Records(20_000.0));
        assert_eq!((scenario.topics.partitions, scenario.seed), (3, 5));
        assert_eq!(scenario.codec(), Codec::Zstd);
        assert_eq!(scenario.records.key, Key::Zipf { n: 10, s: 1.1 });
        for wrong in ["load.speed", "name.x", "nothing"] {
            assert!(
                Scenario::parse_with(text, &[(wrong, "1")]).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused_by_its_key() {
        for (text, key) in [
            ("[load]\nrate = \"0/s\"", "load"),
            ("[records]\nsize = { fixed = \"8B\" }", "records.size"),
            ("[records]\nkey = { uniform = { n = 0 } }", "records.key"),
            ("[topics]\ncount = 0", "topics"),
            ("[produce]\ncompression = \"rar\"", "produce.compression"),
            (
                "[produce]\nidempotent = true\nacks = \"1\"",
                "produce.idempotent",
            ),
        ] {
            let error = Scenario::parse(text).unwrap_err();
            let found = match &error {
                ScenarioError::Value { key, .. } => *key,
                other => panic!("{text}: {other}"),
            };
            assert_eq!(found, key);
        }
        for text in ["[load]\nspeed = 3", "load = ", "[produce]\nmodel = \"go\""] {
            let error = Scenario::parse(text).unwrap_err();
            assert!(matches!(error, ScenarioError::Syntax(_)), "{text}");
        }
    }
}
