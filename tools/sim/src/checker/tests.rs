//! Each promise is noticed when it is broken.

use super::*;
use net_wire::codec::{Codec, Codecs};

use crate::content::{Idempotence, Wanted, make};
use crate::rng::Rng;

/// Sends a batch of two records; its bytes, stamped as a node at `base` would.
fn send(checker: &mut Checker, number: u32, base: i64, idempotent: bool) -> (BatchId, Vec<u8>) {
    let id = BatchId {
        producer: 1,
        number,
        log: 0,
    };
    let wanted = Wanted {
        id,
        records: 2,
        value_bytes: 50,
        idempotence: idempotent.then_some(Idempotence {
            producer_id: 7,
            epoch: 0,
            base_sequence: number as i32 * 2,
        }),
        first_timestamp: 100 + i64::from(number),
        timestamp_step: 0,
        codec: Codec::None,
        keys: None,
    };
    let (mut bytes, sent) = make(
        &wanted,
        &mut Rng::new(u64::from(number)),
        &mut Codecs::new(),
    );
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    checker.sending(sent);
    (id, bytes)
}

fn answer(bytes: &[u8], offset: i64, high_watermark: i64) -> Fetched<'_> {
    Fetched {
        offset,
        bytes,
        high_watermark,
        log_start: 0,
        must_progress: true,
    }
}

/// What a checker says after a batch at 0 was acknowledged and `then` happened.
fn verdict(then: impl FnOnce(&mut Checker, &[u8])) -> Option<Promise> {
    let mut checker = Checker::default();
    checker.add_log(LogRules::default());
    let (id, bytes) = send(&mut checker, 0, 0, true);
    let known = checker.known(0);
    checker.acknowledged(known, id, 0, 0);
    assert_eq!(checker.violation(), None);
    then(&mut checker, &bytes);
    checker.violation().map(|violation| violation.promise)
}

#[test]
fn what_was_acknowledged_and_comes_back_is_fine() {
    let fine = verdict(|checker, bytes| {
        let known = checker.known(0);
        let mut audit = checker.begin_audit(0, 0);
        checker.audited(known, &answer(bytes, 0, 2), &mut audit);
        checker.end_audit(&audit);
        checker.looked_up(0, 100, Some((100, 0)));
    });
    assert_eq!(fine, None);
}

#[test]
fn losses_are_noticed() {
    let empty = verdict(|checker, _| checker.fetched(checker.known(0), &answer(&[], 0, 2)));
    assert_eq!(empty, Some(Promise::Lost));
    let audit = verdict(|checker, _| checker.end_audit(&checker.begin_audit(0, 0)));
    assert_eq!(audit, Some(Promise::Lost));
    let range = verdict(|checker, _| checker.out_of_range(checker.known(0), 1));
    assert_eq!(range, Some(Promise::Lost));
    let start = verdict(|checker, _| checker.positions(checker.known(0), 2, 1));
    assert_eq!(start, Some(Promise::Lost));
}

#[test]
fn positions_never_go_back() {
    let back = verdict(|checker, _| checker.positions(checker.known(0), 1, 0));
    assert_eq!(back, Some(Promise::Position));
    let beyond = verdict(|checker, bytes| checker.fetched(checker.known(0), &answer(bytes, 0, 1)));
    assert_eq!(beyond, Some(Promise::Position));
}

#[test]
fn other_bytes_and_other_batches_are_noticed() {
    let changed = verdict(|checker, bytes| {
        let mut bytes = bytes.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        checker.fetched(checker.known(0), &answer(&bytes, 0, 2));
    });
    assert_eq!(changed, Some(Promise::Changed));
    let replaced = verdict(|checker, _| {
        let (_, bytes) = send(checker, 1, 0, true);
        checker.fetched(checker.known(0), &answer(&bytes, 0, 2));
    });
    assert_eq!(replaced, Some(Promise::Changed));
    let nobodys = verdict(|checker, _| {
        let (_, bytes) = send(&mut weak_log(), 9, 2, false);
        checker.fetched(checker.known(0), &answer(&bytes, 2, 4));
    });
    assert_eq!(nobodys, Some(Promise::Phantom));
}

