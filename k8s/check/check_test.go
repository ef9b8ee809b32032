package check

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// install is a kustomization and what it renders.
type install struct {
	name    string
	objects []Object
}

func (i install) statefulSet(t *testing.T) *appsv1.StatefulSet {
	t.Helper()
	for _, o := range i.objects {
		if s, ok := o.Typed.(*appsv1.StatefulSet); ok {
			return s
		}
	}
	t.Fatal("no StatefulSet")
	return nil
}

// choices are components of which a user takes at most one from each row. What
// content by url, reports and bodies need a store for is refused by the gateway itself.
var choices = [][]string{
	{"", "postgres", "no-queue"},
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
				case over == "overlays/prod" && (c == "cert-manager" || c == "monitoring"): // it has them
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
	for _, over := range []string{"base", "overlays/dev", "overlays/prod"} {
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
			pod := i.statefulSet(t).Spec.Template
			level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
			for _, r := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
				if !r.Allowed {
					t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
				}
			}
			i.selectors(t)
			i.references(t)
			i.dns(t)
			i.grace(t)
			i.spool(t)
			environments[strings.Join(i.environment(t), "\n")] = i.name
		})
	}
	t.Logf("%d combinations with %d environments", len(all), len(environments))
	gatewayTakes(t, environments)
}

// selectors pick our pods, and none picks every pod of the namespace.
func (i install) selectors(t *testing.T) {
	set := i.statefulSet(t)
	pod := labels.Set(set.Spec.Template.Labels)
	for what, selector := range i.selecting(t) {
		if selector.Empty() || !selector.Matches(pod) {
			t.Errorf("%s selects %v, which are not the pods labelled %v", what, selector, pod)
		}
	}
}

// selecting are the selectors of an install that mean its pods.
func (i install) selecting(t *testing.T) map[string]labels.Selector {
	t.Helper()
	all := map[string]labels.Selector{}
	add := func(what string, s *metav1.LabelSelector) {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		all[what] = selector
	}
	for _, o := range i.objects {
		switch v := o.Typed.(type) {
		case *appsv1.StatefulSet:
			add("StatefulSet", v.Spec.Selector)
			for _, c := range v.Spec.Template.Spec.TopologySpreadConstraints {
				add("spread", c.LabelSelector)
			}
		case *corev1.Service:
			add("Service "+v.Name, &metav1.LabelSelector{MatchLabels: v.Spec.Selector})
		case *policyv1.PodDisruptionBudget:
			add("PodDisruptionBudget", v.Spec.Selector)
		case *networkingv1.NetworkPolicy:
			add("NetworkPolicy "+v.Name, &v.Spec.PodSelector)
		case *monitoringv1.PodMonitor:
			add("PodMonitor", &v.Spec.Selector)
		}
	}
	return all
}

