//! Long answers about the metadata, kept as long as the metadata stays as it is: with many partitions
//! it costs far more to write such an answer than to send it, and every client asks the same.

use std::collections::VecDeque;

use engine_rt::Buf;

/// A shorter answer is written as soon as it is found.
const ANSWER_BYTES_MIN: usize = 8 << 10;
/// Different questions whose answers are kept.
const ANSWERS_MAX: usize = 8;

/// What an answer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question<'a> {
    /// How often the metadata had changed.
    pub(crate) changes: u64,
    /// By which listener it came.
    pub(crate) listener: usize,
    /// Version of the API.
    pub(crate) version: i16,
    /// The body of the request.
    pub(crate) body: &'a [u8],
}

/// Answers by their question, oldest first.
#[derive(Debug)]
pub(crate) struct KeptAnswers {
    answers: VecDeque<Kept>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Kept {
    changes: u64,
    listener: usize,
    version: i16,
    body: Box<[u8]>,
    frame: Buf,
    throttle_time_at: Option<usize>,
}

impl Kept {
    fn question(&self) -> Question<'_> {
        Question {
            changes: self.changes,
            listener: self.listener,
            version: self.version,
            body: &self.body,
        }
    }

    fn bytes(&self) -> usize {
        self.body.len() + self.frame.len()
    }
}

impl KeptAnswers {
    /// Keeps so many bytes at most.
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self {
            answers: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// The frame that answered the question before, and where it has its throttle time.
    pub(crate) fn find(&self, question: Question<'_>) -> Option<(&Buf, Option<usize>)> {
        let known = self.answers.iter().find(|one| one.question() == question);
        known.map(|one| (&one.frame, one.throttle_time_at))
    }

    /// Keeps the frame that answers a question, if it is long and there is room for it.
    pub(crate) fn keep(
        &mut self,
        question: Question<'_>,
        frame: &[u8],
        throttle_time_at: Option<usize>,
    ) {
        if frame.len() < ANSWER_BYTES_MIN || frame.len() + question.body.len() > self.bytes_max {
            return;
        }
        let kept = Kept {
            changes: question.changes,
            listener: question.listener,
            version: question.version,
            body: question.body.into(),
            frame: Buf::copy_from_slice(frame),
            throttle_time_at,
        };
        self.bytes += kept.bytes();
        self.answers.push_back(kept);
        while self.is_too_much(question.changes) {
            let oldest = self.answers.pop_front();
            self.bytes -= oldest.map_or(0, |oldest| oldest.bytes());
        }
    }

    /// Whether the oldest one should go: nobody gets an answer that is out of date.
    fn is_too_much(&self, changes: u64) -> bool {
        let outdated = self
            .answers
            .front()
            .is_some_and(|one| one.changes != changes);
        outdated || self.answers.len() > ANSWERS_MAX || self.bytes > self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: [u8; ANSWER_BYTES_MIN] = [7; ANSWER_BYTES_MIN];

    fn question(changes: u64, body: &[u8]) -> Question<'_> {
        Question {
            changes,
            listener: 0,
            version: 12,
            body,
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer() {
        let mut kept = KeptAnswers::new(1 << 20);
        kept.keep(question(1, b"all"), &LONG, Some(8));
        let (frame, throttle_time_at) = kept.find(question(1, b"all")).unwrap();
        assert_eq!((&**frame, throttle_time_at), (&LONG[..], Some(8)));
        let other = [
            question(2, b"all"),
            question(1, b"al"),
            Question {
                version: 11,
                ..question(1, b"all")
            },
            Question {
                listener: 1,
                ..question(1, b"all")
            },
        ];
        assert!(other.iter().all(|one| kept.find(*one).is_none()));
    }

    #[test]
    fn what_is_kept_is_bounded_and_up_to_date() {
        let mut kept = KeptAnswers::new(3 * ANSWER_BYTES_MIN);
        kept.keep(question(1, b"short"), &LONG[1..], None);
        assert_eq!(kept.bytes, 0);
        for body in [b"a", b"b", b"c"] {
            kept.keep(question(1, body), &LONG, None);
        }
        assert_eq!(
            (kept.answers.len(), kept.bytes),
            (2, 2 * ANSWER_BYTES_MIN + 2)
        );
        assert!(kept.find(question(1, b"a")).is_none());
        kept.keep(question(2, b"a"), &LONG, None);
        assert_eq!((kept.answers.len(), kept.bytes), (1, ANSWER_BYTES_MIN + 1));
        kept.keep(question(2, b"b"), &vec![7; 4 * ANSWER_BYTES_MIN], None);
        assert_eq!(kept.answers.len(), 1);
    }
}
