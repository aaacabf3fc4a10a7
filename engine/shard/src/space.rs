//! A full disk is prevented, not met (rule 8): produce is refused before what was acknowledged could
//! find no room in its segment.
//!
//! Every look at the free space gives the shard an allowance, which appends use up. The shard's share
//! of the free space counts, less its share of the reserve, less what its journal may still have to
//! write to segments.

use std::rc::Rc;
use std::time::Duration;

use engine_rt::fs;
use engine_rt::mutant::{self, Mutant};

use crate::api::ShardError;
use crate::shard::Shard;

/// How often free space is looked at, and how often when there is little.
const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_LOW: Duration = Duration::from_millis(100);

impl Shard {
    /// Looks at free space until the shard stops.
    pub(crate) async fn watch_space(self: Rc<Self>) {
        loop {
            let near = self.space_left.get() < self.options.space_reserve_bytes;
            let interval = if near { INTERVAL_LOW } else { INTERVAL };
            if self.wait_or_stop(interval).await {
                return;
            }
            self.look_at_space().await;
        }
    }

    /// Sets the allowance anew. Produce resumes only with some room, so that it does not flap.
    pub(crate) async fn look_at_space(&self) {
        if self.options.space_reserve_bytes == 0 {
            return;
        }
        let Ok(space) = fs::space(&self.options.data_dir).await else {
            return;
        };
        let share = |bytes: u64| bytes / self.options.shards as u64;
        let reserve = share(self.options.space_reserve_bytes);
        let journals = self.journal().files().used_generations().len() as u64;
        let carried = journals * self.options.journal_file_bytes;
        let left = share(space.available).saturating_sub(reserve + carried);
        self.space_left.set(left);
        if left == 0 {
            self.refuse_for_space();
        } else if left > reserve && self.space_low.replace(false) {
            tracing::info!(shard = self.index(), "space has returned; produce resumes");
        }
    }

    fn refuse_for_space(&self) {
        if !self.space_low.replace(true) {
            tracing::error!(
                shard = self.index(),
                "FL2006: the disk is almost full; produce is refused until space returns"
            );
        }
    }

    /// Takes the bytes of an append from the allowance.
    pub(crate) fn take_space(&self, bytes: u64) -> Result<(), ShardError> {
        if mutant::is_active(Mutant::SpaceIgnored) {
            return Ok(());
        }
        if bytes > self.space_left.get() {
            self.refuse_for_space();
        }
        if self.space_low.get() {
            return Err(ShardError::Storage("the disk is almost full".into()));
        }
        self.space_left.set(self.space_left.get() - bytes);
        Ok(())
    }
}
