//! Who may use whom: between the crates of the workspace, of the crates outside, of the system.

use crate::manifest::crates;
use crate::source::{code_lines, has_word};
use crate::tree::{Tree, Violation};

/// What each crate may use of the others. A crate may be listed before it exists.
const MAY_USE: &[(&str, &[&str])] = &[
    ("net-wire", &[]),
    ("engine-rt", &[]),
    ("engine-log", &["net-wire", "engine-rt"]),
    ("engine-wal", &["engine-rt"]),
    ("cluster-meta", &["net-wire"]),
    ("cluster-lease", &["net-wire"]),
    ("cluster-member", &["net-wire"]),
    ("cluster-group", &["net-wire"]),
    ("cluster-replica", &["net-wire", "engine-log"]),
    (
        "engine-shard",
        &[
            "engine-log",
            "engine-wal",
            "cluster-replica",
            "net-wire",
            "engine-rt",
        ],
    ),
    (
        "net-server",
        &[
            "engine-shard",
            "cluster-meta",
            "cluster-group",
            "net-wire",
            "engine-rt",
        ],
    ),
    ("net-client", &["net-wire", "engine-rt"]),
    ("net-admin", &["engine-shard", "cluster-meta", "net-wire"]),
    (
        "cluster-control",
        &[
            "cluster-meta",
            "cluster-member",
            "cluster-lease",
            "net-wire",
            "engine-rt",
        ],
    ),
];

/// Directories whose crates put the others together and may use any of them.
const USES_ALL: &[&str] = &["tools/", "bench/"];

/// Imports go the way the architecture draws them.
pub(super) fn direction_of_imports(tree: &Tree) -> Vec<Violation> {
    let crates = crates(tree);
    let mut violations = Vec::new();
    for user in crates
        .iter()
        .filter(|one| !starts_with_any(&one.directory, USES_ALL))
    {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == user.name) else {
            let message = format!("{} has no place in the list of who may use whom", user.name);
            violations.push(Violation::file(&user.manifest(), message));
            continue;
        };
        let is_ours = |name: &str| crates.iter().any(|one| one.name == name);
        for (line, used) in &user.dependencies {
            if is_ours(used) && !allowed.contains(&used.as_str()) {
                let message = format!("{} may not use {used}", user.name);
                violations.push(Violation::line(&user.manifest(), *line, message));
            }
        }
    }
    violations
}

/// Crates that only these may depend on; where none may, the reason says what to use.
struct Owned {
    dependency: &'static str,
    owners: &'static [&'static str],
    reason: &'static str,
}

const OWNED: &[Owned] = &[
    Owned {
        dependency: "io-uring",
        owners: &["engine-rt"],
        reason: "io_uring is behind the runtime seam",
    },
    Owned {
        dependency: "libc",
        owners: &["engine-rt"],
        reason: "system calls are behind the runtime seam",
    },
    Owned {
        dependency: "glommio",
        owners: &["engine-rt"],
        reason: "an executor is behind the runtime seam",
    },
    Owned {
        dependency: "tokio",
        owners: &["net-admin"],
        reason: "a tokio call on a shard panics or blocks; use engine_rt",
    },
    Owned {
        dependency: "axum",
        owners: &["net-admin"],
        reason: "it brings tokio",
    },
    Owned {
        dependency: "hyper",
        owners: &["net-admin"],
        reason: "it brings tokio",
    },
    Owned {
        dependency: "openssl",
        owners: &[],
        reason: "TLS is rustls with ring",
    },
    Owned {
        dependency: "native-tls",
        owners: &[],
        reason: "TLS is rustls with ring",
    },
];

/// Some crates from outside have one owner.
pub(super) fn owners_of_crates(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for user in crates(tree) {
        for (line, used) in &user.dependencies {
            let owned = OWNED.iter().find(|owned| owned.dependency == used);
            if let Some(owned) = owned.filter(|owned| !owned.owners.contains(&user.name.as_str())) {
                let message = format!("{} may not use {used}: {}", user.name, owned.reason);
                violations.push(Violation::line(&user.manifest(), *line, message));
            }
        }
    }
    violations
}

/// Parts of the standard library that reach past the runtime seam, which the simulation owns.
/// Addresses are values, and the seam speaks of them too.
const SYSTEM: &[&str] = &[
    "std::fs",
    "std::thread::",
    "std::os::",
    "std::process",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "to_socket_addrs",
];

