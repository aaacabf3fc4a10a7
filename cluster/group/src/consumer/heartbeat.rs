//! A heartbeat: who it is, what has changed, what it may have now.
//!
//! Everything that can be refused is looked at before anything is changed.

use net_wire::ErrorCode;

use super::member::{has, partitions};
use super::{
    ConsumerConfig, ConsumerGroup, EPOCH_JOIN, EPOCH_LEAVE, EPOCH_LEAVE_STATIC, Member,
    MemberHeartbeat, MemberState, MemberUpdate, Pattern, Refusal, Topics,
};

/// How a member comes into the group.
enum Entry {
    New,
    /// It is in the group.
    Known,
    /// A static member is back; the id it had before.
    Back(String),
}

impl Member {
    /// When it has to be removed.
    pub(super) fn deadline(&self) -> u64 {
        let rebalance = self.rebalance_deadline.unwrap_or(u64::MAX);
        self.session_deadline.min(rebalance)
    }

    /// Whether the member may go on by `epoch`. It may by the one before if the answer with the new
    /// one was lost, which shows in that it has nothing beyond its assignment. One that joins again
    /// has lost everything, and may.
    fn check_epoch(&self, request: &MemberHeartbeat) -> Result<(), Refusal> {
        let epoch = request.member_epoch;
        let is_within = request
            .owned
            .as_ref()
            .is_some_and(|owned| partitions(owned).all(|partition| has(&self.assigned, partition)));
        if epoch == self.epoch
            || epoch == EPOCH_JOIN
            || (epoch == self.previous_epoch && epoch < self.epoch && is_within)
        {
            return Ok(());
        }
        let message = format!(
            "The member epoch is {epoch} and should be {}. The member must abandon all its \
             partitions and rejoin.",
            self.epoch
        );
        Err(Refusal::new(ErrorCode::FENCED_MEMBER_EPOCH, message))
    }

    /// Takes over what the request says. Says whether its subscription is another one now.
    fn update(&mut self, request: &MemberHeartbeat) -> bool {
        let mut is_changed = false;
        if let Some(names) = &request.topic_names
            && *names != self.topic_names
        {
            self.topic_names.clone_from(names);
            is_changed = true;
        }
        if let Some(text) = &request.topic_regex
            && *text != self.topic_regex.as_deref().unwrap_or_default()
        {
            self.topic_regex = (!text.is_empty()).then(|| text.clone());
            is_changed = true;
        }
        if let Some(timeout) = request.rebalance_timeout_ms {
            self.rebalance_timeout_ms = timeout;
        }
        for (said, known) in [
            (&request.instance_id, &mut self.instance_id),
            (&request.rack_id, &mut self.rack_id),
            (&request.server_assignor, &mut self.server_assignor),
        ] {
            if said.is_some() {
                known.clone_from(said);
            }
        }
        self.client_id.clone_from(&request.client_id);
        self.client_host.clone_from(&request.client_host);
        is_changed
    }
}

