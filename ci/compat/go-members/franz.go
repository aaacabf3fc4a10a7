package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	pollTimeout   = 50 * time.Millisecond
	commitTimeout = 5 * time.Second
)

// franz is a franz-go member; callbacks and polls exclude each other by BlockRebalanceOnPoll.
type franz struct {
	options
	voice *voice
}

func runFranz(ctx context.Context, o options, v *voice) error {
	f := franz{o, v}
	client, err := kgo.NewClient(f.config()...)
	if err != nil {
		return err
	}
	v.say("ready", nil)
	committed := time.Now()
	for ctx.Err() == nil {
		due := time.Since(committed) >= o.commit()
		f.poll(ctx, client, due)
		if due {
			committed = time.Now()
		}
	}
	client.CloseAllowingRebalance()
	return nil
}

func (f *franz) config() []kgo.Opt {
	config := []kgo.Opt{
		kgo.SeedBrokers(f.Bootstrap), kgo.ClientID(f.Name), kgo.ConsumerGroup(f.Group),
		kgo.ConsumeTopics(f.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(f.assigned), kgo.OnPartitionsRevoked(f.revoked), kgo.OnPartitionsLost(f.lost),
	}
	switch f.Assignor {
	case "server":
		return append(config, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	case "range":
		config = append(config, kgo.Balancers(kgo.RangeBalancer()))
	default:
		config = append(config, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	}
	return append(config, kgo.SessionTimeout(f.session()), kgo.HeartbeatInterval(f.heartbeat()))
}

func (f *franz) poll(ctx context.Context, client *kgo.Client, commit bool) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	fetches := client.PollFetches(ctx)
	cancel()
	defer client.AllowRebalance()
	for _, failure := range fetches.Errors() {
		if !errors.Is(failure.Err, context.DeadlineExceeded) && !errors.Is(failure.Err, context.Canceled) {
			f.voice.fail("error", failure.Err)
		}
	}
	fetches.EachRecord(func(record *kgo.Record) { f.voice.delivered(record.Partition, record.Offset) })
	if commit {
		f.commit(client, nil)
	}
}

func (f *franz) commit(client *kgo.Client, partitions []int32) {
	offsets, began := f.voice.take(partitions)
	if len(offsets) == 0 {
		return
	}
	wanted := map[int32]kgo.EpochOffset{}
	for partition, offset := range offsets {
		wanted[partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	accepted := map[int32]int64{}
	client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{f.Topic: wanted},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
			if err != nil {
				f.voice.fail("error", err)
				return
			}
			f.sort(response, offsets, accepted)
		})
	f.voice.taken(accepted, began)
}

// sort puts aside what was accepted, and says one error of what was not.
func (f *franz) sort(response *kmsg.OffsetCommitResponse, offsets, accepted map[int32]int64) {
	var refused error
	for _, topic := range response.Topics {
		for _, partition := range topic.Partitions {
			if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
				refused = err
			} else {
				accepted[partition.Partition] = offsets[partition.Partition]
			}
		}
	}
	if refused != nil {
		f.voice.fail("error", refused)
	}
}

func (f *franz) assigned(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	f.voice.owned("assigned", partitions[f.Topic])
}

func (f *franz) revoked(_ context.Context, client *kgo.Client, partitions map[string][]int32) {
	gone := partitions[f.Topic]
	f.voice.owned("revoked", gone)
	if len(gone) > 0 {
		f.commit(client, gone)
		f.voice.forget(gone)
	}
}

func (f *franz) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	f.voice.owned("lost", partitions[f.Topic])
	f.voice.forget(partitions[f.Topic])
}
