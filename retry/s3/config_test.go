package s3

import (
	"errors"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for address, want := range map[string]Config{
		"s3://mail":             {Bucket: "mail"},
		"s3://mail/":            {Bucket: "mail"},
		"s3://mail/a":           {Bucket: "mail", Prefix: "a/"},
		"s3://mail.example/a/b": {Bucket: "mail.example", Prefix: "a/b/"},
	} {
		if got, err := ParseAddress(address); err != nil || got != want {
			t.Errorf("%s = %+v, %v", address, got, err)
		}
	}
	for _, address := range []string{"", "mail", "s3:mail", "s3:///a", "http://mail/a", "s3://key:secret@mail", "s3://mail:9000/a", "s3://mail/a?b", "s3://mail/#a"} {
		if _, err := ParseAddress(address); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestEnviron(t *testing.T) {
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_DEFAULT_REGION", "eu-central-1")
	t.Setenv("AWS_ENDPOINT_URL", "https://all.example")
	c, err := Config{Bucket: "mail"}.Environ()
	if err != nil || c.Endpoint.Host != "all.example" || c.Region != "eu-central-1" || c.Bucket != "mail" {
		t.Errorf("%+v, %v", c, err)
	}
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://s3.example:9000/")
	if c, err = (Config{}).Environ(); err != nil || c.Endpoint.Host != "s3.example:9000" || c.Region != "eu-west-1" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{"s3.example", "ftp://s3.example", "https://s3.example/path"} {
		t.Setenv("AWS_ENDPOINT_URL_S3", bad)
		if _, err := (Config{}).Environ(); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
