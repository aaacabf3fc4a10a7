//! Configuration: a file of an operator, and keys and values of topics as clients set them.

use cluster_meta::config::{BROKER_KEYS, StaticConfig, TOPIC_KEYS, broker_canonical, topic_key};
use flumen::broker::Settings;
use toml::{Table, Value};

use crate::input::Input;

/// Either a file of TOML or, after a zero byte, keys and values.
pub(super) fn run(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, rest)) => pairs(rest),
        _ => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                file(text);
            }
        },
    }
}

fn file(text: &str) {
    let Ok(table) = text.parse::<Table>() else {
        return;
    };
    let mut settings = Settings::default();
    for (name, value) in flat("", &table) {
        // Refused or taken; of those that are taken the canonical form is taken, too.
        if settings.set(&name, &value).is_ok()
            && let Some(canonical) = settings.fixed.get(&name).map(str::to_owned)
        {
            assert_eq!(
                settings.set(&name, &canonical),
                Ok(()),
                "{name}={canonical}"
            );
            assert_eq!(settings.fixed.get(&name), Some(&*canonical));
        }
    }
}

fn flat(prefix: &str, table: &Table) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Table(inner) => all.extend(flat(&name, inner)),
            Value::String(text) => all.push((name, text.clone())),
            other => all.push((name, other.to_string())),
        }
    }
    all
}

fn pairs(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut fixed = StaticConfig::default();
    while !input.is_empty() {
        let number = usize::from(input.u8());
        let value = String::from_utf8_lossy(input.part());
        let row = &TOPIC_KEYS[number % TOPIC_KEYS.len()];
        assert!(topic_key(row.key.name).is_some());
        if let Ok(canonical) = row.key.canonical(&value) {
            assert_eq!(
                row.key.canonical(&canonical).as_ref(),
                Ok(&canonical),
                "{}",
                row.key.name
            );
        }
        let row = &BROKER_KEYS[number % BROKER_KEYS.len()];
        if let Ok(canonical) = broker_canonical(row, &value) {
            assert_eq!(broker_canonical(row, &canonical).as_ref(), Ok(&canonical));
            assert_eq!(fixed.set(row.key.name, &value), Ok(()));
            assert_eq!(fixed.value(row.key.name), Some(&*canonical));
        }
    }
}
