package check

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// choices are components of which a user takes at most one from each row. What
// content by url, reports and bodies need a store for is refused by the gateway itself.
var choices = [][]string{
	{"", "postgres", "no-queue"},
	{"", "deployment"},
	{"", "s3"},
	{"", "content-ingress", "content-gateway"},
	{"", "proxy-protocol"},
	{"", "webhooks-inside"},
	{"", "relay"},
	{"", "traces"},
	{"", "cert-manager"},
	{"", "monitoring"},
}

// together are so many components of which every choice is tried, beside those of
// all at once: what goes wrong goes wrong between two or three. COMBINATIONS=all
// tries all.
const together = 3

// has are the components that an overlay brings.
var has = map[string][]string{
	"overlays/prod":     {"cert-manager", "monitoring"},
	"overlays/postgres": {"postgres", "deployment", "cert-manager", "monitoring"},
}

// combinations are choices of components for a base or an overlay.
func combinations(over string) [][]string {
	all := [][]string{nil}
	for _, row := range choices {
		var longer [][]string
		for _, chosen := range all {
			for _, c := range row {
				switch {
				case c == "":
					longer = append(longer, chosen)
				case slices.Contains(has[over], c):
				case c == "no-queue" && over == "overlays/postgres":
				case c == "deployment" && len(chosen) == 0: // each pod would take its queue along
				case slices.Contains(chosen, "no-queue") && (c == "relay" || c == "s3" || strings.HasPrefix(c, "content")):
				default:
					longer = append(longer, append(slices.Clip(chosen), c))
				}
			}
		}
		all = longer
	}
	if os.Getenv("COMBINATIONS") == "all" {
		return all
	}
	most := 0
	for _, chosen := range all {
		most = max(most, len(chosen))
	}
	return slices.DeleteFunc(all, func(chosen []string) bool { return len(chosen) > together && len(chosen) < most })
}

// every renders base and overlays with every combination of components, and a
// second install of each with a prefix to its names.
func every(t *testing.T) []install {
	t.Helper()
	m, err := Load("..")
	if err != nil {
		t.Fatal(err)
	}
	var all []install
	for _, over := range []string{"base", "overlays/dev", "overlays/prod", "overlays/postgres"} {
		for n, components := range combinations(over) {
			dir := fmt.Sprintf("combinations/%s-%d", filepath.Base(over), n)
			more := "namespace: ours\n"
			if n%2 == 1 {
				more += "namePrefix: second-\n"
			}
			if err := m.Add(dir, over, components, more); err != nil {
				t.Fatal(err)
			}
			all = append(all, install{name: strings.Join(append([]string{over}, components...), "+"), objects: m.render(t, dir)})
		}
	}
	return all
}

func (m *Manifests) render(t *testing.T, dir string) []Object {
	t.Helper()
	objects, err := m.Render(dir)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// Every combination is one that a server takes and a pod that runs.
func TestEveryCombination(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := NewServer()
	if err != nil {
		t.Fatal(err)
	}
	environments := map[string]string{}
	all := every(t)
	for _, i := range all {
		t.Run(i.name, func(t *testing.T) {
			for _, o := range i.objects {
				if err := server.Refused(o); err != nil {
					t.Errorf("%s %s: %v", o.Kind.Kind, o.Name, err)
				}
				if o.Kind.Kind == "Namespace" {
					t.Errorf("it owns the namespace %s: deleting it would delete the queue's volumes", o.Name)
				}
			}
			pod := i.workload(t).pod
			level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
			for _, r := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
				if !r.Allowed {
					t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
				}
			}
			i.selectors(t)
			i.references(t)
			i.dns(t)
			i.explicit(t)
			i.grace(t)
			i.spool(t)
			i.scaled(t)
			environments[strings.Join(i.environment(t), "\n")] = i.name
		})
	}
	t.Logf("%d combinations with %d environments", len(all), len(environments))
	gatewayTakes(t, environments)
}

// secrets are the values of the Secret's keys, as the README makes them.
var secrets = map[string]string{
	"database-url": "postgres://postern@db/postern",
	"dsn-relay":    "smtp://relay.example.com:587",
}

