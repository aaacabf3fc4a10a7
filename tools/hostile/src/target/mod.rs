//! The targets, by name. The name is that of the corpus and of the libFuzzer binary.

mod batches;
mod codecs;
mod configuration;
mod damage;
pub(crate) mod disk;
mod frames;
mod journal;
pub(crate) mod life;
mod messages;
mod metadata;
mod segment;
mod shard;
mod superblock;

/// One kind of bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads the bytes as whoever is meant to would, and asserts what holds for all bytes.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "frames",
        run: frames::run,
    },
    Target {
        name: "requests",
        run: messages::requests,
    },
    Target {
        name: "responses",
        run: messages::responses,
    },
    Target {
        name: "batches",
        run: batches::run,
    },
    Target {
        name: "codecs",
        run: codecs::run,
    },
    Target {
        name: "journal",
        run: journal::run,
    },
    Target {
        name: "shard",
        run: shard::run,
    },
    Target {
        name: "damage",
        run: damage::run,
    },
    Target {
        name: "segment",
        run: segment::run,
    },
    Target {
        name: "metadata",
        run: metadata::run,
    },
    Target {
        name: "superblock",
        run: superblock::run,
    },
    Target {
        name: "configuration",
        run: configuration::run,
    },
];

/// Runs a target on bytes.
///
/// # Panics
/// If there is no such target, and if the bytes break what it asserts: that is a finding.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of this name").run)(bytes);
}
