package plan

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"tufceremony/ceremony/internal/tufmeta"
)

// YAML reads much into what looks plain: 0013200460 is 2949424, 3.7 becomes 3
// where a whole number is wanted, "\u202e" is a character that turns text
// around. A plan is read aloud, so what is written and what is meant must be
// one thing, and all else is refused before anything is decoded.

// Limits of a plan. The YAML library takes minutes over a line of brackets.
const (
	maxSize  = 1 << 20
	maxDepth = 8
	// The count stands beside the depth, which brackets in quotes upset.
	maxBrackets = 1000
)

// small refuses what no plan needs: a large file, brackets in brackets.
func small(data []byte) error {
	if len(data) > maxSize {
		return &Error{Problem: fmt.Sprintf("has %d bytes, and %d are the most", len(data), maxSize), Remedy: "what is long goes into lists of its own, `manifest` for targets and `projects` for delegations; `ceremony init` writes what a plan has"}
	}
	depth, open := 0, 0
	for i, c := range data {
		switch c {
		case '[', '{':
			depth, open = depth+1, open+1
		case ']', '}':
			depth = max(depth-1, 0)
		}
		if open > maxBrackets {
			return &Error{Line: 1 + bytes.Count(data[:i], []byte("\n")), Problem: fmt.Sprintf("has more than %d brackets in all", maxBrackets), Remedy: "write long lists without them, an entry a line with a dash before it"}
		}
		if depth > maxDepth {
			return &Error{Line: 1 + bytes.Count(data[:i], []byte("\n")), Problem: "has brackets in brackets in brackets", Remedy: "compare the line with what `ceremony init` writes"}
		}
	}
	return nil
}

// text refuses characters that do not look like what they are.
func text(data []byte) error {
	for i, line := range bytes.Split(data, []byte("\n")) {
		if !tufmeta.Unsafe(string(line)) {
			continue
		}
		e := &Error{Line: i + 1, Problem: "has a control, bidirectional or invisible character: TEXT-UNSAFE",
			Remedy: "write the line anew, with plain characters, spaces instead of tabs and plain line ends"}
		if !utf8.Valid(line) {
			e.Problem, e.Remedy = "is not UTF-8: TEXT-UNSAFE", "save the file as UTF-8"
		}
		return e
	}
	return nil
}

// plain refuses what makes YAML mean something other than it looks like.
func plain(body ast.Node) error {
	v := plainVisitor{}
	ast.Walk(&v, body)
	if v.found == nil { // no *Error in an error that is not nil
		return nil
	}
	return v.found
}

type plainVisitor struct{ found *Error }

func (v *plainVisitor) Visit(n ast.Node) ast.Visitor {
	if v.found != nil {
		return nil
	}
	problem, remedy := judge(n)
	if problem != "" {
		v.found = &Error{Line: line(n), Field: path(n), Problem: problem, Remedy: remedy}
		return nil
	}
	return v
}

// number is how a whole number is written, so that nobody reads it otherwise.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

const numberRemedy = "write a number in plain digits, and text like a serial in quotes"

// whole is a field that has a number. The library would take "3.7", in quotes,
// for 3.
type whole int64

// UnmarshalYAML reads the number as it is written.
func (w *whole) UnmarshalYAML(n ast.Node) error {
	e := &Error{Line: line(n), Field: path(n), Remedy: numberRemedy}
	switch n.(type) {
	case *ast.NullNode:
		return nil // 0, which validate judges
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		e.Problem = "a number is wanted here, and something else is written"
		return e
	}
	written := n.GetToken().Value
	i, err := strconv.ParseInt(written, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), i > tufmeta.MaxInteger, i < -tufmeta.MaxInteger:
		e.Problem = "is beyond 2^53-1, where clients begin to round"
	case err != nil || n.Type() != ast.IntegerType || !number.MatchString(written):
		e.Problem = fmt.Sprintf("is %q, and a number is wanted here", written)
	default:
		*w = whole(i)
		return nil
	}
	return e
}

func judge(n ast.Node) (problem, remedy string) {
	switch n := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return "uses an anchor, an alias, a tag or a merge key", "write the value out where it is used: the plan is read aloud"
	case *ast.IntegerNode:
		written := n.GetToken().Value
		if !number.MatchString(written) {
			return fmt.Sprintf("is %s, which YAML reads as %v", written, n.Value), numberRemedy
		}
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return fmt.Sprintf("is %s, and a plan has whole numbers only", n.GetToken().Value), numberRemedy
	case *ast.BoolNode:
		if written := n.GetToken().Value; written != "true" && written != "false" {
			return "is " + written, "write true or false, and text in quotes"
		}
	case *ast.NullNode:
		if t := n.GetToken(); t.Type == token.NullType {
			return "is " + t.Value, "write the value, or leave the field out"
		}
	case *ast.StringNode:
		if tufmeta.Unsafe(n.Value) {
			return "has a control, bidirectional or invisible character: TEXT-UNSAFE", "write the text in one line, with plain characters"
		}
	case *ast.LiteralNode:
		return "is a block of text", "write the text in one line"
	}
	return "", ""
}