// gatewayTakes holds each environment to the gateway's own check.
func gatewayTakes(t *testing.T, environments map[string]string) {
	dir := t.TempDir()
	program := filepath.Join(dir, "postern")
	build := exec.Command("go", "build", "-o", program, "./cmd/postern")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for env, name := range environments {
		cmd := exec.Command(program, "config")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		for kv := range strings.SplitSeq(env, "\n") {
			key, value, _ := strings.Cut(kv, "=")
			if file, ok := strings.CutPrefix(value, "/etc/postern/secrets/"); ok {
				value = filepath.Join(dir, file)
				content := secrets[file]
				if content == "" {
					content = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
				}
				if err := os.WriteFile(value, []byte(content+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd.Env = append(cmd.Env, key+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "POSTERN_WEBHOOK_URL=http") {
			t.Errorf("%s: postern config: %v\n%s", name, err, out)
		}
	}
}

// Two installs in one namespace: no selector of one picks pods of the other, and
// no two objects have one name.
func TestTwoInstalls(t *testing.T) {
	m, err := Load("..")
	if err != nil {
		t.Fatal(err)
	}
	everything := []string{"s3", "proxy-protocol", "webhooks-inside", "relay", "content-ingress", "traces"}
	for _, pair := range [][2]string{{"prod", "prod"}, {"postgres", "postgres"}, {"prod", "postgres"}, {"postgres", "prod"}} {
		var two []install
		for n, more := range []string{"namespace: shared\n", "namespace: shared\nnamePrefix: billing-\n"} {
			dir := fmt.Sprintf("two/%s-%d", pair[n], n)
			if err := m.Add(dir, "overlays/"+pair[n], everything, more); err != nil {
				t.Fatal(err)
			}
			two = append(two, install{dir, m.render(t, dir)})
		}
		t.Run(pair[0]+" and "+pair[1], func(t *testing.T) { apart(t, two) })
	}
}

// apart holds that two installs of a namespace share nothing.
func apart(t *testing.T, two []install) {
	names := map[string]bool{}
	for n, one := range two {
		other := labels.Set(two[1-n].workload(t).pod.Labels)
		for what, selector := range one.selecting(t) {
			if selector.Matches(other) {
				t.Errorf("%s of %s selects the other's pods: %v", what, one.name, selector)
			}
		}
		for _, o := range one.objects {
			name := o.Kind.Kind + "/" + o.Namespace + "/" + o.Name
			if names[name] {
				t.Errorf("both have %s", name)
			}
			names[name] = true
		}
		for _, v := range one.workload(t).pod.Spec.Volumes {
			if v.Secret != nil && names["used "+v.Secret.SecretName] {
				t.Errorf("both use the Secret %s", v.Secret.SecretName)
			} else if v.Secret != nil {
				names["used "+v.Secret.SecretName] = true
			}
		}
	}
}

// Labels that an overlay puts into all selectors don't reach the rule for DNS.
func TestCommonLabels(t *testing.T) {
	m, err := Load("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Add("common/labels", "overlays/prod", nil, "labels: [{pairs: {team: mail}, includeSelectors: true}]\n"); err != nil {
		t.Fatal(err)
	}
	i := install{"common/labels", m.render(t, "common/labels")}
	i.dns(t)
	i.selectors(t)
}

// What a server refuses is refused here.
func TestRefused(t *testing.T) {
	m, err := Load("..")
	if err != nil {
		t.Fatal(err)
	}
	server, err := NewServer()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ over, target, patch string }{
		{"dev", "Service postern", "{op: add, path: /spec/externalTrafficPolicy, value: Local}"}, // on a ClusterIP
		{"dev", "StatefulSet postern", "{op: replace, path: /spec/selector/matchLabels, value: {a: b}}"},
		{"dev", "Certificate postern-tls", "{op: replace, path: /spec/privateKey/rotationPolicy, value: Sometimes}"},
		{"dev", "HTTPRoute postern", "{op: remove, path: /spec/rules/0/backendRefs/0/port}"},
		{"dev", "NetworkPolicy postern", "{op: replace, path: /spec/egress/1/to/0/ipBlock/cidr, value: 10.0.0.0/40}"},
		{"dev", "PodMonitor postern", "{op: replace, path: /spec/podMetricsEndpoints/0/relabelings/0/action, value: vanish}"},
		{"dev", "PrometheusRule postern", "{op: replace, path: /spec/groups/0/rules/0/for, value: soon}"},
		{"postgres", "Deployment postern", "{op: replace, path: /spec/strategy/rollingUpdate/maxSurge, value: 0}"},
		{"postgres", "HorizontalPodAutoscaler postern", "{op: replace, path: /spec/minReplicas, value: 7}"},
	} {
		kind, name, _ := strings.Cut(r.target, " ")
		components := []string{"content-gateway"}
		if r.over == "dev" {
			components = append(components, "cert-manager", "monitoring")
		}
		more := fmt.Sprintf("patches:\n  - target: {kind: %s, name: ^%s$}\n    patch: |\n      - %s\n", kind, name, r.patch)
		if err := m.Add("refused/one", "overlays/"+r.over, components, more); err != nil {
			t.Fatal(err)
		}
		for _, o := range m.render(t, "refused/one") {
			err := server.Refused(o)
			if meant := o.Kind.Kind == kind && o.Name == name; meant != (err != nil) {
				t.Errorf("%s patched: %s %s: %v", r.target, o.Kind.Kind, o.Name, err)
			}
		}
	}
}
