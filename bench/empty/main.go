// Empty is the baseline of the checks: net/http with nothing set but a handler
// that sends the same answer to every request.
//
// The answer is read from a file, as it went over the wire, so that headers
// and body are those of the server that it is compared with.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	address := flag.String("addr", "127.0.0.1:0", "`address` to listen on")
	answer := flag.String("answer", "", "`file` with the answer: status line, headers and body")
	flag.Parse()
	raw, err := os.ReadFile(*answer)
	if err != nil {
		log.Fatalf("read the answer: %v", err)
	}
	handler, err := newHandler(raw)
	if err != nil {
		log.Fatalf("read the answer: %v", err)
	}
	log.Fatal((&http.Server{Addr: *address, Handler: handler}).ListenAndServe())
}

// newHandler returns what sends the headers and the body of raw. Date is left
// to net/http, as every server leaves it.
func newHandler(raw []byte) (http.Handler, error) {
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("its status is %s, want 200", response.Status)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	header := response.Header
	header.Del("Date")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		to := w.Header()
		for name, values := range header {
			to[name] = values
		}
		_, _ = w.Write(body)
	}), nil
}
