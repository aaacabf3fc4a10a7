//! Addresses of the command line: `[NAME=]HOST:PORT`.

use std::net::{SocketAddr, ToSocketAddrs};

use flumen::broker::KafkaListener;

use super::suggest::did_you_mean;
use crate::errors::Failure;

const NAME_DEFAULT: &str = "PLAINTEXT";
const KAFKA_ADDR_DEFAULT: &str = "127.0.0.1:9092";

/// The address of `HOST:PORT`, by the system's names.
pub(crate) fn resolve(option: &str, text: &str) -> Result<SocketAddr, Failure> {
    let refused = |why: String| {
        Failure::invalid(format!("{option} {text}: {why}"))
            .help("an address is HOST:PORT, such as 127.0.0.1:9092 or [::1]:9092")
    };
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| refused(error.to_string()))?;
    found
        .next()
        .ok_or_else(|| refused("the name has no address".to_owned()))
}

/// Host and port as they are written: clients look the name up, not this machine.
fn host_port(option: &str, text: &str) -> Result<(String, u16), Failure> {
    let split = text.rsplit_once(':');
    let parsed = split.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parsed {
        Some((host, port)) if !host.is_empty() => {
            Ok((host.trim_matches(['[', ']']).to_owned(), port))
        },
        _ => Err(Failure::invalid(format!(
            "{option} {text}: HOST:PORT is wanted"
        ))),
    }
}

fn split_name(text: &str) -> (Option<&str>, &str) {
    text.split_once('=')
        .map_or((None, text), |(name, rest)| (Some(name), rest))
}

/// The listeners: what they are called, where they listen, what clients are told.
pub(crate) fn listeners(
    kafka: &[String],
    advertised: &[String],
) -> Result<Vec<KafkaListener>, Failure> {
    let default = [KAFKA_ADDR_DEFAULT.to_owned()];
    let kafka = if kafka.is_empty() {
        &default[..]
    } else {
        kafka
    };
    let mut listeners: Vec<KafkaListener> = Vec::new();
    for text in kafka {
        let (name, addr) = split_name(text);
        let name = listener_name(name.unwrap_or(NAME_DEFAULT))?;
        if listeners.iter().any(|other| other.name == name) {
            let message = format!("--kafka-addr {text}: there is a listener {name} already");
            return Err(Failure::invalid(message).help("give each listener a name: NAME=HOST:PORT"));
        }
        let bind = resolve("--kafka-addr", addr)?;
        listeners.push(KafkaListener {
            name,
            bind,
            advertised: None,
        });
    }
    for text in advertised {
        advertise(&mut listeners, text)?;
    }
    Ok(listeners)
}

/// Kafka's names of listeners are letters, digits and underscores.
fn listener_name(name: &str) -> Result<String, Failure> {
    let good = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
    if name.is_empty() || !name.chars().all(good) {
        return Err(Failure::invalid(format!(
            "`{name}` is no name for a listener"
        )));
    }
    Ok(name.to_ascii_uppercase())
}

fn advertise(listeners: &mut [KafkaListener], text: &str) -> Result<(), Failure> {
    let (name, addr) = split_name(text);
    let name = name.map(str::to_ascii_uppercase);
    let asked = name.as_deref().unwrap_or(&listeners[0].name).to_owned();
    let names: Vec<String> = listeners
        .iter()
        .map(|listener| listener.name.clone())
        .collect();
    let Some(listener) = listeners.iter_mut().find(|listener| listener.name == asked) else {
        let failure = Failure::invalid(format!(
            "--advertised-addr {text}: there is no listener {asked}"
        ));
        return Err(
            match did_you_mean(&asked, names.iter().map(String::as_str)) {
                Some(hint) => failure.help(hint),
                None => failure.help(format!("listeners are {}", names.join(", "))),
            },
        );
    };
    listener.advertised = Some(host_port("--advertised-addr", addr)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn parse(kafka: &[&str], advertised: &[&str]) -> Result<Vec<KafkaListener>, Failure> {
        listeners(&strings(kafka), &strings(advertised))
    }

    #[test]
    fn without_a_word_it_is_loopback() {
        let all = parse(&[], &[]).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].name, "PLAINTEXT");
        assert_eq!(all[0].bind, SocketAddr::from(([127, 0, 0, 1], 9092)));
        assert_eq!(all[0].advertised, None);
    }

    #[test]
    fn a_listener_has_its_own_advertised_address() {
        let kafka = ["INTERNAL=127.0.0.1:19092", "external=0.0.0.0:9092"];
        let all = parse(&kafka, &["EXTERNAL=broker.example:9092"]).unwrap();
        assert_eq!(all[0].advertised, None);
        assert_eq!(all[1].name, "EXTERNAL");
        assert_eq!(all[1].advertised, Some(("broker.example".to_owned(), 9092)));
        let first = parse(&kafka, &["[::1]:1"]).unwrap();
        assert_eq!(first[0].advertised, Some(("::1".to_owned(), 1)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_hint() {
        let refused =
            |kafka: &[&str], advertised: &[&str]| parse(kafka, advertised).unwrap_err().to_string();
        assert!(refused(&["1.2.3.4:9092", "1.2.3.5:9092"], &[]).contains("NAME=HOST:PORT"));
        assert!(refused(&["127.0.0.1"], &[]).contains("FL1002"));
        assert!(refused(&["a b=127.0.0.1:1"], &[]).contains("no name for a listener"));
        let hint = refused(&["INTERNAL=127.0.0.1:1"], &["INTERNL=h:2"]);
        assert!(hint.contains("did you mean `INTERNAL`?"), "{hint}");
        assert!(refused(&[], &["host"]).contains("HOST:PORT is wanted"));
    }
}
