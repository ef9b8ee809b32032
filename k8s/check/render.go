package check

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Object is a rendered manifest: as text, and as the API's type where it is one
// of Kubernetes' own.
type Object struct {
	Kind  schema.GroupVersionKind
	Name  string
	YAML  []byte
	Typed runtime.Object // nil for custom resources
}

// customKinds are the custom resources that components use; their types aren't
// decoded here.
var customKinds = map[string]bool{
	"cert-manager.io/v1, Kind=Certificate":          true,
	"monitoring.coreos.com/v1, Kind=PodMonitor":     true,
	"monitoring.coreos.com/v1, Kind=PrometheusRule": true,
}

// Render builds a kustomization as kubectl kustomize does and decodes it
// strictly: an unknown or repeated field is an error.
func Render(dir string) ([]Object, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", dir, err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	var all []Object
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		o := Object{Name: r.GetName(), YAML: text}
		o.Kind, err = kind(text)
		if err != nil {
			return nil, err
		}
		if !customKinds[o.Kind.String()] {
			if o.Typed, _, err = strict.Decode(text, nil, nil); err != nil {
				return nil, fmt.Errorf("%s %s in %s: %w", o.Kind.Kind, o.Name, dir, err)
			}
		}
		all = append(all, o)
	}
	return all, nil
}

func kind(text []byte) (schema.GroupVersionKind, error) {
	var meta struct{ APIVersion, Kind string }
	err := yaml.Unmarshal(text, &meta)
	return schema.FromAPIVersionAndKind(meta.APIVersion, meta.Kind), err
}
