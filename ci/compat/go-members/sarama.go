package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// sarama's Commit returns nothing; what failed comes over a channel a moment later.
const errorDelay = 50 * time.Millisecond

// saramaMember is a sarama member, always eager: sarama has no cooperative protocol.
type saramaMember struct {
	options
	voice  *voice
	errors atomic.Int64
	mutex  sync.Mutex // one commit at a time
}

func runSarama(ctx context.Context, o options, v *voice) error {
	group, err := sarama.NewConsumerGroup([]string{o.Bootstrap}, o.Group, saramaConfig(o))
	if err != nil {
		return err
	}
	m := &saramaMember{options: o, voice: v}
	go func() {
		for err := range group.Errors() {
			m.errors.Add(1)
			v.fail("error", err)
		}
	}()
	v.say("ready", nil)
	for ctx.Err() == nil {
		err := group.Consume(ctx, []string{o.Topic}, m)
		if err != nil && !errors.Is(err, context.Canceled) {
			m.errors.Add(1)
			v.fail("error", err)
			time.Sleep(errorDelay)
		}
	}
	return group.Close()
}

func saramaConfig(o options) *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = o.Name
	config.Consumer.Group.Session.Timeout = o.session()
	config.Consumer.Group.Heartbeat.Interval = o.heartbeat()
	strategy := sarama.NewBalanceStrategyRange()
	if o.Assignor == "sticky" {
		strategy = sarama.NewBalanceStrategySticky()
	}
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Return.Errors = true
	return config
}

// Setup is a new generation.
func (m *saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	m.voice.owned("assigned", session.Claims()[m.Topic])
	go func() {
		for {
			select {
			case <-session.Context().Done():
				return
			case <-time.After(m.commit()):
				m.commitAll(session)
			}
		}
	}()
	return nil
}

// Cleanup is its end, whether the member still belongs to the group or not.
func (m *saramaMember) Cleanup(session sarama.ConsumerGroupSession) error {
	claims := session.Claims()[m.Topic]
	m.voice.owned("revoked", claims)
	m.commitAll(session)
	m.voice.forget(claims)
	return nil
}

// ConsumeClaim delivers one partition.
func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case <-session.Context().Done():
			return nil
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.voice.delivered(message.Partition, message.Offset)
		}
	}
}

func (m *saramaMember) commitAll(session sarama.ConsumerGroupSession) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	offsets, began := m.voice.take(nil)
	if len(offsets) == 0 {
		return
	}
	for partition, offset := range offsets {
		session.MarkOffset(m.Topic, partition, offset, "")
	}
	before := m.errors.Load()
	session.Commit()
	time.Sleep(errorDelay)
	if m.errors.Load() == before {
		m.voice.taken(offsets, began)
	}
}
