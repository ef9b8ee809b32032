package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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

// each runs a check over base, every overlay, and what no overlay uses.
func each(t *testing.T, check func(t *testing.T, dir string, objects []Object)) {
	dirs := []string{"../base"}
	for _, pattern := range []string{"../overlays/*", "testdata/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: nothing found (%v)", pattern, err)
		}
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			objects, err := Render(dir)
			if err != nil {
				t.Fatal(err)
			}
			check(t, dir, objects)
		})
	}
}

func statefulSet(t *testing.T, objects []Object) *appsv1.StatefulSet {
	t.Helper()
	for _, o := range objects {
		if s, ok := o.Typed.(*appsv1.StatefulSet); ok {
			return s
		}
	}
	t.Fatal("no StatefulSet")
	return nil
}

func TestPodSecurity(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, _ string, objects []Object) {
		pod := statefulSet(t, objects).Spec.Template
		level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
		for _, r := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
			if !r.Allowed {
				t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
			}
		}
	})
}

// Every selector picks our pods, and none picks every pod of the namespace.
func TestSelectors(t *testing.T) {
	each(t, func(t *testing.T, _ string, objects []Object) {
		set := statefulSet(t, objects)
		pod := labels.Set(set.Spec.Template.Labels)
		match := func(what string, s *metav1.LabelSelector) {
			selector, err := metav1.LabelSelectorAsSelector(s)
			if err != nil || selector.Empty() || !selector.Matches(pod) {
				t.Errorf("%s selects %v, which are not the pods labelled %v (%v)", what, selector, pod, err)
			}
		}
		match("StatefulSet", set.Spec.Selector)
		for _, o := range objects {
			switch v := o.Typed.(type) {
			case *corev1.Service:
				match("Service "+v.Name, &metav1.LabelSelector{MatchLabels: v.Spec.Selector})
			case *policyv1.PodDisruptionBudget:
				match("PodDisruptionBudget", v.Spec.Selector)
			case *networkingv1.NetworkPolicy:
				match("NetworkPolicy "+v.Name, &v.Spec.PodSelector)
			}
		}
	})
}

// The rule that lets DNS out names the DNS pods and nothing of ours.
func TestDNSRule(t *testing.T) {
	each(t, func(t *testing.T, _ string, objects []Object) {
		for _, o := range objects {
			p, ok := o.Typed.(*networkingv1.NetworkPolicy)
			if !ok || p.Name != "postern" {
				continue
			}
			dns := p.Spec.Egress[0].To[0].PodSelector.MatchLabels
			if len(dns) != 1 || dns["k8s-app"] != "kube-dns" {
				t.Errorf("DNS goes to pods labelled %v", dns)
			}
		}
	})
}

// Ports that services and probes name exist in the container, and the names of
// ConfigMaps and ServiceAccounts are ones that are rendered.
func TestReferences(t *testing.T) {
	each(t, func(t *testing.T, _ string, objects []Object) {
		set := statefulSet(t, objects)
		container := set.Spec.Template.Spec.Containers[0]
		ports := map[string]bool{}
		for _, p := range container.Ports {
			ports[p.Name] = true
		}
		names := map[string]bool{}
		for _, o := range objects {
			names[o.Kind.Kind+"/"+o.Name] = true
			if s, ok := o.Typed.(*corev1.Service); ok {
				for _, p := range s.Spec.Ports {
					port(t, "Service "+s.Name, ports, p.TargetPort)
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
	})
}

func port(t *testing.T, who string, ports map[string]bool, p intstr.IntOrString) {
	t.Helper()
	if p.Type != intstr.String || !ports[p.StrVal] {
		t.Errorf("%s goes to port %s, which the container doesn't name", who, p.String())
	}
}

// The grace of the pod covers preStop, POSTERN_GRACE and the closing of the queue.
func TestGrace(t *testing.T) {
	each(t, func(t *testing.T, _ string, objects []Object) {
		pod := statefulSet(t, objects).Spec.Template.Spec
		stop := pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds
		if got := *pod.TerminationGracePeriodSeconds; got < stop+60+10 {
			t.Errorf("terminationGracePeriodSeconds is %d: preStop %d s and POSTERN_GRACE 60 s don't fit", got, stop)
		}
	})
}

// The gateway itself accepts the environment that the pod gets.
func TestEnvironment(t *testing.T) {
	each(t, func(t *testing.T, _ string, objects []Object) {
		secrets := t.TempDir()
		cmd := exec.Command("go", "run", "./cmd/postern", "config")
		cmd.Dir = "../.."
		cmd.Env = os.Environ()
		for _, o := range objects {
			config, ok := o.Typed.(*corev1.ConfigMap)
			if !ok || !strings.HasPrefix(config.Name, "postern-") {
				continue
			}
			for key, value := range config.Data {
				if name, ok := strings.CutPrefix(value, "/etc/postern/secrets/"); ok {
					value = filepath.Join(secrets, name)
					if err := os.WriteFile(value, []byte("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				cmd.Env = append(cmd.Env, key+"="+value)
			}
		}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "POSTERN_WEBHOOK_URL=http") {
			t.Errorf("postern config: %v\n%s", err, out)
		}
	})
}
