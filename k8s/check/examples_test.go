package check

import (
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// The compose file is one that docker compose reads.
func TestCompose(t *testing.T) {
	details := types.ConfigDetails{WorkingDir: "../examples", ConfigFiles: []types.ConfigFile{{Filename: "../examples/compose.yaml"}}}
	project, err := loader.LoadWithContext(t.Context(), details)
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := project.GetService("postern")
	if err != nil {
		t.Fatal(err)
	}
	if len(gateway.Secrets) != 2 || len(gateway.Volumes) != 1 || !gateway.ReadOnly {
		t.Errorf("%+v", gateway)
	}
}

// What examples and README show for a cluster is what a server takes.
func TestNamespace(t *testing.T) {
	m, err := Load("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.fs.WriteFile("/k8s/examples/kustomization.yaml", []byte("resources: [namespace.yaml]\n")); err != nil {
		t.Fatal(err)
	}
	if objects := m.render(t, "examples"); len(objects) != 1 || objects[0].Kind.Kind != "Namespace" {
		t.Errorf("%+v", objects)
	}
}
