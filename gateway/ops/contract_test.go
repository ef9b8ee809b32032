package ops

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"go.uber.org/goleak"
)

// TestMain holds the whole of the tests to the document's whole: what it says
// that an operation answers must have been answered.
func TestMain(m *testing.M) {
	code := m.Run()
	if flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && code == 0 {
		if missing := unanswered(); len(missing) > 0 {
			fmt.Fprintln(os.Stderr, "openapi.json has answers that no test got:", strings.Join(missing, ", "))
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// document is what the API says of itself.
type document struct {
	*openapi3.T
	router routers.Router
}

// loaded is the document, with one thing more: an object has no property that
// the document doesn't name.
var loaded = sync.OnceValues(func() (*document, error) {
	var whole any
	if err := json.Unmarshal(openAPIDocument, &whole); err != nil {
		return nil, err
	}
	closed(whole)
	strict, err := json.Marshal(whole)
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(strict)
	if err != nil {
		return nil, err
	}
	openapi3filter.RegisterBodyDecoder("message/rfc822", openapi3filter.FileBodyDecoder)
	router, err := gorillamux.NewRouter(doc)
	return &document{doc, router}, err
})

// closed adds additionalProperties: false to every schema with properties.
func closed(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, open := v["additionalProperties"]; v["properties"] != nil && v["type"] == "object" && !open {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closed(inner)
		}
	case []any:
		for _, inner := range v {
			closed(inner)
		}
	}
}

// answered are the operations and statuses that the tests got so far.
var answered sync.Map

func unanswered() (missing []string) {
	doc, err := loaded()
	if err != nil {
		return []string{err.Error()}
	}
	for _, path := range doc.Paths.InMatchingOrder() {
		for _, op := range doc.Paths.Value(path).Operations() {
			for _, status := range slices.Sorted(maps.Keys(op.Responses.Map())) {
				if _, ok := answered.Load(op.OperationID + " " + status); !ok && status != "default" {
					missing = append(missing, op.OperationID+" "+status)
				}
			}
		}
	}
	return missing
}

// held holds every answer of the API to the document, and every request that was
// met.
func held(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	doc, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/") {
			next.ServeHTTP(w, r)
			return
		}
		asked, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(asked))
		rec := httptest.NewRecorder()
		next.ServeHTTP(recorded{rec, w}, r)
		r.Body = io.NopCloser(bytes.NewReader(asked))
		if err := doc.check(r, rec); err != nil {
			t.Errorf("%s %s is answered %d otherwise than openapi.json says: %v\n%s", r.Method, r.URL, rec.Code, err, rec.Body)
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

// recorded keeps an answer whose time is the connection's.
type recorded struct {
	*httptest.ResponseRecorder
	conn http.ResponseWriter
}

func (r recorded) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(r.conn).SetWriteDeadline(t)
}

// check compares one request and its answer with the document.
func (d *document) check(r *http.Request, rec *httptest.ResponseRecorder) error {
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		if rec.Code != http.StatusNotFound && rec.Code != http.StatusMethodNotAllowed && rec.Code != http.StatusUnauthorized {
			return err
		}
		if media := rec.Header().Get("Content-Type"); media != "application/problem+json" {
			return fmt.Errorf("an error of type %s", media)
		}
		return nil
	}
	if r.Body != nil && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json") // the API takes nothing else
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}}
	if rec.Code < 400 && r.Method != http.MethodHead {
		if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
			return fmt.Errorf("the request: %w", err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Options: in.Options}
	if err := openapi3filter.ValidateResponse(r.Context(), out.SetBodyBytes(rec.Body.Bytes())); err != nil {
		return err
	}
	answered.Store(fmt.Sprint(route.Operation.OperationID, " ", rec.Code), true)
	return nil
}

