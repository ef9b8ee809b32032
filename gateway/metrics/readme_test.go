package metrics

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

var update = flag.Bool("update", false, "write README.md's table anew")

// kinds are the types that a metric's name is read by.
var kinds = map[dto.MetricType]string{dto.MetricType_COUNTER: "counter", dto.MetricType_GAUGE: "gauge", dto.MetricType_HISTOGRAM: "histogram"}

// The operators' table is what is registered, and nothing else.
func TestReadmeListsAllMetrics(t *testing.T) {
	const begin, end = "<!-- metrics: go test ./gateway/metrics -run Readme -update -->\n", "<!-- /metrics -->"
	a := newAll(t)
	a.queue.stats.OldestOf = sometime
	families, err := a.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("\n| metric | type | labels | what it says |\n|---|---|---|---|\n")
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "postern_") {
			continue
		}
		labels := []string{}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if name := "`" + l.GetName() + "`"; !slices.Contains(labels, name) {
					labels = append(labels, name)
				}
			}
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", f.GetName(), kinds[f.GetType()], strings.Join(labels, ", "), strings.ReplaceAll(f.GetHelp(), "|", "\\|"))
	}
	table.WriteString("\n")
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(readme), begin)
	old, after, closed := strings.Cut(rest, end)
	switch {
	case !found || !closed:
		t.Fatal("README.md has no place for the table")
	case *update:
		if err := os.WriteFile("README.md", []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case old != table.String():
		t.Error("README.md's table is old: go test ./gateway/metrics -run Readme -update")
	}
}
