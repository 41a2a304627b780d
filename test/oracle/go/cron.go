package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// args: schedule, unix seconds, how many. Prints the times that follow, "never" for none.
func schedule(args []any) string {
	s, err := cron.ParseStandard(args[0].(string))
	if err != nil {
		return "ERR " + oneLine(err)
	}
	at := time.Unix(int64(args[1].(float64)), 0).UTC()
	var out []string
	for range int(args[2].(float64)) {
		at = s.Next(at)
		if at.IsZero() {
			out = append(out, "never")
			break
		}
		out = append(out, fmt.Sprint(at.Unix()))
	}
	return strings.Join(out, " ")
}
