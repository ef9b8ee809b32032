// Command mutate changes the deciding code in small ways, one at a time, and
// runs its tests against each change: a change that no test notices is a
// promise that nothing holds. The tree is never touched (go test -overlay).
//
//	go run ./.ci/long/mutate [-every N] [-from N] [-to N] DIR[:file.go,…] …
//
// Each DIR's mutants are run against DIR's own tests. Survivors are printed and
// end it with 1, but for those that argued.txt explains.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// runLimit is for one mutant's tests; a mutant that hangs is killed.
const runLimit = 3 * time.Minute

func main() {
	log.SetFlags(0)
	every := flag.Int("every", 1, "take each `N`th mutant only")
	from := flag.Int("from", 0, "begin with mutant `N`")
	to := flag.Int("to", 1<<30, "end before mutant `N`")
	list := flag.Bool("list", false, "print the mutants and run none")
	jobs := flag.Int("jobs", 2, "mutants at once")
	quick := flag.String("quick", "", "tests (a `pattern`) to run first; the others only where these don't notice")
	flag.Parse()
	var all []mutant
	for _, arg := range flag.Args() {
		found, err := mutants(arg)
		if err != nil {
			log.Fatal(err)
		}
		all = append(all, found...)
	}
	var chosen []mutant
	for i := *from; i < min(*to, len(all)); i++ {
		if i%*every == 0 {
			chosen = append(chosen, all[i])
		}
	}
	if *list {
		for i, m := range chosen {
			fmt.Println(i, m)
		}
		return
	}
	argued, err := readArgued(filepath.Join(".ci", "long", "mutate", "argued.txt"))
	if err != nil {
		log.Fatal(err)
	}
	if run(chosen, argued, *jobs, *quick) > 0 {
		os.Exit(1)
	}
}

// run tests the mutants and returns how many survived without a reason.
func run(list []mutant, argued map[string]bool, jobs int, quick string) (survivors int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	count := map[string]int{}
	next := make(chan mutant)
	for range jobs {
		wg.Go(func() {
			for m := range next {
				end := m.test(quick)
				if end == "survived" && argued[m.key()] {
					end = "argued"
				}
				mu.Lock()
				count[end]++
				if end == "survived" {
					fmt.Println("survived:", m)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range list {
		next <- m
	}
	close(next)
	wg.Wait()
	fmt.Printf("%d mutants: %d killed, %d argued, %d survived; %d don't compile\n",
		len(list)-count["invalid"], count["killed"], count["argued"], count["survived"], count["invalid"])
	return count["survived"]
}

// test runs the tests against the mutant, the quick ones first: "killed",
// "survived" or "invalid".
func (m mutant) test(quick string) string {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	changed := filepath.Join(dir, filepath.Base(m.file))
	overlay := filepath.Join(dir, "overlay.json")
	source, _ := filepath.Abs(m.file)
	text, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	if err == nil {
		err = os.WriteFile(changed, m.apply(), 0o600)
	}
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err != nil {
		log.Fatal(err)
	}
	if quick != "" {
		if end := goTest(overlay, m.file, quick); end != "survived" {
			return end
		}
	}
	return goTest(overlay, m.file, ".")
}

// goTest runs those of a file's package's tests that the pattern means.
func goTest(overlay, file, pattern string) string {
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-failfast",
		"-timeout", runLimit.String(), "-run", pattern, "./"+filepath.Dir(file)).CombinedOutput()
	switch {
	case err == nil:
		return "survived"
	case bytes.Contains(out, []byte("[build failed]")):
		return "invalid"
	}
	return "killed"
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
