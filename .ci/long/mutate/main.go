// Command mutate changes the deciding code in small ways, one at a time, and
// runs its tests against each change: a change that no test notices is a
// promise that nothing holds. The tree is never touched (go test -overlay).
//
//	go run ./.ci/long/mutate [-every N] [-from N] [-for 3m] [-keep FOLDER] DIR[:file.go,…] …
//
// Each DIR is compiled once, with all of its mutants behind switches, and each
// mutant is run against those of DIR's own tests that reach it. Survivors are
// printed and end it with 1, but for those that argued.txt explains. The summary
// comes in any case: after an interrupt, or where the time is over, it says where
// to go on.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	every := flag.Int("every", 1, "take each `N`th mutant only")
	from := flag.Int("from", 0, "begin with the `N`th of those taken")
	whole := flag.Duration("for", time.Hour, "end after this `time`")
	limit := flag.Duration("limit", 30*time.Second, "`time` for a mutant's tests; one that hangs is killed")
	list := flag.Bool("list", false, "print the mutants and run none")
	jobs := flag.Int("jobs", 6, "mutants at once")
	keep := flag.String("keep", "", "`folder` for what is compiled and found out of one package, so that the next slice of it begins at once")
	flag.Parse()
	argued, err := readArgued(filepath.Join(".ci", "long", "mutate", "argued.txt"))
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, *whole)
	r := &run{every: *every, from: *from, limit: *limit, jobs: *jobs, list: *list, keep: *keep, argued: argued, count: map[string]int{}}
	for _, arg := range flag.Args() {
		if err = r.packageOf(ctx, arg); err != nil {
			break
		}
	}
	cancel()
	stop()
	r.summary(err)
	if err != nil || r.count["survived"] > 0 {
		os.Exit(1)
	}
}

// run is the mutants of all packages.
type run struct {
	every, from, jobs int
	limit             time.Duration
	list              bool
	keep              string
	argued            map[string]bool

	ids, taken int // mutants seen, and taken, so far
	mu         sync.Mutex
	count      map[string]int
}

// packageOf runs the mutants of DIR:files.
func (r *run) packageOf(ctx context.Context, arg string) error {
	all, err := sources(arg)
	if err != nil {
		return err
	}
	var chosen []mutant // to run; those before -from are only compiled
	for _, s := range all {
		var taken []mutant
		for _, m := range s.mutants {
			r.ids++
			if m.id = r.ids; m.id%r.every == 0 {
				taken = append(taken, m)
				if r.taken++; r.taken > r.from {
					chosen = append(chosen, m)
				}
			}
		}
		s.mutants = taken
	}
	if r.list || len(chosen) == 0 {
		for _, m := range chosen {
			fmt.Println(m.id, m)
		}
		return nil
	}
	dir, _, _ := strings.Cut(arg, ":")
	b, err := newBinary(filepath.Clean(dir), r.keep, all)
	if err != nil {
		return err
	}
	defer b.remove()
	if err := b.prepare(ctx, r.jobs); err != nil {
		return err
	}
	fmt.Printf("%s: %d mutants\n", arg, len(chosen))
	return r.mutants(ctx, b, chosen)
}

// mutants runs the chosen ones, some at once.
func (r *run) mutants(ctx context.Context, b *binary, chosen []mutant) error {
	next := make(chan mutant)
	var wg sync.WaitGroup
	for range r.jobs {
		wg.Go(func() {
			for m := range next {
				r.one(ctx, b, m)
			}
		})
	}
	for _, m := range chosen {
		if ctx.Err() == nil {
			next <- m
		}
	}
	close(next)
	wg.Wait()
	return ctx.Err()
}

// one runs one mutant and counts what became of it.
func (r *run) one(ctx context.Context, b *binary, m mutant) {
	end := "survived"
	switch {
	case b.invalid[m.id]:
		end = "invalid"
	case b.kill(ctx, m, r.limit):
		end = "killed"
	case ctx.Err() != nil:
		return
	case r.argued[m.key()]:
		end = "argued"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[end]++
	if end == "survived" || end == "argued" {
		fmt.Printf("%s (%d tests reach it): %s\n", end, len(b.tests[m.id]), m)
	}
	if done := r.done(); done%20 == 0 {
		fmt.Printf("… %d: %d killed, %d survived\n", done, r.count["killed"], r.count["survived"])
	}
}

func (r *run) done() int {
	n := 0
	for _, c := range r.count {
		n += c
	}
	return n
}

func (r *run) summary(err error) {
	c := r.count
	fmt.Printf("%d mutants: %d killed, %d argued, %d survived; %d don't compile\n",
		c["killed"]+c["argued"]+c["survived"], c["killed"], c["argued"], c["survived"], c["invalid"])
	if err != nil {
		fmt.Printf("not all were run (%v); go on with -from %d\n", err, r.from+r.done())
	}
}

// readArgued reads the mutants that no test can tell from the code: a key a
// line, and indented below it why.
func readArgued(path string) (map[string]bool, error) {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	out := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimRight(line, "\n"); line != "" && line[0] != ' ' && line[0] != '#' {
			out[line] = true
		}
	}
	return out, err
}
