//! An executor beside Criterion's thread, which measures when it is asked to.
//!
//! Criterion calls, and an executor must turn by itself: so what is measured lives there from the
//! first sample to the last, and only numbers go to and fro.

use std::future::Future;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use engine_rt::ring::{Options, affinity, run};
use engine_rt::{ExecutorSpec, MailReceiver, MailSender, mailbox};

/// The thread of the executor. Dropping this ends it.
#[derive(Debug)]
pub struct Worker {
    asks: Option<MailSender<u64>>,
    answers: Receiver<Duration>,
    thread: Option<JoinHandle<()>>,
}

/// What the executor is asked: to measure so many calls.
#[derive(Debug)]
pub struct Work {
    asks: MailReceiver<u64>,
    answers: Sender<Duration>,
}

/// What an executor is called, on the n-th core of this process if it has as many.
pub fn on_core(name: &str, nth: usize) -> ExecutorSpec {
    ExecutorSpec {
        name: name.to_owned(),
        cpu: affinity().get(nth).copied(),
    }
}

impl Worker {
    /// Starts the executor, on the first core, and returns when it is prepared. `main` prepares,
    /// calls [`Work::serve`], and tidies up.
    pub fn start<F: Future<Output = ()> + 'static>(
        options: Options,
        main: impl FnOnce(Work) -> F + Send + 'static,
    ) -> Self {
        let (asks, asked) = mailbox(1);
        let (answer, answers) = channel();
        let work = Work {
            asks: asked,
            answers: answer,
        };
        let thread = Builder::new().name("bench".to_owned()).spawn(move || {
            run(on_core("bench", 0), options, || main(work)).expect("the kernel gives us a ring");
        });
        let worker = Self {
            asks: Some(asks),
            answers,
            thread: Some(thread.expect("a thread starts")),
        };
        // What precedes the first sample is no part of it: Criterion plans by elapsed time.
        worker.answer();
        worker
    }

    fn answer(&self) -> Duration {
        self.answers.recv().expect("the executor answers")
    }

    /// What `calls` calls take.
    pub fn measure(&mut self, calls: u64) -> Duration {
        let asks = self.asks.as_ref().expect("there until the drop");
        asks.try_send(calls).expect("one question at a time");
        self.answer()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.asks.take();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))), "the executor failed");
    }
}

impl Work {
    /// Answers every question with what `measure` says, until the worker is dropped.
    pub async fn serve(mut self, mut measure: impl AsyncFnMut(u64) -> Duration) {
        self.answer(Duration::ZERO);
        while let Some(calls) = self.asks.receive().await {
            let took = measure(calls).await;
            self.answer(took);
        }
    }

    fn answer(&self, took: Duration) {
        let heard = self.answers.send(took);
        heard.expect("the worker waits for every answer");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_prepared_outlives_a_question() {
        let mut worker = Worker::start(Options::default(), |work| async move {
            let mut asked = 0;
            work.serve(async |calls| {
                asked += calls;
                engine_rt::sleep(Duration::from_micros(1)).await;
                Duration::from_nanos(asked)
            })
            .await;
        });
        assert_eq!(worker.measure(3), Duration::from_nanos(3));
        assert_eq!(worker.measure(4), Duration::from_nanos(7));
    }
}
