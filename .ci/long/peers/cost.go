package main

import (
	"bufio"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// cost is what a process has spent since it began. Objects and octets of the heap
// are not a number where the gateway doesn't tell.
type cost struct {
	cpu     time.Duration // in ticks of 10 ms
	calls   float64       // reads and writes
	objects float64       // that were allocated
	octets  float64
}

// cost reads it. What it takes to tell the heap's is part of what is told next.
func (g *gateway) cost() (c cost, err error) {
	if c.cpu, err = g.cpu(); err != nil {
		return c, err
	}
	numbers, err := os.ReadFile(g.proc("io"))
	if err != nil {
		return c, err
	}
	c.calls = number(numbers, "syscr: ") + number(numbers, "syscw: ")
	c.objects, c.octets = math.NaN(), math.NaN()
	if g.heap == "" {
		return c, nil
	}
	res, err := http.Get(g.heap)
	if err != nil {
		return c, err
	}
	defer res.Body.Close()
	for s := bufio.NewScanner(res.Body); s.Scan(); {
		for _, name := range []string{"go_memstats_mallocs_total ", "# Mallocs = "} {
			c.objects = told(s.Text(), name, c.objects)
		}
		for _, name := range []string{"go_memstats_alloc_bytes_total ", "# TotalAlloc = "} {
			c.octets = told(s.Text(), name, c.octets)
		}
	}
	return c, nil
}

// told is the number behind a name at the line's beginning, else before.
func told(line, name string, before float64) float64 {
	if rest, ok := strings.CutPrefix(line, name); ok {
		if n, err := strconv.ParseFloat(rest, 64); err == nil {
			return n
		}
	}
	return before
}

// number is the one behind a name in a file of such lines.
func number(file []byte, name string) (n float64) {
	for line := range strings.Lines(string(file)) {
		n = told(strings.TrimSpace(line), name, n)
	}
	return n
}

// proc is a file that the kernel keeps about the process.
func (g *gateway) proc(name string) string {
	return fmt.Sprintf("/proc/%d/%s", g.cmd.Process.Pid, name)
}

// cpu is the time that the process has spent.
func (g *gateway) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(g.proc("stat"))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}
