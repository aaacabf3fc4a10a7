//! What a node is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use cluster_meta::config::{StaticConfig, StaticConfigError};
use engine_shard::ReadPath;
use thiserror::Error;

use super::admin::AdminHandle;

/// A listener for Kafka clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaListener {
    /// Kafka's name of it, such as `PLAINTEXT`.
    pub name: String,
    /// Where it listens; port 0 takes any free one.
    pub bind: SocketAddr,
    /// The host and port that clients are told; where it listens, if not given.
    pub advertised: Option<(String, u16)>,
}

/// What a node is told at its start.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// The data directory; absolute, so that `DescribeLogDirs` shows it.
    pub data_dir: PathBuf,
    /// Where clients come in.
    pub listeners: Vec<KafkaListener>,
    /// Number of shards, at least one.
    pub shards: usize,
    /// The CPU of each shard; empty leaves them to the scheduler.
    pub cpus: Vec<usize>,
    /// The memory budget, at least [`MEMORY_BYTES_MIN`](super::MEMORY_BYTES_MIN).
    pub memory_bytes: u64,
    /// Descriptors that the process may have.
    pub open_files: usize,
    /// Kafka's settings and Flumen's own.
    pub settings: Settings,
    /// The node that the data directory shall belong to; whichever it says, if not given.
    pub node_id: Option<i32>,
    /// Take a copied data directory as one of its own.
    pub accept_copy: bool,
    /// Where the admin thread looks, for as many shards.
    pub admin: AdminHandle,
}

/// Settings: Kafka's broker configuration by its names, and Flumen's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Kafka's.
    pub fixed: StaticConfig,
    own: Vec<(&'static OwnSetting, u64)>,
    read_path: ReadPath,
}

/// The setting that says how old data is read, with its values. `auto` is the same as `direct` so
/// far, which costs less where both were measured.
pub const READ_PATH: (&str, [(&str, ReadPath); 3]) = (
    "fetch.read.path",
    [
        ("auto", ReadPath::Auto),
        ("sendfile", ReadPath::Sendfile),
        ("direct", ReadPath::Direct),
    ],
);

const STALL_MS: &str = "flumen.stall.ms";

/// A key of Flumen's own.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnSetting {
    /// Its name.
    pub name: &'static str,
    /// Smallest value.
    pub min: u64,
    /// What it does.
    pub doc: &'static str,
}

/// Flumen's own keys, sorted by name. What is not set follows from the memory budget.
pub static OWN_SETTINGS: [OwnSetting; 10] = [
    OwnSetting {
        name: "flumen.bypass.bytes",
        min: 4096,
        doc: "Appends of at least this many bytes go to their segment without passing through the \
              journal.",
    },
    OwnSetting {
        name: "flumen.client.telemetry",
        min: 0,
        doc: "1 asks clients for metrics of their own, by the subscriptions that kafka-configs keeps \
              (--entity-type client-metrics), and shows them on /metrics; 0 does not.",
    },
    OwnSetting {
        name: "flumen.journal.file.bytes",
        min: 256 << 10,
        doc: "Size of a journal file, a multiple of 4096. Below 2 MiB frames get smaller too: for \
              tests, which want journals that turn over soon.",
    },
    OwnSetting {
        name: "flumen.journal.files.max",
        min: 2,
        doc: "Most journal files of a shard.",
    },
    OwnSetting {
        name: "flumen.meta.generation.bytes",
        min: 4096,
        doc: "Bytes of metadata changes, at least, after which the metadata log begins again with \
              a snapshot.",
    },
    OwnSetting {
        name: "flumen.scrub.bytes.per.second",
        min: 0,
        doc: "Bytes of old records that the node reads in a second to see whether the disk still has \
              them; 0 reads none.",
    },
    OwnSetting {
        name: "flumen.scrub.interval.ms",
        min: 1,
        doc: "Time from the begin of one such round over all records to that of the next, at least.",
    },
    OwnSetting {
        name: "flumen.space.reserve.bytes",
        min: 0,
        doc: "Free space of the disk below which produce is refused.",
    },
    OwnSetting {
        name: STALL_MS,
        min: 0,
        doc: "Rounds of a shard's loop that take so long are told in the log, with what took the \
              time; 0 tells none.",
    },
    OwnSetting {
        name: "flumen.tail.bytes",
        min: 256 << 10,
        doc: "Bytes of the newest records that a shard keeps in memory.",
    },
];

