package payload

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/gateway/mail"
)

// validator is as much of JSON Schema as Schema uses. Unlike the schema it takes
// no member that isn't named: a new field needs its line.
type validator2020 struct{ defs map[string]any }

func newValidator(t testing.TB) (validator2020, map[string]any) {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	return validator2020{root["$defs"].(map[string]any)}, root
}

func (v validator2020) check(at string, s map[string]any, value any) []string {
	if ref, ok := s["$ref"].(string); ok {
		def, ok := v.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		if !ok {
			return []string{at + ": no definition " + ref}
		}
		return v.check(at, def, value)
	}
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, at+": "+fmt.Sprintf(format, args...)) }
	for key, rule := range s {
		switch key {
		case "$schema", "$id", "title", "description", "$defs", "properties":
		case "type":
			if got := typeOf(value); got != rule && !(rule == "number" && got == "integer") {
				fault("%v is %s, not %v", value, got, rule)
			}
		case "const":
			if value != rule {
				fault("%v is not %v", value, rule)
			}
		case "enum":
			if !slices.Contains(rule.([]any), value) {
				fault("%v is none of %v", value, rule)
			}
		case "minLength":
			if s, ok := value.(string); ok && float64(len(s)) < rule.(float64) {
				fault("is too short")
			}
		case "minItems":
			if l, ok := value.([]any); ok && float64(len(l)) < rule.(float64) {
				fault("has too few items")
			}
		case "minimum":
			if n, ok := value.(float64); ok && n < rule.(float64) {
				fault("%v is below %v", n, rule)
			}
		case "maximum":
			if n, ok := value.(float64); ok && n > rule.(float64) {
				fault("%v is above %v", n, rule)
			}
		case "pattern":
			if s, ok := value.(string); ok && !regexp.MustCompile(rule.(string)).MatchString(s) {
				fault("%q doesn't fit %v", s, rule)
			}
		case "format":
			if s, ok := value.(string); ok && rule == "date-time" {
				if _, err := time.Parse(time.RFC3339, s); err != nil {
					fault("%v", err)
				}
			}
		case "contentEncoding":
			if s, ok := value.(string); ok {
				if _, err := base64.StdEncoding.DecodeString(s); err != nil {
					fault("%v", err)
				}
			}
		case "required":
			o, _ := value.(map[string]any)
			for _, name := range rule.([]any) {
				if _, ok := o[name.(string)]; !ok {
					fault("%s is missing", name)
				}
			}
		case "items":
			l, _ := value.([]any)
			for i, item := range l {
				faults = append(faults, v.check(fmt.Sprintf("%s[%d]", at, i), rule.(map[string]any), item)...)
			}
		case "additionalProperties":
		case "anyOf", "oneOf":
			fits := 0
			var all []string
			for _, one := range rule.([]any) {
				f := v.check(at, one.(map[string]any), value)
				all = append(all, f...)
				if len(f) == 0 {
					fits++
				}
			}
			if fits == 0 || key == "oneOf" && fits > 1 {
				fault("%d of %s fit: %v", fits, key, all)
			}
		default:
			fault("the test doesn't know the keyword %s", key)
		}
	}
	return append(faults, v.members(at, s, value)...)
}

func (v validator2020) members(at string, s map[string]any, value any) []string {
	o, ok := value.(map[string]any)
	properties, _ := s["properties"].(map[string]any)
	others, _ := s["additionalProperties"].(map[string]any)
	if !ok || properties == nil && others == nil {
		return nil
	}
	var faults []string
	for name, member := range o {
		p, ok := properties[name].(map[string]any)
		if !ok {
			p = others
		}
		if p == nil {
			faults = append(faults, at+"."+name+": not in the schema")
			continue
		}
		faults = append(faults, v.check(at+"."+name, p, member)...)
	}
	return faults
}

func typeOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	default:
		return "object"
	}
}

// Every payload of every test mail, in every way content may travel, fits the schema.
func TestSchema(t *testing.T) {
	v, root := newValidator(t)
	deliveries := map[string]Delivery{"full": full(), "with as little as possible": plainMail()}
	for name, text := range mails {
		deliveries[name] = eml(t, text)
	}
	for name, d := range deliveries {
		d.Links = fakeLinks{}
		for _, where := range []Where{Inline, URL, Omit} {
			_, got := written(t, Native{}, d, Options{Attachments: where, Raw: where, Markdown: where == Inline, Signals: where != Omit})
			var value any
			if err := json.Unmarshal(got, &value); err != nil {
				t.Fatal(err)
			}
			for _, fault := range v.check("payload", root, value) {
				t.Errorf("%s, %s: %s", name, where, fault)
			}
		}
	}
}

// The validator itself finds faults.
func TestSchemaFindsFaults(t *testing.T) {
	v, root := newValidator(t)
	_, got := written(t, Native{}, full(), Options{})
	for name, spoil := range map[string]func(p map[string]any){
		"missing":      func(p map[string]any) { delete(p, "raw") },
		"unknown":      func(p map[string]any) { p["more"] = 1 },
		"null list":    func(p map[string]any) { p["message"].(map[string]any)["attachments"] = nil },
		"wrong type":   func(p map[string]any) { p["version"] = "1" },
		"no recipient": func(p map[string]any) { p["envelope"].(map[string]any)["to"] = []any{} },
		"bad sum":      func(p map[string]any) { p["raw"].(map[string]any)["sha256"] = "x" },
		"bad verb":     func(p map[string]any) { p["envelope"].(map[string]any)["verb"] = string(mail.Verb("TURN")) },
		"two places": func(p map[string]any) {
			p["message"].(map[string]any)["attachments"].([]any)[0].(map[string]any)["sha256"] = strings.Repeat("0", 64)
		},
	} {
		var value map[string]any
		if err := json.Unmarshal(got, &value); err != nil {
			t.Fatal(err)
		}
		spoil(value)
		if len(v.check("payload", root, value)) == 0 {
			t.Errorf("%s: nothing found", name)
		}
	}
}
