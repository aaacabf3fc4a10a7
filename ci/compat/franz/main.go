// The franz-go driver: one JSON request per line on stdin, one JSON answer per line on stdout (see ../README.md).
// Not a client library: the client is franz-go. First function to read: main.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type request struct {
	Op         string `json:"op"`
	Bootstrap  string `json:"bootstrap"`
	Topic      string `json:"topic"`
	Codec      string `json:"codec"`
	Idempotent bool   `json:"idempotent"`
	Records    string `json:"records"`
	Partitions int32  `json:"partitions"`
	Out        string `json:"out"`
	FetchBytes int32  `json:"fetch_bytes"`
}

type answer struct {
	Count int    `json:"count"`
	Error string `json:"error,omitempty"`
}

// line is a record as the files have it; []byte is base64 in JSON and nil is null.
type line struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   [][2]any `json:"headers"`
	Timestamp int64    `json:"timestamp"`
}

func main() {
	requests := bufio.NewScanner(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for requests.Scan() {
		var req request
		err := json.Unmarshal(requests.Bytes(), &req)
		count := 0
		if err == nil {
			count, err = perform(req)
		}
		if err != nil {
			answers.Encode(answer{Error: err.Error()})
		} else {
			answers.Encode(answer{Count: count})
		}
	}
}

func perform(req request) (int, error) {
	switch req.Op {
	case "produce":
		return produce(req)
	case "consume":
		return consume(req)
	}
	return 0, fmt.Errorf("unknown op %q", req.Op)
}
