package retry_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/retry"
)

// The large mail of an endpoint that takes its time doesn't hold up another's.
func TestWorkerLargeMailOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := heavy{openQueue(t), 30 << 20}
		defer q.Close()
		for i := range 6 {
			put(t, q, fmt.Sprint("slow", i), "slow")
		}
		var quick, slow atomic.Int64
		stop := run(t, q, script(func(_ context.Context, l retry.Lease) retry.Outcome {
			if l.Endpoint == "quick" {
				quick.Add(1)
				return retry.Outcome{Kind: retry.Done}
			}
			slow.Add(1)
			time.Sleep(time.Minute)
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{})
		time.Sleep(10 * time.Second)
		put(t, q, "quick", "quick")
		time.Sleep(time.Second)
		if quick.Load() != 1 || slow.Load() != 3 {
			t.Errorf("%d of the quick endpoint's and %d of the slow one's are under way or done", quick.Load(), slow.Load())
		}
		time.Sleep(5 * time.Minute)
		stop()
		if slow.Load() != 6 {
			t.Errorf("%d of the slow endpoint's", slow.Load())
		}
	})
}
