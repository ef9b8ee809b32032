package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("SECRET"), "whsec_"))
	http.ListenAndServe(":"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		at, _ := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.%s", r.Header.Get("webhook-id"), at, body)
		good := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		signed := slices.ContainsFunc(strings.Fields(r.Header.Get("webhook-signature")), func(s string) bool { return hmac.Equal([]byte(s), []byte(good)) })
		if !signed || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var mail struct{ Message struct{ Subject string } }
		json.Unmarshal(body, &mail)
		fmt.Println(mail.Message.Subject) // your code
		w.WriteHeader(http.StatusNoContent)
	}))
}
