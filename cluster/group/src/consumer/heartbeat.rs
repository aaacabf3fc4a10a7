//! A heartbeat: who it is, what has changed, what it may have now.
//!
//! Everything that can be refused is looked at before anything is changed.

use net_wire::ErrorCode;

use super::member::{has, partitions, said_bytes};
use super::{
    Assignment, ConsumerConfig, ConsumerGroup, EPOCH_JOIN, EPOCH_LEAVE, EPOCH_LEAVE_STATIC, Member,
    MemberHeartbeat, MemberState, MemberUpdate, Pattern, Refusal, Timing, Topics,
};
use crate::effect::Now;
use crate::record::{ConsumerRecord, CurrentAssignment};

/// How a member comes into the group.
pub(super) enum Entry {
    New,
    /// It is in the group.
    Known,
    /// A static member is back; the id it had before.
    Back(String),
}

/// What a request finds.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) now: Now,
    pub(super) timing: Timing,
    pub(super) topics: &'a dyn Topics,
    pub(super) config: &'a ConsumerConfig,
}

/// What a heartbeat changed of what is known of a member.
#[derive(Clone, Copy, Default)]
struct Said {
    /// Anything at all.
    news: bool,
    /// What it reads.
    subscription: bool,
}

impl Member {
    /// Whether the member may go on by `epoch`. It may by the one before if the answer with the new
    /// one was lost, which shows in that it has nothing beyond its assignment. One that joins again
    /// has lost everything, and may.
    fn check_epoch(&self, request: &MemberHeartbeat) -> Result<(), Refusal> {
        let (received, epoch) = (request.member_epoch, self.current.epoch);
        let is_within = request.owned.as_ref().is_some_and(|owned| {
            partitions(owned).all(|partition| has(&self.current.assigned, partition))
        });
        let missed_one = received < epoch && received == self.current.previous_epoch && is_within;
        if received == epoch || received == EPOCH_JOIN || missed_one {
            return Ok(());
        }
        let how = if received > epoch {
            "greater"
        } else {
            "smaller"
        };
        let message = format!(
            "The consumer group member has a {how} member epoch ({received}) than the one known by \
             the group coordinator ({epoch}). The member must abandon all its partitions and rejoin."
        );
        Err(Refusal::new(ErrorCode::FENCED_MEMBER_EPOCH, message))
    }

    /// Takes over what the request says.
    fn update(&mut self, request: &MemberHeartbeat) -> Said {
        let known = &mut self.subscription;
        let mut said = Said::default();
        if let Some(names) = &request.topic_names
            && *names != known.topic_names
        {
            known.topic_names.clone_from(names);
            said.subscription = true;
        }
        if let Some(text) = &request.topic_regex
            && *text != known.topic_regex.as_deref().unwrap_or_default()
        {
            known.topic_regex = (!text.is_empty()).then(|| text.clone());
            said.subscription = true;
        }
        said.news = said.subscription || known.classic != request.classic;
        known.classic.clone_from(&request.classic);
        if let Some(timeout) = request.rebalance_timeout_ms
            && timeout != known.rebalance_timeout_ms
        {
            known.rebalance_timeout_ms = timeout;
            said.news = true;
        }
        for (new, known) in [
            (&request.instance_id, &mut known.instance_id),
            (&request.rack_id, &mut known.rack_id),
            (&request.server_assignor, &mut known.server_assignor),
        ] {
            if new.is_some() && new != known {
                known.clone_from(new);
                said.news = true;
            }
        }
        for (new, known) in [
            (&request.client_id, &mut known.client_id),
            (&request.client_host, &mut known.client_host),
        ] {
            if new != known {
                known.clone_from(new);
                said.news = true;
            }
        }
        said
    }

