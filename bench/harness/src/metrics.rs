//! What a broker counts itself, from its `/metrics`.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use engine_rt::blocking;

/// A broker that does not answer for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Figures by name, summed over the shards; those of an API as `NAME/API`, too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Asks the broker's admin address.
    pub(crate) async fn scrape(admin: SocketAddr) -> io::Result<Self> {
        let page = get(admin, "/metrics").await?;
        Ok(Self(parse(&page)))
    }

    pub(crate) fn get(&self, name: &str) -> io::Result<f64> {
        let value = self.0.get(name).copied();
        value.ok_or_else(|| io::Error::other(format!("no metric {name}")))
    }

    /// How much everything grew, but for what is the largest of something.
    pub(crate) fn all_since(&self, earlier: &Self) -> Self {
        let grew = self.0.iter().map(|(name, value)| {
            let before = earlier.0.get(name).copied().unwrap_or_default();
            let is_peak = name.contains("_max_");
            (name.clone(), value - if is_peak { 0.0 } else { before })
        });
        Self(grew.collect())
    }

    /// How much a counter grew.
    pub(crate) fn since(&self, earlier: &Self, name: &str) -> io::Result<f64> {
        Ok(self.get(name)? - earlier.get(name)?)
    }
}

/// The body of a page; an error unless its status is 200.
pub(crate) async fn get(admin: SocketAddr, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    let answer = blocking(move || {
        let mut stream = TcpStream::connect_timeout(&admin, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, io::Error>(answer)
    })
    .await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.starts_with("HTTP/1.1 200 ") {
        return Ok(body.to_owned());
    }
    let status = head.lines().next().unwrap_or_default().to_owned();
    Err(io::Error::other(status))
}

fn parse(page: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let value: f64 = value.parse().unwrap_or(f64::NAN);
        *found.entry(name.to_owned()).or_insert(0.0) += value;
        if let Some((_, api)) = labels.split_once("api=\"") {
            let api = api.split('"').next().unwrap_or_default();
            *found.entry(format!("{name}/{api}")).or_insert(0.0) += value;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_summed() {
        let page = "# HELP a x\na{shard=\"0\"} 1\na{shard=\"1\"} 2.5\nb 7\n";
        let metrics = Metrics(parse(page));
        assert!((metrics.get("a").unwrap() - 3.5).abs() < 1e-9);
        assert!((metrics.get("b").unwrap() - 7.0).abs() < 1e-9);
        assert!(metrics.get("c").is_err());
    }

    #[test]
    fn apis_are_told_apart() {
        let of = |shard, api, value| format!("a{{shard=\"{shard}\",api=\"{api}\"}} {value}\n");
        let page = of(0, "Fetch", 1) + &of(0, "Produce", 2) + &of(1, "Produce", 4);
        let metrics = Metrics(parse(&page));
        assert!((metrics.get("a").unwrap() - 7.0).abs() < 1e-9);
        assert!((metrics.get("a/Produce").unwrap() - 6.0).abs() < 1e-9);
    }
}
