package metrics

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"
)

const monitoring = "../../k8s/components/monitoring/"

// rule is an alert.
type rule struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func readRules(t *testing.T) (rules []rule) {
	t.Helper()
	var file struct {
		Spec struct{ Groups []struct{ Rules []rule } }
	}
	if err := yaml.Unmarshal([]byte(read(t, "prometheusrule.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Spec.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("no alerts")
	}
	return rules
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(monitoring + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every alert has a severity, what to do in the README where its runbook_url leads,
// and a test in which it fires.
func TestAlertsHaveRunbooks(t *testing.T) {
	rules := readRules(t)
	readme, tests := read(t, "README.md"), read(t, "rules_test.yaml")
	for _, r := range rules {
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" {
			t.Errorf("%s has no summary", r.Alert)
		}
		if got, want := r.Annotations["runbook_url"], "README.md#"+strings.ToLower(r.Alert); got != want {
			t.Errorf("%s: runbook_url %q, want %q", r.Alert, got, want)
		}
		if !strings.Contains(readme, "\n### "+r.Alert+"\n\n") {
			t.Errorf("README.md doesn't say what to do about %s", r.Alert)
		}
		if !strings.Contains(tests, `{alertname="`+r.Alert+`"}`) {
			t.Errorf("rules_test.yaml never has %s fire", r.Alert)
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^### (Postern\w+)$`).FindAllStringSubmatch(readme, -1) {
		if !slices.ContainsFunc(rules, func(r rule) bool { return r.Alert == heading[1] }) {
			t.Errorf("README.md tells of %s, which is no alert", heading[1])
		}
	}
}

// Prometheus' operator gives targets a label endpoint, the port: ours would be
// renamed if it stayed.
func TestScrapeKeepsOurEndpoint(t *testing.T) {
	var monitor struct {
		Spec struct {
			PodMetricsEndpoints []struct {
				Relabelings []struct{ Action, Regex string }
			} `yaml:"podMetricsEndpoints"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "podmonitor.yaml")), &monitor); err != nil {
		t.Fatal(err)
	}
	for _, e := range monitor.Spec.PodMetricsEndpoints {
		if len(e.Relabelings) != 1 || e.Relabelings[0].Action != "labeldrop" || e.Relabelings[0].Regex != "endpoint" {
			t.Errorf("relabelings %+v", e.Relabelings)
		}
	}
}

// panel is what is asked of a dashboard's panel.
type panel struct {
	Title   string
	Type    string
	Targets []struct{ Expr string }
}

func readPanels(t *testing.T) []panel {
	t.Helper()
	var board struct{ Panels []panel }
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	return board.Panels
}

// What alerts and dashboard ask for is what we have: names, labels and values.
func TestQueriesNameWhatIsThere(t *testing.T) {
	have := newCatalogue(t)
	rules := readRules(t)
	for _, r := range rules {
		have.check(t, r.Alert, r.Expr)
	}
	for _, p := range readPanels(t) {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %s asks nothing", p.Title)
		}
		for _, q := range p.Targets {
			have.check(t, p.Title, q.Expr)
		}
	}
}

// catalogue is the values of each label of each series that we have.
type catalogue map[string]map[string]map[string]bool

func newCatalogue(t *testing.T) catalogue {
	t.Helper()
	a := newAll(t)
	a.queue.stats.OldestOf = sometime
	families, err := a.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	c := catalogue{"up": {}}
	for _, f := range families {
		names := []string{f.GetName()}
		if f.GetType() == dto.MetricType_HISTOGRAM {
			names = []string{f.GetName() + "_bucket", f.GetName() + "_sum", f.GetName() + "_count"}
		}
		for _, name := range names {
			c[name] = map[string]map[string]bool{}
			for _, m := range f.Metric {
				for _, l := range m.Label {
					if c[name][l.GetName()] == nil {
						c[name][l.GetName()] = map[string]bool{}
					}
					c[name][l.GetName()][l.GetValue()] = true
				}
			}
		}
	}
	c["postern_retry_store_info"]["store"]["sqlite"] = true // a gateway has one store, this one another
	return c
}

// ofTarget are labels that Prometheus adds.
var ofTarget = []string{"namespace", "job", "pod", "instance"}

var (
	selectors = regexp.MustCompile(`\b(postern_[a-z_]+|process_[a-z_]+|up)\b(?:\{([^}]*)\})?`)
	matchers  = regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"([^"]*)"`)
	groupings = regexp.MustCompile(`(?:by|on) \(([^)]*)\)`)
)

// check fails for what a query names and we don't have.
func (c catalogue) check(t *testing.T, where, query string) {
	t.Helper()
	labels := append([]string{"le"}, ofTarget...)
	for _, s := range selectors.FindAllStringSubmatch(query, -1) {
		have, known := c[s[1]]
		if !known {
			t.Errorf("%s: there is no metric %s", where, s[1])
		}
		for label := range have {
			labels = append(labels, label)
		}
		for _, m := range matchers.FindAllStringSubmatch(s[2], -1) {
			label := m[1]
			switch {
			case slices.Contains(ofTarget, label) || strings.HasPrefix(m[2], "$"):
			case have[label] == nil:
				t.Errorf("%s: %s has no label %s", where, s[1], label)
			default:
				for _, value := range strings.Split(m[2], "|") {
					one := regexp.MustCompile("^(?:" + value + ")$")
					if !slices.ContainsFunc(slices.Collect(maps.Keys(have[label])), one.MatchString) {
						t.Errorf("%s: no %s of %s is %s", where, label, s[1], value)
					}
				}
			}
		}
	}
	for _, g := range groupings.FindAllStringSubmatch(query, -1) {
		for _, label := range strings.Split(g[1], ", ") {
			if !slices.Contains(labels, label) {
				t.Errorf("%s: nothing in it has the label %s", where, label)
			}
		}
	}
}
