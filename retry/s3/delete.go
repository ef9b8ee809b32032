package s3

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// Delete implements engine.Bodies.
func (s *Store) Delete(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, shortLimit+time.Duration(len(names))*50*time.Millisecond)
	defer cancel()
	return s.state.try(opDelete, func() error {
		if len(names) == 1 {
			return ignoreMissing(s.core.RemoveObject(ctx, s.cfg.Bucket, s.key(names[0]), minio.RemoveObjectOptions{}))
		}
		objects := make(chan minio.ObjectInfo, len(names))
		for _, n := range names {
			objects <- minio.ObjectInfo{Key: s.key(n)}
		}
		close(objects)
		var first error
		for e := range s.core.RemoveObjects(ctx, s.cfg.Bucket, objects, minio.RemoveObjectsOptions{}) {
			if err := ignoreMissing(e.Err); err != nil && first == nil {
				first = err
			}
		}
		return first
	})
}

const (
	listPage = 1000
	listRest = 250 * time.Millisecond // between two pages: nobody waits for them
)

// List implements engine.Bodies; the folder's mark is no body.
func (s *Store) List(ctx context.Context, folder string, before time.Time, found func(names []string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var page []string
	give := func() error {
		if len(page) == 0 {
			return nil
		}
		err := found(page)
		page = page[:0]
		return err
	}
	for o := range s.core.ListObjectsIter(ctx, s.cfg.Bucket, minio.ListObjectsOptions{Prefix: s.key(folder + "/"), Recursive: true, MaxKeys: listPage}) {
		if o.Err != nil {
			return s.state.try(opList, func() error { return o.Err })
		}
		name := strings.TrimPrefix(o.Key, s.cfg.Prefix)
		if path.Dir(name) == folder || !o.LastModified.Before(before) {
			continue
		}
		if page = append(page, name); len(page) < listPage {
			continue
		}
		if err := give(); err != nil {
			return err
		}
		select {
		case <-time.After(listRest):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.state.ended(opList, nil)
	return give()
}
