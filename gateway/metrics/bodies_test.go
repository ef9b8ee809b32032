package metrics

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/retry/s3"
)

type bodyStore struct{ err error }

func (b bodyStore) Health() error { return b.err }
func (b bodyStore) Counts() map[string]s3.Count {
	return map[string]s3.Count{"put": {Done: 3, Failed: 1}}
}

func TestBodyStats(t *testing.T) {
	for up, err := range map[string]error{"1": nil, "0": errors.New("away")} {
		want := `# HELP postern_body_store_requests_total Requests to the object store by operation (put, get, delete, list, probe) and result (done, failed).
# TYPE postern_body_store_requests_total counter
postern_body_store_requests_total{operation="put",result="done"} 3
postern_body_store_requests_total{operation="put",result="failed"} 1
# HELP postern_body_store_up 1 while the object store for large bodies answers, 0 while it fails: large mail that must wait is left with its sender, and what waits there goes on waiting; there with POSTERN_BODY_STORE.
# TYPE postern_body_store_up gauge
postern_body_store_up ` + up + "\n"
		if err := testutil.CollectAndCompare(bodyStats{bodyStore{err}}, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	}
}
