//! The data directory: whose it is, and that nobody else is using it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cluster_meta::NodeId;
use engine_rt::fs::{self, Lock, Place};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{now, random_u64, sleep};
use net_wire::Uuid;
use thiserror::Error;

use crate::stop_mark;
use crate::superblock::{FORMAT_VERSION, Found, Superblock};

/// How long a directory may be in use before a start gives up. The lock of a killed process lasts
/// until its last I/O has ended (rule 18), and a supervisor restarts at once.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Node id of a new directory unless told otherwise.
const NODE_ID_DEFAULT: NodeId = NodeId(1);

/// Directories that a start makes after the superblock: where they are, records may be.
const DATA_DIRS: [&str; 2] = ["shards", "topics"];

/// How a directory is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct HomeOptions {
    /// The node that it shall belong to; whichever it says, if not given.
    pub node_id: Option<NodeId>,
    /// Take a copied directory as one of its own, with a new identity.
    pub accept_copy: bool,
}

/// Why a directory cannot be opened.
#[derive(Debug, Error)]
pub enum HomeError {
    /// Another process has it.
    #[error("{dir}: in use by another process")]
    InUse {
        /// The directory.
        dir: String,
    },
    /// Neither copy of the superblock can be read, but there is data.
    #[error("{dir}: both copies of the superblock are missing or damaged")]
    Damaged {
        /// The directory.
        dir: String,
    },
    /// It was written by another version.
    #[error("{dir}: has format version {found}, this program knows {FORMAT_VERSION}")]
    OtherVersion {
        /// The directory.
        dir: String,
        /// Its version.
        found: u32,
    },
    /// It is not where it was when it was last used.
    #[error("{dir}: is a copy, or was moved to another file system")]
    Copied {
        /// The directory.
        dir: String,
    },
    /// It belongs to another node.
    #[error("{dir}: belongs to node {found}, not {asked}")]
    OtherNode {
        /// The directory.
        dir: String,
        /// The node that it belongs to.
        found: NodeId,
        /// The node that was asked for.
        asked: NodeId,
    },
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
}

/// What was found at the start, for the start-up list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The directory was empty.
    pub is_new: bool,
    /// A copy of the superblock had to be written again.
    pub superblock_repaired: bool,
    /// It is a copy and has got a new identity.
    pub copy_accepted: bool,
}

/// A data directory that belongs to this process as long as this exists.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    superblock: Superblock,
    opened: Opened,
    _lock: Lock,
}

