//! The start-up list: what was found, what the node does without, what an operator should know.

use std::fmt;

use cluster_control::{Home, Metadata};
use cluster_meta::State;

use super::config::{BrokerConfig, KafkaListener};

/// How a line of the list is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it should be.
    Good,
    /// The node does without something.
    Without,
    /// The operator should look at this.
    Warning,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it is meant.
    pub mark: Mark,
    /// What it says.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.mark {
            Mark::Good => "ok     ",
            Mark::Without => "without",
            Mark::Warning => "WARNING",
        };
        write!(f, "{mark} {}", self.text)
    }
}

/// The lines, in the order of a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartReport {
    /// The lines.
    pub lines: Vec<Line>,
}

/// Topics named one by one before the rest is counted.
const NAMES_MAX: usize = 10;

impl StartReport {
    pub(super) fn good(&mut self, text: impl Into<String>) {
        self.push(Mark::Good, text);
    }

    pub(super) fn without(&mut self, text: impl Into<String>) {
        self.push(Mark::Without, text);
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.push(Mark::Warning, text);
    }

    fn push(&mut self, mark: Mark, text: impl Into<String>) {
        let text = text.into();
        self.lines.push(Line { mark, text });
    }

    pub(super) fn directory(&mut self, home: &Home, metadata: &Metadata) {
        let (dir, opened) = (home.dir().display(), home.opened());
        let state = metadata.state();
        if opened.is_new {
            self.good(format!("data directory {dir}: new"));
        } else {
            let (topics, partitions) = (state.topics().len(), state.partition_count());
            self.good(format!(
                "data directory {dir}: {topics} topics, {partitions} partitions"
            ));
        }
        if metadata.was_unclean() {
            self.warn(
                "the last life did not end in order: journals were replayed, and every partition \
                 has a new leader epoch",
            );
        }
        if opened.copy_accepted {
            self.warn(
                "this directory is a copy: it has got an identity of its own, never run it \
                       beside the original in one cluster",
            );
        }
        if opened.superblock_repaired {
            self.warn("a copy of the superblock was damaged and has been written again");
        }
        for copy in &metadata.repaired().copies {
            self.warn(format!(
                "{copy} lacked frames of the metadata log and has been written again"
            ));
        }
        if let Some(cluster) = state.cluster() {
            let (node, id) = (cluster.node_id, &cluster.cluster_id);
            self.good(format!("node {node} of cluster {id}"));
        }
    }

    pub(super) fn weak_topics(&mut self, state: &State, config: &BrokerConfig) {
        let fixed = &config.settings.fixed;
        let is_weak =
            |topic: &&cluster_meta::Topic| state.effective(topic, fixed).weak_durability();
        let names: Vec<&str> = state
            .topics_by_name()
            .filter(is_weak)
            .map(|topic| &*topic.name)
            .collect();
        if names.is_empty() {
            return self.good("durability: every acknowledgement waits for its flush");
        }
        let shown = names.iter().take(NAMES_MAX).copied();
        let mut list = shown.collect::<Vec<_>>().join(", ");
        if names.len() > NAMES_MAX {
            list = format!("{list} and {} more", names.len() - NAMES_MAX);
        }
        self.warn(format!(
            "weak durability (flush.messages above 1): a power cut may lose acknowledged records \
             of {list}"
        ));
    }

    pub(super) fn unknown_topics(&mut self, dirs: &[String]) {
        for dir in dirs {
            self.warn(format!(
                "topics/{dir} belongs to no topic that the metadata knows: it is left alone and \
                 not served"
            ));
        }
    }

    pub(super) fn listener(&mut self, listener: &KafkaListener, advertised: (&str, u16)) {
        let (host, port) = advertised;
        self.good(format!(
            "listener {} on {}, clients are told {host}:{port}",
            listener.name, listener.bind
        ));
        if !listener.bind.ip().is_loopback() {
            self.warn(format!(
                "listener {} is open beyond this machine WITHOUT ENCRYPTION AND AUTHENTICATION: \
                 whoever reaches {} reads and writes everything",
                listener.name, listener.bind
            ));
        }
        if listener.bind.ip().is_unspecified() && listener.advertised.is_none() {
            self.warn(format!(
                "listener {} has no advertised address: clients of other machines are sent to \
                 {host}, which is their own",
                listener.name
            ));
        }
    }
}
