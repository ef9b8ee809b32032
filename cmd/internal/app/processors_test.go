package app

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// The spare thread is there from when it was wanted until nobody has wanted it for
// a while; then the number is again what the operator or the machine says.
func TestSpareThread(t *testing.T) {
	for _, env := range []string{"", "3"} {
		t.Run("GOMAXPROCS="+env, func(t *testing.T) {
			defer runtime.SetDefaultGOMAXPROCS()
			t.Setenv("GOMAXPROCS", env)
			if env != "" {
				runtime.GOMAXPROCS(3)
			}
			before := runtime.GOMAXPROCS(0)
			synctest.Test(t, func(t *testing.T) {
				var s spare
				go s.run(t.Context())
				s.wanted()
				time.Sleep(spareFor / 2)
				s.wanted()
				time.Sleep(spareFor * 3 / 4)
				if got := runtime.GOMAXPROCS(0); got != before+1 {
					t.Errorf("while it is wanted: %d threads, %d before", got, before)
				}
				time.Sleep(2 * spareFor)
				if got := runtime.GOMAXPROCS(0); got != before {
					t.Errorf("later: %d threads, %d before", got, before)
				}
				s.wanted()
			})
			if got := runtime.GOMAXPROCS(0); got != before {
				t.Errorf("after the end: %d threads, %d before", got, before)
			}
		})
	}
}