    /// It was heard of.
    pub(super) fn start_session(&mut self, now: Now, timing: Timing) {
        let own = self.classic().map(|classic| classic.session_timeout_ms);
        let own = own.map(|ms| u64::try_from(ms).unwrap_or(0));
        let timeout = own.unwrap_or(timing.session_timeout_ms);
        self.session_deadline = now.monotonic_ms.saturating_add(timeout);
    }

    /// It has its time to give up what it was told to.
    pub(super) fn start_revocation(&mut self, now: Now) {
        let is_revoking = self.current.state == MemberState::UnrevokedPartitions;
        let timeout = self.subscription.rebalance_timeout();
        let deadline = now.monotonic_ms.saturating_add(timeout);
        self.rebalance_deadline = is_revoking.then_some(deadline);
    }
}

impl ConsumerGroup {
    /// Answers a heartbeat, which is to be checked and to have a member id.
    pub fn on_heartbeat(
        &mut self,
        now: Now,
        request: &MemberHeartbeat,
        timing: Timing,
        topics: &dyn Topics,
        config: &ConsumerConfig,
    ) -> Result<MemberUpdate, Refusal> {
        if matches!(request.member_epoch, EPOCH_LEAVE | EPOCH_LEAVE_STATIC) {
            return self.leave(request);
        }
        let entry = self.entry(request, config)?;
        let pattern = self.new_pattern(request)?;

        let scene = Scene {
            now,
            timing,
            topics,
            config,
        };
        let has_other_partitions = self.step(scene, &entry, request, pattern);

        let Some(member) = self.members.get(&request.member_id) else {
            return Err(unknown(&request.member_id));
        };
        let is_news = request.is_full() || has_other_partitions;
        Ok(MemberUpdate {
            member_epoch: member.current.epoch,
            heartbeat_interval_ms: timing.heartbeat_interval_ms,
            assignment: is_news.then(|| member.current.assigned.clone()),
        })
    }

    /// Takes what a member says and brings everything up to date with it. Says whether the member
    /// may have other partitions now.
    pub(super) fn step(
        &mut self,
        scene: Scene<'_>,
        entry: &Entry,
        request: &MemberHeartbeat,
        pattern: Option<Pattern>,
    ) -> bool {
        let member = self.enter(entry, request);
        let mut is_changed = self.subscribe(scene, member, request, pattern);
        is_changed |= self.epoch == 0;
        is_changed |= self.refresh(scene.now, scene.topics, scene.config);
        is_changed |= self.count_partitions(scene.topics);
        if is_changed {
            self.bump();
        }
        if self.assignment_epoch < self.epoch {
            self.assign(&scene.config.assignors);
        }
        self.reconcile(scene, request)
    }

