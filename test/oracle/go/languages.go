package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/Knetic/govaluate"
	exprenv "github.com/argoproj/argo-workflows/v4/util/expr/env"
	"github.com/argoproj/argo-workflows/v4/util/logging"
	"github.com/argoproj/argo-workflows/v4/util/template"
	"github.com/expr-lang/expr"
	"k8s.io/client-go/util/jsonpath"
	kjson "sigs.k8s.io/json"
)

var (
	flat map[string]any // names as Argo keeps them
	deep map[string]any // as expressions see them
)

func setEnv(m map[string]any) {
	flat = m
	deep = exprenv.GetFuncMap(m)
}

// --- govaluate ---

func boolean(e *govaluate.EvaluableExpression, params map[string]any) string {
	result, err := e.Evaluate(params)
	if err != nil {
		return "ERR eval: " + err.Error()
	}
	if b, ok := result.(bool); ok {
		return fmt.Sprint(b)
	}
	return fmt.Sprintf("ERR non-bool %T %v", result, result)
}

// As steps and tasks: bare words are strings.
func when(args []any) string {
	e, err := govaluate.NewEvaluableExpression(args[0].(string))
	if err != nil {
		return "ERR parse: " + err.Error()
	}
	tokens := e.Tokens()
	for i := range tokens {
		if tokens[i].Kind == govaluate.VARIABLE {
			tokens[i].Kind = govaluate.STRING
		}
	}
	e, err = govaluate.NewEvaluableExpressionFromTokens(tokens)
	if err != nil {
		return "ERR parse: " + err.Error()
	}
	return boolean(e, nil)
}

func whenParams(args []any) string {
	e, err := govaluate.NewEvaluableExpression(args[0].(string))
	if err != nil {
		return "ERR parse: " + err.Error()
	}
	params, _ := args[1].(map[string]any)
	return boolean(e, params)
}

// --- expr ---

func oneLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

func evaluate(text string, env map[string]any) string {
	program, err := expr.Compile(text, expr.Env(env))
	if err != nil {
		return "COMPILE-ERR " + oneLine(err)
	}
	v, err := expr.Run(program, env)
	if err != nil {
		return "RUN-ERR " + oneLine(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T unmarshalable", v)
	}
	return fmt.Sprintf("%T %s", v, b)
}

// What goes over a map has no fixed order in Go: tried often, it is seen to vary.
var overMap = regexp.MustCompile(`keys|values|toPairs|pluck|sortBy|toStrings`)

// sprig's set, unset and merge change the names for good.
var changes = regexp.MustCompile(`sprig\.(must)?([sS]et|[uU]nset|[mM]erge)`)

func expression(args []any) string {
	text := args[0].(string)
	if changes.MatchString(text) {
		defer setEnv(flat)
	}
	first := evaluate(text, deep)
	if overMap.MatchString(text) {
		for range 120 {
			if next := evaluate(text, deep); next != first {
				return "VARIES " + first + " or " + next
			}
		}
	}
	return first
}

// --- tags ---

var logged = logging.WithLogger(context.Background(),
	logging.NewSlogLogger(logging.Error, logging.Text))


// args: text, policy ("leave", "fail", "prefixes").
func tags(args []any) string {
	quoted, err := json.Marshal(args[0])
	if err != nil {
		return "ERR " + err.Error()
	}
	var out string
	switch args[1] {
	case "leave":
		out, err = template.Replace(logged, string(quoted), flat, true)
	case "fail":
		out, err = template.Replace(logged, string(quoted), flat, false)
	default:
		out, err = template.ReplaceStrictAny(logged, string(quoted), flat, []string{"tasks", "steps"})
	}
	if err != nil {
		if template.IsMissingVariableErr(err) {
			return "UNRESOLVED " + oneLine(err)
		}
		return "ERR " + oneLine(err)
	}
	var s string
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return "ERR " + err.Error()
	}
	return "OK " + s
}

// --- depends ---

type results struct {
	Succeeded, Failed, Errored, Skipped, Omitted, Daemoned, AnySucceeded, AllFailed bool
}

var word = regexp.MustCompile(`[a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+|[a-zA-Z0-9][-a-zA-Z0-9]*`)

// args: logic, {task: phase}. Bare names are expanded, then the logic is an expression.
func depends(args []any) string {
	scope := map[string]results{}
	for name, phase := range args[1].(map[string]any) {
		r := results{}
		switch phase {
		case "Succeeded":
			r.Succeeded = true
		case "Failed":
			r.Failed = true
		case "Error":
			r.Errored = true
		case "Skipped":
			r.Skipped = true
		case "Omitted":
			r.Omitted = true
		case "Daemoned":
			r.Daemoned = true
		}
		scope[strings.ReplaceAll(name, "-", "_")] = r
	}
	logic := word.ReplaceAllStringFunc(args[0].(string), func(w string) string {
		if strings.Contains(w, ".") {
			return w
		}
		return "(" + w + ".Succeeded || " + w + ".Skipped || " + w + ".Daemoned)"
	})
	logic = strings.ReplaceAll(logic, "-", "_")
	program, err := expr.Compile(logic, expr.Env(scope))
	if err != nil {
		return "ERR " + oneLine(err)
	}
	v, err := expr.Run(program, scope)
	if err != nil {
		return "ERR " + oneLine(err)
	}
	if _, ok := v.(bool); !ok {
		return "ERR non-bool"
	}
	return fmt.Sprint(v)
}

// --- kubectl's JSONPath ---

// args: template, JSON document. As `kubectl get -o jsonpath=…`, which lets missing keys pass.
func kubectl(args []any) string {
	first := kubectlOnce(args)
	for range 60 { // what goes over a map has no fixed order
		if next := kubectlOnce(args); next != first {
			return "VARIES " + first
		}
	}
	return first
}

func kubectlOnce(args []any) (out string) {
	defer func() {
		if r := recover(); r != nil {
			out = fmt.Sprintf("ERR panic: %v", r)
		}
	}()
	var doc any
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(args[1].(string)), &doc); err != nil {
		return "ERR " + err.Error()
	}
	j := jsonpath.New("out").AllowMissingKeys(true)
	if err := j.Parse(args[0].(string)); err != nil {
		return "ERR parse: " + oneLine(err)
	}
	var b strings.Builder
	if err := j.Execute(&b, doc); err != nil {
		return "ERR run: " + oneLine(err)
	}
	return "OK " + b.String()
}

// --- regular expressions ---

func regex(args []any) string {
	re, err := regexp.Compile(args[0].(string))
	if err != nil {
		return "ERR " + err.Error()
	}
	return fmt.Sprint(re.FindStringSubmatchIndex(args[1].(string)))
}
