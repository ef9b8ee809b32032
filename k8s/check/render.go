package check

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Object is a rendered manifest: as text, and as the API's type.
type Object struct {
	Kind            schema.GroupVersionKind
	Namespace, Name string
	YAML            []byte
	Typed           runtime.Object
}

// Manifests is the folder k8s in memory, to which kustomizations can be added
// as a user would write them.
type Manifests struct{ fs filesys.FileSystem }

// Load reads the folder.
func Load(dir string) (*Manifests, error) {
	m := &Manifests{filesys.MakeFsInMemory()}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "check":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return m.fs.WriteFile("/k8s/"+rel, text)
	})
	return m, err
}

// Add writes a kustomization of its own over one of ours: with these components
// and further lines.
func (m *Manifests) Add(dir, over string, components []string, more string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "resources: [../../%s]\n%s", over, more)
	for i, c := range components {
		if i == 0 {
			b.WriteString("components:\n")
		}
		fmt.Fprintf(&b, "  - ../../components/%s\n", c)
	}
	return m.fs.WriteFile("/k8s/"+dir+"/kustomization.yaml", []byte(b.String()))
}

// Render builds a kustomization as kubectl kustomize does and decodes it
// strictly: an unknown or repeated field is an error.
func (m *Manifests) Render(dir string) ([]Object, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(m.fs, "/k8s/"+dir)
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", dir, err)
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, Scheme, Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	var all []Object
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		o := Object{Namespace: r.GetNamespace(), Name: r.GetName(), YAML: text}
		if o.Kind, err = kind(text); err != nil {
			return nil, err
		}
		if o.Typed, _, err = strict.Decode(text, nil, nil); err != nil {
			return nil, fmt.Errorf("%s %s in %s: %w", o.Kind.Kind, o.Name, dir, err)
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
