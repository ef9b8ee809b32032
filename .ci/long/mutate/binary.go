package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// binary is a package's tests, compiled with all of its mutants.
type binary struct {
	dir     string // the package's
	temp    string // overlay, binary, logs
	sources []*source
	invalid map[int]bool     // mutants that don't compile
	tests   map[int][]string // by mutant, the tests that reach it, quick ones first
}

// build compiles the package; what doesn't compile is left out and tried again.
func build(ctx context.Context, dir string, list []*source) (*binary, error) {
	temp, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	b := &binary{dir: dir, temp: temp, sources: list, invalid: map[int]bool{}}
	for range 20 {
		out, err := b.compile(ctx)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil || !b.leaveOut(out) {
			return b, fmt.Errorf("%s doesn't compile: %w\n%s", dir, err, out)
		}
	}
	return b, fmt.Errorf("%s doesn't compile", dir)
}

func (b *binary) compile(ctx context.Context) ([]byte, error) {
	replace := map[string]string{}
	add := func(name string, text []byte) error {
		at, err := filepath.Abs(filepath.Join(b.dir, name))
		replace[at] = filepath.Join(b.temp, name)
		return errors.Join(err, os.WriteFile(filepath.Join(b.temp, name), text, 0o600))
	}
	pkg := ""
	var errs []error
	for _, s := range b.sources {
		f, err := parser.ParseFile(token.NewFileSet(), s.path, s.text, parser.PackageClauseOnly)
		if err != nil {
			return nil, err
		}
		pkg = f.Name.Name
		errs = append(errs, add(filepath.Base(s.path), s.instrumented(b.invalid)))
	}
	errs = append(errs, add("zz_mutants.go", switches(pkg)))
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	errs = append(errs, err, os.WriteFile(filepath.Join(b.temp, "overlay.json"), overlay, 0o600))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-gcflags=-e", "-overlay", filepath.Join(b.temp, "overlay.json"),
		"-o", filepath.Join(b.temp, "test"), "./"+b.dir).CombinedOutput()
}

// position is where the compiler complains; of a long line it names no column.
var position = regexp.MustCompile(`(?m)([\w.]+\.go):(\d+):(?:\d+:)? `)

// leaveOut leaves those mutants out that stand where the compiler complains: first
// those whose types it may not like, then all.
func (b *binary) leaveOut(out []byte) (some bool) {
	bad := map[string]bool{}
	for _, m := range position.FindAllSubmatch(out, -1) {
		bad[string(m[1])+":"+string(m[2])] = true
	}
	for _, typed := range []bool{true, false} {
		for _, s := range b.sources {
			for _, m := range s.mutants {
				if !b.invalid[m.id] && bad[fmt.Sprintf("%s:%d", filepath.Base(s.path), m.line)] && (m.kind == number) == typed {
					b.invalid[m.id], some = true, true
				}
			}
		}
		if some {
			return true
		}
	}
	return false
}

// listTests runs each test alone, some at once, and notes which mutants it reaches.
func (b *binary) listTests(ctx context.Context, jobs int) error {
	out, err := b.command(ctx, nil, "-test.list", ".").Output()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	took := map[string]time.Duration{}
	b.tests = map[int][]string{}
	next := make(chan string)
	for range jobs {
		wg.Go(func() {
			for name := range next {
				began := time.Now()
				ids := b.reaches(ctx, name)
				mu.Lock()
				took[name] = time.Since(began)
				for _, id := range ids {
					b.tests[id] = append(b.tests[id], name)
				}
				mu.Unlock()
			}
		})
	}
	for _, name := range strings.Fields(string(out)) {
		next <- name
	}
	close(next)
	wg.Wait()
	for _, names := range b.tests {
		slices.SortFunc(names, func(x, y string) int { return cmp.Compare(took[x], took[y]) })
	}
	return ctx.Err()
}

// reaches lists the mutants that a test reaches; none where it fails without any.
func (b *binary) reaches(ctx context.Context, test string) (ids []int) {
	log := filepath.Join(b.temp, "reached-"+test)
	out, err := b.command(ctx, []string{"MUTANT_LOG=" + log}, "-test.run", "^"+test+"$", "-test.timeout", "2m").CombinedOutput()
	if err != nil {
		if ctx.Err() == nil {
			fmt.Printf("left out: %s fails without a mutant: %s\n", test, lastLine(out))
		}
		return nil
	}
	text, _ := os.ReadFile(log) // none where it reaches none
	for id := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(id); err == nil {
			ids = append(ids, n)
		}
	}
	return ids
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// command runs the tests in their package's folder.
func (b *binary) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(b.temp, "test"), args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = b.dir, append(os.Environ(), env...), time.Second
	return cmd
}

// step is how many tests are run against a mutant at once: most fall to the first.
const step = 8

// kill runs the tests that reach the mutant, the quick ones first: whether one of
// them fails or hangs.
func (b *binary) kill(ctx context.Context, m mutant, limit time.Duration) (killed bool) {
	env := []string{"MUTANT=" + strconv.Itoa(m.id)}
	for some := range slices.Chunk(b.tests[m.id], step) {
		each, cancel := context.WithTimeout(ctx, limit)
		out, err := b.command(each, env, "-test.run", "^("+strings.Join(some, "|")+")$", "-test.failfast", "-test.timeout", limit.String()).CombinedOutput()
		cancel()
		if ctx.Err() == nil && (err != nil || bytes.Contains(out, []byte("FAIL"))) {
			return true
		}
	}
	return false
}

func (b *binary) remove() { os.RemoveAll(b.temp) }
