package main

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

const envPrefix = "POSTERN_"

// configError says what is wrong with the environment: every variable at once.
type configError struct{ problems []error }

func (e *configError) Error() string {
	s := "the configuration is wrong:"
	for _, p := range e.problems {
		s += "\n  " + p.Error()
	}
	return s
}

// variableError is one variable that can't be used.
type variableError struct {
	variable string
	value    string // as given, "" where it is a secret or not set
	why      string // and what would be valid
}

func (e *variableError) Error() string {
	if e.value == "" {
		return e.variable + " " + e.why
	}
	return fmt.Sprintf("%s=%q %s", e.variable, e.value, e.why)
}

// loadConfig reads the configuration that a gateway runs with. All errors come
// at once, in a *configError.
func loadConfig(environ []string) (*Config, error) {
	c, err := readConfig(environ)
	if err != nil {
		return nil, err
	}
	if err := c.needEndpoint(); err != nil {
		return nil, &configError{[]error{err}}
	}
	return c, nil
}

// readConfig is loadConfig for commands that need no endpoint.
func readConfig(environ []string) (*Config, error) {
	vars, errs := ourVariables(environ)
	files, fileErrs := readSecretFiles(vars)
	errs = append(errs, fileErrs...)

	c := new(Config)
	opts := env.Options{Environment: vars, Prefix: envPrefix}
	if err := env.ParseWithOptions(c, opts); err != nil {
		errs = append(errs, blame(vars, err)...)
	} else {
		errs = append(errs, checkSettings(c, vars, files)...)
	}
	if len(errs) == 0 {
		c.complete()
		errs = c.check()
	}
	if len(errs) > 0 {
		return nil, &configError{errs}
	}
	return c, nil
}

// serviceVariable is what Kubernetes injects for a Service named postern or
// postern-…; such a variable is no setting of ours.
var serviceVariable = regexp.MustCompile(`^POSTERN_(.+_)?(SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP).*)?)$`)

// ourVariables picks our variables from the environment. One that is set but
// empty counts as not set. It refuses unknown ones and gaps in the numbering,
// which env would pass over in silence.
func ourVariables(environ []string) (map[string]string, []error) {
	vars := make(map[string]string)
	for _, kv := range environ {
		key, value, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(key, envPrefix) && value != "" {
			vars[key] = value
		}
	}
	numbers, errs := endpointNumbers(vars)
	known := knownVariables(numbers)
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		switch {
		case slices.Contains(known, key):
		case serviceVariable.MatchString(key):
			delete(vars, key)
		default:
			errs = append(errs, &variableError{variable: key,
				why: fmt.Sprintf("is no variable of ours; the nearest is %s (postern config lists all)", nearest(key, known))})
		}
	}
	return vars, errs
}

var numberedVariable = regexp.MustCompile(`^POSTERN_WEBHOOK_([0-9]+)_.+$`)

// endpointNumbers lists the numbers of the numbered endpoints and complains of
// the first that is missing.
func endpointNumbers(vars map[string]string) ([]string, []error) {
	var numbers []string
	for key := range vars {
		if m := numberedVariable.FindStringSubmatch(key); m != nil && !slices.Contains(numbers, m[1]) {
			numbers = append(numbers, m[1])
		}
	}
	for i := range numbers {
		if want := strconv.Itoa(i); !slices.Contains(numbers, want) {
			slices.Sort(numbers)
			return numbers, []error{&variableError{variable: envPrefix + "WEBHOOK_" + want + "_URL",
				why: "is missing: endpoints are numbered from 0 without a gap, and " + strings.Join(numbers, ", ") + " are set"}}
		}
	}
	return numbers, nil
}

// knownVariables lists every variable that a configuration with these
// endpoint numbers can have.
func knownVariables(numbers []string) []string {
	var known []string
	add := func(key string, s setting) {
		known = append(known, key)
		if s.secret() {
			known = append(known, key+"_FILE")
		}
	}
	const unnumbered = envPrefix + "WEBHOOK_"
	for _, s := range settings(new(Config)) {
		add(s.key, s)
		if name, ok := strings.CutPrefix(s.key, unnumbered); ok {
			for _, n := range numbers {
				add(unnumbered+n+"_"+name, s)
			}
		}
	}
	return known
}

// readSecretFiles puts what the …_FILE variables of secrets name in the place
// of the secrets themselves; it returns each secret's file.
func readSecretFiles(vars map[string]string) (files map[string]string, errs []error) {
	files = make(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		base, ok := strings.CutSuffix(key, "_FILE")
		if !ok || !isSecret(base) {
			continue
		}
		if _, both := vars[base]; both {
			errs = append(errs, &variableError{variable: key, value: vars[key], why: "and " + base + " are both set: set one of them"})
			continue
		}
		text, err := readSecret(vars[key])
		if err != nil {
			errs = append(errs, &variableError{variable: key, value: vars[key], why: "must name a readable file that holds the secret: " + err.Error()})
			continue
		}
		vars[base], files[base] = text, vars[key]
	}
	return files, errs
}

