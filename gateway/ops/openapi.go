package ops

import (
	_ "embed"
	"net/http"
)

// openAPIDocument describes the API (OpenAPI 3.1). The tests hold every request and every
// answer to it.
//
//go:embed openapi.json
var openAPIDocument []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPIDocument)
}