/// A setting that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingError {
    /// Kafka's configuration refuses it.
    #[error(transparent)]
    Kafka(#[from] StaticConfigError),
    /// No such key of Flumen's own.
    #[error("unknown setting {0}")]
    Unknown(String),
    /// Not a number, or too small.
    #[error("invalid value {value} for setting {name}: a number of at least {min} is wanted")]
    Invalid {
        /// The key.
        name: &'static str,
        /// The value.
        value: String,
        /// Smallest one.
        min: u64,
    },
    /// Not one of the values there are.
    #[error("invalid value {value} for setting {name}: auto, sendfile or direct is wanted")]
    ReadPath {
        /// The key.
        name: &'static str,
        /// The value.
        value: String,
    },
}

impl Settings {
    /// Settings of these keys and values; later ones win.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SettingError> {
        let mut settings = Self::default();
        for (name, value) in pairs {
            settings.set(name, value)?;
        }
        Ok(settings)
    }

    /// Sets one key.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        if name == READ_PATH.0 {
            return self.set_read_path(value);
        }
        if !name.starts_with("flumen.") {
            return Ok(self.fixed.set(name, value)?);
        }
        let known = OWN_SETTINGS.iter().find(|setting| setting.name == name);
        let setting = known.ok_or_else(|| SettingError::Unknown(name.to_owned()))?;
        let number = value.trim().parse().ok();
        let number = number.filter(|number| *number >= setting.min);
        let number = number.ok_or_else(|| SettingError::Invalid {
            name: setting.name,
            value: value.to_owned(),
            min: setting.min,
        })?;
        self.own.retain(|(known, _)| *known != setting);
        self.own.push((setting, number));
        Ok(())
    }

    fn set_read_path(&mut self, value: &str) -> Result<(), SettingError> {
        let (name, values) = READ_PATH;
        let found = values.iter().find(|(word, _)| *word == value.trim());
        let (_, path) = found.ok_or_else(|| SettingError::ReadPath {
            name,
            value: value.to_owned(),
        })?;
        self.read_path = *path;
        Ok(())
    }

    /// How old data is read.
    pub(crate) const fn read_path(&self) -> ReadPath {
        self.read_path
    }

    /// The value of one of Flumen's own keys, if it is set.
    pub(crate) fn own(&self, name: &str) -> Option<u64> {
        debug_assert!(OWN_SETTINGS.iter().any(|setting| setting.name == name));
        let found = self.own.iter().find(|(setting, _)| setting.name == name);
        found.map(|(_, value)| *value)
    }

    /// How long a turn of an executor may take before it is told, if that is set; zero for any time.
    pub fn stall(&self) -> Option<Duration> {
        self.own(STALL_MS).map(Duration::from_millis)
    }

    /// A number of Kafka's settings, all of which have defaults.
    pub(crate) fn integer(&self, name: &str) -> i64 {
        self.fixed.integer(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_keys_and_kafkas_stand_side_by_side() {
        let settings = Settings::from_pairs([
            ("flumen.bypass.bytes", "8192"),
            ("num.partitions", "3"),
            ("flumen.bypass.bytes", "65536"),
            ("fetch.read.path", "sendfile"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.own("flumen.bypass.bytes"), Some(65536));
        assert_eq!(settings.own("flumen.tail.bytes"), None);
        assert_eq!(settings.stall(), None);
        let off = Settings::from_pairs([("flumen.stall.ms", "0")]).unwrap();
        assert_eq!(off.stall(), Some(Duration::ZERO));
        assert_eq!(settings.integer("num.partitions"), 3);
        assert_eq!(settings.read_path(), ReadPath::Sendfile);
    }

    #[test]
    fn what_is_not_known_or_too_small_is_refused() {
        let refused = |name, value| Settings::from_pairs([(name, value)]).unwrap_err();
        assert_eq!(
            refused("flumen.nothing", "1"),
            SettingError::Unknown("flumen.nothing".to_owned())
        );
        let message = refused("flumen.journal.file.bytes", "1024").to_string();
        assert!(message.contains("at least 262144"), "{message}");
        assert!(matches!(
            refused("fetch.read.path", "tape"),
            SettingError::ReadPath { .. }
        ));
        assert!(matches!(
            refused("num.partitions", "x"),
            SettingError::Kafka(_)
        ));
    }
}
