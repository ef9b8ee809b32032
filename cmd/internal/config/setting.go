package config

import (
	"postern/gateway/text"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// setting is one variable and the field that it fills.
type setting struct {
	key   string // POSTERN_WEBHOOK_0_URL
	group string // heading, of a group's first setting
	field reflect.StructField
	value reflect.Value
}

func (s setting) secret() bool { return s.field.Tag.Get("secret") != "" }

// settings lists all variables of a configuration in the order of their fields.
func settings(c *Config) []setting { return walk(reflect.ValueOf(c).Elem(), Prefix, "") }

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

// dropUnusable refuses the variables whose values can't be read or don't fit
// their tags, and takes them out of vars. Each is parsed alone: the errors of
// env name a field, which two endpoints share.
func dropUnusable(vars map[string]string) []error {
	var errs []error
	full := Config{Webhooks: make([]Webhook, len(vars))}
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
			delete(vars, s.key)
		}
	}
	return errs
}

// refuse says what would have been valid.
func (s setting) refuse(value string) error {
	switch {
	case s.secret():
		value = ""
	case s.value.Type() == reflect.TypeFor[URL]():
		value = text.RedactURL(value)
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
	case FileMode:
		return "permissions such as 0666"
	case URL:
		return "an http or https URL"
	case Store:
		return "sqlite:// and a folder, postgres://user@host/database, or off"
	case BodyStore:
		return "s3://bucket or s3://bucket/prefix"
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
