//! The metadata of a node with its log: opened, committed to, closed.

use std::io;
use std::path::Path;

use cluster_meta::config::StaticConfig;
use cluster_meta::{Contradiction, MetaError, Record, State, command, encode_records};
use engine_rt::fs;
use engine_rt::mutant::{self, Mutant};
use thiserror::Error;

use crate::control::Change;
use crate::home::{Home, HomeError};
use crate::log::{Existing, Log, LogOpenError, Repaired};

/// How the metadata is kept.
#[derive(Clone, Debug)]
pub struct MetadataOptions {
    /// The operator's settings.
    pub fixed: StaticConfig,
    /// Bytes of changes, at least, after which the log begins again with a snapshot.
    pub generation_bytes_min: u64,
}

/// Why the metadata cannot be opened.
#[derive(Debug, Error)]
pub enum MetadataError {
    /// The log cannot be read.
    #[error("{dir}: {source}")]
    Log {
        /// Its directory.
        dir: String,
        /// What is wrong with it.
        source: LogOpenError,
    },
    /// There is a superblock but no log.
    #[error("{dir}: both copies of the metadata log are missing")]
    Missing {
        /// Its directory.
        dir: String,
    },
    /// The log is readable and says what cannot be.
    #[error("{dir}: {source}")]
    Contradiction {
        /// Its directory.
        dir: String,
        /// Where.
        source: Contradiction,
    },
    /// The log is another cluster's or node's.
    #[error("{dir}: the metadata log is not this directory's")]
    Foreign {
        /// Its directory.
        dir: String,
    },
    /// The data directory refused.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// The state that the log adds up to, and the log.
#[derive(Debug)]
pub struct Metadata {
    pub(crate) state: State,
    pub(crate) log: Log,
    pub(crate) options: MetadataOptions,
    repaired: Repaired,
    unclean: bool,
}

impl Metadata {
    /// Opens the metadata of a data directory, or begins it in a new one. After a life that did
    /// not end in order, an unclean start is recorded: every partition has a new leader epoch
    /// (rule 15).
    pub async fn open(home: &Home, options: MetadataOptions) -> Result<Self, MetadataError> {
        let dir = home.dir().join("meta");
        if home.opened().is_new {
            return Self::begin(home, &dir, options).await;
        }
        let failed = |source| MetadataError::Log {
            dir: dir.display().to_string(),
            source,
        };
        let existing = Log::open(&dir).await.map_err(failed)?;
        let Some(existing) = existing else {
            let dir = dir.display().to_string();
            return Err(MetadataError::Missing { dir });
        };
        let mut metadata = Self::replay(home, &dir, options, existing)?;
        metadata.unclean = !home.was_stopped(metadata.log.sequence()).await?;
        home.begin_life().await?;
        if metadata.unclean && !mutant::is_active(Mutant::EpochKept) {
            let record = command::unclean_start(&metadata.state);
            let committed = metadata.commit(vec![record]).await;
            committed.map_err(|error| failed(error.into()))?;
        }
        Ok(metadata)
    }

    async fn begin(
        home: &Home,
        dir: &Path,
        options: MetadataOptions,
    ) -> Result<Self, MetadataError> {
        let superblock = home.superblock();
        let cluster_id = superblock.cluster_id.to_string();
        let mut state = State::default();
        state.apply(&command::create_cluster(&cluster_id, superblock.node_id));
        let failed = |source: io::Error| MetadataError::Log {
            dir: dir.display().to_string(),
            source: source.into(),
        };
        fs::create_dir_all(dir).await.map_err(failed)?;
        fs::sync_dir(home.dir()).await.map_err(failed)?;
        let log = Log::create(dir, &state).await.map_err(failed)?;
        home.begin_life().await?;
        // The superblock comes last: before it, the directory is still a new one.
        home.establish().await?;
        Ok(Self {
            state,
            log,
            options,
            repaired: Repaired::default(),
            unclean: false,
        })
    }

    fn replay(
        home: &Home,
        dir: &Path,
        options: MetadataOptions,
        existing: Existing,
    ) -> Result<Self, MetadataError> {
        let contradicts = |source| MetadataError::Contradiction {
            dir: dir.display().to_string(),
            source,
        };
        let state = State::replay(&existing.records).map_err(contradicts)?;
        let superblock = home.superblock();
        let is_ours = state.cluster().is_some_and(|cluster| {
            cluster.node_id == superblock.node_id
                && cluster.cluster_id == superblock.cluster_id.to_string()
        });
        if !is_ours {
            let dir = dir.display().to_string();
            return Err(MetadataError::Foreign { dir });
        }
        Ok(Self {
            state,
            log: existing.log,
            options,
            repaired: existing.repaired,
            unclean: false,
        })
    }

    /// The state, with everything that is durable.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What was put right at the start.
    pub const fn repaired(&self) -> &Repaired {
        &self.repaired
    }

    /// Whether the last life did not end in order.
    pub const fn was_unclean(&self) -> bool {
        self.unclean
    }

    /// Makes records durable, then applies them.
    pub async fn commit(&mut self, records: Vec<Record>) -> io::Result<()> {
        self.log.append(&records).await?;
        for record in &records {
            self.state.apply(record);
        }
        Ok(())
    }

    /// Judges a change and applies what it asks for, for the next change to be judged by. It is not
    /// durable yet. Gives its records and the bytes that they take.
    pub(crate) fn judge(&mut self, change: Change) -> Result<(Vec<Record>, usize), MetaError> {
        let records = change(&self.state, &self.options.fixed)?;
        for record in &records {
            self.state.apply(record);
        }
        let bytes = encode_records(&records).len();
        Ok((records, bytes))
    }

    /// Begins the log again with a snapshot if it has grown.
    pub(crate) async fn compact(&mut self) {
        if !self.log.has_grown(self.options.generation_bytes_min) {
            return;
        }
        if let Err(error) = self.log.begin_generation(&self.state).await {
            tracing::warn!(%error, "the metadata log could not begin again with a snapshot");
        }
    }

    /// Leaves the mark of an orderly stop. Every shard has stopped and flushed.
    pub async fn close(self, home: &Home) -> io::Result<()> {
        self.log.check()?;
        home.end_life(self.log.sequence()).await
    }
}
