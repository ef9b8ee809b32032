// pressure attacks a gateway as any stranger could and says what that cost:
// peak memory, CPU, kills, and what good clients beside the attacker noticed.
//
//	pressure [-limit MiB] [-only texts,queued] [-json FILE] POSTERN
//
// Everything stays on loopback and is bounded in count and time. The gateway
// runs in a memory cgroup of its own where one can be made (as root); else its
// resident set is watched and it is killed at the limit.
//
// It exits non-zero when the gateway was killed, when fewer than 99 % of the
// good mails were answered 250, or when their 99th percentile is more than
// 100 ms above what it was without an attacker.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == attackerRole {
		os.Exit(runAttacker(os.Args[2:]))
	}
	limit := flag.Int64("limit", 0, "MiB for the gateway instead of each attack's own")
	only := flag.String("only", "", "attacks to run, separated by commas; empty: all")
	list := flag.Bool("list", false, "list the attacks")
	flag.Parse()
	if *list {
		for _, a := range attacks {
			fmt.Printf("%-10s %4d MiB  %s\n", a.name, a.limit, a.what)
		}
		return
	}
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	syscall.Setpriority(syscall.PRIO_PROCESS, 0, -10) // as root: what else runs here must not count
	fmt.Println(header)
	failed := false
	for _, a := range attacks {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), a.name) {
			continue
		}
		if *limit > 0 {
			a.limit = *limit
		}
		r, err := a.run(flag.Arg(0))
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", a.name, err)
			failed = true
			continue
		}
		fmt.Println(r)
		failed = failed || !r.passed()
	}
	if failed {
		os.Exit(1)
	}
}

// result is a line of the table.
type result struct {
	attack       *attack
	peak         int64 // octets resident
	cpu          time.Duration
	took         time.Duration
	starts       int
	kills        int // for its memory
	quiet, under goodStats
	told         string // the attacker's own account
}

const header = "| attack | limit | peak RSS | CPU | wall | kills | good: 250 | p99 quiet | p99 under | attacker |\n|---|---|---|---|---|---|---|---|---|---|"

func (r *result) String() string {
	return fmt.Sprintf("| %s | %d MiB | %d MiB | %.1f s | %.0f s | %d | %d of %d (%.1f %%) | %s | %s | %s |",
		r.attack.name, r.attack.limit, r.peak>>20, r.cpu.Seconds(), r.took.Seconds(), r.kills,
		r.under.ok, r.under.sent, r.under.share()*100, ms(r.quiet.p(99)), ms(r.under.p(99)), r.told)
}

func (r *result) passed() bool {
	return r.kills == 0 && r.under.share() >= 0.99 && r.under.p(99) <= r.quiet.p(99)+100*time.Millisecond
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }
