//! A real directory, damaged anywhere: a start refuses it or serves what was acknowledged. A reader
//! gets the bytes that were written, an end that comes earlier, or an error; never anything else.

use std::cell::RefCell;

use engine_shard::Shard;

use super::disk::{on_a_machine, write};
use super::life::{Remains, live, read_all};
use super::shard::{PARTITIONS, options, specs};
use crate::input::Input;

thread_local! {
    /// The directories of a life that ended in order and of one that did not.
    static LIVES: RefCell<[Option<Remains>; 2]> = const { RefCell::new([None, None]) };
}

fn remains(stopped: bool) -> Remains {
    LIVES.with(|lives| {
        let life = &mut lives.borrow_mut()[usize::from(stopped)];
        let made = life.get_or_insert_with(|| on_a_machine(move || live(24, stopped)));
        made.clone()
    })
}

/// Flags, then patches: the file, a place in it, what to do there.
pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Remains { mut files, records } = remains(input.u8() & 1 == 0);
    for _ in 0..8 {
        if input.is_empty() {
            break;
        }
        let number = usize::from(input.u8()) % files.len();
        let file = files
            .values_mut()
            .nth(number)
            .expect("as many as there are");
        patch(file, &mut input);
    }
    on_a_machine(move || async move {
        for (path, bytes) in &files {
            write(path, bytes).await;
        }
        let Ok(shard) = Shard::open(options(), specs()).await else {
            return;
        };
        for (partition, written) in (0..PARTITIONS).zip(&records) {
            let mut at = 0;
            // An error is an answer, too.
            for answer in read_all(&shard, partition).await.unwrap_or_default() {
                let expected = written.get(at..at + answer.len());
                assert!(
                    expected == Some(&answer),
                    "partition {partition}, byte {at}"
                );
                at += answer.len();
            }
        }
        let _stopped = shard.stop().await;
    });
}

fn patch(file: &mut Vec<u8>, input: &mut Input<'_>) {
    let (what, place) = (input.u8(), input.u16());
    // Sixteenths of a block: every format has its fields there.
    let at = (usize::from(place) * 256 + usize::from(input.u8())) % file.len().max(1);
    match what % 4 {
        0 => {
            if let Some(byte) = file.get_mut(at) {
                *byte ^= input.u8() | 1;
            }
        },
        1 => file.truncate(at),
        2 => {
            let end = (at + 4096).min(file.len());
            file[at..end].fill(0);
        },
        _ => {
            let bytes = input.part();
            for (to, from) in file.iter_mut().skip(at).zip(bytes) {
                *to = *from;
            }
        },
    }
}