    /// Who the member is, or why it may not go on.
    fn entry(&self, request: &MemberHeartbeat, config: &ConsumerConfig) -> Result<Entry, Refusal> {
        self.check_room(request, config)?;
        let is_join = request.member_epoch == EPOCH_JOIN;
        let known = self.members.get(&request.member_id);
        let instance = request.instance_id.as_ref();
        let holder = instance.and_then(|instance_id| self.instances.get(instance_id));
        match (known, instance, holder) {
            (_, Some(instance_id), Some(holder)) => {
                self.entry_of_instance(request, instance_id, holder)
            },
            (_, Some(instance_id), None) if !is_join => {
                let message = format!("Instance id {instance_id} is unknown.");
                Err(Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message))
            },
            (Some(member), ..) => member.check_epoch(request).map(|()| Entry::Known),
            (None, ..) if !is_join => Err(unknown(&request.member_id)),
            (None, ..) => Ok(Entry::New),
        }
    }

    /// Whether the group may have one more, and remember what it says.
    pub(super) fn check_room(
        &self,
        request: &MemberHeartbeat,
        config: &ConsumerConfig,
    ) -> Result<(), Refusal> {
        let size_max = config.group_size_max;
        let known = self.members.get(&request.member_id);
        let bytes = said_bytes(
            request.topic_names.as_ref(),
            request.topic_regex.as_deref(),
            request.classic.as_ref(),
        );
        let others = self.bytes - known.map_or(0, |member| member.subscription.bytes());
        let is_full = known.is_none() && self.members.len() >= size_max;
        if !is_full && others + bytes <= config.group_bytes_max {
            return Ok(());
        }
        let message =
            format!("The consumer group has reached its maximum capacity of {size_max} members.");
        Err(Refusal::new(ErrorCode::GROUP_MAX_SIZE_REACHED, message))
    }

    /// The same where a static member of the instance id is in the group.
    fn entry_of_instance(
        &self,
        request: &MemberHeartbeat,
        instance_id: &str,
        holder: &str,
    ) -> Result<Entry, Refusal> {
        let is_holder = *holder == request.member_id;
        let refuse = |code, what| {
            let member_id = &request.member_id;
            let message = format!(
                "Static member {member_id} with instance id {instance_id} {what} by member {holder}."
            );
            Err(Refusal::new(code, message))
        };
        let Some(member) = self.members.get(holder) else {
            return Err(unknown(holder));
        };
        let is_join = request.member_epoch == EPOCH_JOIN;
        if is_join && member.current.epoch == EPOCH_LEAVE_STATIC {
            // Two members cannot become one.
            return if is_holder || !self.members.contains_key(&request.member_id) {
                Ok(Entry::Back(holder.to_owned()))
            } else {
                refuse(ErrorCode::FENCED_INSTANCE_ID, "was fenced")
            };
        }
        match (is_holder, is_join) {
            (true, _) => member.check_epoch(request).map(|()| Entry::Known),
            (false, true) => refuse(
                ErrorCode::UNRELEASED_INSTANCE_ID,
                "cannot join the group because the instance id is owned",
            ),
            (false, false) => refuse(ErrorCode::FENCED_INSTANCE_ID, "was fenced"),
        }
    }

    /// Compiles the regular expression of a request, if nobody has it yet.
    fn new_pattern(&self, request: &MemberHeartbeat) -> Result<Option<Pattern>, Refusal> {
        let text = request.topic_regex.as_deref().unwrap_or_default();
        if text.is_empty() || self.regexes.contains_key(text) {
            return Ok(None);
        }
        Pattern::new(text).map(Some).map_err(|wrong| {
            let message =
                format!("SubscribedTopicRegex `{text}` is not a regular expression: {wrong}");
            Refusal::new(ErrorCode::INVALID_REGULAR_EXPRESSION, message)
        })
    }

    /// Takes the member out of the group, to be put back when it is up to date. Says whether the
    /// log knows it by its id.
    fn enter(&mut self, entry: &Entry, request: &MemberHeartbeat) -> (Member, bool) {
        let member_id = &request.member_id;
        let before = match entry {
            Entry::New => return (Member::default(), false),
            Entry::Known => member_id,
            Entry::Back(before) => before,
        };
        let mut member = self.members.remove(before).unwrap_or_default();
        self.bytes -= member.subscription.bytes();
        if matches!(entry, Entry::Back(_)) {
            member.current.epoch = EPOCH_JOIN;
            member.current.previous_epoch = EPOCH_LEAVE_STATIC;
        }
        if before == member_id {
            return (member, true);
        }
        // Its partitions were kept for it, by the id it had.
        self.write_gone(before);
        if let Some(target) = self.target.remove(before) {
            let record = ConsumerRecord::Target(member_id.clone(), Some(target.clone()));
            self.unwritten.push(record);
            self.target.insert(member_id.clone(), target);
        }
        (member, false)
    }

    /// Brings the member up to date and into the group. Says whether subscriptions changed.
    fn subscribe(
        &mut self,
        scene: Scene<'_>,
        (mut member, is_written): (Member, bool),
        request: &MemberHeartbeat,
        pattern: Option<Pattern>,
    ) -> bool {
        let topics = scene.topics;
        let instance_before = member.subscription.instance_id.clone();
        let said = member.update(request);
        if member.subscription.instance_id != instance_before
            && let Some(before) = instance_before
        {
            self.instances.remove(&before);
        }
        if let Some(instance_id) = &member.subscription.instance_id {
            self.instances
                .insert(instance_id.clone(), request.member_id.clone());
        }
        if let (Some(pattern), Some(text)) = (pattern, &member.subscription.topic_regex) {
            self.add_regex(scene.now, text, pattern, topics);
        }
        if said.subscription {
            self.look_up(&mut member, topics);
            self.partitions_counted = false;
        }
        self.bytes += member.subscription.bytes();
        self.members.insert(request.member_id.clone(), member);
        if said.news || !is_written {
            self.write_member(&request.member_id);
        }
        if said.subscription {
            self.drop_unused_regexes();
        }
        said.subscription
    }

    /// Takes the member's next step, and sets the time it has for what it is told. Says whether
    /// it may have other partitions now.
    fn reconcile(&mut self, scene: Scene<'_>, request: &MemberHeartbeat) -> bool {
        let Some(member) = self.members.get_mut(&request.member_id) else {
            return false;
        };
        let target = self.target.entry(request.member_id.clone()).or_default();
        let owned = request.owned.as_ref();
        let before = member.reconcile(self.assignment_epoch, target, owned, &mut self.taken);
        let differs = |part: fn(&CurrentAssignment) -> &Assignment| {
            let before = before.as_ref().map(part);
            before.is_some_and(|before| before != part(&member.current))
        };
        let has_other_partitions = differs(|one| &one.assigned);
        if differs(|one| &one.revoking) {
            member.start_revocation(scene.now);
        }
        if member.classic().is_none() && member.current.revoking.is_empty() {
            member.rebalance_deadline = None;
        }
        member.start_session(scene.now, scene.timing);
        self.note_deadline(&request.member_id);
        if before.is_some() {
            self.write_current(&request.member_id);
        }
        has_other_partitions
    }

    /// Wakes up in time for what a member has to do.
    pub(super) fn note_deadline(&mut self, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            let deadline = member.deadline();
            self.wakes_at = Some(self.wakes_at.map_or(deadline, |at| at.min(deadline)));
        }
    }

    /// A member leaves: for good, or a static one for a while, with everything kept for it until
    /// its session is over.
    fn leave(&mut self, request: &MemberHeartbeat) -> Result<MemberUpdate, Refusal> {
        let left = MemberUpdate {
            member_epoch: request.member_epoch,
            ..MemberUpdate::default()
        };
        let member_id = &request.member_id;
        if let Some(instance_id) = &request.instance_id {
            match self.instances.get(instance_id) {
                None => {
                    let message = format!("Instance id {instance_id} is unknown.");
                    return Err(Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message));
                },
                Some(holder) if holder != member_id => {
                    let message = format!(
                        "Static member {member_id} with instance id {instance_id} was fenced by \
                         member {holder}."
                    );
                    return Err(Refusal::new(ErrorCode::FENCED_INSTANCE_ID, message));
                },
                Some(_) => {},
            }
        }
        let Some(member) = self.members.get_mut(member_id) else {
            return Err(unknown(member_id));
        };
        if request.member_epoch == EPOCH_LEAVE {
            self.remove(member_id);
            self.bump();
            return Ok(left);
        }
        // What it was to give up it has given up: it is not running any more.
        for partition in partitions(&std::mem::take(&mut member.current.revoking)) {
            self.taken.remove(&partition);
        }
        member.current.epoch = EPOCH_LEAVE_STATIC;
        member.current.state = MemberState::Stable;
        member.rebalance_deadline = None;
        self.write_current(member_id);
        Ok(left)
    }
}

fn unknown(member_id: &str) -> Refusal {
    let message = format!("Member {member_id} is not a member of the group.");
    Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
}
