// backlog measures ACCEPT=queue with the embedded store through the whole
// program: what is taken in a second while the endpoint is paused and beside its
// deliveries, and how fast what waited goes out once it is resumed. Programs that
// are named side by side are measured in turn.
//
//	backlog [-rounds 3] [-time 1500ms] [-only ROW] LABEL=POSTERN...
//
// The webhook is this process's own and answers at once. Senders, webhook and
// gateway share the machine, so the CPU of the gateway's process is told beside
// each rate. Everything stays on loopback and is bounded in count and time.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// row is one line of the table.
type row struct {
	name        string
	octets      int // of a mail
	connections int
	paused      bool // nothing is delivered meanwhile
	drain       int  // mails that wait before they are let go; 0: intake is measured
}

var rows = []row{
	{"intake, 2.6 KB, 16 connections", small, 16, true, 0},
	{"intake, 2.6 KB, 64 connections", small, 64, true, 0},
	{"intake, 2.6 KB, 128 connections", small, 128, true, 0},
	{"intake, 27 KB, 16 connections", typical, 16, true, 0},
	{"intake, 27 KB, 64 connections", typical, 64, true, 0},
	{"intake, 27 KB, 128 connections", typical, 128, true, 0},
	{"intake beside delivery, 2.6 KB, 64 connections", small, 64, false, 0},
	{"drain, 2.6 KB", small, 64, true, 8000},
	{"drain, 27 KB", typical, 64, true, 4000},
}

// figure is what was measured once.
type figure struct {
	rate float64 // mails a second
	cpu  float64 // ms of the gateway's process for each
}

func main() {
	rounds := flag.Int("rounds", 3, "how often each row is measured")
	length := flag.Duration("time", 1500*time.Millisecond, "of each intake")
	only := flag.String("only", "", "rows that begin so; empty: all")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*rounds, *length, *only, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "backlog:", err)
		os.Exit(1)
	}
}

func run(rounds int, length time.Duration, only string, programs []string) error {
	header(programs)
	for _, r := range rows {
		if !strings.HasPrefix(r.name, only) {
			continue
		}
		figures := make([][]figure, len(programs))
		for range rounds {
			for i, p := range programs {
				_, binary, _ := strings.Cut(p, "=")
				f, err := measure(binary, r, length)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", p, r.name, err)
				}
				figures[i] = append(figures[i], f)
			}
		}
		fmt.Printf("| %s |", r.name)
		for _, of := range figures {
			slices.SortFunc(of, func(a, b figure) int { return int(a.rate - b.rate) })
			m := of[len(of)/2]
			fmt.Printf(" %.0f (%.2f) |", m.rate, m.cpu)
		}
		fmt.Println()
	}
	return nil
}

func header(programs []string) {
	fmt.Print("| mails a second (CPU-ms of each) |")
	for _, p := range programs {
		label, _, _ := strings.Cut(p, "=")
		fmt.Print(" " + label + " |")
	}
	fmt.Println("\n|" + strings.Repeat("---|", 1+len(programs)))
}

// measure runs a gateway on a new store for one row.
func measure(binary string, r row, length time.Duration) (figure, error) {
	g, err := start(binary)
	if err != nil {
		return figure{}, err
	}
	defer g.stop()
	if r.paused {
		if err := g.post("pause"); err != nil {
			return figure{}, err
		}
	}
	if r.drain > 0 {
		return g.drain(r)
	}
	if _, err := g.intake(r, 0, length/4); err != nil { // warm
		return figure{}, err
	}
	return g.intake(r, 0, length)
}
