package check

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// install is a kustomization and what it renders.
type install struct {
	name    string
	objects []Object
}

// workload is what runs the pods, a StatefulSet or a Deployment.
type workload struct {
	kind, name string
	selector   *metav1.LabelSelector
	pod        corev1.PodTemplateSpec
	replicas   *int32
	service    string
	claims     []corev1.PersistentVolumeClaim
}

func (i install) workload(t *testing.T) workload {
	t.Helper()
	var all []workload
	for _, o := range i.objects {
		switch v := o.Typed.(type) {
		case *appsv1.StatefulSet:
			all = append(all, workload{"StatefulSet", v.Name, v.Spec.Selector, v.Spec.Template, v.Spec.Replicas, v.Spec.ServiceName, v.Spec.VolumeClaimTemplates})
		case *appsv1.Deployment:
			all = append(all, workload{"Deployment", v.Name, v.Spec.Selector, v.Spec.Template, v.Spec.Replicas, "", nil})
		}
	}
	if len(all) != 1 {
		t.Fatalf("%d workloads", len(all))
	}
	return all[0]
}

// selectors pick our pods, and none picks every pod of the namespace.
func (i install) selectors(t *testing.T) {
	pod := labels.Set(i.workload(t).pod.Labels)
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
	work := i.workload(t)
	add(work.kind, work.selector)
	for _, c := range work.pod.Spec.TopologySpreadConstraints {
		add("spread over "+c.TopologyKey, c.LabelSelector)
	}
	for _, o := range i.objects {
		switch v := o.Typed.(type) {
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

// explicit: what a server would add to a network policy's rules stands in them. It compares
// such lists as a whole, so that who applies next by server-side apply would conflict.
func (i install) explicit(t *testing.T) {
	for _, o := range i.objects {
		p, ok := o.Typed.(*networkingv1.NetworkPolicy)
		if !ok {
			continue
		}
		live := p.DeepCopy()
		Scheme.Default(live)
		if !reflect.DeepEqual(live.Spec, p.Spec) {
			t.Errorf("the NetworkPolicy %s leaves something to the server: %+v", p.Name, p.Spec)
		}
	}
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
	work := i.workload(t)
	container := work.pod.Spec.Containers[0]
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
			if backend := v.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name; !strings.HasSuffix(backend, work.name+"-http") {
				t.Errorf("the Ingress goes to %s", backend)
			}
		}
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
		port(t, probe.HTTPGet.Path, ports, probe.HTTPGet.Port)
	}
	for _, want := range []string{"ServiceAccount/" + work.pod.Spec.ServiceAccountName, "Service/" + work.service, "ConfigMap/" + container.EnvFrom[0].ConfigMapRef.Name} {
		if !names[want] && want != "Service/" {
			t.Errorf("%s is named but not rendered", want)
		}
	}
	for _, v := range work.pod.Spec.Volumes {
		if v.Secret != nil && !strings.HasPrefix(v.Secret.SecretName, work.name) {
			t.Errorf("the Secret %s is not one of %s", v.Secret.SecretName, work.name)
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
	pod := i.workload(t).pod.Spec
	stop := pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds
	if got := *pod.TerminationGracePeriodSeconds; got < stop+60+10 {
		t.Errorf("terminationGracePeriodSeconds is %d: preStop %d s and POSTERN_GRACE 60 s don't fit", got, stop)
	}
}

// spool: what is under way lies on a volume of a stated size that holds the bound.
func (i install) spool(t *testing.T) {
	const bound = 2 << 30 // POSTERN_SPOOL_MAX_BYTES
	work := i.workload(t)
	container := work.pod.Spec.Containers[0]
	var size int64
	for _, c := range work.claims {
		size = max(size, c.Spec.Resources.Requests.Storage().Value())
	}
	for _, v := range work.pod.Spec.Volumes {
		if v.Name == "data" {
			size = v.EmptyDir.SizeLimit.Value()
			if limit := container.Resources.Limits.StorageEphemeral().Value(); limit < size {
				t.Errorf("the container may have %d octets of its node's disk, its volume %d", limit, size)
			}
		}
	}
	mount := slices.IndexFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "data" })
	dir := i.config(t)["POSTERN_SPOOL_DIR"]
	if size <= bound || mount < 0 || !strings.HasPrefix(dir, container.VolumeMounts[mount].MountPath+"/") {
		t.Errorf("the spool %s has a volume of %d octets", dir, size)
	}
}

// scaled: an autoscaler has the workload's replicas to itself, and its pods no claims,
// which a pod that goes would leave behind.
func (i install) scaled(t *testing.T) {
	work := i.workload(t)
	autoscalers := 0
	for _, o := range i.objects {
		v, ok := o.Typed.(*autoscalingv2.HorizontalPodAutoscaler)
		if !ok {
			continue
		}
		autoscalers++
		if ref := v.Spec.ScaleTargetRef; ref.Kind != work.kind || ref.Name != work.name {
			t.Errorf("the autoscaler scales the %s %s", ref.Kind, ref.Name)
		}
		if work.replicas != nil || len(work.claims) > 0 {
			t.Errorf("scaled are pods with %d claims, and each apply would set them to %v", len(work.claims), work.replicas)
		}
		if requested := work.pod.Spec.Containers[0].Resources.Requests.Cpu(); requested.IsZero() {
			t.Error("scaled by CPU, of which the container requests none")
		}
	}
	if scales := work.kind == "Deployment"; scales != (autoscalers == 1) {
		t.Errorf("a %s with %d autoscalers", work.kind, autoscalers)
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
