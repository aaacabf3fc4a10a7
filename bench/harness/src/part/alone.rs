//! What needs nothing but the core: checksums, and checks of batches in every codec.

use std::io;
use std::time::Duration;

use bench_micro::batches::Content;
use bench_micro::cases::{check, crc_cold};
use net_wire::codec::Codec;

const AT_LEAST: Duration = Duration::from_millis(150);

pub(super) fn figures() -> io::Result<Vec<(String, f64)>> {
    let mut figures = vec![("crc.cpu".to_owned(), (crc_cold(AT_LEAST).run)()?)];
    for codec in Codec::ALL {
        let content = if codec == Codec::None {
            Content::Random
        } else {
            Content::Lines
        };
        let value = (check(content, codec, AT_LEAST).run)()?;
        figures.push((format!("check.{}", codec.name()), value));
    }
    Ok(figures)
}
