//! Who may ask for the console: a browser that was told to by a person, not by another web site.
//!
//! There is no password, so a page of another site must not reach it through its visitor's browser.
//! The name in `Host` must be one that the console is known by: a name that an attacker's DNS server
//! points at this address (DNS rebinding) is not. `Origin` and `Sec-Fetch-Site` must be its own.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The names that the console answers to.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    is_loopback: bool,
    named: Vec<String>,
}

impl Hosts {
    /// Of a listener there, with these names.
    pub(crate) fn new(addr: SocketAddr, named: &[String]) -> Self {
        Self {
            is_loopback: addr.ip().is_loopback(),
            named: named.iter().map(|name| normal(name)).collect(),
        }
    }

    fn has(&self, host: &str) -> bool {
        let host = without_port(host);
        self.named.contains(&host) || (self.is_loopback && is_loopback(&host))
    }
}

fn normal(host: &str) -> String {
    let host = host.trim().trim_matches(['[', ']']);
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn without_port(host: &str) -> String {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    normal(bare)
}

fn is_loopback(host: &str) -> bool {
    let addr = host.parse::<IpAddr>();
    host == "localhost" || addr.is_ok_and(|addr| addr.is_loopback())
}

/// Why a request is refused, if it is.
fn refusal(hosts: &Hosts, headers: &HeaderMap, is_api: bool) -> Option<&'static str> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let host = text(header::HOST).unwrap_or_default();
    if !hosts.has(host) {
        return Some("the console is not known by this name; `--console-host NAME` adds one\n");
    }
    let origin = text(header::ORIGIN);
    let own = |origin: &str| {
        origin
            .split_once("://")
            .is_some_and(|(_, from)| from == host)
    };
    if origin.is_some_and(|origin| !own(origin)) {
        return Some("another site may not ask\n");
    }
    // Following a link to the pages is no harm; reading data for another site would be.
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if is_api && site.is_some_and(|site| !["same-origin", "none"].contains(&site)) {
        return Some("another site may not ask\n");
    }
    None
}

/// What browsers are told with every answer.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         object-src 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Refuses what was not asked by this console's own pages or a person.
pub(crate) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = match refusal(&hosts, request.headers(), is_api) {
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn asked(hosts: &Hosts, pairs: &[(&'static str, &'static str)]) -> bool {
        refusal(hosts, &headers(pairs), true).is_none()
    }

    #[test]
    fn a_name_that_is_not_its_own_is_refused() {
        let local = Hosts::new("127.0.0.1:9644".parse().unwrap(), &[]);
        for host in [
            "localhost:9644",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:9644",
            "LOCALHOST.",
        ] {
            assert!(local.has(host), "{host}");
        }
        for host in [
            "evil.example",
            "",
            "localhost.evil.example",
            "10.0.0.1:9644",
            "1",
        ] {
            assert!(!local.has(host), "{host}");
        }
        let names = ["Broker-1.internal".to_owned(), "10.0.0.1".to_owned()];
        let public = Hosts::new("0.0.0.0:9644".parse().unwrap(), &names);
        for host in ["broker-1.internal:9644", "10.0.0.1:9644", "10.0.0.1"] {
            assert!(public.has(host), "{host}");
        }
        for host in ["localhost", "127.0.0.1:9644", "10.0.0.2", "internal"] {
            assert!(!public.has(host), "{host}");
        }
    }

    #[test]
    fn another_sites_page_is_refused() {
        let hosts = Hosts::new("127.0.0.1:9644".parse().unwrap(), &[]);
        let host = ("host", "localhost:9644");
        assert!(asked(&hosts, &[host]));
        assert!(asked(&hosts, &[host, ("origin", "http://localhost:9644")]));
        assert!(asked(&hosts, &[host, ("sec-fetch-site", "same-origin")]));
        assert!(!asked(&hosts, &[host, ("origin", "http://evil.example")]));
        assert!(!asked(&hosts, &[host, ("origin", "http://localhost:8080")]));
        assert!(!asked(&hosts, &[host, ("origin", "null")]));
        assert!(!asked(&hosts, &[host, ("sec-fetch-site", "cross-site")]));
        assert!(!asked(&hosts, &[host, ("sec-fetch-site", "same-site")]));
        assert!(!asked(&hosts, &[("origin", "http://localhost:9644")]));
        let link = [host, ("sec-fetch-site", "cross-site")];
        assert_eq!(refusal(&hosts, &headers(&link), false), None);
    }
}
