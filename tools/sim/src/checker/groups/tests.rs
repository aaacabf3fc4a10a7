//! Each promise of groups is noticed when it is broken.

use super::*;

const LIFE: Option<u64> = Some(1);

fn assignment(generation: i32, partitions: &[i32]) -> Assignment {
    Assignment {
        generation,
        partitions: partitions.to_vec(),
    }
}

/// What is said after a member got partition 0 in generation 2 and committed offset 7, and `then`
/// happened; the number is that of the commit.
fn verdict(then: impl FnOnce(&mut Groups, u64) -> Checked) -> Option<Promise> {
    let mut groups = Groups::new(1);
    let fence = groups.fence(0, LIFE);
    groups.joined(fence, LIFE, 2).unwrap();
    let given = assignment(2, &[0]);
    groups.assigned(fence, LIFE, "a", 2, &given).unwrap();
    let number = groups.committing(0, 0, 7, 2);
    groups.committed(fence, LIFE, 0, number).unwrap();
    then(&mut groups, number).err().map(|found| found.promise)
}

/// Commits offset 9 in a generation, and says nothing of the answer.
fn commit_blindly(groups: &mut Groups, generation: i32) -> String {
    groups.committing(0, 0, 9, generation).to_string()
}

#[test]
fn assignments_travel() {
    let one = assignment(3, &[0, 5]);
    assert_eq!(Assignment::decode(&one.encode()), Some(one));
    assert_eq!(Assignment::decode(&[0, 0]), None);
}

#[test]
fn what_goes_well_is_fine() {
    let fine = verdict(|groups, number| {
        groups.read(groups.asking(0, 0), 7, &number.to_string())?;
        // One without an answer may have taken effect.
        let blind = commit_blindly(groups, 2);
        groups.read(groups.asking(0, 0), 9, &blind)?;
        let fence = groups.fence(0, LIFE);
        groups.joined(fence, LIFE, 3)?;
        groups.assigned(fence, LIFE, "b", 3, &assignment(3, &[0]))?;
        groups.read(groups.asking(0, 1), -1, "")
    });
    assert_eq!(fine, None);
}

#[test]
fn two_owners_and_foreign_assignments_are_noticed() {
    let two = verdict(|groups, _| {
        let given = assignment(2, &[0]);
        groups.assigned(groups.fence(0, LIFE), LIFE, "b", 2, &given)
    });
    assert_eq!(two, Some(Promise::Duplicate));
    let foreign = verdict(|groups, _| {
        let given = assignment(2, &[1]);
        groups.assigned(groups.fence(0, LIFE), LIFE, "b", 3, &given)
    });
    assert_eq!(foreign, Some(Promise::Fenced));
}

#[test]
fn who_is_of_an_older_generation_is_fenced() {
    let old = |life, generation| {
        verdict(|groups, _| {
            let fence = groups.fence(0, life);
            groups.joined(fence, life, 3).unwrap();
            let fence = groups.fence(0, Some(2));
            let number = groups.committing(0, 0, 8, generation);
            groups.committed(fence, Some(2), 0, number)
        })
    };
    assert_eq!(old(Some(2), 3), None);
    assert_eq!(old(Some(2), 2), Some(Promise::Fenced));
    // A generation that was joined in another life may be gone; one that was given out is not.
    assert_eq!(old(Some(1), 2), None);
    assert_eq!(old(None, 2), None);
    assert_eq!(old(Some(1), 1), Some(Promise::Fenced));
}

#[test]
fn offsets_that_are_gone_or_come_back_are_noticed() {
    let gone = verdict(|groups, _| groups.read(groups.asking(0, 0), -1, ""));
    assert_eq!(gone, Some(Promise::Lost));
    let replaced = |generation| {
        verdict(|groups, first| {
            let second = groups.committing(0, 0, 9, generation);
            let fence = groups.fence(0, LIFE);
            groups.committed(fence, LIFE, 0, second).unwrap();
            groups.read(groups.asking(0, 0), 7, &first.to_string())
        })
    };
    assert_eq!(replaced(2), Some(Promise::Lost));
    let late = verdict(|groups, _| {
        let late = commit_blindly(groups, 1);
        groups.read(groups.asking(0, 0), 9, &late)
    });
    assert_eq!(late, Some(Promise::Lost));
}

#[test]
fn what_nobody_committed_or_was_refused_is_noticed() {
    let phantom =
        verdict(|groups, number| groups.read(groups.asking(0, 0), 8, &number.to_string()));
    assert_eq!(phantom, Some(Promise::Phantom));
    let refused = verdict(|groups, _| {
        let number = groups.committing(0, 0, 9, 2);
        groups.commit_refused(0, 0, number);
        groups.read(groups.asking(0, 0), 9, &number.to_string())
    });
    assert_eq!(refused, Some(Promise::Phantom));
}
