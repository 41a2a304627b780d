package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// args: program, JSON document. As the jqFilter of a resource template: numbers of the document are float64.
func jq(args []any) string {
	var doc any
	if err := json.Unmarshal([]byte(args[1].(string)), &doc); err != nil {
		return "ERR " + err.Error()
	}
	query, err := gojq.Parse(args[0].(string))
	if err != nil {
		return "ERR " + oneLine(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var b strings.Builder
	for results := query.RunWithContext(ctx, doc); ; b.WriteString("\n") {
		v, ok := results.Next()
		if !ok {
			return "OK " + strings.TrimSpace(b.String())
		}
		switch v := v.(type) {
		case error:
			return "ERR " + oneLine(v)
		case string:
			b.WriteString(v)
		default:
			text, err := json.Marshal(v)
			if err != nil {
				return "ERR " + err.Error()
			}
			b.Write(text)
		}
	}
}
