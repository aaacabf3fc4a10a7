//! A few plays of hostile sequences, the same every time.
#![cfg(test)]

use tools_hostile::sequence::{Played, play};

/// More are played by command: `tools-hostile sequences --seconds N`.
const SEEDS: u64 = 25;

#[test]
fn hostile_sequences_end_in_answers_or_closes() {
    let sum = (0..SEEDS).fold(Played::default(), |sum, seed| sum.and(play(seed, 6)));
    assert!(
        sum.answers > 500 && sum.closed > 200 && sum.honest > 10_000,
        "{sum:?}"
    );
}

#[test]
fn a_seed_plays_the_same_every_time() {
    assert_eq!(play(99, 4), play(99, 4));
}
