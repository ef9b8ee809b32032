package check

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	flux "github.com/fluxcd/pkg/kustomize"
	pmodel "github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/types"
	prom "sigs.k8s.io/prometheus-adapter/pkg/client"
	adapter "sigs.k8s.io/prometheus-adapter/pkg/config"
	"sigs.k8s.io/prometheus-adapter/pkg/naming"
	"sigs.k8s.io/yaml"
)

// example reads an object of examples/.
func example(t *testing.T, file string) unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../examples", file))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		t.Fatal(err)
	}
	return unstructured.Unstructured{Object: object}
}

// Flux's own library builds each overlay with the example's settings, and its variables
// change what a user wrote alone: not Grafana's, not the alerts' labels.
func TestFlux(t *testing.T) {
	for _, overlay := range []string{"prod", "postgres"} {
		root := t.TempDir()
		if err := os.CopyFS(filepath.Join(root, "k8s"), os.DirFS("..")); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(root, "k8s/check")); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, "k8s/overlays", overlay)
		settings := filepath.Join(dir, "postern.env")
		if err := os.WriteFile(settings, []byte("POSTERN_DOMAIN=mx.${cluster}.example.com\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		k := example(t, "flux.yaml")
		if err := unstructured.SetNestedStringMap(k.Object, map[string]string{"cluster": "north", "datasource": "wrong", "labels": "wrong"}, "spec", "postBuild", "substitute"); err != nil {
			t.Fatal(err)
		}
		if _, err := flux.NewGenerator(root, k).WriteFile(dir); err != nil {
			t.Fatal(err)
		}
		built, err := flux.SecureBuild(root, dir, false)
		if err != nil {
			t.Fatalf("%s: %v", overlay, err)
		}
		seen := 0
		for _, r := range built.Resources() {
			before := r.MustYaml()
			if _, err := flux.SubstituteVariables(t.Context(), nil, k, r, flux.SubstituteWithStrict(true)); err != nil {
				t.Errorf("%s: %s %s: %v", overlay, r.GetKind(), r.GetName(), err)
			}
			if after := r.MustYaml(); after != strings.ReplaceAll(before, "${cluster}", "north") {
				t.Errorf("%s: Flux changed %s %s", overlay, r.GetKind(), r.GetName())
			} else if after != before {
				seen++
			}
			if r.GetNamespace() != "postern" {
				t.Errorf("%s: %s %s is in %q", overlay, r.GetKind(), r.GetName(), r.GetNamespace())
			}
		}
		if seen != 1 {
			t.Errorf("%s: %d objects had the variable", overlay, seen)
		}
	}
}

// Argo CD renders with kustomize, without plugins or helm, from files of the repository
// alone, and reads the Application's options as it knows them.
func TestArgo(t *testing.T) {
	app := example(t, "argocd.yaml")
	name, _, _ := unstructured.NestedString(app.Object, "metadata", "name")
	namespace, _, _ := unstructured.NestedString(app.Object, "spec", "destination", "namespace")
	if name == "postern" || namespace != "postern" {
		t.Errorf("the Application %s for the namespace %s: where labels track, it would own the StatefulSet's claims", name, namespace)
	}
	m, err := Load("..")
	if err != nil {
		t.Fatal(err)
	}
	err = m.fs.Walk("/k8s", func(path string, info os.FileInfo, err error) error {
		if err != nil || filepath.Base(path) != "kustomization.yaml" {
			return err
		}
		text, err := m.fs.ReadFile(path)
		if err != nil {
			return err
		}
		var k types.Kustomization
		if err := k.Unmarshal(text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if len(k.HelmCharts)+len(k.Generators)+len(k.Transformers)+len(k.Validators) > 0 {
			t.Errorf("%s needs helm or a plugin", path)
		}
		for _, from := range slices.Concat(k.Resources, k.Components, k.Configurations) {
			if !m.fs.Exists(filepath.Join(filepath.Dir(path), from)) {
				t.Errorf("%s takes %s from elsewhere", path, from)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What mail waits in is nobody's to prune.
func TestClaimsStay(t *testing.T) {
	m, err := Load("..")
	if err != nil {
		t.Fatal(err)
	}
	claims := install{"base", m.render(t, "base")}.workload(t).claims
	if len(claims) != 1 || claims[0].Annotations["argocd.argoproj.io/sync-options"] != "Prune=false,Delete=false" || claims[0].Annotations["kustomize.toolkit.fluxcd.io/prune"] != "disabled" {
		t.Errorf("%+v", claims)
	}
}

// The adapter's own reader takes the example's rule and finds by it, for a pod, the metric
// that overlays/postgres scales by.
func TestAdapter(t *testing.T) {
	values := example(t, "prometheus-adapter.yaml")
	rules, _, _ := unstructured.NestedMap(values.Object, "rules")
	text, err := yaml.Marshal(map[string]any{"rules": rules["custom"]})
	if err != nil {
		t.Fatal(err)
	}
	config, err := adapter.FromYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	pods := schema.GroupResource{Resource: "pods"}
	kinds := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Pod", "Namespace"} {
		kinds.Add(schema.GroupVersionKind{Version: "v1", Kind: kind}, meta.RESTScopeNamespace)
	}
	namers, err := naming.NamersFromConfig(config.Rules, kinds)
	if err != nil {
		t.Fatal(err)
	}
	const metric = "postern_smtp_sessions_active"
	series := prom.Series{Name: metric, Labels: pmodel.LabelSet{"namespace": "postern", "pod": "postern-0"}}
	name, err := namers[0].MetricNameForSeries(series)
	query, err2 := namers[0].QueryForSeries(metric, pods, "postern", labels.Everything(), "postern-0")
	if want := prom.Selector(`max(postern_smtp_sessions_active{namespace="postern",pod="postern-0"}) by (pod)`); err != nil || err2 != nil || name != metric || query != want {
		t.Errorf("%s by %s (%v, %v)", name, query, err, err2)
	}
	resources, _ := namers[0].ResourcesForSeries(series)
	if len(resources) != 2 {
		t.Errorf("the metric is one of %v", resources)
	}
	m, err := Load("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range m.render(t, "overlays/postgres") {
		if o.Kind.Kind == "HorizontalPodAutoscaler" && !strings.Contains(string(o.YAML), "name: "+metric) {
			t.Errorf("the autoscaler asks for another metric:\n%s", o.YAML)
		}
	}
}
