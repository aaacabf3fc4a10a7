// franz-go as the client of a measurement: single records at planned times, spread over many partitions.
//
//	franz BOOTSTRAP TOPIC PARTITIONS RATE WARM SECONDS
//
// It works for WARM seconds, says `ready` and waits for a line on its input. Then it works for SECONDS, says its figures
// as `name<TAB>value`, then `done`, and stays until its input ends, so that its CPU time can be read meanwhile.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	valueBytes         = 1024
	acknowledgedWithin = 30 * time.Second
)

// load is what is sent: records to the partitions by turns, so many a second.
type load struct {
	topic      string
	partitions int
	rate       float64
	warm       float64
	seconds    float64
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "franz:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	load, err := parse(args)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(args[0]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// A record waits for nothing but the requests in flight.
		kgo.ProducerLinger(0),
		// The plan is kept even where the broker falls behind by all that there is.
		kgo.MaxBufferedRecords(1+int(load.rate*max(load.warm, load.seconds))),
		kgo.RecordDeliveryTimeout(acknowledgedWithin),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	return load.measure(client)
}

func parse(args []string) (load, error) {
	if len(args) != 6 {
		return load{}, fmt.Errorf("usage: franz BOOTSTRAP TOPIC PARTITIONS RATE WARM SECONDS")
	}
	var numbers [4]float64
	for i := range numbers {
		number, err := strconv.ParseFloat(args[2+i], 64)
		if err != nil {
			return load{}, err
		}
		numbers[i] = number
	}
	return load{args[1], int(numbers[0]), numbers[1], numbers[2], numbers[3]}, nil
}

func (l load) measure(client *kgo.Client) error {
	if _, _, err := l.send(client, l.warm); err != nil {
		return err
	}
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	if _, err := input.ReadString('\n'); err != nil {
		return err
	}
	times, elapsed, err := l.send(client, l.seconds)
	if err != nil {
		return err
	}
	slices.Sort(times)
	fmt.Printf("seconds\t%f\nrecords\t%d\nbytes\t%d\n", elapsed.Seconds(), len(times), len(times)*valueBytes)
	fmt.Printf("p50\t%f\np99\t%f\ndone\n", micros(times, 0.5), micros(times, 0.99))
	_, err = io.Copy(io.Discard, input)
	return err
}

// send keeps to the plan for so long and gives, for each record, the time from when it was planned until it was
// acknowledged. What is late leaves as soon as it can.
func (l load) send(client *kgo.Client, seconds float64) ([]time.Duration, time.Duration, error) {
	times := make([]time.Duration, int(l.rate*seconds))
	interval := time.Duration(float64(time.Second) / l.rate)
	value := make([]byte, valueBytes)
	var failed error
	var once sync.Once
	var left sync.WaitGroup
	left.Add(len(times))
	begin := time.Now()
	for i := range times {
		planned := begin.Add(time.Duration(i) * interval)
		time.Sleep(time.Until(planned))
		record := &kgo.Record{Topic: l.topic, Partition: int32(i % l.partitions), Value: value}
		client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
			times[i] = time.Since(planned)
			if err != nil {
				once.Do(func() { failed = err })
			}
			left.Done()
		})
	}
	left.Wait()
	return times, time.Since(begin), failed
}

func micros(sorted []time.Duration, share float64) float64 {
	return float64(sorted[int(share*float64(len(sorted)-1))].Nanoseconds()) / 1e3
}
