package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"

	"postern/cmd/internal/nearest"
)

// Prefix begins the name of every variable of ours.
const Prefix = "POSTERN_"

// Load reads the configuration that a gateway runs with. All errors come
// at once, in a *Error.
func Load(environ []string) (*Config, error) {
	c, errs := read(environ)
	if err := c.needEndpoint(); err != nil {
		errs = append(errs, independent([]error{err}, errs)...)
	}
	if len(errs) > 0 {
		return nil, &Error{errs}
	}
	return c, nil
}

// Read is Load for commands that need no endpoint.
func Read(environ []string) (*Config, error) {
	c, errs := read(environ)
	if len(errs) > 0 {
		return nil, &Error{errs}
	}
	return c, nil
}

// read takes what can be used, whatever is wrong with the rest.
func read(environ []string) (*Config, []error) {
	vars, errs := ourVariables(environ)
	files, fileErrs := readSecretFiles(vars)
	errs = append(errs, fileErrs...)
	errs = append(errs, dropUnusable(vars)...)

	c := new(Config)
	if err := env.ParseWithOptions(c, env.Options{Environment: vars, Prefix: Prefix}); err != nil {
		return c, append(errs, fmt.Errorf("configuration: %w", err))
	}
	for _, s := range settings(c) {
		if secret, ok := s.value.Addr().Interface().(*Secret); ok {
			secret.File = files[s.key]
		}
	}
	c.complete()
	return c, append(errs, independent(c.check(), errs)...)
}

// independent leaves out the errors that name a variable which was refused
// before: they only follow from that.
func independent(errs, before []error) []error {
	return slices.DeleteFunc(errs, func(e error) bool {
		return slices.ContainsFunc(before, func(b error) bool {
			refused, ok := b.(*variableError)
			return ok && strings.Contains(e.Error(), refused.variable)
		})
	})
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
		if strings.HasPrefix(key, Prefix) && value != "" {
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
		case removedSetting(key) != "":
			errs = append(errs, &variableError{variable: key, why: "is no variable of ours any more: " + removedSetting(key)})
		default:
			best, _ := nearest.Word(key, known)
			errs = append(errs, &variableError{variable: key, why: fmt.Sprintf("is no variable of ours; the nearest is %s (postern config lists all)", best)})
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
			return numbers, []error{&variableError{variable: Prefix + "WEBHOOK_" + want + "_URL",
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
	const unnumbered = Prefix + "WEBHOOK_"
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
		text, err := ReadSecret(vars[key])
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
