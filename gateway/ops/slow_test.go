package ops

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// watched notes until when its answer may take; real connections end then.
type watched struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (w *watched) SetWriteDeadline(t time.Time) error {
	w.until = append(w.until, t)
	return nil
}

// Whatever a client downloads, it may take its time as long as it takes something,
// and doesn't hold the connection and the file for ever.
func TestSlowReaders(t *testing.T) {
	srv := newTestServer(t, testQueue(t), func(_ *Config, d *Deps) { d.Preview = previews(t) })
	v := visit(t, srv)
	v.signIn()
	for _, path := range []string{"/messages/m1/raw", "/messages/m1/request/body?delivery=d1", "/api/v1/messages/m1/raw", "/api/v1/deliveries/d1/message", "/api/v1/deliveries/d1/request/body"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+testToken)
		at, _ := r.URL.Parse(srv.URL)
		for _, c := range v.Jar.Cookies(at) {
			r.AddCookie(c)
		}
		w := &watched{ResponseRecorder: httptest.NewRecorder()}
		srv.Config.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.Len() == 0 || len(w.until) == 0 {
			t.Fatalf("%s: %d, %d octets, %d deadlines", path, w.Code, w.Body.Len(), len(w.until))
		}
		for _, until := range w.until {
			if left := time.Until(until); left <= 0 || left > time.Hour {
				t.Errorf("%s: it may take %v more", path, left)
			}
		}
	}
}
