// peers loads gateways in turn with the same mails and prints what a message
// costs each of them, beside one another in one run: only ratios count, since a
// machine is never the same twice.
//
//	peers [-rounds 3] [-time 1500ms] KIND[@LABEL]=BINARY...
//
// KIND is postern, checked (the same with the check of senders, whose DNS is warm),
// floor (our engine, parser and renderer with nothing between them) or naive
// (go-smtp, go-message and resty as one writes them in a day). The webhook is this process's own and answers at once, or after 100 ms. Everything
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

// load is some rows of the table, one for each column.
type load struct {
	name        string
	mails       string
	connections int
	recipients  int
	delay       time.Duration // of the webhook's answer
	columns     []column
}

// column is what is told of a load, in the words of the table.
type column string

const (
	columnCPU     column = "CPU-ms"
	columnRate    column = "msg/s"
	columnMedian  column = "p50 ms"
	columnObjects column = "allocations"
	columnOctets  column = "KB allocated"
	columnCalls   column = "reads and writes"
)

var (
	cpu     = []column{columnCPU}
	inParts = []column{columnCPU, columnObjects, columnOctets, columnCalls}
)

var loads = []load{
	{"small 2 KB", "small", 16, 1, 0, inParts},
	{"small to 64 recipients", "small", 16, 64, 0, cpu},
	{"typical 27 KB", "typical", 16, 1, 0, inParts},
	{"HTML only 100 KB", "html", 16, 1, 0, cpu},
	{"PDF 500 KB", "pdf", 16, 1, 0, inParts},
	{"20 MB", "big", 4, 1, 0, cpu},
	{"small, 128 connections", "small", 128, 1, 0, []column{columnRate}},
	{"small, 1 connection", "small", 1, 1, 0, []column{columnMedian}},
	{"small, webhook of 100 ms, 1,000 connections", "small", 1000, 1, 100 * time.Millisecond, []column{columnRate}},
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
	from, err := newSender()
	if err != nil {
		return err
	}
	var gateways []*gateway
	for _, b := range binaries {
		g, err := start(b, from.dns)
		if err != nil {
			return fmt.Errorf("%s: %w", b, err)
		}
		defer g.stop()
		gateways = append(gateways, g)
	}
	if len(gateways) == 0 {
		return fmt.Errorf("name at least one KIND=BINARY")
	}
	all, err := mails(from)
	if err != nil {
		return err
	}
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
		figures := make([][][]float64, len(l.columns)) // by column, gateway and round
		for c := range figures {
			figures[c] = make([][]float64, len(gateways))
		}
		for range rounds {
			for i, g := range gateways {
				row, err := g.load(l, all[l.mails], length)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", g.label, l.name, err)
				}
				for c, figure := range row {
					figures[c][i] = append(figures[c][i], figure)
				}
			}
		}
		for c, of := range figures {
			row(l.name+", "+string(l.columns[c]), of)
		}
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
func row(name string, figures [][]float64) {
	fmt.Printf("| %s |", name)
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
