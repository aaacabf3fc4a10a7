//! Links that are cut or slow, connections that break.

use std::collections::BTreeMap;
use std::time::Duration;

use super::conn::{Conn, Side};
use super::{EndId, Net, RETRY_NANOS};
use crate::sim::kernel::Kernel;
use crate::sim::node::NodeId;

impl Net {
    /// Holds back what is sent from one node to another.
    pub(in crate::sim) fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cuts.insert((from, to));
    }

    /// Lets a cut link carry again what was held, after the pause of a retransmission.
    pub(in crate::sim) fn heal(&mut self, kernel: &Kernel, from: NodeId, to: NodeId) {
        self.cuts.remove(&(from, to));
        let held = self
            .ends(|conn, side| conn.end(side).node == from && conn.end(side.other()).node == to);
        for (number, side) in held {
            let pause = kernel.prng.borrow_mut().below(RETRY_NANOS.start);
            if let Some(conn) = self.conns.get_mut(&number) {
                conn.postpone(side, kernel.now() + pause);
            }
            self.schedule(kernel, EndId { conn: number, side });
        }
    }

    /// Resets every connection between two nodes.
    pub(in crate::sim) fn reset(&mut self, one: NodeId, other: NodeId) {
        self.between(one, other).for_each(Conn::reset);
    }

    /// Has the next bytes from one node to another arrive in part, and resets their connection then.
    pub(in crate::sim) fn reset_midway(&mut self, from: NodeId, to: NodeId) {
        self.midway.insert((from, to));
    }

    /// Lets every connection between two nodes carry nothing any more.
    pub(in crate::sim) fn deaden(&mut self, one: NodeId, other: NodeId) {
        for conn in self.between(one, other) {
            conn.deaden();
        }
    }

    /// Lets everything between two nodes take longer.
    pub(in crate::sim) fn slow_down(&mut self, one: NodeId, other: NodeId, by: Duration) {
        for link in [(one, other), (other, one)] {
            self.slow.insert(link, by.as_nanos() as u64);
        }
    }

    /// How much longer it takes to ask the other end of a connection and hear the answer.
    pub(super) fn round_trip_slowness(&self, conn: u64) -> u64 {
        let conn = self.conns.get(&conn);
        let sides = [Side::Client, Side::Server];
        conn.map_or(0, |conn| {
            sides
                .map(|side| slowness(&self.slow, conn, side))
                .iter()
                .sum()
        })
    }

    /// Has everybody on a node who waits for bytes look again.
    pub(in crate::sim) fn wake_readers(&mut self, node: NodeId) {
        self.conns
            .values_mut()
            .for_each(|conn| conn.wake_readers(node));
    }

    fn between(&mut self, one: NodeId, other: NodeId) -> impl Iterator<Item = &mut Conn> {
        self.conns.values_mut().filter(move |conn| {
            let nodes = [conn.end(Side::Client).node, conn.end(Side::Server).node];
            nodes == [one, other] || nodes == [other, one]
        })
    }
}

/// How much longer what is sent from one side takes.
pub(super) fn slowness(slow: &BTreeMap<(NodeId, NodeId), u64>, conn: &Conn, from: Side) -> u64 {
    let link = (conn.end(from).node, conn.end(from.other()).node);
    slow.get(&link).copied().unwrap_or(0)
}
