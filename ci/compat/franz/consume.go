package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A consumer that sees no record for so long gives up and says where it stood.
const stallTimeout = 30 * time.Second

// consume reads every partition from its beginning to the end it had at the start.
func consume(req request) (int, error) {
	options := []kgo.Opt{kgo.SeedBrokers(req.Bootstrap)}
	if req.FetchBytes > 0 {
		options = append(options, kgo.FetchMaxPartitionBytes(req.FetchBytes))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ends, err := assign(client, req)
	if err != nil {
		return 0, err
	}
	file, err := os.Create(req.Out)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	count, err := readTo(client, ends, json.NewEncoder(out))
	if err != nil {
		return count, err
	}
	return count, out.Flush()
}

// assign starts consumption and returns the end offsets of the partitions that hold records.
func assign(client *kgo.Client, req request) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stallTimeout)
	defer cancel()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, req.Topic)
	if err != nil {
		return nil, err
	}
	listed, err := admin.ListEndOffsets(ctx, req.Topic)
	if err != nil {
		return nil, err
	}
	ends := make(map[int32]int64)
	from := make(map[int32]kgo.Offset)
	for partition := range req.Partitions {
		start, ok1 := starts.Lookup(req.Topic, partition)
		end, ok2 := listed.Lookup(req.Topic, partition)
		if !ok1 || !ok2 || start.Err != nil || end.Err != nil {
			return nil, fmt.Errorf("no offsets of partition %d: %v %v", partition, start.Err, end.Err)
		}
		if end.Offset > start.Offset {
			ends[partition] = end.Offset
			from[partition] = kgo.NewOffset().At(start.Offset)
		}
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{req.Topic: from})
	return ends, nil
}

func readTo(client *kgo.Client, ends map[int32]int64, out *json.Encoder) (int, error) {
	count := 0
	for len(ends) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), stallTimeout)
		fetches := client.PollFetches(ctx)
		cancel()
		for _, failure := range fetches.Errors() {
			return count, fmt.Errorf("partition %d: %w, still short of %v", failure.Partition, failure.Err, ends)
		}
		for records := fetches.RecordIter(); !records.Done(); {
			record := records.Next()
			if err := out.Encode(lineOf(record)); err != nil {
				return count, err
			}
			count++
			if record.Offset+1 >= ends[record.Partition] {
				delete(ends, record.Partition)
			}
		}
	}
	return count, nil
}

func lineOf(record *kgo.Record) line {
	headers := make([][2]any, 0, len(record.Headers))
	for _, header := range record.Headers {
		headers = append(headers, [2]any{header.Key, header.Value})
	}
	return line{
		Partition: record.Partition, Offset: record.Offset, Key: record.Key, Value: record.Value,
		Headers: headers, Timestamp: record.Timestamp.UnixMilli(),
	}
}
