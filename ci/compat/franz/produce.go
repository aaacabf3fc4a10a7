package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	flushTimeout = 60 * time.Second
	lineBytesMax = 16 << 20
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

// produce sends the records of a file; the count is that of the acknowledgements.
func produce(req request) (int, error) {
	client, err := kgo.NewClient(producerOptions(req)...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	// Not kgo.RecordDeliveryTimeout: that counts from the record's own timestamp, which is in the past here.
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()

	var mu sync.Mutex
	var first error
	acked := 0
	err = eachRecord(req.Records, func(record *kgo.Record) {
		record.Topic = req.Topic
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				acked++
			} else if first == nil {
				first = err
			}
		})
	})
	if err != nil {
		return 0, err
	}
	if err := client.Flush(ctx); err != nil {
		return 0, err
	}
	mu.Lock()
	defer mu.Unlock()
	return acked, first
}

func producerOptions(req request) []kgo.Opt {
	options := []kgo.Opt{
		kgo.SeedBrokers(req.Bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[req.Codec]),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(5 * time.Millisecond),
		kgo.ProducerBatchMaxBytes(1 << 20),
		kgo.MaxBufferedRecords(20_000),
	}
	if !req.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	return options
}

func eachRecord(path string, send func(*kgo.Record)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<16), lineBytesMax)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return err
		}
		headers, err := headersOf(l.Headers)
		if err != nil {
			return err
		}
		send(&kgo.Record{
			Partition: l.Partition, Key: l.Key, Value: l.Value,
			Headers: headers, Timestamp: time.UnixMilli(l.Timestamp),
		})
	}
	return lines.Err()
}

func headersOf(pairs [][2]any) ([]kgo.RecordHeader, error) {
	headers := make([]kgo.RecordHeader, 0, len(pairs))
	for _, pair := range pairs {
		name, ok := pair[0].(string)
		if !ok {
			return nil, fmt.Errorf("a header's name is not a string: %v", pair[0])
		}
		header := kgo.RecordHeader{Key: name}
		if text, ok := pair[1].(string); ok {
			value, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, err
			}
			header.Value = value
		}
		headers = append(headers, header)
	}
	return headers, nil
}