// The document is a valid one of OpenAPI 3.1, its examples fit their schemas, and
// it names just the requests and parameters that there are.
func TestOpenAPI(t *testing.T) {
	doc, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("openapi.json: %v", err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %s", doc.OpenAPI)
	}
	said := map[string][]string{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			var query []string
			for _, p := range op.Parameters {
				if p.Value.In == openapi3.ParameterInQuery {
					query = append(query, p.Value.Name)
				}
			}
			said[method+" "+path] = query
			if op.OperationID == "" || op.Summary == "" || op.Responses.Value("401") == nil || op.Responses.Default() == nil {
				t.Errorf("%s %s isn't described", method, path)
			}
			for status, a := range op.Responses.Map() {
				for media, content := range a.Value.Content {
					if content.Example == nil {
						t.Errorf("%s %s, %s has no example of %s", method, path, status, media)
					}
				}
			}
		}
	}
	for _, r := range (&Server{}).apiRoutes() {
		query, ok := said[r.pattern]
		delete(said, r.pattern)
		if slices.Sort(query); !ok || !slices.Equal(query, slices.Sorted(slices.Values(r.query))) {
			t.Errorf("%s takes %v, and the document says %v, %v", r.pattern, r.query, query, ok)
		}
	}
	for pattern := range said {
		t.Errorf("there is no %s", pattern)
	}
	srv := newTestServer(t, testQueue(t), nil)
	if status, v := ask(t, srv, "GET", "/api/v1/openapi.json", ""); status != 200 || v["openapi"] != "3.1.0" {
		t.Errorf("%d %v", status, v["openapi"])
	}
}

// A document that says something else is found out: the check itself works.
func TestOpenAPICanFail(t *testing.T) {
	doc, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"no such field": `{"deleted":1,"more":2}`, "a wrong type": `{"deleted":"one"}`, "a field is missing": `{}`} {
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", "application/json")
		rec.WriteHeader(http.StatusOK)
		_, _ = rec.WriteString(body)
		if doc.check(httptest.NewRequest(http.MethodDelete, "/api/v1/deliveries/d1", http.NoBody), rec) == nil {
			t.Errorf("%s isn't found", name)
		}
	}
}

// Each operation's own errors, where no other test asks for them.
func TestOpenAPIErrors(t *testing.T) {
	srv := newTestServer(t, testQueue(t), func(_ *Config, d *Deps) {
		d.Preview, d.Again, d.Forgetter = previews(t), &fakeAgain{}, &fakeForgetter{}
	})
	none := newTestServer(t, nil, func(_ *Config, d *Deps) { d.History = nil })
	doc, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{id}", "none", "{name}", "nobody")
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if resp, err := http.NewRequest(method, srv.URL+fill.Replace(path), nil); err == nil { // no token
				if a, err := srv.Client().Do(resp); err != nil || a.StatusCode != 401 || a.Body.Close() != nil {
					t.Errorf("%s %s without a token: %v", method, path, err)
				}
			}
			if op.Responses.Value("404") != nil {
				if status, _ := ask(t, none, method, fill.Replace(path), ""); status != 404 {
					t.Errorf("%s %s where there is nothing: %d", method, path, status)
				}
			}
			if status, v := ask(t, srv, method, fill.Replace(path)+"?unheard=of", ""); op.Responses.Value("400") != nil && (status != 400 || v["detail"] == "") {
				t.Errorf("%s %s with an unknown parameter: %d %v", method, path, status, v)
			}
		}
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "messages/m", 409}, {"GET", "deliveries/d1/request", 200}, {"DELETE", "deliveries/d4", 409}, {"POST", "deliveries/d1/replay", 409}, {"POST", "deliveries/d2/retry", 409},
		{"GET", "deliveries?after=x", 200}, {"GET", "messages?after=x", 400}, {"GET", "deliveries/d2/request", 404},
		{"GET", "deliveries/d2/request/body", 404},
	} {
		if status, v := ask(t, srv, c.method, "/api/v1/"+c.path, ""); status != c.status {
			t.Errorf("%s %s: %d %v", c.method, c.path, status, v)
		}
	}
	if status, v := ask(t, srv, "GET", "/api/v1/deliveries/d1/request", ""); status != 200 || v["url"] != "https://app.example.com/?…" || !strings.Contains(v["body"].(string), `"subject": "x"`) ||
		!strings.HasSuffix(v["curl"].(string), "@'d1.json'") {
		t.Errorf("%d %v", status, v)
	}
	resp, body := get(t, srv, "/api/v1/deliveries/d1/request/body", "Authorization", "Bearer "+testToken)
	if resp.StatusCode != 200 || !strings.HasPrefix(body, `{"type":"email.received"`) || resp.Header.Get("Content-Disposition") != `attachment; filename="d1.json"` {
		t.Errorf("the body: %d %v %.60s", resp.StatusCode, resp.Header, body)
	}
}
