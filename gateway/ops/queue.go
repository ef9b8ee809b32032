package ops

import (
	"context"
	"time"

	"postern/retry"
)

// Queue is what this package asks of the retry queue.
type Queue interface {
	List(ctx context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error)
	Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error)
	Replay(ctx context.Context, f retry.Filter, to string, wait time.Duration) (int, error)
	RetryNow(ctx context.Context, f retry.Filter, spread time.Duration) (int, error)
	Delete(ctx context.Context, f retry.Filter) (int, error)
	Pause(ctx context.Context, endpoint string, d time.Duration, why string) error
	Resume(ctx context.Context, endpoint string) error
	Endpoints(ctx context.Context) ([]retry.EndpointState, error)
	Stats(ctx context.Context) (retry.Stats, error)
	Health(ctx context.Context) error
	OpenMessage(ctx context.Context, messageID string) (retry.Message, retry.StoredBody, error)
}
