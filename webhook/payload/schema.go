package payload

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of the native payload, version 1. It
// allows members that it doesn't name, since fields are added.
func Schema() []byte { return slices.Clone(schema) }