// dns holds the rule that lets DNS out to the DNS pods and nothing of ours.
func (i install) dns(t *testing.T) {
	for _, o := range i.objects {
		p, ok := o.Typed.(*networkingv1.NetworkPolicy)
		if !ok || len(p.Spec.PolicyTypes) != 2 {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(p.Spec.Egress[0].To[0].PodSelector)
		if err != nil || !selector.Matches(labels.Set{"k8s-app": "kube-dns"}) {
			t.Errorf("DNS goes to pods labelled %v (%v)", selector, err)
		}
	}
}

// references: ports that services and probes name exist in the container, and
// ConfigMaps, ServiceAccounts and Secrets that are named are rendered or this
// install's own.
func (i install) references(t *testing.T) {
	set := i.statefulSet(t)
	container := set.Spec.Template.Spec.Containers[0]
	ports := map[string]bool{}
	for _, p := range container.Ports {
		ports[p.Name] = true
	}
	names := map[string]bool{}
	for _, o := range i.objects {
		names[o.Kind.Kind+"/"+o.Name] = true
		if s, ok := o.Typed.(*corev1.Service); ok {
			for _, p := range s.Spec.Ports {
				port(t, "Service "+s.Name, ports, p.TargetPort)
			}
		}
		if v, ok := o.Typed.(*networkingv1.Ingress); ok {
			if backend := v.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name; !strings.HasSuffix(backend, set.Name+"-http") {
				t.Errorf("the Ingress goes to %s", backend)
			}
		}
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
		port(t, probe.HTTPGet.Path, ports, probe.HTTPGet.Port)
	}
	for _, want := range []string{"ServiceAccount/" + set.Spec.Template.Spec.ServiceAccountName, "Service/" + set.Spec.ServiceName, "ConfigMap/" + container.EnvFrom[0].ConfigMapRef.Name} {
		if !names[want] {
			t.Errorf("%s is named but not rendered", want)
		}
	}
	for _, v := range set.Spec.Template.Spec.Volumes {
		if v.Secret != nil && !strings.HasPrefix(v.Secret.SecretName, set.Name) {
			t.Errorf("the Secret %s is not one of %s", v.Secret.SecretName, set.Name)
		}
	}
}

func port(t *testing.T, who string, ports map[string]bool, p intstr.IntOrString) {
	t.Helper()
	if p.Type != intstr.String || !ports[p.StrVal] {
		t.Errorf("%s goes to port %s, which the container doesn't name", who, p.String())
	}
}

// grace: that of the pod covers preStop, POSTERN_GRACE and the closing of the queue.
func (i install) grace(t *testing.T) {
	pod := i.statefulSet(t).Spec.Template.Spec
	stop := pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds
	if got := *pod.TerminationGracePeriodSeconds; got < stop+60+10 {
		t.Errorf("terminationGracePeriodSeconds is %d: preStop %d s and POSTERN_GRACE 60 s don't fit", got, stop)
	}
}

// spool: what is under way lies on a volume of a stated size that holds the bound.
func (i install) spool(t *testing.T) {
	const bound = 2 << 30 // POSTERN_SPOOL_MAX_BYTES
	set := i.statefulSet(t)
	var size int64
	for _, c := range set.Spec.VolumeClaimTemplates {
		size = max(size, c.Spec.Resources.Requests.Storage().Value())
	}
	for _, v := range set.Spec.Template.Spec.Volumes {
		if v.Name == "data" {
			size = v.EmptyDir.SizeLimit.Value()
			if limit := set.Spec.Template.Spec.Containers[0].Resources.Limits.StorageEphemeral().Value(); limit < size {
				t.Errorf("the container may have %d octets of its node's disk, its volume %d", limit, size)
			}
		}
	}
	mount := slices.IndexFunc(set.Spec.Template.Spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "data" })
	dir := i.config(t)["POSTERN_SPOOL_DIR"]
	if size <= bound || mount < 0 || !strings.HasPrefix(dir, set.Spec.Template.Spec.Containers[0].VolumeMounts[mount].MountPath+"/") {
		t.Errorf("the spool %s has a volume of %d octets", dir, size)
	}
}

func (i install) config(t *testing.T) map[string]string {
	t.Helper()
	for _, o := range i.objects {
		if c, ok := o.Typed.(*corev1.ConfigMap); ok && c.Data["POSTERN_WEBHOOK_URL"] != "" {
			return c.Data
		}
	}
	t.Fatal("no ConfigMap has POSTERN_WEBHOOK_URL")
	return nil
}

// environment is what the container gets, sorted.
func (i install) environment(t *testing.T) []string {
	t.Helper()
	var env []string
	for key, value := range i.config(t) {
		env = append(env, key+"="+value)
	}
	slices.Sort(env)
	return env
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
	var two []install
	everything := []string{"proxy-protocol", "webhooks-inside", "relay", "content-ingress"}
	for n, more := range []string{"namespace: shared\n", "namespace: shared\nnamePrefix: billing-\n"} {
		dir := fmt.Sprintf("two/%d", n)
		if err := m.Add(dir, "overlays/prod", everything, more); err != nil {
			t.Fatal(err)
		}
		two = append(two, install{dir, m.render(t, dir)})
	}
	names := map[string]bool{}
	for n, one := range two {
		other := labels.Set(two[1-n].statefulSet(t).Spec.Template.Labels)
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
		for _, v := range one.statefulSet(t).Spec.Template.Spec.Volumes {
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
	for target, patch := range map[string]string{
		"Service postern":         "- {op: add, path: /spec/externalTrafficPolicy, value: Local}", // on a ClusterIP
		"StatefulSet postern":     "- {op: replace, path: /spec/selector/matchLabels, value: {a: b}}",
		"Certificate postern-tls": "- {op: replace, path: /spec/privateKey/rotationPolicy, value: Sometimes}",
		"HTTPRoute postern":       "- {op: remove, path: /spec/rules/0/backendRefs/0/port}",
		"NetworkPolicy postern":   "- {op: replace, path: /spec/egress/1/to/0/ipBlock/cidr, value: 10.0.0.0/40}",
	} {
		kind, name, _ := strings.Cut(target, " ")
		more := fmt.Sprintf("patches:\n  - target: {kind: %s, name: ^%s$}\n    patch: |\n      %s\n", kind, name, patch)
		if err := m.Add("refused/one", "overlays/dev", []string{"cert-manager", "content-gateway"}, more); err != nil {
			t.Fatal(err)
		}
		for _, o := range m.render(t, "refused/one") {
			err := server.Refused(o)
			if meant := o.Kind.Kind == kind && o.Name == name; meant != (err != nil) {
				t.Errorf("%s patched: %s %s: %v", target, o.Kind.Kind, o.Name, err)
			}
		}
	}
}
