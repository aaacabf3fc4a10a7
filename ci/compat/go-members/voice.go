package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Deliveries of so long are one line.
const gather = 50 * time.Millisecond

const clockMonotonic = 1

type run struct{ first, last int64 }

// voice says what a member sees, one JSON line per event, and knows what is still to be committed.
type voice struct {
	mutex     sync.Mutex
	out       *json.Encoder
	runs      map[int32]run
	positions map[int32]int64
}

func newVoice() *voice {
	v := &voice{out: json.NewEncoder(os.Stdout), runs: map[int32]run{}, positions: map[int32]int64{}}
	go func() {
		for range time.Tick(gather) {
			v.mutex.Lock()
			v.flush()
			v.mutex.Unlock()
		}
	}()
	return v
}

// now is the machine's monotonic clock, which Go's own time does not show.
func now() int64 {
	var at syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&at)), 0)
	return at.Nano()
}

func (v *voice) write(event string, fields map[string]any) {
	line := map[string]any{"at": now(), "event": event}
	maps.Copy(line, fields)
	if v.out.Encode(line) != nil {
		os.Exit(1) // nobody listens any more
	}
}

func (v *voice) flush() {
	for partition, run := range v.runs {
		v.write("records", map[string]any{"partition": partition, "first": run.first, "last": run.last})
	}
	clear(v.runs)
}

// say writes one event, after the deliveries that came before it.
func (v *voice) say(event string, fields map[string]any) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.flush()
	v.write(event, fields)
}

func (v *voice) fail(event string, err error) { v.say(event, map[string]any{"text": err.Error()}) }

// owned says that partitions were assigned, revoked or lost; of none there is nothing to say.
func (v *voice) owned(event string, partitions []int32) {
	if len(partitions) > 0 {
		v.say(event, map[string]any{"partitions": slices.Sorted(slices.Values(partitions))})
	}
}

// delivered notes a record. Neighbours become one line.
func (v *voice) delivered(partition int32, offset int64) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	known, found := v.runs[partition]
	if found && offset != known.last+1 {
		v.flush()
		found = false
	}
	if !found {
		known.first = offset
	}
	known.last = offset
	v.runs[partition] = known
	v.positions[partition] = offset + 1
}

// take announces a commit of the positions of some partitions, of all for nil, and returns them with the instant.
func (v *voice) take(partitions []int32) (map[int32]int64, int64) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	offsets := map[int32]int64{}
	for partition, offset := range v.positions {
		if partitions == nil || slices.Contains(partitions, partition) {
			offsets[partition] = offset
		}
	}
	if len(offsets) > 0 {
		v.flush()
		v.write("committing", map[string]any{"offsets": offsets})
	}
	return offsets, now()
}

// taken says what of it was accepted.
func (v *voice) taken(offsets map[int32]int64, began int64) {
	if len(offsets) == 0 {
		return
	}
	v.say("committed", map[string]any{"offsets": offsets, "began": began})
	v.mutex.Lock()
	defer v.mutex.Unlock()
	for partition, offset := range offsets {
		if v.positions[partition] == offset {
			delete(v.positions, partition)
		}
	}
}

// forget drops the positions of partitions that are no longer its own.
func (v *voice) forget(partitions []int32) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	for _, partition := range partitions {
		delete(v.positions, partition)
	}
}
