package plan

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"tufceremony/ceremony/internal/tufmeta"
)

// Error is one fault of a plan: where it stands and what to write instead.
type Error struct {
	Line    int    // from 1; 0 where the fault is that something is missing
	Field   string // "roles.root.threshold"
	Problem string
	Remedy  string
}

func (e *Error) Error() string {
	at := "plan.yaml"
	if e.Line > 0 {
		at = fmt.Sprintf("plan.yaml, line %d", e.Line)
	}
	if e.Field != "" {
		at += ", " + tufmeta.Printable(e.Field)
	}
	return at + ": " + e.Problem
}

// Hint is the remedy.
func (e *Error) Hint() string { return e.Remedy }

// The file's own form. Times and numbers that need judging are judged in
// validate, where the field path is known.
type file struct {
	Format     string       `yaml:"format"`
	Kind       string       `yaml:"kind"`
	Repository string       `yaml:"repository"`
	Rehearsal  bool         `yaml:"rehearsal"`
	Window     window       `yaml:"window"`
	Timeout    whole        `yaml:"module-timeout"`
	Policy     *policy      `yaml:"policy"`
	Holders    []holder     `yaml:"holders"`
	Online     []online     `yaml:"online"`
	Root       *role0       `yaml:"root"`
	Roles      *roles       `yaml:"roles"`
	Externals  []external   `yaml:"externals"`
	Targets    *targets     `yaml:"targets"`
	Delegated  []targets    `yaml:"delegated"`
	Lifetimes  *days        `yaml:"lifetimes"`
	Compromise *answers     `yaml:"compromise"`
	Waivers    []waiver     `yaml:"waivers"`
	Supersedes []superseded `yaml:"supersedes"`
}

type window struct {
	Opens  string `yaml:"opens"`
	Closes string `yaml:"closes"`
}

type holder struct {
	Name   string `yaml:"name"`
	Tokens []tok  `yaml:"tokens"`
}

type tok struct {
	Name        string `yaml:"name"`
	URI         string `yaml:"uri"`
	Model       string `yaml:"model"`
	Serial      string `yaml:"serial"`
	Key         string `yaml:"key"`
	Attestation string `yaml:"attestation"`
	Lost        bool   `yaml:"lost"`
	OneTime     bool   `yaml:"one-time"`
}

type policy struct {
	Attestation   string   `yaml:"attestation"`
	Roots         string   `yaml:"roots"`
	Firmware      string   `yaml:"firmware"`
	PIN           string   `yaml:"pin"`
	Touch         string   `yaml:"touch"`
	FormFactors   []string `yaml:"form-factors"`
	FIPS          bool     `yaml:"fips"`
	ManagementKey string   `yaml:"management-key"`
}

type online struct {
	Name string `yaml:"name"`
	Key  string `yaml:"key"`
}

type role0 struct {
	Version whole  `yaml:"version"`
	Expires string `yaml:"expires"`
}

type roles struct {
	Root      roleKeys `yaml:"root"`
	Targets   roleKeys `yaml:"targets"`
	Snapshot  roleKeys `yaml:"snapshot"`
	Timestamp roleKeys `yaml:"timestamp"`
}

type roleKeys struct {
	Threshold whole    `yaml:"threshold"`
	Keys      []string `yaml:"keys"`
}

// targets is the section of that name, or one of delegated:, which has role and
// delegator besides.
type targets struct {
	Role        string       `yaml:"role"`
	Delegator   string       `yaml:"delegator"`
	Version     whole        `yaml:"version"`
	Expires     string       `yaml:"expires"`
	Add         []target     `yaml:"add"`
	Manifest    string       `yaml:"manifest"`
	Remove      []string     `yaml:"remove"`
	Delegations []delegation `yaml:"delegations"`
	Projects    string       `yaml:"projects"`
	Withdraw    []string     `yaml:"withdraw"`
}

type delegation struct {
	Name        string    `yaml:"name"`
	Threshold   whole     `yaml:"threshold"`
	Keys        []string  `yaml:"keys"`
	External    *string   `yaml:"external"`
	Paths       []string  `yaml:"paths"`
	Prefixes    []string  `yaml:"path-hash-prefixes"`
	Succinct    *succinct `yaml:"succinct"`
	Terminating *bool     `yaml:"terminating"`
}

type succinct struct {
	Bits   whole  `yaml:"bits"`
	Prefix string `yaml:"prefix"`
}

type target struct {
	Path   string `yaml:"path"`
	Length whole  `yaml:"length"`
	SHA256 string `yaml:"sha256"`
}

type days struct {
	Snapshot  whole `yaml:"snapshot"`
	Timestamp whole `yaml:"timestamp"`
}

