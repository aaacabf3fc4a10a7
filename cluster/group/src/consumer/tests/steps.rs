//! Single steps of the protocol, one behaviour each.

use super::*;

/// A group, its topics and the time.
struct Play {
    group: ConsumerGroup,
    cluster: Cluster,
    config: ConsumerConfig,
    now_ms: u64,
}

impl Play {
    fn new(topics: &[(&str, i32)]) -> Self {
        Self {
            group: ConsumerGroup::default(),
            cluster: Cluster::with(topics),
            config: ConsumerConfig::default(),
            now_ms: 1_000,
        }
    }

    fn send(&mut self, request: &MemberHeartbeat) -> Result<MemberUpdate, ErrorCode> {
        let answer = self.group.on_heartbeat(
            at(self.now_ms),
            request,
            self.config.timing,
            &self.cluster,
            &self.config,
        );
        check(&self.group);
        answer.map_err(|refusal| refusal.error_code)
    }

    /// A heartbeat that says what the member owns, by topic and partitions.
    fn beat(
        &mut self,
        member_id: &str,
        member_epoch: i32,
        owned: &[(&str, &[i32])],
    ) -> Result<MemberUpdate, ErrorCode> {
        let owned = self.assignment(owned);
        self.send(&MemberHeartbeat {
            member_id: member_id.to_owned(),
            member_epoch,
            owned: Some(owned),
            ..MemberHeartbeat::default()
        })
    }

    fn assignment(&self, parts: &[(&str, &[i32])]) -> Assignment {
        parts
            .iter()
            .map(|(name, partitions)| (self.cluster.id(name), partitions.iter().copied().collect()))
            .collect()
    }

    /// What a member was told: its epoch and its assignment of topic `t`.
    fn told(&self, update: &MemberUpdate) -> (i32, Option<Vec<i32>>) {
        let assignment = update.assignment.as_ref();
        let partitions = assignment.map(|assignment| {
            let of_t = assignment.get(&self.cluster.id("t"));
            of_t.into_iter().flatten().copied().collect()
        });
        (update.member_epoch, partitions)
    }

    fn state_of(&self, member_id: &str) -> MemberState {
        self.group.members[member_id].current.state
    }

    fn leave(&mut self, member_id: &str, epoch: i32, instance: Option<&str>) -> Option<ErrorCode> {
        let request = MemberHeartbeat {
            member_id: member_id.to_owned(),
            member_epoch: epoch,
            instance_id: instance.map(str::to_owned),
            ..MemberHeartbeat::default()
        };
        self.send(&request).err()
    }
}

fn static_join(member_id: &str, instance: &str, topics: &[&str]) -> MemberHeartbeat {
    MemberHeartbeat {
        instance_id: Some(instance.to_owned()),
        ..join(member_id, topics)
    }
}

#[test]
fn a_partition_is_given_only_when_it_was_given_up() {
    let mut play = Play::new(&[("t", 4)]);
    let first = play.send(&join("a", &["t"])).unwrap();
    assert_eq!(play.told(&first), (1, Some(vec![0, 1, 2, 3])));
    assert_eq!(play.group.state(), ConsumerGroupState::Stable);

    // The second one gets nothing yet, but is in.
    let second = play.send(&join("b", &["t"])).unwrap();
    assert_eq!(play.told(&second), (2, Some(vec![])));
    assert_eq!(play.state_of("b"), MemberState::UnreleasedPartitions);
    assert_eq!(play.group.state(), ConsumerGroupState::Reconciling);

    // The first one is told to give up two, and stays in its epoch.
    let told = play.beat("a", 1, &[("t", &[0, 1, 2, 3])]).unwrap();
    assert_eq!(play.told(&told), (1, Some(vec![0, 1])));
    assert_eq!(play.state_of("a"), MemberState::UnrevokedPartitions);
    let waits = play.beat("b", 2, &[]).unwrap();
    assert_eq!(play.told(&waits), (2, None));

    // It gives them up: now they are the other one's.
    let told = play.beat("a", 1, &[("t", &[0, 1])]).unwrap();
    assert_eq!(play.told(&told), (2, None));
    assert_eq!(play.state_of("a"), MemberState::Stable);
    let told = play.beat("b", 2, &[]).unwrap();
    assert_eq!(play.told(&told), (2, Some(vec![2, 3])));
    assert_eq!(play.group.state(), ConsumerGroupState::Stable);
}