impl Home {
    /// Locks a directory, creating it, and makes sure that it is the one it was. A new one becomes
    /// this node's when its metadata log has begun.
    pub async fn open(dir: &Path, options: HomeOptions) -> Result<Self, HomeError> {
        fs::create_dir_all(dir).await.map_err(io_error(dir))?;
        let lock = take_lock(dir).await?;
        let place = fs::place(dir).await.map_err(io_error(dir))?;
        let found = Superblock::read(dir).await.map_err(io_error(dir))?;
        let (superblock, opened) = match found {
            Found::Nothing => (
                new_superblock(dir, options, place).await?,
                Opened {
                    is_new: true,
                    ..Opened::default()
                },
            ),
            Found::OtherVersion(found) => {
                return Err(HomeError::OtherVersion {
                    dir: name(dir),
                    found,
                });
            },
            Found::Whole { superblock, repair } => {
                recognise(dir, superblock, repair, options, place).await?
            },
        };
        Ok(Self {
            dir: dir.to_owned(),
            superblock,
            opened,
            _lock: lock,
        })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it says of itself.
    pub const fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// What was found at the start.
    pub const fn opened(&self) -> Opened {
        self.opened
    }

    /// Makes a new directory this node's.
    pub(crate) async fn establish(&self) -> Result<(), HomeError> {
        let written = self.superblock.write(&self.dir).await;
        written.map_err(io_error(&self.dir))
    }

    /// Whether the last life ended in order, at this sequence of the metadata log.
    pub(crate) async fn was_stopped(&self, sequence: u64) -> Result<bool, HomeError> {
        let mark = stop_mark::is_there(&self.dir, self.superblock.disk_id, sequence).await;
        mark.map_err(io_error(&self.dir))
    }

    /// Takes the mark of an orderly stop away: from here on, not having stopped means a crash.
    pub(crate) async fn begin_life(&self) -> Result<(), HomeError> {
        let removed = stop_mark::remove(&self.dir).await;
        removed.map_err(io_error(&self.dir))
    }

    /// Leaves the mark of an orderly stop. Everything else is flushed and written no more.
    pub(crate) async fn end_life(&self, sequence: u64) -> io::Result<()> {
        stop_mark::write(&self.dir, self.superblock.disk_id, sequence).await
    }
}

/// A fresh identifier. Kafka's tools take one that begins with `-` for an option.
fn random_id() -> Uuid {
    loop {
        let bits = u128::from(random_u64()) << 64 | u128::from(random_u64());
        let id = Uuid::from_bytes(bits.to_be_bytes());
        if !id.is_zero() && !id.to_string().starts_with('-') {
            return id;
        }
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    let path = name(path);
    move |source| HomeError::Io { path, source }
}

/// Makes the name of a new directory and those above it durable. That they exist does not say so:
/// the life that made them may have been killed before its sync.
async fn make_names_durable(dir: &Path, place: Place) -> Result<(), HomeError> {
    for parent in dir.ancestors().skip(1) {
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        let above = fs::place(parent).await.map_err(io_error(parent))?;
        if above.file_system != place.file_system {
            // What is mounted was not made here.
            return Ok(());
        }
        match fs::sync_dir(parent).await {
            // Nor is anything where this process may not look.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            synced => synced.map_err(io_error(parent))?,
        }
    }
    Ok(())
}

async fn take_lock(dir: &Path) -> Result<Lock, HomeError> {
    let mut path = dir.join("lock");
    if mutant::is_active(Mutant::LockIgnored) {
        path = dir.join(format!("lock.{}", engine_rt::wall_clock_ms()));
    }
    let deadline = now() + LOCK_PATIENCE;
    loop {
        match fs::lock(&path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if now() >= deadline {
                    return Err(HomeError::InUse { dir: name(dir) });
                }
                sleep(LOCK_INTERVAL).await;
            },
            locked => return locked.map_err(io_error(&path)),
        }
    }
}

/// The superblock of a directory that has none, if there is nothing that it could be missed by.
async fn new_superblock(
    dir: &Path,
    options: HomeOptions,
    place: Place,
) -> Result<Superblock, HomeError> {
    for data in DATA_DIRS {
        let data = dir.join(data);
        if fs::exists(&data).await.map_err(io_error(&data))? {
            return Err(HomeError::Damaged { dir: name(dir) });
        }
    }
    make_names_durable(dir, place).await?;
    let disk_id = random_id();
    Ok(Superblock {
        node_id: options.node_id.unwrap_or(NODE_ID_DEFAULT),
        sequence: 1,
        disk_id,
        origin_id: disk_id,
        cluster_id: random_id(),
        place,
    })
}

/// Checks that a directory is this node's and where it was, and puts its superblock right.
async fn recognise(
    dir: &Path,
    mut superblock: Superblock,
    repair: bool,
    options: HomeOptions,
    place: Place,
) -> Result<(Superblock, Opened), HomeError> {
    if let Some(asked) = options.node_id.filter(|asked| *asked != superblock.node_id) {
        return Err(HomeError::OtherNode {
            dir: name(dir),
            found: superblock.node_id,
            asked,
        });
    }
    let copied = superblock.place != place;
    if copied && !options.accept_copy {
        return Err(HomeError::Copied { dir: name(dir) });
    }
    if copied {
        superblock.disk_id = random_id();
        superblock.place = place;
        superblock.sequence = superblock.sequence.saturating_add(1);
    }
    if copied || repair {
        superblock.write(dir).await.map_err(io_error(dir))?;
    }
    let opened = Opened {
        is_new: false,
        superblock_repaired: repair,
        copy_accepted: copied,
    };
    Ok((superblock, opened))
}