impl ConsumerGroup {
    /// Answers a heartbeat, which is to be checked and to have a member id.
    pub fn on_heartbeat(
        &mut self,
        now_ms: u64,
        request: &MemberHeartbeat,
        topics: &dyn Topics,
        config: &ConsumerConfig,
    ) -> Result<MemberUpdate, Refusal> {
        if matches!(request.member_epoch, EPOCH_LEAVE | EPOCH_LEAVE_STATIC) {
            return self.leave(request);
        }
        let entry = self.entry(request, config)?;
        let pattern = self.new_pattern(request)?;

        let member = self.enter(entry, request);
        let had = member.assigned.clone();
        let mut is_changed = self.epoch == 0;
        is_changed |= self.subscribe(member, request, pattern, topics);
        is_changed |= self.refresh(now_ms, topics, config);
        is_changed |= self.count_partitions(topics);
        if is_changed {
            self.epoch += 1;
        }
        if self.assignment_epoch < self.epoch {
            self.assign();
        }
        self.reconcile(now_ms, request, config);

        let Some(member) = self.members.get(&request.member_id) else {
            return Err(Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, ""));
        };
        let is_news = request.is_full() || member.assigned != had;
        Ok(MemberUpdate {
            member_epoch: member.epoch,
            heartbeat_interval_ms: config.heartbeat_interval_ms,
            assignment: is_news.then(|| member.assigned.clone()),
        })
    }

    /// Who the member is, or why it may not go on.
    fn entry(&self, request: &MemberHeartbeat, config: &ConsumerConfig) -> Result<Entry, Refusal> {
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
            (None, ..) if self.members.len() >= config.group_size_max => {
                let message = "The consumer group has reached its maximum capacity.";
                Err(Refusal::new(ErrorCode::GROUP_MAX_SIZE_REACHED, message))
            },
            (None, ..) => Ok(Entry::New),
        }
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
            let message = format!("Instance id {instance_id} is {what} by member {holder}.");
            Err(Refusal::new(code, message))
        };
        let Some(member) = self.members.get(holder) else {
            return Err(unknown(holder));
        };
        let is_join = request.member_epoch == EPOCH_JOIN;
        if is_join && member.epoch == EPOCH_LEAVE_STATIC {
            // Two members cannot become one.
            return if is_holder || !self.members.contains_key(&request.member_id) {
                Ok(Entry::Back(holder.to_owned()))
            } else {
                refuse(ErrorCode::FENCED_INSTANCE_ID, "used")
            };
        }
        match (is_holder, is_join) {
            (true, _) => member.check_epoch(request).map(|()| Entry::Known),
            (false, true) => refuse(ErrorCode::UNRELEASED_INSTANCE_ID, "owned"),
            (false, false) => refuse(ErrorCode::FENCED_INSTANCE_ID, "used"),
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

    /// Takes the member out of the group, to be put back when it is up to date.
    fn enter(&mut self, entry: Entry, request: &MemberHeartbeat) -> Member {
        match entry {
            Entry::New => Member::default(),
            Entry::Known => self.members.remove(&request.member_id).unwrap_or_default(),
            Entry::Back(before) => {
                // Its partitions were kept for it, by whatever id it had.
                if let Some(target) = self.target.remove(&before) {
                    self.target.insert(request.member_id.clone(), target);
                }
                let member = self.members.remove(&before).unwrap_or_default();
                Member {
                    epoch: EPOCH_JOIN,
                    previous_epoch: EPOCH_LEAVE_STATIC,
                    ..member
                }
            },
        }
    }

    /// Brings the member up to date and into the group. Says whether subscriptions changed.
    fn subscribe(
        &mut self,
        mut member: Member,
        request: &MemberHeartbeat,
        pattern: Option<Pattern>,
        topics: &dyn Topics,
    ) -> bool {
        let instance_before = member.instance_id.clone();
        let is_changed = member.update(request);
        if member.instance_id != instance_before
            && let Some(before) = instance_before
        {
            self.instances.remove(&before);
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances
                .insert(instance_id.clone(), request.member_id.clone());
        }
        if let (Some(pattern), Some(text)) = (pattern, &member.topic_regex) {
            self.add_regex(text, pattern, topics);
        }
        if is_changed {
            self.look_up(&mut member, topics);
            self.partitions_counted = false;
        }
        self.members.insert(request.member_id.clone(), member);
        if is_changed {
            self.drop_unused_regexes();
        }
        is_changed
    }

    /// Takes the member's next step, and sets the time it has for what it is told.
    fn reconcile(&mut self, now_ms: u64, request: &MemberHeartbeat, config: &ConsumerConfig) {
        let Some(member) = self.members.get_mut(&request.member_id) else {
            return;
        };
        let target = self.target.entry(request.member_id.clone()).or_default();
        let was_revoking = member.revoking.clone();
        let owned = request.owned.as_ref();
        member.reconcile(self.assignment_epoch, target, owned, &mut self.taken);

        member.session_deadline = now_ms.saturating_add(config.session_timeout_ms);
        if member.state != MemberState::UnrevokedPartitions {
            member.rebalance_deadline = None;
        } else if member.revoking != was_revoking {
            let deadline = now_ms.saturating_add(member.rebalance_timeout_ms);
            member.rebalance_deadline = Some(deadline);
        }
        let deadline = member.deadline();
        self.wakes_at = Some(self.wakes_at.map_or(deadline, |at| at.min(deadline)));
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
                    let message = format!("Instance id {instance_id} is used by member {holder}.");
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
            self.epoch += 1;
            return Ok(left);
        }
        // What it was to give up it has given up: it is not running any more.
        for partition in partitions(&std::mem::take(&mut member.revoking)) {
            self.taken.remove(&partition);
        }
        member.epoch = EPOCH_LEAVE_STATIC;
        member.state = MemberState::Stable;
        member.rebalance_deadline = None;
        Ok(left)
    }
}

fn unknown(member_id: &str) -> Refusal {
    let message = format!("Member {member_id} is not a member of the group.");
    Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
}
