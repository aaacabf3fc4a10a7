// Members of consumer groups in Go: `members franz-go|sarama OPTIONS` (see ../README.md for what members say).
// Not a client library: the clients are franz-go and sarama. First function to read: main.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	Bootstrap   string `json:"bootstrap"`
	Topic       string `json:"topic"`
	Group       string `json:"group"`
	Name        string `json:"name"`
	Assignor    string `json:"assignor"`
	SessionMs   int    `json:"session_ms"`
	HeartbeatMs int    `json:"heartbeat_ms"`
	CommitMs    int    `json:"commit_ms"`
}

func (o options) session() time.Duration   { return time.Duration(o.SessionMs) * time.Millisecond }
func (o options) heartbeat() time.Duration { return time.Duration(o.HeartbeatMs) * time.Millisecond }
func (o options) commit() time.Duration    { return time.Duration(o.CommitMs) * time.Millisecond }

// A client runs until the context ends, which is SIGTERM; it returns after it has committed and left.
type client func(context.Context, options, *voice) error

var clients = map[string]client{"franz-go": runFranz, "sarama": runSarama}

func main() {
	var o options
	if len(os.Args) != 3 || clients[os.Args[1]] == nil || json.Unmarshal([]byte(os.Args[2]), &o) != nil {
		fmt.Fprintln(os.Stderr, "usage: members franz-go|sarama JSON-OBJECT")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	v := newVoice()
	if err := clients[os.Args[1]](ctx, o, v); err != nil {
		v.fail("fatal", err)
		os.Exit(1)
	}
	v.say("left", nil)
}
