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

// definitions are where the custom resources' own definitions stand in the
// modules that bring their types. The Prometheus operator's module has types
// alone: its resources are held to these.
var definitions = map[string]source{
	"Certificate": {"github.com/cert-manager/cert-manager", "deploy/crds/cert-manager.io_certificates.yaml", "v1"},
	"HTTPRoute":   {"sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml", "v1"},
}

// typesAlone are the kinds whose strict decoding is all that can be checked.
var typesAlone = map[string]bool{"PodMonitor": true, "PrometheusRule": true}

type source struct{ module, file, version string }

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
	switch {
	case typesAlone[o.Kind.Kind]:
		return nil
	case !ok:
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

func (s source) read() (*definition, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", s.module).Output()
	if err != nil {
		return nil, fmt.Errorf("where %s is: %w", s.module, err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), s.file))
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	at := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == s.version })
	if at < 0 {
		return nil, fmt.Errorf("%s has no version %s", s.file, s.version)
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
