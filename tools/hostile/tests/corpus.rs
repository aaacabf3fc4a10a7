//! Every input that was ever worth keeping, run once: what the fuzzers found stays found.
#![cfg(test)]

use std::path::{Path, PathBuf};

use tools_hostile::target::{TARGETS, Target};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// A target's inputs, each with its name.
fn inputs(target: &Target) -> Vec<(String, Vec<u8>)> {
    let directory = corpora().join(target.name);
    let entries = std::fs::read_dir(&directory).expect("every target has a corpus");
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read(path).unwrap());
    let mut inputs: Vec<_> = entries.map(|entry| read(entry.unwrap().path())).collect();
    inputs.sort();
    inputs
}

/// Whoever breaks it finds the input's name above the panic.
fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let inputs = inputs(target);
    assert!(
        !inputs.is_empty(),
        "a corpus without an input shows nothing"
    );
    for (path, bytes) in inputs {
        let ran = std::panic::catch_unwind(|| (target.run)(&bytes));
        assert!(ran.is_ok(), "broken by {path}");
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn no_target_is_left_out() {
            let mut names = [$(stringify!($name)),*];
            names.sort_unstable();
            let mut targets: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            targets.sort_unstable();
            assert_eq!(targets, names);
        }
    };
}

replays! {
    batches codecs configuration damage frames journal metadata requests responses segment shard
    superblock
}
