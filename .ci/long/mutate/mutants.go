package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one change of one file. All of a package's mutants are compiled in at
// once, each behind a switch of its own (instrument.go).
type mutant struct {
	id       int
	file     string
	function string
	line     int
	from, to int // octets of the file that it changes
	kind     kind
	x, y     [2]int // octets of its operands
	was, is  string // for people
}

// kind is how the change is written.
type kind uint8

const (
	negate   kind = iota // a truth value becomes the other
	logic                // && and || are exchanged
	number               // + and - are exchanged, a number is one more
	boundary             // < and <=, > and >= are exchanged
	literal              // true and false are exchanged
	removal              // a statement is left out
	noCase               // a case of a switch never fits
)

func (m mutant) String() string { return fmt.Sprintf("%s:%d: %s", m.file, m.line, m.key()) }

// key names the mutant as long as its function has the same text.
func (m mutant) key() string {
	return fmt.Sprintf("%s %s: %s => %s", m.file, m.function, oneLine(m.was), oneLine(m.is))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// source is a file and its mutants, in their order.
type source struct {
	path    string
	text    []byte
	mutants []mutant
}

// sources reads DIR's code, or some of its files: DIR:a.go,b.go.
func sources(arg string) ([]*source, error) {
	dir, only, some := strings.Cut(arg, ":")
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var out []*source
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || some && !slices.Contains(strings.Split(only, ","), filepath.Base(f)) {
			continue
		}
		s, err := readSource(f)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func readSource(path string) (*source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, 0)
	if err != nil {
		return nil, err
	}
	c := &collector{set: set, source: &source{path: path, text: text}}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			c.function = f.Name.Name
			ast.Inspect(f.Body, c.visit)
		}
	}
	return c.source, nil
}

// collector notes the changes of one file.
type collector struct {
	*source
	set      *token.FileSet
	function string
}

// opposite is the operator that is true where another is false.
var opposite = map[token.Token]string{
	token.EQL: "!=", token.NEQ: "==", token.LSS: ">=", token.GEQ: "<", token.GTR: "<=", token.LEQ: ">",
}

// exchanged is what an operator is exchanged for.
var exchanged = map[token.Token]struct {
	op   string
	kind kind
}{
	token.LAND: {"||", logic}, token.LOR: {"&&", logic}, token.ADD: {"-", number}, token.SUB: {"+", number},
	token.LSS: {"<=", boundary}, token.LEQ: {"<", boundary}, token.GTR: {">=", boundary}, token.GEQ: {">", boundary},
}

func (c *collector) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST
	case *ast.BinaryExpr:
		c.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			c.change(negate, n, c.textOf(n.X))
		}
	case *ast.Ident:
		switch n.Name {
		case "true":
			c.change(literal, n, "false")
		case "false":
			c.change(literal, n, "true")
		}
	case *ast.IfStmt:
		switch n.Cond.(type) {
		case *ast.BinaryExpr, *ast.UnaryExpr: // changed themselves
		default:
			c.change(negate, n.Cond, "!"+c.textOf(n.Cond))
		}
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && !logs(call) {
			c.change(removal, n, "")
		}
	case *ast.SwitchStmt:
		for _, clause := range n.Body.List {
			if clause := clause.(*ast.CaseClause); n.Tag == nil && len(clause.Body) > 0 {
				for _, condition := range clause.List {
					c.change(noCase, condition, "never")
				}
			}
		}
	case *ast.BasicLit:
		if n.Kind == token.INT && n.Value != "0" {
			c.change(number, n, "("+n.Value+"+1)")
		}
	}
	return true
}

// logs reports whether a call writes a log line: nothing is decided by one.
func logs(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Debug", "Info", "Warn", "Error", "LogAttrs"}, f.Sel.Name)
}

func (c *collector) binary(n *ast.BinaryExpr) {
	x, y := c.textOf(n.X), c.textOf(n.Y)
	if op, ok := opposite[n.Op]; ok {
		c.change(negate, n, x+" "+op+" "+y)
	}
	if to, ok := exchanged[n.Op]; ok && !(n.Op == token.ADD && isText(n)) {
		c.change(to.kind, n, x+" "+to.op+" "+y)
		m := &c.mutants[len(c.mutants)-1]
		m.x, m.y = c.span(n.X), c.span(n.Y)
	}
}

// isText reports whether a sum joins texts, as far as one of them is literal: there
// is no other operator for those.
func isText(n ast.Expr) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		return isText(n.X) || isText(n.Y)
	case *ast.BasicLit:
		return n.Kind == token.STRING
	}
	return false
}

func (c *collector) span(n ast.Node) [2]int {
	return [2]int{c.set.Position(n.Pos()).Offset, c.set.Position(n.End()).Offset}
}

func (c *collector) textOf(n ast.Node) string {
	at := c.span(n)
	return string(c.text[at[0]:at[1]])
}

func (c *collector) change(k kind, n ast.Node, is string) {
	at := c.span(n)
	c.mutants = append(c.mutants, mutant{file: c.path, function: c.function, line: c.set.Position(n.Pos()).Line, from: at[0], to: at[1], kind: k, was: c.textOf(n), is: is})
}
