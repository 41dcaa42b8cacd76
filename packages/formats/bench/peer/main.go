// Times mihomo's converter of share links on a file: the peer of ./scripts/bench parse.
//
// Usage: peer FILE [RUNS]. Prints one JSON object a run; the lists of nodes are dropped, as ours are.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/metacubex/mihomo/common/convert"
)

type result struct {
	LinksPerS int   `json:"links_per_s"`
	Links     int   `json:"links"`
	Ms        int64 `json:"ms"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

func run() error {
	if len(os.Args) < 2 {
		return fmt.Errorf("usage: peer FILE [RUNS]")
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	runs := 5
	if len(os.Args) > 2 {
		if runs, err = strconv.Atoi(os.Args[2]); err != nil {
			return err
		}
	}
	for range runs {
		start := time.Now()
		nodes, err := convert.ConvertsV2Ray(text)
		if err != nil {
			return err
		}
		took := time.Since(start)
		line, err := json.Marshal(result{int(float64(len(nodes)) / took.Seconds()), len(nodes), took.Milliseconds()})
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	return nil
}
