//! `flumen consume -g`: reads what a consumer group gives it, and commits what it has printed.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_rt::{ring, sleep};
use flumen::client::{Cluster, Member};

use super::place::{From, Position};
use super::reader::{Positions, Reader, Source};
use crate::cli::start::unless;
use crate::errors::Failure;

/// How long a member without partitions waits before it looks again.
const IDLE_INTERVAL: Duration = Duration::from_millis(500);

/// Reads as a member of a group until there is nothing more to read, or a signal comes.
pub(super) async fn read_as(
    cluster: &Cluster,
    group: &str,
    topic: &str,
    from: From,
    reader: &mut Reader,
) -> Result<(), Failure> {
    let terminate = ring::on_terminate()
        .map_err(|error| Failure::new("FL1015", "signals cannot be caught").because(error))?;
    let mut turn = Turn {
        member: Member::new(cluster, group, topic),
        committed: BTreeMap::new(),
    };
    // A topic that is not there is told before the group hears of anybody.
    Source::find(cluster, topic).await?;
    let read = turn.read_all(cluster, topic, from, reader);
    let told = match unless(read, terminate.next()).await {
        Some(told) => told,
        // What was printed until the signal came is read.
        None => turn.commit(reader).await.map(drop),
    };
    // Without this the others wait for the end of its session.
    let _left = turn.member.leave().await;
    told
}

struct Turn<'c> {
    member: Member<'c>,
    /// What the group has committed.
    committed: BTreeMap<i32, i64>,
}

impl Turn<'_> {
    /// Joins, reads, and joins again when the group says so.
    async fn read_all(
        &mut self,
        cluster: &Cluster,
        topic: &str,
        from: From,
        reader: &mut Reader,
    ) -> Result<(), Failure> {
        loop {
            let partitions = self.member.join().await?;
            self.committed = self.member.committed().await?;
            let source = Source::find(cluster, topic).await?;
            reader.positions = self.positions(&source, &partitions, from).await?;
            if self.read_while_member(&source, reader).await? {
                return Ok(());
            }
        }
    }

    /// True if there is nothing more to read, false if it has to join again.
    async fn read_while_member(
        &mut self,
        source: &Source<'_>,
        reader: &mut Reader,
    ) -> Result<bool, Failure> {
        while !reader.is_done() {
            if reader.positions.is_empty() {
                sleep(IDLE_INTERVAL).await;
            }
            reader.read_on(source).await?;
            if !self.commit(reader).await? || !self.member.beat().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn positions(
        &self,
        source: &Source<'_>,
        partitions: &[i32],
        from: From,
    ) -> Result<Positions, Failure> {
        let mut positions = Positions::new();
        for partition in partitions {
            let leader = source.leader(*partition).await?;
            let committed = self.committed.get(partition).copied();
            let position = Position::find(&leader, source.name(), *partition, from, committed);
            positions.insert(*partition, position.await?);
        }
        Ok(positions)
    }

    /// Commits what was printed; false if it has to join again.
    async fn commit(&mut self, reader: &mut Reader) -> Result<bool, Failure> {
        reader.flush()?;
        let read = reader.positions.iter();
        let read = read.map(|(partition, position)| (*partition, position.next));
        let is_new = |(partition, next): &(i32, i64)| self.committed.get(partition) != Some(next);
        let new: BTreeMap<i32, i64> = read.filter(is_new).collect();
        let remains = self.member.commit(&new).await?;
        self.committed.extend(new);
        Ok(remains)
    }
}
