package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	kept    bool   // temp stays for the next slice
	sources []*source
	invalid map[int]bool     // mutants that don't compile
	tests   map[int][]string // by mutant, the tests that reach it, quick ones first
}

// newBinary is a package's that isn't compiled yet; keep is the folder for what is
// to be used again, "" for none.
func newBinary(dir, keep string, list []*source) (*binary, error) {
	b := &binary{dir: dir, temp: keep, kept: keep != "", sources: list, invalid: map[int]bool{}, tests: map[int][]string{}}
	var err error
	if b.kept {
		b.temp, err = filepath.Abs(keep)
		return b, errors.Join(err, os.MkdirAll(keep, 0o700))
	}
	b.temp, err = os.MkdirTemp("", "mutate-")
	return b, err
}

// prepare compiles the package and finds out which tests reach which mutants,
// unless an earlier slice has.
func (b *binary) prepare(ctx context.Context, jobs int) error {
	print, err := b.fingerprint()
	if err != nil || b.load(print) {
		return err
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := b.listTests(ctx, jobs); err != nil {
		return err
	}
	fmt.Printf("%s: its tests took %v\n", b.dir, time.Since(began).Round(time.Second))
	return b.save(print)
}

// build compiles the package; what doesn't compile is left out and tried again.
func (b *binary) build(ctx context.Context) error {
	for range 20 {
		out, err := b.compile(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || !b.leaveOut(out) {
			return fmt.Errorf("%s doesn't compile: %w\n%s", b.dir, err, out)
		}
	}
	return fmt.Errorf("%s doesn't compile", b.dir)
}

// found is what prepare found out.
type found struct {
	Print   string
	Invalid map[int]bool
	Tests   map[int][]string
}

// fingerprint is that of the package's files and of the mutants that are taken.
func (b *binary) fingerprint() (string, error) {
	files, err := filepath.Glob(filepath.Join(b.dir, "*.go"))
	h := sha256.New()
	for _, f := range files {
		text, rerr := os.ReadFile(f)
		err = errors.Join(err, rerr)
		fmt.Fprintf(h, "%s %d\n%s", f, len(text), text)
	}
	for _, s := range b.sources {
		for _, m := range s.mutants {
			fmt.Fprintln(h, m.id, m)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

func (b *binary) load(print string) bool {
	text, err := os.ReadFile(filepath.Join(b.temp, "found.json"))
	var f found
	if err != nil || json.Unmarshal(text, &f) != nil || f.Print != print {
		return false
	}
	b.invalid, b.tests = f.Invalid, f.Tests
	return true
}

func (b *binary) save(print string) error {
	text, err := json.Marshal(found{print, b.invalid, b.tests})
	return errors.Join(err, os.WriteFile(filepath.Join(b.temp, "found.json"), text, 0o600))
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

func (b *binary) remove() {
	if !b.kept {
		os.RemoveAll(b.temp)
	}
}
