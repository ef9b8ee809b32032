package check

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// shipped are where the custom resources' own definitions stand in the modules that
// bring their types.
var shipped = map[string]source{
	"Certificate": {"github.com/cert-manager/cert-manager", "deploy/crds/cert-manager.io_certificates.yaml"},
	"HTTPRoute":   {"sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"},
}

// made are the files that controller-gen writes from the Prometheus operator's types, as
// the operator's own build does: its module of types has no definitions.
var made = map[string]string{
	"PodMonitor":     "monitoring.coreos.com_podmonitors.yaml",
	"ServiceMonitor": "monitoring.coreos.com_servicemonitors.yaml",
	"PrometheusRule": "monitoring.coreos.com_prometheusrules.yaml",
}

const monitoringTypes = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"

type source struct{ module, file string }

// readDefinitions brings the definitions of all custom resources that components use.
func readDefinitions() (map[string]*definition, error) {
	dir, err := os.MkdirTemp("", "definitions")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("go", "tool", "controller-gen", "crd", "paths="+monitoringTypes, "output:crd:dir="+dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("controller-gen: %w\n%s", err, out)
	}
	paths := map[string]string{}
	for kind, file := range made {
		paths[kind] = filepath.Join(dir, file)
	}
	for kind, s := range shipped {
		module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", s.module).Output()
		if err != nil {
			return nil, fmt.Errorf("where %s is: %w", s.module, err)
		}
		paths[kind] = filepath.Join(strings.TrimSpace(string(module)), s.file)
	}
	all := map[string]*definition{}
	for kind, path := range paths {
		if all[kind], err = readDefinition(path); err != nil {
			return nil, fmt.Errorf("the definition of %s: %w", kind, err)
		}
	}
	return all, nil
}

// definition is what the server makes of a CustomResourceDefinition.
type definition struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// refusedBySchema prunes, defaults and validates as the server does; what would
// be pruned is a fault.
func (s *Server) refusedBySchema(o Object) error {
	d, ok := s.definitions[o.Kind.Kind]
	if !ok {
		return fmt.Errorf("nothing here knows what a server says of a %s", o.Kind.Kind)
	}
	text, err := yaml.YAMLToJSON(o.YAML)
	if err != nil {
		return err
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil { // whole numbers stay whole
		return err
	}
	unknown := pruning.PruneWithOptions(object, d.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		return fmt.Errorf("unknown fields: %s", strings.Join(unknown, ", "))
	}
	defaulting.Default(object, d.structural)
	wrong := validation.ValidateCustomResource(nil, object, d.schema)
	more, _ := d.rules.Validate(context.Background(), nil, d.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return append(wrong, more...).ToAggregate()
}

// readDefinition takes version v1, which all of them have.
func readDefinition(path string) (*definition, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	at := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == "v1" })
	if at < 0 {
		return nil, fmt.Errorf("%s has no version v1", path)
	}
	var schema apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[at].Schema.OpenAPIV3Schema, &schema, nil); err != nil {
		return nil, err
	}
	d := new(definition)
	if d.structural, err = structuralschema.NewStructural(&schema); err != nil {
		return nil, err
	}
	d.rules = cel.NewValidator(d.structural, true, celconfig.PerCallLimit)
	d.schema, _, err = validation.NewSchemaValidator(&schema)
	return d, err
}
