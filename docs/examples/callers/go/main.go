// Tops a wallet up through the sidecar. Usage: go run main.go [http://localhost:7380 | /path/of/the.sock]
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

var base = "http://localhost:7380"
var dialer = net.Dialer{Timeout: 2 * time.Second}
var transport = &http.Transport{DialContext: dialer.DialContext} // without Proxy: HTTP_PROXY is not looked at
var client = &http.Client{
	Transport:     transport,
	Timeout:       25 * time.Second, // longer than PRESTO_TIMEOUT
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// What the sidecar says; empty if the answer is Presto's own.
type problem struct {
	Retryable   bool
	Transaction struct{ Status string }
}

func (r *reply) problem() (said problem) {
	if r.header.Get("Content-Type") == "application/problem+json" {
		_ = json.Unmarshal(r.body, &said)
	}
	return said
}

// Sends it, and the very same again while nothing reached Presto. nil: nobody knows what became of it.
// No Idempotency-Key: with one, net/http itself sends a POST again.
func send(path, body string) *reply {
	for left := 5; ; left-- {
		answer, err := client.Post(base+"/api/institutions/v1/wallet"+path, "application/json", strings.NewReader(body))
		if err != nil {
			return nil
		}
		bytes, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return nil
		}
		r := &reply{answer.StatusCode, answer.Header, bytes}
		if r.header.Get("Presto-Outcome") != "not-sent" || !r.problem().Retryable || left <= 1 {
			return r
		}
		seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
		if err != nil {
			seconds = 1
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// What became of a confirm: paid, refused, not-sent, or ask.
func endOf(r *reply) string {
	if r == nil {
		return "ask"
	}
	outcome, told := r.header.Get("Presto-Outcome"), r.header.Get("Presto-Transaction")
	if told == "" {
		told = r.problem().Transaction.Status
	}
	switch {
	case told == "completed":
		return "paid"
	case outcome == "answered" && told == "" && r.status/100 == 2:
		return "paid"
	case outcome == "answered" && told == "" && r.status/100 == 4:
		return "refused"
	case outcome == "not-sent" && r.status != http.StatusConflict:
		return "not-sent"
	}
	return "ask"
}

func main() {
	if len(os.Args) > 1 {
		base = os.Args[1]
	}
	if socket := base; strings.HasPrefix(socket, "/") {
		base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	init := send("/init", `{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":25.500,"currency":"LYD"}`)
	var order struct {
		Data struct {
			Reference string `json:"transaction_reference"`
		}
	}
	if init == nil || init.status != 200 || json.Unmarshal(init.body, &order) != nil {
		log.Fatal("no transaction: nothing has moved")
	}
	reference := order.Data.Reference // keep it where it outlives this process, then confirm
	fmt.Println(endOf(send("/confirm", fmt.Sprintf(`{"transaction_reference":%q}`, reference))), reference)
}
