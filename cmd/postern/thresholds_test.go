package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What one room may hold; past these it is cut by its users or its subjects.
const (
	maxInterface    = 14   // methods of an interface's own, embedded ones not counted
	maxPackageFiles = 45   // tests and generated files not counted
	maxPackageLines = 4000 // the same
	maxFunction     = 80   // lines; one protocol switch or wiring function may come near
)

// TestThresholds: no interface, package or function grows into a tangle unseen.
func TestThresholds(t *testing.T) {
	files, lines := map[string]int{}, map[string]int{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		files[dir]++
		lines[dir] += strings.Count(string(src), "\n")
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if i, ok := n.Type.(*ast.InterfaceType); ok && methods(i) > maxInterface {
					t.Errorf("%s: interface %s has %d methods of its own, at most %d", path, n.Name, methods(i), maxInterface)
				}
			case *ast.FuncDecl:
				if n := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1; n > maxFunction {
					t.Errorf("%s: a function of %d lines, at most %d", path, n, maxFunction)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 15 {
		t.Fatalf("only %d packages were looked at", len(files))
	}
	for dir, n := range files {
		if n > maxPackageFiles || lines[dir] > maxPackageLines {
			t.Errorf("%s: %d files, %d lines; at most %d and %d", dir, n, lines[dir], maxPackageFiles, maxPackageLines)
		}
	}
}

// methods counts those that an interface declares itself.
func methods(i *ast.InterfaceType) int {
	n := 0
	for _, m := range i.Methods.List {
		if _, ok := m.Type.(*ast.FuncType); ok {
			n += len(m.Names)
		}
	}
	return n
}
