package metrics

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/retry/s3"
)

type bodyStore struct{ err, held error }

func (b bodyStore) Health() error { return b.err }
func (b bodyStore) Held() error   { return b.held }
func (b bodyStore) Counts() map[string]s3.Count {
	return map[string]s3.Count{"put": {Done: 3, Failed: 1}}
}

func TestBodyStats(t *testing.T) {
	for up, err := range map[string]error{"1": nil, "0": errors.New("away")} {
		held := map[string]string{"1": "0", "0": "1"}[up]
		want := `# HELP postern_body_store_held 1 while no body is deleted from the object store, since another database uses the folder of this one's bodies or this one was set back (a restored or copied database): mail goes on, and the bucket grows; else 0; there with POSTERN_BODY_STORE.
# TYPE postern_body_store_held gauge
postern_body_store_held ` + held + `
# HELP postern_body_store_requests_total Requests to the object store by operation (put, get, delete, list, probe) and result (done, failed).
# TYPE postern_body_store_requests_total counter
postern_body_store_requests_total{operation="put",result="done"} 3
postern_body_store_requests_total{operation="put",result="failed"} 1
# HELP postern_body_store_up 1 while the object store for large bodies answers, 0 while it fails: large mail that must wait is left with its sender, and what waits there goes on waiting; there with POSTERN_BODY_STORE.
# TYPE postern_body_store_up gauge
postern_body_store_up ` + up + "\n"
		if err := testutil.CollectAndCompare(bodyStats{bodyStore{err, err}}, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	}
}
