//! Connections to where a name leads.

use std::time::Duration;

use engine_rt::{now, resolve, timeout};

use super::connection::Connection;

/// How long a connection may take to be made.
const PATIENCE: Duration = Duration::from_secs(10);

impl Connection {
    /// Connects to `HOST:PORT`, to the first address of it that answers; else what came of the last.
    pub async fn connect_by_name(addr: &str, client_id: &str) -> Result<Self, String> {
        let addrs = resolve(addr).await.map_err(|error| error.to_string())?;
        let deadline = now() + PATIENCE;
        let mut last = "the name has no address".to_owned();
        for addr in addrs {
            match timeout(deadline, Box::pin(Self::connect(addr, client_id))).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = format!("no answer within {} s", PATIENCE.as_secs()),
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use engine_rt::{Listener, sim};

    use super::*;

    async fn why_not(addr: &str) -> String {
        let connected = Connection::connect_by_name(addr, "test").await;
        connected.map(drop).expect_err("nobody answers")
    }

    #[test]
    fn why_nobody_answers_is_told() {
        sim::run(1, || async {
            let refused = why_not("127.0.0.1:9092").await;
            assert!(refused.starts_with("connection: "), "{refused}");
            let addr = "127.0.0.1:9093";
            let listener = Listener::bind(addr.parse().expect("an address"));
            let before = now();
            assert_eq!(why_not(addr).await, "no answer within 10 s");
            assert!(now().since(before) < PATIENCE + Duration::from_secs(1));
            drop(listener);
            let unknown = why_not("nowhere:9092").await;
            assert!(unknown.contains("no names"), "{unknown}");
        });
    }
}
