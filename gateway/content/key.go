package content

import (
	"context"
	"crypto/rand"
	"fmt"
)

// Meta is where a store keeps small values.
type Meta interface {
	Meta(ctx context.Context, key string) ([]byte, error)
	PutMeta(ctx context.Context, key string, value []byte) ([]byte, error)
}

// metaURLKey names the signing key in the store.
const metaURLKey = "url_secret"

// StoredKey is the signing key that the store keeps, made at its first use: one
// key for all who share the store, even where several make it at once.
func StoredKey(ctx context.Context, m Meta) ([]byte, error) {
	value, err := m.Meta(ctx, metaURLKey)
	if err == nil && len(value) == 0 {
		value, err = m.PutMeta(ctx, metaURLKey, []byte(rand.Text()+rand.Text()))
	}
	if err != nil {
		return nil, fmt.Errorf("content: the key that signs urls, in the store: %w", err)
	}
	return value, nil
}
