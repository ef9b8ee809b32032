// peers loads gateways in turn with the same mails and prints what a message
// costs each of them, beside one another in one run: only ratios count, since a
// machine is never the same twice.
//
//	peers [-rounds 3] [-time 1500ms] KIND[@LABEL]=BINARY...
//
// KIND is postern, floor (our engine, parser and renderer with nothing between
// them) or naive (go-smtp, go-message and resty as one writes them in a day). The
// webhook is this process's own and answers at once, or after 100 ms. Everything
// stays on loopback and is bounded in count and time.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// load is a row of the table.
type load struct {
	name        string
	mails       string
	connections int
	recipients  int
	delay       time.Duration // of the webhook's answer
	column      string        // what is told: "cpu", "rate" or "p50"
}

var loads = []load{
	{"small 2 KB, CPU-ms", "small", 16, 1, 0, "cpu"},
	{"small to 64 recipients, CPU-ms", "small", 16, 64, 0, "cpu"},
	{"typical 27 KB, CPU-ms", "typical", 16, 1, 0, "cpu"},
	{"HTML only 100 KB, CPU-ms", "html", 16, 1, 0, "cpu"},
	{"PDF 500 KB, CPU-ms", "pdf", 16, 1, 0, "cpu"},
	{"20 MB, CPU-ms", "big", 4, 1, 0, "cpu"},
	{"small, 128 connections, msg/s", "small", 128, 1, 0, "rate"},
	{"small, 1 connection, p50 ms", "small", 1, 1, 0, "p50"},
	{"small, webhook of 100 ms, 1,000 connections, msg/s", "small", 1000, 1, 100 * time.Millisecond, "rate"},
}

func main() {
	rounds := flag.Int("rounds", 3, "how often each gateway is loaded")
	length := flag.Duration("time", 1500*time.Millisecond, "of each load")
	only := flag.String("only", "", "rows that begin so; empty: all")
	flag.Parse()
	if err := run(*rounds, *length, *only, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(rounds int, length time.Duration, only string, binaries []string) error {
	var gateways []*gateway
	for _, b := range binaries {
		g, err := start(b)
		if err != nil {
			return fmt.Errorf("%s: %w", b, err)
		}
		defer g.stop()
		gateways = append(gateways, g)
	}
	if len(gateways) == 0 {
		return fmt.Errorf("name at least one KIND=BINARY")
	}
	all := mails()
	for _, g := range gateways {
		if _, err := g.load(load{mails: "small", connections: 16, recipients: 1}, all["small"], length/2); err != nil { // warm
			return fmt.Errorf("%s: %w", g.label, err)
		}
	}
	header(gateways)
	for _, l := range loads {
		if !strings.HasPrefix(l.name, only) {
			continue
		}
		figures := make([][]float64, len(gateways))
		for range rounds {
			for i, g := range gateways {
				figure, err := g.load(l, all[l.mails], length)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", g.label, l.name, err)
				}
				figures[i] = append(figures[i], figure)
			}
		}
		row(l, figures)
	}
	return nil
}

func header(gateways []*gateway) {
	names := "| |"
	for i, g := range gateways {
		names += " " + g.label + " |"
		if i > 0 {
			names += fmt.Sprintf(" %s / %s |", gateways[0].label, g.label)
		}
	}
	fmt.Println(names + "\n|" + strings.Repeat("---|", 2*len(gateways)))
}

// row prints medians, and the median of the first gateway's ratio to each other,
// round by round.
func row(l load, figures [][]float64) {
	fmt.Printf("| %s |", l.name)
	for i, of := range figures {
		fmt.Printf(" %.4g |", median(of))
		if i == 0 {
			continue
		}
		ratios := make([]float64, len(of))
		for r := range of {
			ratios[r] = figures[0][r] / of[r]
		}
		fmt.Printf(" **%.2f** (%.2f-%.2f) |", median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
	fmt.Println()
}

func median(of []float64) float64 {
	s := slices.Sorted(slices.Values(of))
	return s[len(s)/2]
}
