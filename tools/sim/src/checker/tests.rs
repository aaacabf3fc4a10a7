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
        let (_, bytes) = send(&mut Checker::default(), 9, 2, false);
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

#[test]
fn the_newest_of_a_weak_log_may_go_with_the_power_but_not_its_epoch() {
    let weak = |after: &dyn Fn(&mut Checker, &[u8])| {
        let mut checker = Checker::default();
        checker.add_log(LogRules {
            weak: true,
            ..LogRules::default()
        });
        let (id, bytes) = send(&mut checker, 0, 0, false);
        checker.acknowledged(checker.known(0), id, 0, 0);
        let bytes = with_epoch(bytes, 1);
        checker.fetched(checker.known(0), &answer(&bytes, 0, 2));
        checker.power_cut();
        assert_eq!(checker.violation(), None);
        after(&mut checker, &bytes);
        checker.violation().map(|violation| violation.promise)
    };
    let gone = weak(&|checker, _| checker.end_audit(&checker.begin_audit(0, 0)));
    assert_eq!(gone, None);
    let replaced = |epoch| {
        move |checker: &mut Checker, _: &[u8]| {
            let (_, bytes) = send(checker, 1, 0, false);
            let bytes = with_epoch(bytes, epoch);
            checker.fetched(checker.known(0), &answer(&bytes, 0, 2));
        }
    };
    assert_eq!(weak(&replaced(2)), None);
    assert_eq!(weak(&replaced(1)), Some(Promise::Changed));
    let found_and_lost = weak(&|checker, bytes| {
        checker.fetched(checker.known(0), &answer(bytes, 0, 2));
        checker.power_cut();
        checker.end_audit(&checker.begin_audit(0, 0));
    });
    assert_eq!(found_and_lost, Some(Promise::Lost));
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