type waiver struct {
	Check   string `yaml:"check"`
	Subject string `yaml:"subject"`
	Reason  string `yaml:"reason"`
}

// Parse reads and validates a plan. Of several faults the first is returned.
func Parse(data []byte) (*Plan, error) { return read(data, validate) }

// read decodes the form of a plan, strictly, and has what it says judged.
func read[T any](data []byte, judge func(*file, *locator) (*T, error)) (read *T, err error) {
	defer func() { // the YAML library is not ours to trust with hostile input
		if r := recover(); r != nil {
			read, err = nil, &Error{Problem: "the file is not YAML that can be read", Remedy: "compare it with what `ceremony init` writes"}
		}
	}()
	if err := small(data); err != nil {
		return nil, err
	}
	if err := text(data); err != nil {
		return nil, err
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntax(err, nil)
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, &Error{Problem: "has no content, or more than one document", Remedy: "one plan, one document: compare it with what `ceremony init` writes"}
	}
	if err := plain(tree.Docs[0].Body); err != nil {
		return nil, err
	}
	var f file
	d := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := d.Decode(&f); err != nil {
		return nil, syntax(err, tree)
	}
	return judge(&f, &locator{tree})
}

// syntax turns the library's error into ours, with the path of the field at
// its place.
func syntax(err error, tree *ast.File) error {
	e := &Error{Problem: strings.SplitN(err.Error(), "\n", 2)[0], Remedy: "compare the line with what `ceremony init` writes: spelling, indentation, quotes"}
	var y yaml.Error
	var ours *Error
	switch {
	case errors.As(err, &ours): // of a whole
		return ours
	case !errors.As(err, &y):
		return e
	}
	e.Problem = tufmeta.Printable(friendly(y.GetMessage()))
	if t := y.GetToken(); t != nil && t.Position != nil {
		e.Line = t.Position.Line
		if tree != nil {
			e.Field = pathAt(tree, t)
		}
	}
	return e
}

var goTypes = regexp.MustCompile(`cannot unmarshal (.*) into Go (struct field \S+ of type|value of type) (.*)`)

func friendly(message string) string {
	if m := goTypes.FindStringSubmatch(message); m != nil {
		names := map[string]string{"int64": "a number", "int": "a number", "uint64": "a number", "string": "text", "bool": "true or false"}
		say := func(t string) string {
			if s, ok := names[t]; ok {
				return s
			}
			return "a group of fields"
		}
		return say(m[3]) + " is wanted here, and " + strings.Replace(say(m[1]), "a group of fields", "something else", 1) + " is written"
	}
	return message
}

func pathAt(tree *ast.File, t *token.Token) string {
	v := findVisitor{offset: t.Position.Offset}
	for _, doc := range tree.Docs {
		ast.Walk(&v, doc.Body)
	}
	return v.path
}

type findVisitor struct {
	offset int
	path   string
}

func (v *findVisitor) Visit(n ast.Node) ast.Visitor {
	if t := n.GetToken(); t != nil && t.Position != nil && t.Position.Offset == v.offset {
		v.path = path(n)
	}
	return v
}

func path(n ast.Node) string { return strings.TrimPrefix(strings.TrimPrefix(n.GetPath(), "$"), ".") }

func line(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// locator finds the line of a field, or of the nearest field around it.
type locator struct{ tree *ast.File }

func (l *locator) line(field string) int {
	for field != "" {
		if p, err := yaml.PathString("$." + field); err == nil {
			if n, err := p.FilterFile(l.tree); err == nil && n != nil {
				return line(l.name(n))
			}
		}
		i := strings.LastIndexAny(field, ".[")
		field = field[:max(i, 0)]
	}
	return 0
}

// has reports whether a field is written at all, with a value or without.
func (l *locator) has(field string) bool {
	p, err := yaml.PathString("$." + field)
	if err != nil {
		return false
	}
	n, err := p.FilterFile(l.tree)
	return err == nil && n != nil
}

// empty reports whether a field is written without a value: as a list, of which
// somebody has taken out every line, and perhaps not meant to say "none".
func (l *locator) empty(field string) bool {
	p, err := yaml.PathString("$." + field)
	if err != nil {
		return false
	}
	n, err := p.FilterFile(l.tree)
	return err == nil && n != nil && n.Type() == ast.NullType
}

// name gives the name of the field that has a value: a group of fields begins
// in the line after it, and it is the name that people look for.
func (l *locator) name(value ast.Node) ast.Node {
	for _, n := range ast.FilterFile(ast.MappingValueType, l.tree) {
		if field, ok := n.(*ast.MappingValueNode); ok && field.Value == value {
			return field.Key
		}
	}
	return value
}
