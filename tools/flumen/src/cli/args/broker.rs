//! What the options of several commands have in common.

use clap::{Args, ValueEnum};

use flumen::client::TopicMetadata;

/// Where the cluster is.
#[derive(Debug, Args)]
pub(crate) struct BrokerArg {
    /// A broker of the cluster
    #[arg(
        short = 'b',
        long = "brokers",
        alias = "bootstrap-server",
        alias = "broker-list",
        value_name = "HOST:PORT"
    )]
    #[arg(
        env = "FLUMEN_BROKERS",
        hide_env_values = true,
        default_value = "127.0.0.1:9092"
    )]
    pub(crate) addr: String,
}

/// How lists and descriptions are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// More columns
    Wide,
    /// One JSON value
    Json,
    /// A JSON object for each row
    Ndjson,
}

/// The one way to choose an output.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArg {
    /// How it is printed
    #[arg(
        short = 'o',
        long = "output",
        value_enum,
        value_name = "FORMAT",
        default_value = "table",
        hide_possible_values = true,
        help = "How it is printed: table, wide, json, ndjson (a JSON object for each row)"
    )]
    pub(crate) format: Format,
}

/// Whether something is shown once or as it changes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct WatchArg {
    /// Show it again every two seconds
    #[arg(id = "watch", short, long)]
    pub(crate) is_on: bool,
}

/// A topic, by its place or as Kafka's tools name it.
#[derive(Debug, Args)]
pub(crate) struct TopicArg {
    /// The topic
    #[arg(value_name = "TOPIC", required_unless_present = "flag")]
    place: Option<String>,
    #[arg(id = "flag", long = "topic", hide = true, conflicts_with = "place")]
    flag: Option<String>,
}

impl TopicArg {
    pub(crate) fn name(&self) -> &str {
        let name = self.place.as_deref().or(self.flag.as_deref());
        // One of them is required.
        name.unwrap_or_default()
    }
}

/// Topics, by their place or as Kafka's tools name them.
#[derive(Debug, Args)]
pub(crate) struct TopicsArg {
    /// Names
    #[arg(value_name = "TOPIC", required_unless_present = "flags")]
    places: Vec<String>,
    #[arg(id = "flags", long = "topic", hide = true)]
    flags: Vec<String>,
}

impl TopicsArg {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().chain(&self.flags).map(String::as_str)
    }
}

/// Some partitions of a topic.
#[derive(Debug, Args)]
pub(crate) struct PartitionsArg {
    /// Partitions [default: all]
    #[arg(
        short,
        long,
        value_name = "N",
        value_delimiter = ',',
        alias = "partition"
    )]
    partitions: Vec<i32>,
}

impl PartitionsArg {
    /// Those that were named, or all that the topic has.
    pub(crate) fn of(&self, topic: &TopicMetadata) -> Vec<i32> {
        if self.partitions.is_empty() {
            topic.partitions.iter().map(|one| one.partition).collect()
        } else {
            self.partitions.clone()
        }
    }
}

/// A group, by its place or as Kafka's tools name it.
#[derive(Debug, Args)]
pub(crate) struct GroupArg {
    /// The group
    #[arg(
        id = "group_place",
        value_name = "GROUP",
        required_unless_present = "group_flag"
    )]
    place: Option<String>,
    #[arg(
        id = "group_flag",
        long = "group",
        hide = true,
        conflicts_with = "group_place"
    )]
    flag: Option<String>,
}

impl GroupArg {
    pub(crate) fn id(&self) -> &str {
        let id = self.place.as_deref().or(self.flag.as_deref());
        // One of them is required.
        id.unwrap_or_default()
    }
}

/// Groups, by their place or as Kafka's tools name them.
#[derive(Debug, Args)]
pub(crate) struct GroupsArg {
    /// Ids
    #[arg(value_name = "GROUP", required_unless_present = "flags")]
    places: Vec<String>,
    #[arg(id = "flags", long = "group", hide = true)]
    flags: Vec<String>,
}

impl GroupsArg {
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.places.iter().chain(&self.flags).map(String::as_str)
    }
}
