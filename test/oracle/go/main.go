// The oracle: answers the cases of generate.py with the libraries that Argo Workflows uses.
//
// Reads one JSON list a line, ["LANG", "TEXT", …], and prints one JSON string a line: the canonical
// answer, in the form that ../ours.c gives. ["env", {…}] sets the names for the lines after it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

var answers = map[string]func(args []any) string{
	"when": when, "params": whenParams, "expr": expression, "tags": tags, "depends": depends,
	"kubectl": kubectl, "cron": schedule, "regex": regex, "shape": shape, "jq": jq,
}

func answer(line []byte) (out string) {
	defer func() {
		if r := recover(); r != nil {
			out = fmt.Sprintf("ERR panic: %v", r)
		}
	}()
	var args []any
	if err := json.Unmarshal(line, &args); err != nil {
		return "bad line: " + err.Error()
	}
	lang := args[0].(string)
	if lang == "env" {
		setEnv(args[1].(map[string]any))
		return "ok"
	}
	return answers[lang](args[1:])
}

// functions prints the names in Argo's sprig.*, a line each: test/data/oracle/sprig-functions.txt.
func functions() {
	setEnv(map[string]any{})
	names := slices.Collect(maps.Keys(deep["sprig"].(map[string]any)))
	slices.Sort(names)
	fmt.Println(strings.Join(names, "\n"))
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "functions" {
		functions()
		return
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if len(strings.TrimSpace(string(line))) > 0 {
			_ = enc.Encode(answer(line))
		}
		if err != nil {
			return
		}
	}
}
