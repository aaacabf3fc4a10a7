//! Where to begin: what stands behind `-o`, and the offset that it comes to.

use flumen::client::{ClientError, Connection, EARLIEST, LATEST};

use crate::errors::Failure;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Start,
    End,
    Offset(i64),
    BeforeEnd(i64),
    BehindStart(i64),
    Timestamp(i64),
}

/// Reads `-o`: where to begin, and whether to stop where the topic ends now.
pub(super) fn parse_offset(text: &str) -> Result<(From, bool), Failure> {
    let wrong = || {
        Failure::invalid(format!("-o {text}"))
            .help("start, end, N, -N, +N or @MS, with `:end` behind it to stop at the end")
    };
    let (from, bounded) = match text.split_once(':') {
        Some((from, "end")) => (from, true),
        Some(_) => return Err(wrong()),
        None => (text, false),
    };
    let number = |digits: &str| {
        digits
            .parse()
            .ok()
            .filter(|number| *number >= 0)
            .ok_or_else(wrong)
    };
    let from = match from.split_at_checked(1) {
        None => From::Start,
        _ if ["start", "earliest"].contains(&from) => From::Start,
        _ if ["end", "latest"].contains(&from) => From::End,
        Some(("-", rest)) => From::BeforeEnd(number(rest)?),
        Some(("+", rest)) => From::BehindStart(number(rest)?),
        Some(("@", rest)) => From::Timestamp(number(rest)?),
        _ => From::Offset(number(from)?),
    };
    Ok((from, bounded))
}

/// Where a partition stands, and where it ended when the command began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) next: i64,
    pub(super) end: i64,
}

impl Position {
    /// Asks the leader of a partition where to begin in it. What a group has committed of it comes
    /// before what the command line says.
    pub(super) async fn find(
        leader: &Connection,
        topic: &str,
        partition: i32,
        from: From,
        committed: Option<i64>,
    ) -> Result<Self, ClientError> {
        let offset = |timestamp| leader.list_offset(topic, partition, timestamp);
        let (start, end) = (offset(EARLIEST).await?, offset(LATEST).await?);
        let next = match (committed, from) {
            (Some(committed), _) => committed.clamp(start, end.max(start)),
            (None, From::Start) => start,
            (None, From::End) => end,
            (None, From::Offset(offset)) => offset,
            (None, From::BeforeEnd(records)) => (end - records).max(start),
            (None, From::BehindStart(records)) => (start + records).min(end),
            // No record is as young: those that come are.
            (None, From::Timestamp(ms)) => Some(offset(ms).await?)
                .filter(|found| *found >= 0)
                .unwrap_or(end),
        };
        Ok(Self { next, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_people_write_them() {
        for (text, from) in [
            ("start", From::Start),
            ("end", From::End),
            ("latest", From::End),
            ("17", From::Offset(17)),
            ("-5", From::BeforeEnd(5)),
            ("+5", From::BehindStart(5)),
            ("@1000", From::Timestamp(1000)),
        ] {
            assert_eq!(parse_offset(text).unwrap(), (from, false), "{text}");
            assert_eq!(
                parse_offset(&format!("{text}:end")).unwrap(),
                (from, true),
                "{text}"
            );
        }
        assert_eq!(parse_offset(":end").unwrap(), (From::Start, true));
        for wrong in ["middle", "--5", "@", "1:2", "start:"] {
            assert_eq!(parse_offset(wrong).unwrap_err().code(), "FL1002", "{wrong}");
        }
    }
}
