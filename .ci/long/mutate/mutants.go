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

// mutant is one change of one file: octets from..to become text.
type mutant struct {
	file     string
	function string
	line     int
	from, to int
	was, is  string
	source   []byte
}

func (m mutant) String() string { return fmt.Sprintf("%s:%d: %s", m.file, m.line, m.key()) }

// key names the mutant as long as its function has the same text.
func (m mutant) key() string {
	return fmt.Sprintf("%s %s: %s => %s", m.file, m.function, oneLine(m.was), oneLine(m.is))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (m mutant) apply() []byte {
	return slices.Concat(m.source[:m.from], []byte(m.is), m.source[m.to:])
}

// mutants lists the changes of DIR's code, or of some of its files: DIR:a.go,b.go.
func mutants(arg string) ([]mutant, error) {
	dir, only, some := strings.Cut(arg, ":")
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var out []mutant
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || some && !slices.Contains(strings.Split(only, ","), filepath.Base(f)) {
			continue
		}
		found, err := fileMutants(f)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func fileMutants(path string) ([]mutant, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, 0)
	if err != nil {
		return nil, err
	}
	c := &collector{set: set, source: source, path: path}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			c.function = f.Name.Name
			ast.Inspect(f.Body, c.visit)
		}
	}
	return c.out, nil
}

// collector notes the changes of one file.
type collector struct {
	set      *token.FileSet
	source   []byte
	path     string
	function string
	out      []mutant
}

// other is what an operator is exchanged for.
var other = map[token.Token]string{
	token.EQL: "!=", token.NEQ: "==", token.LSS: ">=", token.GEQ: "<", token.GTR: "<=", token.LEQ: ">",
	token.LAND: "||", token.LOR: "&&", token.ADD: "-", token.SUB: "+",
}

func (c *collector) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if is, ok := other[n.Op]; ok {
			c.change(n.Pos(), n.End(), c.text(n.X)+" "+is+" "+c.text(n.Y))
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			c.change(n.Pos(), n.End(), c.text(n.X))
		}
	case *ast.Ident:
		switch n.Name {
		case "true":
			c.change(n.Pos(), n.End(), "false")
		case "false":
			c.change(n.Pos(), n.End(), "true")
		}
	case *ast.IfStmt:
		if _, simple := n.Cond.(*ast.BinaryExpr); !simple { // a comparison is changed already
			c.change(n.Cond.Pos(), n.Cond.End(), "!("+c.text(n.Cond)+")")
		}
	case *ast.ExprStmt:
		if _, call := n.X.(*ast.CallExpr); call {
			c.change(n.Pos(), n.End(), "")
		}
	case *ast.CaseClause:
		if len(n.List) > 0 && len(n.Body) > 0 {
			c.change(n.Pos(), n.End(), "")
		}
	case *ast.BasicLit:
		if n.Kind == token.INT && n.Value != "0" {
			c.change(n.Pos(), n.End(), "("+n.Value+"+1)")
		}
	}
	return true
}

func (c *collector) text(n ast.Node) string {
	return string(c.source[c.offset(n.Pos()):c.offset(n.End())])
}

func (c *collector) offset(p token.Pos) int { return c.set.Position(p).Offset }

func (c *collector) change(from, to token.Pos, is string) {
	a, b := c.offset(from), c.offset(to)
	c.out = append(c.out, mutant{file: c.path, function: c.function, line: c.set.Position(from).Line, from: a, to: b, was: string(c.source[a:b]), is: is, source: c.source})
}