#[test]
fn a_producers_batches_stand_once_in_order_and_without_gaps() {
    let twice = verdict(|checker, bytes| {
        let mut bytes = bytes.to_vec();
        bytes[..8].copy_from_slice(&2_i64.to_be_bytes());
        checker.fetched(checker.known(0), &answer(&bytes, 2, 4));
    });
    assert_eq!(twice, Some(Promise::Duplicate));
    let disordered = verdict(|checker, _| {
        let (later, _) = send(checker, 2, 2, true);
        let (earlier, _) = send(checker, 1, 4, true);
        let known = checker.known(0);
        checker.acknowledged(known, later, 2, 0);
        checker.acknowledged(known, earlier, 4, 0);
    });
    assert_eq!(disordered, Some(Promise::Order));
    let gap = verdict(|checker, bytes| {
        let (_, next) = send(checker, 2, 2, true);
        let known = checker.known(0);
        let mut audit = checker.begin_audit(0, 0);
        let both = [bytes, &next].concat();
        checker.audited(known, &answer(&both, 0, 4), &mut audit);
        checker.end_audit(&audit);
    });
    assert_eq!(gap, Some(Promise::Gap));
}

#[test]
fn a_wrong_place_by_time_is_noticed() {
    let wrong = verdict(|checker, _| checker.looked_up(0, 100, Some((100, 1))));
    assert_eq!(wrong, Some(Promise::Lookup));
}

/// A weak log with a batch at 0, acknowledged and read in epoch 1.
fn weak_log() -> Checker {
    let mut checker = Checker::default();
    checker.add_log(LogRules {
        weak: true,
        ..LogRules::default()
    });
    let (id, bytes) = send(&mut checker, 0, 0, false);
    checker.acknowledged(checker.known(0), id, 0, 0);
    see(&mut checker, &bytes, 0, 1);
    assert_eq!(checker.violation(), None);
    checker
}

/// A fetch brings a batch of two records at `base`, appended in `epoch`.
fn see(checker: &mut Checker, bytes: &[u8], base: i64, epoch: i32) {
    let bytes = with_epoch(bytes.to_vec(), epoch);
    let known = checker.known(0);
    let answer = answer(&bytes, base, known.high_watermark.max(base + 2));
    checker.fetched(known, &answer);
}

/// What a checker of a weak log says after the power failed and `then` happened.
fn after_cut(then: impl FnOnce(&mut Checker)) -> Option<Promise> {
    let mut checker = weak_log();
    checker.power_cut();
    then(&mut checker);
    checker.violation().map(|violation| violation.promise)
}

/// Another batch stands at 0.
fn replace(checker: &mut Checker, epoch: i32) {
    let (_, other) = send(checker, 1, 0, false);
    see(checker, &other, 0, epoch);
}

/// The whole log is read, and empty.
fn find_nothing(checker: &mut Checker) {
    checker.end_audit(&checker.begin_audit(0, 0));
}

#[test]
fn the_newest_of_a_weak_log_may_go_with_the_power_but_not_its_epoch() {
    assert_eq!(after_cut(find_nothing), None);
    assert_eq!(after_cut(|checker| replace(checker, 2)), None);
    let replaced = after_cut(|checker| replace(checker, 1));
    assert_eq!(replaced, Some(Promise::Changed));
    let found_and_lost = after_cut(|checker| {
        let (_, bytes) = send(&mut weak_log(), 0, 0, false);
        see(checker, &bytes, 0, 1);
        checker.power_cut();
        find_nothing(checker);
    });
    assert_eq!(found_and_lost, Some(Promise::Lost));
}