/// The crates that run on a shard or in the simulation: all but the seam itself, the admin thread
/// and the tools.
const ABOVE_THE_SEAM: &[&str] = &[
    "engine/log/",
    "engine/wal/",
    "engine/shard/",
    "net/wire/",
    "net/client/",
    "net/server/",
    "cluster/",
];

/// Nothing above the seam names the system. Integration tests may: they damage files from outside.
pub(super) fn names_of_the_system(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree
        .rust()
        .filter(|file| starts_with_any(&file.path, ABOVE_THE_SEAM))
        .filter(|file| !file.path.contains("/tests/"))
    {
        for (line, code) in code_lines(&file.text) {
            if let Some(name) = SYSTEM.iter().find(|name| code.contains(*name)) {
                let message = format!("`{name}` reaches past the runtime seam; use engine_rt");
                violations.push(Violation::line(&file.path, line, message));
            }
        }
    }
    violations
}

/// Unsafe code stands in the runtime seam only.
pub(super) fn unsafe_code(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree
        .rust()
        .filter(|file| !file.path.starts_with("engine/rt/"))
    {
        for (line, code) in code_lines(&file.text) {
            let lifted = ["allow", "expect", "warn"]
                .iter()
                .any(|level| code.contains(&format!("{level}(unsafe_code")));
            if has_word(&code, "unsafe") || lifted {
                let message = "unsafe code stands in engine/rt only; use what it offers";
                violations.push(Violation::line(&file.path, line, message));
            }
        }
    }
    violations
}

fn starts_with_any(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, tree};
    use super::*;

    fn manifest(name: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}\n")
    }

    #[test]
    fn a_wrong_direction_is_found() {
        let log = manifest(
            "engine-log",
            "engine-rt.workspace = true\nengine-shard.workspace = true",
        );
        let files = [
            ("engine/log/Cargo.toml", log.as_str()),
            ("engine/rt/Cargo.toml", &manifest("engine-rt", "")),
            (
                "engine/shard/Cargo.toml",
                &manifest("engine-shard", "engine-log.workspace = true"),
            ),
            (
                "tools/sim/Cargo.toml",
                &manifest("tools-sim", "engine-shard.workspace = true"),
            ),
        ];
        assert_eq!(
            found(&direction_of_imports(&tree(&files))),
            ["engine/log/Cargo.toml:5"]
        );
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let files = [("engine/new/Cargo.toml", &*manifest("engine-new", ""))];
        assert_eq!(
            found(&direction_of_imports(&tree(&files))),
            ["engine/new/Cargo.toml"]
        );
    }

    #[test]
    fn a_borrowed_crate_is_found() {
        let files = [
            (
                "engine/rt/Cargo.toml",
                &*manifest("engine-rt", "libc = \"0.2\""),
            ),
            (
                "engine/wal/Cargo.toml",
                &*manifest("engine-wal", "libc = \"0.2\""),
            ),
            (
                "net/server/Cargo.toml",
                &*manifest("net-server", "tokio = \"1\""),
            ),
            (
                "net/admin/Cargo.toml",
                &*manifest("net-admin", "tokio = \"1\""),
            ),
        ];
        assert_eq!(
            found(&owners_of_crates(&tree(&files))),
            ["engine/wal/Cargo.toml:4", "net/server/Cargo.toml:4"]
        );
    }

    #[test]
    fn the_system_named_above_the_seam_is_found() {
        let text =
            "use std::fs;\nuse std::net::SocketAddr;\nuse std::net::{TcpStream};\n// std::fs\n";
        let files = [
            ("engine/log/src/a.rs", text),
            ("engine/rt/src/a.rs", text),
            ("engine/log/tests/a.rs", text),
        ];
        assert_eq!(
            found(&names_of_the_system(&tree(&files))),
            ["engine/log/src/a.rs:1", "engine/log/src/a.rs:3"]
        );
    }

    #[test]
    fn unsafe_code_outside_of_the_seam_is_found() {
        let files = [
            (
                "engine/wal/src/a.rs",
                "#![forbid(unsafe_code)]\nunsafe { f() }\n",
            ),
            (
                "engine/log/src/a.rs",
                "#![expect(unsafe_code, reason = \"x\")]\n/// unsafe\n",
            ),
            ("engine/rt/src/a.rs", "unsafe { f() }\n"),
        ];
        assert_eq!(
            found(&unsafe_code(&tree(&files))),
            ["engine/wal/src/a.rs:2", "engine/log/src/a.rs:1"]
        );
    }
}
