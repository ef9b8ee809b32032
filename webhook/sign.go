package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Header names of Standard Webhooks 1.0.0, as they are sent.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// secretPrefix opens a Standard Webhooks secret; base64 follows.
const secretPrefix = "whsec_"

// ErrSignature is returned by Verify when no signature fits.
var ErrSignature = errors.New("webhook: no signature fits")

// signingKeys decodes the secrets of a value: one, or two during a rotation,
// separated by white space or commas.
func signingKeys(value string) ([][]byte, error) {
	var keys [][]byte
	for _, s := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' || r == '\r' }) {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, secretPrefix))
		if err != nil || !strings.HasPrefix(s, secretPrefix) || len(key) < 16 {
			return nil, errors.New(`SECRET: not a Standard Webhooks secret; use "whsec_" and the base64 of 24 to 64 random octets: echo "whsec_$(openssl rand -base64 32)"`)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("SECRET: empty; give a secret, or leave SECRET out")
	}
	return keys, nil
}

// Sign is the webhook-signature of a body (Standard Webhooks 1.0.0): one
// signature for each key of the secret. The body is written by write.
func Sign(secret Secret, id string, at time.Time, write func(io.Writer) error) (string, error) {
	keys, err := signingKeys(secret.Reveal())
	if err != nil {
		return "", err
	}
	return sign(keys, id, at, write)
}

func sign(keys [][]byte, id string, at time.Time, write func(io.Writer) error) (string, error) {
	macs := make([]io.Writer, len(keys))
	for i, k := range keys {
		macs[i] = hmac.New(sha256.New, k)
	}
	w := io.MultiWriter(macs...)
	if len(macs) == 1 {
		w = macs[0]
	}
	fmt.Fprintf(w, "%s.%d.", id, at.Unix())
	if err := write(w); err != nil {
		return "", err
	}
	out := make([]byte, 0, 48*len(macs))
	for i, m := range macs {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, "v1,"...)
		out = base64.StdEncoding.AppendEncode(out, m.(interface{ Sum([]byte) []byte }).Sum(nil))
	}
	return string(out), nil
}

// Verify checks a received body as a receiver would: one of the signatures
// must fit one of the secret's keys, and the timestamp must be within tolerance
// of now (0: any time).
func Verify(secret Secret, id, timestamp, signatures string, body []byte, now time.Time, tolerance time.Duration) error {
	keys, err := signingKeys(secret.Reveal())
	if err != nil {
		return err
	}
	sec, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %s is not in unix seconds", ErrSignature, HeaderTimestamp)
	}
	at := time.Unix(sec, 0)
	if tolerance > 0 && now.Sub(at).Abs() > tolerance {
		return fmt.Errorf("%w: %s is %s off", ErrSignature, HeaderTimestamp, now.Sub(at).Abs().Round(time.Second))
	}
	for _, key := range keys {
		want, _ := sign([][]byte{key}, id, at, func(w io.Writer) error { _, err := w.Write(body); return err })
		for _, got := range strings.Fields(signatures) {
			if hmac.Equal([]byte(got), []byte(want)) {
				return nil
			}
		}
	}
	return ErrSignature
}
