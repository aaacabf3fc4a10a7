//! Which number an error of a start, a stop or a client has: one place, one function for each.

use cluster_control::{HomeError, LogOpenError, MetadataError};
use cluster_meta::log::LogError;
use engine_shard::OpenError;
use engine_wal::JournalError;
use flumen::broker::{StartError, StopError};
use flumen::client::ClientError;
use flumen::demo::DemoError;
use net_wire::ErrorCode;

use super::{Exit, Failure};

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match &error {
            StartError::Metadata(cause) => of_metadata(cause),
            StartError::Listen { name, addr, source } => {
                Self::new("FL1004", format!("listener {name} cannot listen on {addr}"))
                    .because(source)
            },
            StartError::Shard { shard, source } => {
                of_open(source, format!("shard {shard} cannot open its journal"))
            },
            StartError::Reshard { from, to, source } => of_open(
                source,
                format!("partitions cannot move from {from} to {to} shards"),
            ),
            StartError::Memory { .. } => Self::new("FL1014", error.to_string()).exit(Exit::Usage),
            StartError::Executor { shard, source } => {
                Self::new("FL1017", format!("shard {shard} cannot start")).because(source)
            },
            StartError::ShardEnded { shard } => {
                Self::new("FL1017", format!("shard {shard} ended during its start"))
            },
            StartError::Io { what, source } => Self::new("FL1015", what.clone()).because(source),
        }
    }
}

fn of_metadata(error: &MetadataError) -> Failure {
    let damaged = |dir: &str| Failure::new("FL1010", format!("metadata log in {dir}"));
    match error {
        MetadataError::Home(error) => of_home(error),
        MetadataError::Log {
            dir,
            source: LogOpenError::Io(error),
        } => Failure::new("FL1015", format!("metadata log in {dir}")).because(error),
        MetadataError::Log {
            dir,
            source: LogOpenError::Log(error),
        } => {
            let newer = matches!(
                error,
                LogError::NewerFormat { .. } | LogError::Undecodable { .. }
            );
            let code = if newer { "FL1007" } else { "FL1010" };
            Failure::new(code, format!("metadata log in {dir}")).because(error)
        },
        MetadataError::Contradiction { dir, source } => damaged(dir).because(source),
        MetadataError::Missing { dir } => damaged(dir).because("both copies are missing"),
        MetadataError::Foreign { dir } => damaged(dir).because("it is not this directory's"),
    }
}

fn of_home(error: &HomeError) -> Failure {
    let code = match error {
        HomeError::InUse { .. } => "FL1005",
        HomeError::Damaged { .. } => "FL1006",
        HomeError::OtherVersion { .. } => "FL1007",
        HomeError::Copied { .. } => "FL1008",
        HomeError::OtherNode { .. } => "FL1009",
        HomeError::Io { path, source } => {
            return Failure::new("FL1015", path.clone()).because(source);
        },
    };
    Failure::new(code, error.to_string())
}

fn of_open(error: &OpenError, what: String) -> Failure {
    let code = match error {
        OpenError::Journal(JournalError::Newer { .. }) => "FL1007",
        OpenError::Journal(JournalError::Io { .. }) | OpenError::Io { .. } => "FL1015",
        OpenError::Journal(
            JournalError::Corrupt { .. } | JournalError::Missing { .. } | JournalError::Lost { .. },
        ) => "FL1011",
        OpenError::Checkpoint(_) => "FL1012",
        OpenError::Fold(_) => "FL1016",
    };
    Failure::new(code, what).because_of(error)
}

impl From<StopError> for Failure {
    fn from(error: StopError) -> Self {
        Self::new("FL1018", "the broker did not stop in order").because_of(&error)
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Start(error) => error.into(),
            DemoError::Stop(error) => error.into(),
            DemoError::Client(error) => error.into(),
            DemoError::Differs(what) => {
                Self::new("FL1019", "what was read is not what was written").because(what)
            },
            DemoError::Io { what, source } => Self::new("FL1015", what).because(source),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused { code, .. } => {
                let failure = Self::new("FL3002", error.to_string());
                match *code {
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                        failure.help("`flumen topic list` shows the topics there are")
                    },
                    ErrorCode::GROUP_ID_NOT_FOUND => {
                        failure.help("`flumen group list` shows the groups there are")
                    },
                    // The broker's own words say what is to be done.
                    _ => failure.help(""),
                }
            },
            ClientError::NoBroker { addr, why } => {
                Self::new("FL3001", format!("no broker answers at {addr}"))
                    .because(why)
                    .exit(Exit::NotReady)
            },
            ClientError::NoPartition { .. } => Self::invalid(error.to_string()),
            _ => Self::new("FL3003", error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn code(error: StartError) -> &'static str {
        Failure::from(error).code()
    }

    #[test]
    fn each_reason_has_a_number_of_its_own() {
        let dir = || "data".to_owned();
        let home = |error: HomeError| code(error.into());
        assert_eq!(home(HomeError::InUse { dir: dir() }), "FL1005");
        assert_eq!(home(HomeError::Damaged { dir: dir() }), "FL1006");
        assert_eq!(
            home(HomeError::OtherVersion {
                dir: dir(),
                found: 9
            }),
            "FL1007"
        );
        assert_eq!(home(HomeError::Copied { dir: dir() }), "FL1008");
        let listen = StartError::Listen {
            name: "PLAINTEXT".to_owned(),
            addr: ([127, 0, 0, 1], 9092).into(),
            source: io::ErrorKind::AddrInUse.into(),
        };
        let failure = Failure::from(listen);
        assert!(failure.to_string().starts_with(
            "error[FL1004]: listener PLAINTEXT cannot listen on 127.0.0.1:9092\n  cause: address in use\n"
        ));
    }

    #[test]
    fn damage_and_refusals_of_the_system_are_told_apart() {
        let shard = |source| code(StartError::Shard { shard: 1, source });
        let corrupt = JournalError::Corrupt {
            file: "00000001.journal".to_owned(),
            pos: 4096,
            sequence: 7,
            cause: engine_wal::FrameError::Checksum,
        };
        assert_eq!(shard(corrupt.into()), "FL1011");
        let refused = |source| JournalError::Io {
            path: "j".to_owned(),
            source,
        };
        assert_eq!(
            shard(refused(io::ErrorKind::PermissionDenied.into()).into()),
            "FL1015"
        );
        assert_eq!(shard(OpenError::Checkpoint("d".to_owned())), "FL1012");
    }
}