#[test]
fn what_a_member_does_not_name_is_not_given_up() {
    let mut play = Play::new(&[("t", 2)]);
    play.send(&join("a", &["t"])).unwrap();
    play.send(&join("b", &["t"])).unwrap();
    let silent = MemberHeartbeat {
        member_id: "a".to_owned(),
        member_epoch: 1,
        ..MemberHeartbeat::default()
    };
    for _ in 0..2 {
        play.send(&silent).unwrap();
        assert_eq!(play.state_of("a"), MemberState::UnrevokedPartitions);
    }
}

#[test]
fn epochs_fence() {
    let mut play = Play::new(&[("t", 4)]);
    play.send(&join("a", &["t"])).unwrap();
    play.send(&join("b", &["t"])).unwrap();
    let fenced = Err(ErrorCode::FENCED_MEMBER_EPOCH);
    assert_eq!(play.beat("b", 3, &[]), fenced);
    assert_eq!(play.beat("b", 1, &[]), fenced);
    assert_eq!(play.beat("c", 1, &[]), Err(ErrorCode::UNKNOWN_MEMBER_ID));

    // The answer with epoch 2 was lost: the one before is fine with what was assigned then.
    play.beat("a", 1, &[("t", &[0, 1, 2, 3])]).unwrap();
    play.beat("a", 1, &[("t", &[0, 1])]).unwrap();
    assert_eq!(play.group.members["a"].current.epoch, 2);
    assert_eq!(play.beat("a", 1, &[("t", &[0, 1, 2])]), fenced);
    let told = play.beat("a", 1, &[("t", &[0])]).unwrap();
    assert_eq!(told.member_epoch, 2);

    // Who joins again has lost everything but its place.
    let again = play.send(&join("a", &["t"])).unwrap();
    assert_eq!(play.told(&again), (2, Some(vec![0, 1])));
}

#[test]
fn one_who_leaves_makes_room() {
    let mut play = Play::new(&[("t", 4)]);
    play.send(&join("a", &["t"])).unwrap();
    play.send(&join("b", &["t"])).unwrap();
    assert_eq!(
        play.leave("c", EPOCH_LEAVE, None),
        Some(ErrorCode::UNKNOWN_MEMBER_ID)
    );
    assert_eq!(play.leave("a", EPOCH_LEAVE, None), None);
    assert_eq!(play.group.state(), ConsumerGroupState::Assigning);
    let told = play.beat("b", 2, &[]).unwrap();
    assert_eq!(play.told(&told), (3, Some(vec![0, 1, 2, 3])));
    assert_eq!(play.leave("b", EPOCH_LEAVE, None), None);
    assert_eq!(play.group.state(), ConsumerGroupState::Empty);
    assert_eq!(play.group.check_commit("", -1, true), Ok(()));
}

