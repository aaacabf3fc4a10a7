//! What a process holds is what it uses and what its threads keep idle: alone in its process, since
//! it looks at the whole of it.
#![cfg(test)]

use std::collections::VecDeque;

use engine_rt::{BufMut, keep_idle};

const MIB: usize = 1 << 20;

/// Memory of this process that is resident, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn a_tail_of_changing_sizes_that_is_freed_in_bursts_holds_no_more_than_it_uses() {
    keep_idle(16 * MIB);
    let before = resident();
    let (mut tail, mut held, mut peak) = (VecDeque::new(), 0, 0);
    for number in 0..20_000_usize {
        let len = [5_000, 70_000, 270_000, 290_000, 600_000, 1_100_000][number * 7 % 11 % 6];
        let mut buf = BufMut::with_capacity(len);
        buf.fill(1);
        held += len;
        tail.push_back(buf.freeze());
        if held > 64 * MIB {
            while held > 32 * MIB {
                held -= tail.pop_front().map_or(0, |buf: engine_rt::Buf| buf.len());
            }
            peak = peak.max(resident() - before);
        }
    }
    // An eighth of a block may be unused.
    assert!(peak < (64 + 8 + 16 + 8) * MIB, "{} MiB", peak / MIB);
}