/// A retry of what a power cut took gets the old offset, and may go with the next power cut.
#[test]
fn a_batch_that_was_sent_again_is_as_weak_as_before() {
    let again = |checker: &mut Checker| {
        let (id, bytes) = send(checker, 0, 0, false);
        checker.acknowledged(checker.known(0), id, 0, 0);
        bytes
    };
    let acknowledged_and_replaced = after_cut(|checker| {
        again(checker);
        checker.power_cut();
        replace(checker, 3);
    });
    assert_eq!(acknowledged_and_replaced, None);
    let read_and_replaced = |epoch| {
        after_cut(|checker| {
            let bytes = again(checker);
            see(checker, &bytes, 0, 2);
            assert_eq!(checker.violation(), None);
            checker.power_cut();
            replace(checker, epoch);
        })
    };
    assert_eq!(read_and_replaced(3), None);
    assert_eq!(read_and_replaced(2), Some(Promise::Changed));
    let was_there_all_along = after_cut(|checker| {
        let bytes = again(checker);
        see(checker, &bytes, 0, 1);
        checker.power_cut();
        find_nothing(checker);
    });
    assert_eq!(was_there_all_along, Some(Promise::Lost));
    let lost_before_the_next_cut = after_cut(|checker| {
        again(checker);
        find_nothing(checker);
    });
    assert_eq!(lost_before_the_next_cut, Some(Promise::Lost));
}

#[test]
fn what_stands_behind_a_batch_in_doubt_says_nothing_of_it_if_it_came_later() {
    let replaced = after_cut(|checker| {
        let (_, later) = send(checker, 2, 2, false);
        see(checker, &later, 2, 2);
        checker.power_cut();
        see(checker, &later, 2, 2);
        replace(checker, 2);
    });
    assert_eq!(replaced, None);
    let of_the_same_time = || {
        let mut checker = weak_log();
        let (_, later) = send(&mut checker, 2, 2, false);
        see(&mut checker, &later, 2, 1);
        checker.power_cut();
        see(&mut checker, &later, 2, 1);
        replace(&mut checker, 2);
        checker.violation().map(|violation| violation.promise)
    };
    assert_eq!(of_the_same_time(), Some(Promise::Changed));
    // Of the one that took the place of a lost one, nobody has heard before the next cut.
    let behind_what_replaces = after_cut(|checker| {
        let (_, later) = send(checker, 2, 2, false);
        see(checker, &later, 2, 2);
        checker.power_cut();
        replace(checker, 2);
        see(checker, &later, 2, 2);
        checker.power_cut();
        find_nothing(checker);
    });
    assert_eq!(behind_what_replaces, Some(Promise::Lost));
}

#[test]
fn what_a_recovery_has_found_of_a_weak_log_is_durable() {
    let mut checker = weak_log();
    // After a kill.
    checker.life_begins();
    checker.recovered();
    checker.power_cut();
    find_nothing(&mut checker);
    let promise = checker.violation().map(|violation| violation.promise);
    assert_eq!(promise, Some(Promise::Lost));
    let mut checker = weak_log();
    checker.life_begins();
    // In the middle of its recovery.
    checker.power_cut();
    checker.life_begins();
    checker.recovered();
    find_nothing(&mut checker);
    assert_eq!(checker.violation(), None);
}

fn with_epoch(mut bytes: Vec<u8>, epoch: i32) -> Vec<u8> {
    bytes[12..16].copy_from_slice(&epoch.to_be_bytes());
    bytes
}

#[test]
fn what_is_refused_of_a_harmed_log_is_not_lost() {
    let refused = verdict(|checker, _| {
        let mut audit = checker.begin_audit(0, 0);
        checker.skip_refused(&mut audit, 2);
        assert_eq!((audit.next(), audit.refused()), (2, 1));
        checker.end_audit(&audit);
    });
    assert_eq!(refused, None);
}