func isSecret(key string) bool {
	if m := numberedVariable.FindStringSubmatch(key); m != nil {
		key = strings.Replace(key, "WEBHOOK_"+m[1]+"_", "WEBHOOK_", 1)
	}
	for _, s := range settings(new(Config)) {
		if s.key == key {
			return s.secret()
		}
	}
	return false
}

// setting is one variable and the field that it fills.
type setting struct {
	key   string // POSTERN_WEBHOOK_0_URL
	group string // heading, of a group's first setting
	field reflect.StructField
	value reflect.Value
}

func (s setting) secret() bool { return s.field.Tag.Get("secret") != "" }

// settings lists all variables of a configuration in the order of their fields.
func settings(c *Config) []setting { return walk(reflect.ValueOf(c).Elem(), envPrefix, "") }

func walk(v reflect.Value, prefix, group string) []setting {
	var all []setting
	for i := range v.NumField() {
		f, fv := v.Type().Field(i), v.Field(i)
		prefix := prefix + f.Tag.Get("envPrefix")
		switch key := f.Tag.Get("env"); {
		case key != "":
			all = append(all, setting{prefix + key, group, f, fv})
			group = ""
		case fv.Kind() == reflect.Slice:
			for n := range fv.Len() {
				all = append(all, walk(fv.Index(n), prefix+strconv.Itoa(n)+"_", "")...)
			}
		default:
			all = append(all, walk(fv, prefix, f.Tag.Get("group"))...)
		}
	}
	return all
}

// checkSettings holds each value to its tags and notes the secrets' files.
func checkSettings(c *Config, vars, files map[string]string) []error {
	var errs []error
	for _, s := range settings(c) {
		if secret, ok := s.value.Addr().Interface().(*Secret); ok {
			secret.File = files[s.key]
		}
		if value, set := vars[s.key]; set && !s.valid() {
			errs = append(errs, s.refuse(value))
		}
	}
	return errs
}

// blame finds the variables that made env fail: its errors name a field, which
// two endpoints share, so each variable is parsed alone.
func blame(vars map[string]string, cause error) []error {
	var errs []error
	full := Config{Webhooks: make([]WebhookConfig, len(vars))}
	for _, s := range settings(&full) {
		value, set := vars[s.key]
		if !set {
			continue
		}
		one := reflect.New(reflect.StructOf([]reflect.StructField{s.field}))
		prefix := strings.TrimSuffix(s.key, s.field.Tag.Get("env"))
		err := env.ParseWithOptions(one.Interface(), env.Options{Environment: vars, Prefix: prefix})
		s.value = one.Elem().Field(0)
		if err != nil || !s.valid() {
			errs = append(errs, s.refuse(value))
		}
	}
	if len(errs) == 0 {
		return []error{fmt.Errorf("configuration: %w", cause)}
	}
	return errs
}

// refuse says what would have been valid.
func (s setting) refuse(value string) error {
	switch {
	case s.secret():
		value = ""
	case s.value.Type() == reflect.TypeFor[URL]():
		value = redactURL(value)
	}
	return &variableError{variable: s.key, value: value, why: "must be " + s.want()}
}

func (s setting) want() string {
	if words := s.field.Tag.Get("oneof"); words != "" {
		return "one of " + strings.Join(strings.Fields(words), ", ")
	}
	switch s.value.Interface().(type) {
	case time.Duration:
		return "a time such as 500ms, 30s, 5m or 72h"
	case Size:
		return "a size such as 512KiB, 50MiB or 4GiB"
	case bool:
		return "true or false"
	case Networks:
		return "networks such as 10.0.0.0/8,192.0.2.7"
	case Addr:
		return "host:port such as :2525 or 127.0.0.1:25, unix:/path for LMTP, or off"
	case URL:
		return "an http or https URL"
	case Store:
		return "sqlite:// and a folder, postgres://user@host/database, or off"
	case Relay:
		return "smtp://host:port, with user:password@ where the relay wants it"
	case Headers:
		return "lines of Name: value"
	case Statuses:
		return "statuses such as 404,422, or 4xx"
	}
	if s.field.Tag.Get("min") != "" {
		return "a whole number, at least " + s.field.Tag.Get("min")
	}
	return "text"
}

// valid holds a parsed value to its tags: words, bounds, times above zero.
func (s setting) valid() bool {
	switch v := s.value.Interface().(type) {
	case string:
		words := strings.Fields(s.field.Tag.Get("oneof"))
		return len(words) == 0 || slices.Contains(words, v)
	case time.Duration:
		return v > 0 || v == 0 && s.field.Tag.Get("min") == "0"
	case Size:
		return s.atLeast(int64(v))
	case int:
		return s.atLeast(int64(v))
	case int64:
		return s.atLeast(v)
	}
	return true
}

func (s setting) atLeast(n int64) bool {
	least, err := strconv.ParseInt(s.field.Tag.Get("min"), 10, 64)
	return err != nil || n >= least
}

// nearest is the known name with the fewest edits between them.
func nearest(key string, known []string) string {
	best, least := "", 1<<30
	for _, k := range known {
		if d := edits(key, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
