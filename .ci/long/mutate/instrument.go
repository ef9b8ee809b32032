package main

import (
	"fmt"
	"slices"
	"strings"
)

// instrumented is the file with all of its mutants behind their switches: the code
// as it is until one of them is turned on.
func (s *source) instrumented(left map[int]bool) []byte {
	w := writer{text: s.text}
	for _, m := range s.mutants {
		if !left[m.id] {
			w.mutants = append(w.mutants, m)
		}
	}
	// Outer ones first; of the same octets those that keep an operand whole inside.
	slices.SortStableFunc(w.mutants, func(a, b mutant) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	return []byte(w.write(0, len(s.text), 0))
}

type writer struct {
	text    []byte
	mutants []mutant
}

// write renders from..to; the mutants before the first-th are around it.
func (w *writer) write(from, to, first int) string {
	var b strings.Builder
	at := from
	for i := first; i < len(w.mutants); i++ {
		m := w.mutants[i]
		if m.from < at || m.to > to {
			continue
		}
		b.Write(w.text[at:m.from])
		b.WriteString(w.mutate(m, i+1))
		at = m.to
	}
	b.Write(w.text[at:to])
	return b.String()
}

// mutate renders one mutant and all that lie in it.
func (w *writer) mutate(m mutant, next int) string {
	on := fmt.Sprintf("mutantOn(%d)", m.id)
	whole := func() string { return w.write(m.from, m.to, next) }
	x := func() string { return w.write(m.x[0], m.x[1], next) }
	y := func() string { return w.write(m.y[0], m.y[1], next) }
	operator := func() string { return strings.TrimSpace(string(w.text[m.x[1]:m.y[0]])) }
	switch m.kind {
	case negate:
		return "((" + whole() + ") != " + on + ")"
	case noCase:
		return "!" + on + " && (" + whole() + ")"
	case removal:
		return "if !" + on + " { " + whole() + " }"
	case literal:
		if m.was == "true" {
			return "!" + on
		}
		return on
	case number:
		if m.y == [2]int{} {
			return "mutantPick(" + on + ", " + m.is + ", " + m.was + ")"
		}
		return "mutantPick(" + on + ", " + flat(x()) + otherOf[operator()] + flat(y()) + ", " + whole() + ")"
	case logic:
		return "(" + on + " && (" + flat(x()) + otherOf[operator()] + flat(y()) + ") || !" + on + " && (" + whole() + "))"
	default: // boundary
		return "(" + on + " && (" + flat(x()) + otherOf[operator()] + flat(y()) + ") || !" + on + " && (" + whole() + "))"
	}
}

// otherOf is the operator that takes an operator's place.
var otherOf = map[string]string{"&&": " || ", "||": " && ", "+": " - ", "-": " + ", "<": " <= ", "<=": " < ", ">": " >= ", ">=": " > "}

// flat keeps a copy on its line, so that lines keep their numbers.
func flat(s string) string { return strings.ReplaceAll(s, "\n", " ") }

// switches is the file that is added to a package: which mutant is on, and, where
// MUTANT_LOG names a file, which of them were reached.
func switches(pkg string) []byte {
	return []byte("package " + pkg + `

import (
	"os"
	"strconv"
	"sync"
)

var mutantID, _ = strconv.Atoi(os.Getenv("MUTANT"))
var mutantLog, _ = os.OpenFile(os.Getenv("MUTANT_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
var mutantSeen sync.Map

func mutantOn(id int) bool {
	if mutantLog != nil {
		if _, seen := mutantSeen.LoadOrStore(id, true); !seen {
			mutantLog.WriteString(strconv.Itoa(id) + "\n")
		}
	}
	return id == mutantID
}

func mutantPick[T any](on bool, is, was T) T {
	if on {
		return is
	}
	return was
}
`)
}