#[test]
fn a_static_member_that_comes_back_finds_its_place() {
    let mut play = Play::new(&[("t", 4)]);
    play.send(&static_join("a", "i", &["t"])).unwrap();
    let epoch = play.group.epoch();
    let released = Err(ErrorCode::UNRELEASED_INSTANCE_ID);
    assert_eq!(play.send(&static_join("b", "i", &["t"])), released);
    let fenced = Some(ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(play.leave("b", EPOCH_LEAVE_STATIC, Some("i")), fenced);
    let unknown = Some(ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(play.leave("a", EPOCH_LEAVE_STATIC, Some("j")), unknown);

    assert_eq!(play.leave("a", EPOCH_LEAVE_STATIC, Some("i")), None);
    let other = play.send(&join("o", &["u"])).unwrap();
    assert_eq!(play.told(&other).1, Some(vec![]));
    let back = play.send(&static_join("b", "i", &["t"])).unwrap();
    assert_eq!(
        play.told(&back),
        (play.group.epoch(), Some(vec![0, 1, 2, 3]))
    );
    assert!(!play.group.members().contains_key("a"));
    // Only the other one changed the group.
    assert_eq!(play.group.epoch(), epoch + 1);

    let stale = MemberHeartbeat {
        member_epoch: 1,
        ..static_join("a", "i", &["t"])
    };
    assert_eq!(play.send(&stale), Err(ErrorCode::FENCED_INSTANCE_ID));
}

#[test]
fn two_members_do_not_become_one() {
    let mut play = Play::new(&[("t", 2)]);
    play.send(&static_join("a", "i", &["t"])).unwrap();
    play.send(&join("b", &["t"])).unwrap();
    play.leave("a", EPOCH_LEAVE_STATIC, Some("i"));
    let refused = Err(ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(play.send(&static_join("b", "i", &["t"])), refused);
}

#[test]
fn a_static_member_that_stays_away_is_removed() {
    let mut play = Play::new(&[("t", 2)]);
    play.send(&static_join("a", "i", &["t"])).unwrap();
    play.leave("a", EPOCH_LEAVE_STATIC, Some("i"));
    assert_eq!(play.group.next_deadline(), Some(46_000));
    assert_eq!(play.group.on_deadline(at(45_999)), Vec::<String>::new());
    assert_eq!(play.group.on_deadline(at(46_000)), ["a"]);
    check(&play.group);
    assert_eq!(play.group.next_deadline(), None);
}

#[test]
fn sessions_and_revocations_have_their_time() {
    let mut play = Play::new(&[("t", 2)]);
    play.send(&join("a", &["t"])).unwrap();
    play.send(&join("b", &["t"])).unwrap();
    // It is told at 1,000 and has ten seconds, however alive it is.
    play.beat("a", 1, &[("t", &[0, 1])]).unwrap();
    play.now_ms = 9_000;
    play.beat("a", 1, &[("t", &[0, 1])]).unwrap();
    play.beat("b", 2, &[]).unwrap();
    assert_eq!(play.group.on_deadline(at(10_999)), Vec::<String>::new());
    assert_eq!(play.group.on_deadline(at(11_000)), ["a"]);
    let told = play.beat("b", 2, &[]).unwrap();
    assert_eq!(play.told(&told), (3, Some(vec![0, 1])));
    assert_eq!(play.group.on_deadline(at(53_999)), Vec::<String>::new());
    assert_eq!(play.group.on_deadline(at(54_000)), ["b"]);
}

#[test]
fn topics_that_grow_or_go_change_the_group() {
    let mut play = Play::new(&[("t", 1)]);
    play.send(&join("a", &["t", "later"])).unwrap();
    play.cluster.set("t", 3);
    let told = play.beat("a", 1, &[("t", &[0])]).unwrap();
    assert_eq!(play.told(&told), (2, Some(vec![0, 1, 2])));
    play.cluster.set("unrelated", 3);
    assert_eq!(play.beat("a", 2, &[]).unwrap().member_epoch, 2);
    play.cluster.set("later", 1);
    let told = play.beat("a", 2, &[]).unwrap();
    assert_eq!(told.assignment.map(|all| all.len()), Some(2));
    // Deleted and created again it is another topic.
    play.cluster.set("later", 0);
    play.cluster.set("later", 1);
    let told = play.beat("a", 3, &[]).unwrap();
    let id = play.cluster.id("later");
    assert!(told.assignment.is_some_and(|all| all.contains_key(&id)));
}

#[test]
fn regular_expressions_subscribe() {
    let mut play = Play::new(&[("t", 1), ("tt", 1), ("x", 1)]);
    let by = |text: &str| MemberHeartbeat {
        topic_names: None,
        topic_regex: Some(text.to_owned()),
        ..join("a", &[])
    };
    let invalid = Err(ErrorCode::INVALID_REGULAR_EXPRESSION);
    assert_eq!(play.send(&by("t(")), invalid);
    assert!(play.group.members().is_empty());
    let told = play.send(&by("t+")).unwrap();
    assert_eq!(told.assignment.map(|all| all.len()), Some(2));

    // A new topic is found, but not sooner than the last search allows.
    play.cluster.set("ttt", 1);
    assert_eq!(play.beat("a", 1, &[]).unwrap().assignment, None);
    play.now_ms += play.config.regex_refresh_ms;
    let told = play.beat("a", 1, &[]).unwrap();
    assert_eq!(told.assignment.map(|all| all.len()), Some(3));
    // A deleted one is gone at once.
    play.cluster.set("t", 0);
    assert_eq!(
        play.beat("a", 2, &[])
            .unwrap()
            .assignment
            .map(|all| all.len()),
        Some(2)
    );

    let empty = MemberHeartbeat {
        member_epoch: 3,
        ..by("")
    };
    let told = play.send(&empty).unwrap();
    assert_eq!(told.assignment.map(|all| all.len()), Some(0));
    assert!(play.group.regexes.is_empty());
}

#[test]
fn most_votes_choose_the_assignor() {
    let mut play = Play::new(&[("t", 1)]);
    let votes = [("a", "range"), ("b", "uniform"), ("c", "range")];
    for (id, name) in votes {
        let request = MemberHeartbeat {
            server_assignor: Some(name.to_owned()),
            ..join(id, &["t"])
        };
        play.send(&request).unwrap();
    }
    assert_eq!(play.group.assignor(Assignor::ALL), Assignor::Range);
    play.leave("a", EPOCH_LEAVE, None);
    assert_eq!(play.group.assignor(Assignor::ALL), Assignor::Uniform);
}

#[test]
fn a_full_group_takes_nobody_in() {
    let mut play = Play::new(&[("t", 2)]);
    play.config.group_size_max = 1;
    play.send(&join("a", &["t"])).unwrap();
    let full = Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert_eq!(play.send(&join("b", &["t"])), full);
    assert!(play.send(&join("a", &["t"])).is_ok());
}

#[test]
fn offsets_go_by_the_epoch() {
    let mut play = Play::new(&[("t", 1)]);
    play.send(&join("a", &["t"])).unwrap();
    let group = &play.group;
    for check in [group.check_commit("a", 1, true), group.check_fetch("a", 1)] {
        assert_eq!(check, Ok(()));
    }
    let stale = Err(ErrorCode::STALE_MEMBER_EPOCH);
    assert_eq!(group.check_commit("a", 0, true), stale);
    assert_eq!(group.check_fetch("a", 0), stale);
    let unknown = Err(ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(group.check_commit("", -1, true), unknown);
    assert_eq!(group.check_fetch("b", 1), unknown);
    let too_old = Err(ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(group.check_commit("a", 1, false), too_old);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let good = join("a", &["t"]);
    assert_eq!(good.check(1, "g", Assignor::ALL), Ok(()));
    let empty = Some(String::new());
    let mut anonymous = good.clone();
    anonymous.member_id.clear();
    assert_eq!(anonymous.check(0, "g", Assignor::ALL), Ok(()));

    let bad = [
        MemberHeartbeat {
            instance_id: empty.clone(),
            ..good.clone()
        },
        MemberHeartbeat {
            rack_id: empty,
            ..good.clone()
        },
        MemberHeartbeat {
            rebalance_timeout_ms: None,
            ..good.clone()
        },
        MemberHeartbeat {
            owned: None,
            ..good.clone()
        },
        MemberHeartbeat {
            topic_names: None,
            ..good.clone()
        },
        MemberHeartbeat {
            member_epoch: EPOCH_LEAVE_STATIC,
            ..good.clone()
        },
        MemberHeartbeat {
            member_epoch: -3,
            ..good.clone()
        },
        anonymous,
    ];
    let code = |request: &MemberHeartbeat, group_id| {
        request
            .check(1, group_id, Assignor::ALL)
            .map_err(|refusal| refusal.error_code)
    };
    for request in &bad {
        assert_eq!(
            code(request, "g"),
            Err(ErrorCode::INVALID_REQUEST),
            "{request:?}"
        );
    }
    assert_eq!(code(&good, ""), Err(ErrorCode::INVALID_REQUEST));
    let foreign = MemberHeartbeat {
        server_assignor: Some("sticky".to_owned()),
        ..good
    };
    assert_eq!(code(&foreign, "g"), Err(ErrorCode::UNSUPPORTED_ASSIGNOR));
}
