//! The flush that acknowledgements of weak topics do not wait for (rule 15): it comes after
//! `flush.ms` at the latest, for all that the shard's journal has by then.

use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Instant, now, timeout};

use crate::shard::Shard;
use crate::slot::Slot;

impl Shard {
    /// Whether an acknowledgement of this partition waits for the flush; where it does not, one comes
    /// in time.
    pub(crate) fn wants_flush(&self, slot: &Slot) -> bool {
        let config = *slot.log.borrow().config();
        if !config.flush_before_ack && config.flush_ms < i64::MAX {
            self.flush_by(now() + Duration::from_millis(config.flush_ms.max(0) as u64));
        }
        config.flush_before_ack
    }

    /// Sees to a flush at `due`, unless an earlier one covers what there is now.
    fn flush_by(&self, due: Instant) {
        if self.flush_due.get().is_none_or(|other| due < other) {
            self.flush_due.set(Some(due));
            self.flush_sooner.notify();
        }
    }

    /// Flushes whenever it is due. The earliest time counts: topics of a shard differ in theirs.
    pub(crate) async fn flush_when_due(self: Rc<Self>) {
        loop {
            let Some(due) = self.flush_due.get() else {
                let some = || self.flush_due.get().is_some();
                self.flush_sooner.wait_until(some).await;
                continue;
            };
            let sooner = || self.flush_due.get().is_some_and(|other| other < due);
            if timeout(due, self.flush_sooner.wait_until(sooner))
                .await
                .is_ok()
            {
                continue;
            }
            self.flush_due.set(None);
            // A failure fences the shard by itself.
            let _fenced = self.journal().sync().await;
        }
    }
}
